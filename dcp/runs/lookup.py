"""Which run folders a person means, and which names are near when there are none."""

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from dcp.errors import RequestError, path_given
from dcp.runs.json_files import Json, read_json

STUDY = "study.json"  # in the folder of a study, beside its runs
LONGEST = 200  # bytes of a run's name: a file's may have 255, and seed and temporary endings need theirs


def is_run(path: Path) -> bool:
    """Whether `path` looks like a run folder, be it half of one; one that may not be looked into does by its name.

    Half a run is named later, when it is opened: to leave out a seed in silence would be worse.
    """
    if path.name.startswith("."):
        return False
    try:
        named = path.name != without_seed(path.name)
        return (path / "run.json").is_file() or (named and (path / "recipe.toml").is_file())
    except PermissionError:
        return named
    except OSError:
        return False


def runs_in(root: Path) -> list[Path]:
    """The run folders under `root`, by name and then by seed; none when there is no such folder to look into."""
    try:
        paths = [path for path in root.iterdir() if is_run(path)]
    except OSError:
        paths = []
    return sorted(paths, key=lambda path: (without_seed(path.name), len(path.name), path.name))


def without_seed(name: str) -> str:
    """The name of a run without its seed.

    >>> without_seed("stl10_directcopy-s12")
    'stl10_directcopy'
    """
    return re.sub(r"-s\d+$", "", name)


def seed_of(name: str) -> int:
    """The seed that the name of a run folder ends with; 0 without one.

    >>> seed_of("stl10_directcopy-s12")
    12
    """
    ending = re.search(r"-s(\d+)$", name)
    return int(ending[1]) if ending else 0


def matches(word: str, root: Path) -> list[Path]:
    """The run folders that `word` means: a folder, a name under `root`, a name without its seed, a study, or a glob.

    Raises:
        RequestError: "no-such-run", with the nearest names; as `path_given`.
    """
    path = path_given(word, where="run")
    if is_run(path):
        return [path]
    base, name = (path.parent, path.name) if path.name != word else (root, word)
    if _is_study(base / name) and (runs := named(_names(base / name), base)):
        return runs
    if _is_there(base / name, Path.is_dir):
        return [base / name]
    fits = fnmatch.fnmatchcase if re.search(r"[*?[]", name) else str.__eq__
    runs = [run for run in runs_in(base) if fits(run.name, name) or fits(without_seed(run.name), name)]
    if not runs and _is_there(base / name, Path.exists):
        return [base / name]  # opening it says what it is
    if not runs:
        hint = nearest(name, base)
        raise RequestError(f'no run is called "{name}"', slug="no-such-run", where=str(base), hint=hint)
    return runs


def arms_of(folder: Path) -> list[Json]:
    """The arms of the study that wrote `folder`: "name" and "run", the name of its runs without seed.

    Raises:
        RequestError: "broken-run", its study.json is missing or cannot be read.
    """
    arms = read_json(folder / STUDY).get("arms")
    return [arm for arm in arms if isinstance(arm, dict)] if isinstance(arms, list) else []


def named(names: Sequence[Any], root: Path) -> list[Path]:
    """The run folders under `root` that have one of these names without their seed, in the order of names and seeds."""
    runs = [run for run in runs_in(root) if without_seed(run.name) in names]
    return sorted(runs, key=lambda run: names.index(without_seed(run.name)))


def lacking(names: Sequence[str], seeds: Iterable[int], root: Path) -> list[tuple[str, int]]:
    """Name and seed of runs without a folder under `root`: every name should have `seeds`, and those of the others."""
    folders = {path.name for path in named(names, root)}
    every = sorted({*seeds, *map(seed_of, folders)})
    return [(name, seed) for name in names for seed in every if f"{name}-s{seed}" not in folders]


def without_folder(words: Sequence[str], root: Path) -> list[tuple[str, int]]:
    """Name and seed of the runs without a folder, of the studies among `words`; each once."""
    missing: dict[tuple[str, int], None] = {}
    for word in words:
        folder = Path(word) if Path(word).name != word else root / word
        if not is_run(Path(word)) and _is_study(folder):
            seeds = read_json(folder / STUDY).get("seeds")  # those of its last call
            whole = [seed for seed in seeds if isinstance(seed, int)] if isinstance(seeds, list) else []
            missing |= dict.fromkeys(lacking(_names(folder), whole, folder.parent))
    return list(missing)


def _is_study(folder: Path) -> bool:
    """Whether a study has written into `folder`, or may have: it may not be looked into."""
    return _is_there(folder / STUDY, Path.is_file)


def _names(folder: Path) -> list[str]:
    """What the runs of a study are called, without seed."""
    return [str(arm["run"]) for arm in arms_of(folder) if "run" in arm]


def _is_there(path: Path, kind: Callable[[Path], bool]) -> bool:
    try:
        return kind(path)
    except OSError as error:
        return isinstance(error, PermissionError)


def nearest(name: str, root: Path) -> str:
    """A hint: the runs under `root` whose names are most like `name`, or what else there is."""
    names = [path.name for path in runs_in(root)]
    if not names:
        reason = ""
        try:
            next(root.iterdir(), None)
        except OSError as error:
            reason = "" if isinstance(error, FileNotFoundError) else f" that can be seen ({error.strerror})"
        return f"There are no runs in {root}{reason}; --runs DIR says where they are."
    candidates = dict.fromkeys([*map(without_seed, names), *names])
    close = difflib.get_close_matches(name, candidates, n=3, cutoff=0.5)
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
    if not re.fullmatch(r"\w[\w.+=@-]*", name) or len(name.encode()) > LONGEST:
        hint = f"Letters, digits and - _ . + = @, beginning with a letter, a digit or _; at most {LONGEST} of them."
        raise RequestError(f'run.name "{name}" cannot be a folder\'s name', slug="run-name", hint=hint)
