"""What the Tab key completes: recipes, keys and their values, runs, evaluations, images, formats. Without torch.

`recipe/keys.txt` holds the keys, a line each, with their values where they are few. `python -m docs.pages` makes it.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import typer
from typer import _completion_shared

from dcp.recipe import shipped

KEYS = Path(__file__).parents[1] / "recipe/keys.txt"
EVALUATIONS, DATASETS, FORMATS = (
    Path(__file__).parents[1] / folder for folder in ("probing/evaluations", "data/datasets", "exporting/formats")
)
BASH = """\
%(complete_func)s() {
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(autocomplete_var)s=complete_bash $1 ) )
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=/] ]] && compopt -o nospace
    return 0
}

complete -o default -F %(complete_func)s %(prog_name)s
"""

scripts = getattr(_completion_shared, "_completion_scripts", None)
if isinstance(scripts, dict):  # typer's own puts a space after "train.epochs="
    scripts["bash"] = BASH


def recipes(incomplete: str) -> list[str]:
    """Names of recipes that ship, TOML files, and folders in which such may lie."""
    tiny = incomplete.startswith("t")  # those are for tests
    names = [name for name in shipped.every() if tiny or not name.startswith(shipped.TINY)]
    return [*_that_begin(incomplete, names), *_files(incomplete, "*.toml")]


def settings(incomplete: str) -> list[str]:
    """Keys with "=" behind, and after it the values, where these are a few."""
    key, given, value = incomplete.partition("=")
    known = dict(line.partition("\t")[::2] for line in KEYS.read_text(encoding="utf-8").splitlines())
    if given:
        return [f"{key}={each}" for each in known.get(key, "").split() if each.startswith(value)]
    return [f"{each}=" for each in _that_begin(incomplete, known)]


def data_settings(incomplete: str) -> list[str]:
    """The same of the keys that say where images are and how they are read."""
    given = incomplete if incomplete.startswith("data.") else "data." if "data.".startswith(incomplete) else ""
    return (
        [each for each in settings(given) if not each.startswith(("data.source=", "data.channels="))] if given else []
    )


def run_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of runs below --runs: with their seeds, without, and of studies; and folders."""
    from dcp.runs import lookup

    studies = [path.parent.name for path in _runs(ctx).glob(f"*/{lookup.STUDY}")]
    return [*_that_begin(incomplete, studies), *run_name(ctx, incomplete)]


def run_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """The same where a single run is meant: without studies."""
    from dcp.runs import lookup

    runs = [path.name for path in lookup.runs_in(_runs(ctx))]
    names = dict.fromkeys([*map(lookup.without_seed, runs), *runs])
    return [*_that_begin(incomplete, names), *_folders(incomplete)]


def evaluations(incomplete: str) -> list[str]:
    """Names of evaluations."""
    return [*_variants(incomplete, EVALUATIONS), *_that_begin(incomplete, ("layers",))]


def images(incomplete: str) -> list[str]:
    """Names of data sets, folders, and text files, which may list images."""
    return [*_variants(incomplete, DATASETS), *_files(incomplete, "*.txt")]


def exports(incomplete: str) -> list[str]:
    """Formats of `dcp export`."""
    return _variants(incomplete, FORMATS)


def folders(incomplete: str) -> list[str]:
    """Folders beside what has been typed."""
    return _folders(incomplete)


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Those of a few words that begin with what has been typed."""

    def begin(incomplete: str) -> list[str]:
        return _that_begin(incomplete, words)

    return begin


def _runs(ctx: typer.Context) -> Path:
    return Path(ctx.params.get("runs") or "runs")


def _variants(incomplete: str, folder: Path) -> list[str]:
    names = sorted(path.stem for path in folder.glob("*.py"))
    return _that_begin(incomplete, (name for name in names if name != "base" and not name.startswith("_")))


def _that_begin(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _files(incomplete: str, pattern: str) -> list[str]:
    return [*sorted(str(path) for path in _near(incomplete, pattern) if not path.is_dir()), *_folders(incomplete)]


def _folders(incomplete: str) -> list[str]:
    return sorted(f"{path}/" for path in _near(incomplete, "*") if path.is_dir())


def _near(incomplete: str, pattern: str) -> list[Path]:
    """Files beside what has been typed that begin with it, without hidden ones."""
    folder, _, name = incomplete.rpartition("/")
    place = Path(folder or ("/" if incomplete.startswith("/") else "."))
    try:
        found = [path for path in place.glob(pattern) if path.name.startswith(name) and not path.name.startswith(".")]
    except (OSError, ValueError):
        return []
    return [path for path in found if str(path).startswith(incomplete)]
