"""What is said of an image file that cannot be used."""

from errno import EMFILE, ENFILE
from typing import NamedTuple

from dcp.errors import NotFetched, RunError, printable


class Mending(NamedTuple):
    """What helps where a file is broken."""

    hint: str
    skipping: str  # what data.broken=skip does


# a run knows the images that it was trained on by their names and sizes
TRAINED = Mending(
    "Was it whole when the run began? Restore that very file, and go on with --resume.\n"
    "Else replace it, or take it out of the folder, and begin anew: run.name=NAME.",
    "has another take its place",
)
UNTRAINED = Mending(
    "It is for testing: replace the file, or take it out of the folder, and go on with --resume.", "leaves it out"
)


class Undecodable(RunError):
    """The content of a file is no image that could be decoded; the file itself can be read."""


def broken(shown: str, error: Exception, mending: Mending = TRAINED) -> RunError:
    """The error for an image of this name that cannot be used, with Pillow's or the system's reason."""
    if isinstance(error, OSError) and error.errno in (EMFILE, ENFILE):  # nothing is wrong with the image
        what = f"cannot read an image: {error.strerror}"
        hint = "Raise the limit (ulimit -n), or close what else has files open, and go on with --resume."
        return RunError(what, slug="too-many-files", where=printable(shown), hint=hint)
    kind: type[RunError] = RunError
    hint = mending.hint
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        reason, hint = "the file has gone since the folder was listed", "Put it back and go on with --resume."
    elif isinstance(error, PermissionError):
        reason, hint = error.strerror or "permission denied", "Check its permissions and go on with --resume."
    elif isinstance(error, OSError) and error.strerror:
        reason = error.strerror
    elif isinstance(error, NotFetched):
        reason, hint = error.message, error.hint
    else:
        reason, kind = str(error).strip() or type(error).__name__, Undecodable
        hint += f"\nOr go on without it: --resume data.broken=skip {mending.skipping}."
    return kind(f"cannot read an image: {reason}", slug="broken-image", where=printable(shown), hint=hint)
