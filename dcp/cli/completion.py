"""What the Tab key completes: recipes, keys of recipes and their values, runs, evaluations. Without torch.

`recipe/keys.txt` holds the keys, a line each, with their values where they are few. `python -m docs.pages` makes it.
"""

from collections.abc import Iterable
from pathlib import Path

import typer
from typer import _completion_shared

from dcp.recipe import shipped

KEYS = Path(__file__).parents[1] / "recipe/keys.txt"
EVALUATIONS = Path(__file__).parents[1] / "probing/evaluations"
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
    return [*_that_begin(incomplete, names), *_files(incomplete)]


def settings(incomplete: str) -> list[str]:
    """Keys with "=" behind, and after it the values, where these are a few."""
    key, given, value = incomplete.partition("=")
    known = dict(line.partition("\t")[::2] for line in KEYS.read_text(encoding="utf-8").splitlines())
    if given:
        return [f"{key}={each}" for each in known.get(key, "").split() if each.startswith(value)]
    return [f"{each}=" for each in _that_begin(incomplete, known)]


def run_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of runs below --runs: with their seeds, without, and of studies; and folders."""
    from dcp.runs import lookup

    root = Path(ctx.params.get("runs") or "runs")
    runs = [path.name for path in lookup.runs_in(root)]
    studies = [path.parent.name for path in root.glob(f"*/{lookup.STUDY}")]
    names = dict.fromkeys([*studies, *map(lookup.without_seed, runs), *runs])
    return [*_that_begin(incomplete, names), *_folders(incomplete)]


def evaluations(incomplete: str) -> list[str]:
    """Names of evaluations."""
    names = sorted([*(path.stem for path in EVALUATIONS.glob("*.py")), "layers"])
    return _that_begin(incomplete, (name for name in names if name != "base" and not name.startswith("_")))


def _that_begin(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _files(incomplete: str) -> list[str]:
    return [*sorted(map(str, _near(incomplete, "*.toml"))), *_folders(incomplete)]


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
