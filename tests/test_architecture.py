"""Imports go one way: a file may import what stands above it in layers.txt, never what stands on its line or below."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "dcp"
LAYERS = [
    line.partition("#")[0].split()
    for line in Path(__file__).with_name("layers.txt").read_text().splitlines()
    if line.partition("#")[0].strip()
]
HEIGHT = {name: row for row, names in enumerate(LAYERS) for name in names}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__main__.py")


def room(module: str) -> str:
    """The name in layers.txt that a module belongs to: `predictors.directcopy` to `predictors`."""
    parts = module.split(".")
    return next((name for name in (".".join(parts[:n]) for n in range(len(parts), 0, -1)) if name in HEIGHT), module)


def imported(path: Path) -> set[str]:
    """The modules of dcp that a file imports, at its top or inside of functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dcp":
            inside = (node.module or "").removeprefix("dcp").removeprefix(".")
            for alias in node.names:
                full = f"{inside}.{alias.name}".strip(".")
                is_module = (PACKAGE / (full.replace(".", "/") + ".py")).exists() or (
                    PACKAGE / full.replace(".", "/")
                ).is_dir()
                found.add(full if is_module else inside)
    return found - {""}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_file_imports_only_what_stands_above_it(path: Path) -> None:
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    if module == "__init__" or not imported(path):
        return
    mine = room(module)
    assert mine in HEIGHT, f"dcp/{module}: give it a place in tests/layers.txt"
    for other in imported(path):
        theirs = room(other)
        allowed = theirs == mine or HEIGHT[theirs] < HEIGHT[mine]
        assert allowed, f"{path.name} imports dcp.{other}, which stands beside it or below"


def test_every_place_is_that_of_a_file() -> None:
    paths = {name: PACKAGE / name.replace(".", "/") for name in HEIGHT}
    gone = [name for name, path in paths.items() if not path.with_suffix(".py").exists() and not path.is_dir()]
    assert not gone


def test_no_file_is_called_utils_and_none_is_long() -> None:
    assert len(FILES) > 60
    assert not [path for path in FILES if path.stem in {"utils", "helpers", "misc", "common"}]
    long = {path.name: n for path in FILES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 260}
    assert not long


def test_nothing_unpickles_or_evaluates_what_others_wrote() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert not [word for word in ("torch.load(", "pickle.load", " eval(", "shell=True") if word in text], path
