"""What can go wrong, and whose turn it is.

DcpError
├── RequestError     exit 2   the user asked for something that cannot be done; nothing was written
│   ├── RunBusy               another process is writing to the run
│   ├── RunExists             its folder is there already
│   ├── NotFetched            Git LFS has a pointer in the place of a file
│   ├── MissingExtra          a package that is not always installed, and is needed here
│   └── Problems              several wrong requests at once
└── RunError         exit 1   the run itself failed: disk full, broken data
    ├── Diverged              the loss is not finite
    ├── RunLost               its folder is no longer this process's
    └── ProcessLost           another process of the run ended

Anything else that reaches the screen is a bug in dcp.
"""

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

LONGEST = 200  # characters of a path that a message shows
LFS_POINTER = b"version https://git-lfs"  # how the text begins that Git LFS has in place of a file
MOST = 20  # problems that are shown at once
DONE, FAILED, REFUSED, INTERRUPTED, TIME_UP, TERMINATED = 0, 1, 2, 130, 138, 143
STOPPED = (INTERRUPTED, TIME_UP, TERMINATED)  # by Ctrl-C, by SIGUSR1 of a scheduler, by SIGTERM


class DcpError(Exception):
    """A problem with an address: what is wrong, where, and what would be right.

    Args:
        message: what is wrong, without a full stop's worth of context; one line.
        slug: short name of the kind of problem, e.g. "unknown-key"; a heading of docs/errors.md.
        where: the file, key or folder it concerns.
        hint: what would be right; may have several lines.
    """

    exit_code = FAILED

    def __init__(self, message: str, *, slug: str, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message, self.slug, self.where, self.hint = message, slug, where, hint

    def __reduce__(self) -> tuple[object, ...]:
        """So that it crosses processes whole."""
        return (_again, (type(self), self.message, self.slug, self.where, self.hint))

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        lines = [f"error[{self.slug}]: {self.message}{place}", *(f"  {line}" for line in self.hint.splitlines())]
        return "\n".join(map(printable, lines))


def printable(text: str) -> str:
    r"""The text on one line, escaped where a file's name holds what a terminal would obey or cannot show.

    >>> print(printable("a\nb\x1b[31m ρ"), printable(b"\xff".decode(errors="surrogateescape")))
    a\nb\x1b[31m ρ \xff
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _visible(c) for c in text)


def _visible(c: str) -> str:
    if "\udc80" <= c <= "\udcff":  # how Python keeps a byte that is no UTF-8
        return f"\\x{ord(c) - 0xDC00:02x}"
    return c.encode("unicode_escape").decode()


def escaped(name: bytes) -> str:
    r"""A file's name as text that leads back to it: a backslash is written twice, a byte that is no UTF-8 as \xff.

    >>> print(escaped(b"a\xff"), escaped(rb"a\xff"))
    a\xff a\\xff
    """
    return name.replace(b"\\", rb"\\").decode(errors="backslashreplace")


def _again(kind: type[DcpError], message: str, slug: str, where: str, hint: str) -> DcpError:
    return kind(message, slug=slug, where=where, hint=hint)


class RequestError(DcpError):
    """The request was wrong: a recipe, a name, a folder, a combination of options."""

    exit_code = REFUSED


def failure(error: RequestError) -> "RunError":
    """The same as a failure: what was refused was not asked for by whoever started a run that has gone on for hours."""
    return RunError(error.message, slug=error.slug, where=error.where, hint=error.hint)


class RunBusy(RequestError):
    """Another process is writing to the run."""


class RunExists(RequestError):
    """The folder of a new run is there already."""


class NotFetched(RequestError):
    """Git LFS has a pointer in the place of a file."""


class MissingExtra(RequestError):
    """A package that is not always installed, and is needed here."""


class Problems(RequestError):
    """Several wrong requests at once, so that a recipe is mended in one go."""

    def __init__(self, problems: list[RequestError]) -> None:
        first = problems[0]
        super().__init__(first.message, slug=first.slug, where=first.where, hint=first.hint)
        self.problems = problems

    def __reduce__(self) -> tuple[object, ...]:
        return (Problems, (self.problems,))

    def __str__(self) -> str:
        more = len(self.problems) - MOST
        lines = [*map(str, self.problems[:MOST]), *([f"and {more:,} more problems"] if more > 0 else [])]
        return "\n".join(lines)


class RunError(DcpError):
    """The run failed on its way: numbers, disk, memory or data."""


class Diverged(RunError):
    """The loss is not finite; all processes of the run meet this at the same step."""


class RunLost(RunError):
    """The folder of the run was moved, or another process has taken it: this one writes nothing more into it."""


class ProcessLost(RunError):
    """Another process of the run ended; all that are left meet this."""


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM reached a training run, and was obeyed after a checkpoint was `saved`, or without one.

    Where it is `said` already, by the process that trained, nothing more is.
    """

    def __init__(self, exit_code: int, *, saved: bool = True, said: bool = False) -> None:
        super().__init__(exit_code)
        self.exit_code, self.saved, self.said = exit_code, saved, said


def missing_package(what: str, extra: str, where: str = "") -> MissingExtra:
    """The error where a package is needed that comes with an `extra` of dcp."""
    return MissingExtra(what, slug="missing-package", where=where, hint=f"pip install 'dcp[{extra}]'")


def not_fetched(where: str) -> NotFetched:
    """The error for a file whose content begins with `LFS_POINTER`."""
    hint = "Fetch the file itself: git lfs pull, in the repository that it is from."
    return NotFetched("this is a Git LFS pointer, not the file", slug="git-lfs", where=where, hint=hint)


def path_given(given: object, *, where: str) -> Path:
    """What a caller of a public function has given as a path.

    Raises:
        RequestError: "bad-type", it is no path; "bad-value", it is empty, which `Path` takes for the current folder.
    """
    if not isinstance(given, str | os.PathLike):
        raise RequestError(f"a path is a str or a Path, not {given!r:.99}", slug="bad-type", where=where)
    if not os.fspath(given):
        raise RequestError("the path is empty", slug="bad-value", where=where, hint="the current folder is .")
    return Path(given)


def expanded_path(text: str, *, slug: str, where: str = "", shown: str = "") -> Path:
    """The path that `text` means, with home folders for a `~` or `~user` in front.

    Args:
        text: as a person wrote it.
        slug: of the error that the caller has for a path where nothing is.
        where: the key or variable that it is the value of.
        shown: what the message calls it; without it the text.

    Raises:
        RequestError: of that slug; there is no such user, or no home folder.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        what = f"{shortened(shown or text)} begins with the home folder of a user who is not known here"
        hint = "write the path in full"
        raise RequestError(what, slug=slug, where=where, hint=hint) from None


def shortened(path: Path | str) -> str:
    """A path as a message shows it.

    >>> shortened("runs/a"), len(shortened("a" * 5000))
    ('runs/a', 200)
    """
    text = str(path)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."


def squeezed(name: str) -> str:
    """A name without case, dashes, dots and underscores, in which people differ.

    >>> squeezed("ResNet-18"), squeezed("--batch_size")
    ('resnet18', 'batchsize')
    """
    return re.sub(r"[-_.\s]", "", name.lower())


def near_names(name: str, names: Iterable[str], count: int = 3, cutoff: float = 0.6) -> list[str]:
    """Those of `names` that may be meant by a name that is none, the nearest first, each once.

    Args:
        name: as it was written.
        names: that there are.
        count: how many at most.
        cutoff: how like they must be, in [0, 1].

    >>> near_names("resnet-18", ["resnet34", "resnet18", "vgg16", "resnet18"])
    ['resnet18', 'resnet34']
    """
    unique, meant = list(dict.fromkeys(names)), squeezed(name)
    same = [other for other in unique if squeezed(other) == meant]
    return list(dict.fromkeys([*same, *get_close_matches(name, unique, count, cutoff)]))[:count]
