"""The recipes that ship with dcp: a folder in the installed package, or `recipes/` beside it in a checkout."""

from difflib import get_close_matches
from pathlib import Path

from dcp.errors import RequestError

PACKAGE = Path(__file__).parent


def folder() -> Path:
    """Where the recipes lie."""
    inside = PACKAGE / "_recipes"
    return inside if inside.is_dir() else PACKAGE.parent / "recipes"


def names() -> list[str]:
    """Names of all recipes that ship, sorted: "quickstart", "tiny/directcopy", ...

    >>> "quickstart" in names()
    True
    """
    return sorted(path.relative_to(folder()).with_suffix("").as_posix() for path in folder().rglob("*.toml"))


def find(source: str) -> Path:
    """The file of a recipe: a path, or the name of one that ships.

    Raises:
        RequestError: neither; with the nearest names.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return path
    name = source.removeprefix("recipes/").removesuffix(".toml")
    if name in names():
        return folder() / f"{name}.toml"
    if path.is_dir() and (path / "recipe.toml").is_file():
        hint = f"this is a run folder; its recipe is {path / 'recipe.toml'}"
    else:
        near = get_close_matches(name, names(), n=3, cutoff=0.5)
        hint = (f"did you mean {', '.join(near)}? " if near else "") + "`dcp recipes` lists those that ship"
    raise RequestError(f'there is no recipe "{source}"', slug="no-such-recipe", hint=hint)
