"""The Hugging Face Hub: a folder as a repository of the user's, where they have a token and have asked for it."""

import re
from pathlib import Path

from dcp.errors import RequestError, RunError
from dcp.exporting import extras

REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


def check(repository: str) -> None:
    """Make sure that a push can be tried, before anything is written.

    Raises:
        RequestError: "bad-option", the name is no USER/NAME; "missing-package"; "no-token".
    """
    if not REPOSITORY.fullmatch(repository) or ".." in repository or "--" in repository:
        what = f'"{repository}" is no USER/NAME'
        raise RequestError(what, slug="bad-option", where="--push", hint="e.g. --push ada/resnet18-directcopy")
    extras.check("huggingface_hub", extra="hub", what="--push")
    from huggingface_hub import get_token

    if not get_token():
        hint = "`hf auth login` keeps one; or set HF_TOKEN. It must be allowed to write."
        raise RequestError("there is no token for huggingface.co", slug="no-token", where="--push", hint=hint)


def push(folder: Path, repository: str) -> str:
    """Upload what is in a folder; returns the address. The repository is made, for all to see, if it is not there.

    Raises:
        RunError: "push-failed"; the folder stays.
    """
    from huggingface_hub import HfApi

    try:
        api = HfApi()
        url = str(api.create_repo(repository, exist_ok=True))
        api.upload_folder(folder_path=str(folder), repo_id=repository, commit_message="dcp export")
    except Exception as error:  # of the network, of the Hub, of whatever it is built on
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        hint = f"{folder} is complete. Try again: hf upload {repository} {folder} ."
        raise RunError(f"not pushed: {reason}", slug="push-failed", where=repository, hint=hint) from error
    return url
