"""`dcp recipes`: the recipes that ship."""

import json
import sys
from pathlib import Path

from dcp import shipped
from dcp.errors import RequestError


def list_all() -> None:
    """One recipe a line, with the first sentence of its comment."""
    width = max(len(name) for name in shipped.names())
    for name in shipped.names():
        print(f"{name:{width}}  {_says(shipped.folder() / f'{name}.toml')}")


def _says(path: Path) -> str:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def show(recipe: str, *, full: bool) -> None:
    """The recipe as it stands in its file, or with every default."""
    if full:
        from dcp.recipe import Recipe

        sys.stdout.write(Recipe.read(recipe).toml())
    else:
        sys.stdout.write(shipped.find(recipe).read_text(encoding="utf-8"))


def copy(recipe: str, to: Path | None) -> None:
    """An editable copy, comments and all; one that extends another recipe still finds that among those that ship."""
    source = shipped.find(recipe)
    target = to or Path(source.name)
    target = target / source.name if target.is_dir() else target
    if target.exists():
        raise RequestError(
            "this file exists",
            slug="file-exists",
            where=str(target),
            hint="give another name: dcp recipes copy NAME FILE",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    print(f"{target}: edit it, then run `dcp pretrain {target}`")


def check(recipes: list[str], sets: tuple[str, ...]) -> None:
    """Say of each recipe whether it is right; the first wrong one ends with its problems."""
    from dcp.recipe import Recipe

    for recipe in recipes:
        Recipe.read(recipe, sets)
        print(f"{recipe}: fine")


def schema() -> None:
    """JSON Schema of a recipe, for editors."""
    from dcp.recipe import Recipe

    print(json.dumps(Recipe.model_json_schema(), indent=2))
