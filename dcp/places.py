"""Places that a person names: a path with `~` in it, and one that is too long to be shown whole."""

from pathlib import Path

from dcp.errors import RequestError

LONGEST = 200  # characters of a path that a message shows


def expanded(text: str, *, slug: str, where: str = "") -> Path:
    """The path that `text` means, with home folders for a `~` or `~user` in front.

    Args:
        text: as a person wrote it.
        slug: of the error that the caller has for a path where nothing is.
        where: the key or variable that it is the value of.

    Raises:
        RequestError: of that slug; there is no such user, or no home folder.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        what = f"{shortened(text)} begins with the home folder of a user who is not known here"
        hint = "write the path in full"
        raise RequestError(what, slug=slug, where=where, hint=hint) from None


def shortened(path: Path | str) -> str:
    """A path as a message shows it.

    >>> shortened("runs/a"), len(shortened("a" * 5000))
    ('runs/a', 200)
    """
    text = str(path)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."
