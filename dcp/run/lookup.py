"""Which run folders a person means, and which names are near when there are none."""

import difflib
import fnmatch
import re
from pathlib import Path

from dcp.errors import RequestError


def is_run(path: Path) -> bool:
    """Whether `path` looks like a run folder."""
    return not path.name.startswith(".") and (path / "run.json").is_file()


def runs_in(root: Path) -> list[Path]:
    """The run folders under `root`, by name and then by seed; none when there is no such folder."""
    paths = [path for path in root.iterdir() if is_run(path)] if root.is_dir() else []
    return sorted(paths, key=lambda path: (without_seed(path.name), len(path.name), path.name))


def without_seed(name: str) -> str:
    """The name of a run without its seed.

    >>> without_seed("stl10_directcopy-s12")
    'stl10_directcopy'
    """
    return re.sub(r"-s\d+$", "", name)


def matches(word: str, root: Path) -> list[Path]:
    """The run folders that `word` means: a folder, a name under `root`, a name without its seed, or a glob.

    Raises:
        RequestError: "no-such-run", with the nearest names.
    """
    path = Path(word)
    if is_run(path):
        return [path]
    base, name = (path.parent, path.name) if path.name != word else (root, word)
    if (base / name).is_dir():
        return [base / name]
    fits = fnmatch.fnmatchcase if re.search(r"[*?[]", name) else str.__eq__
    found = [run for run in runs_in(base) if fits(run.name, name) or fits(without_seed(run.name), name)]
    if not found:
        hint = nearest(name, base)
        raise RequestError(f'no run is called "{name}"', slug="no-such-run", where=str(base), hint=hint)
    return found


def nearest(name: str, root: Path) -> str:
    """A hint: the runs under `root` whose names are most like `name`, or what else there is."""
    names = [path.name for path in runs_in(root)]
    if not names:
        return f"There are no runs in {root}; --runs DIR says where they are."
    known = dict.fromkeys([*map(without_seed, names), *names])
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(close)}?" if close else f"In {root} there are {first(names)}."


def first(names: list[str], count: int = 5) -> str:
    """The first few names, and how many more there are.

    >>> first(["a", "b", "c"], count=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def check_name(name: str) -> None:
    """Refuse a run name that could not be a plain folder's name.

    Raises:
        RequestError: "run-name".
    """
    if not re.fullmatch(r"\w[\w.+=@-]*", name):
        hint = "Letters, digits and - _ . + = @, beginning with a letter, a digit or _."
        raise RequestError(f'run.name "{name}" cannot be a folder\'s name', slug="run-name", hint=hint)
