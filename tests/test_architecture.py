"""The rooms of dcp, and that imports go one way: a room imports only what stands above it in layers.txt."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "dcp"
ROOMS = [
    line
    for line in Path(__file__).with_name("layers.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """The rooms that a file imports, at its top or inside of functions."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dcp":
            inside = (node.module or "").split(".")[1:]
            rooms |= {inside[0]} if inside else {a.name if a.name in ROOMS else "__init__" for a in node.names}
        if isinstance(node, ast.Import):
            rooms |= {([*a.name.split("."), "__init__"])[1] for a in node.names if a.name.split(".")[0] == "dcp"}
    return rooms


def test_ls_dcp_shows_the_architecture() -> None:
    entries = {path.stem for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert entries == set(ROOMS)
    assert len(entries) <= 18


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_file_imports_only_its_own_room_and_those_above_it(path: Path) -> None:
    mine = ROOMS.index(room(path))
    below = [other for other in imported(path) - {room(path)} if ROOMS.index(other) > mine]
    assert not below


def test_rooms_export_nothing() -> None:
    for path in PACKAGE.rglob("*/__init__.py"):
        assert len(ast.parse(path.read_text(encoding="utf-8")).body) <= 1, f"{path} holds more than its docstring"


def test_no_file_is_called_utils_and_none_is_long() -> None:
    assert len(FILES) > 60
    assert not [path for path in FILES if path.stem in {"utils", "helpers", "misc", "common"}]
    long = {path.name: n for path in FILES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 260}
    assert not long


def test_nothing_unpickles_or_evaluates_what_others_wrote() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert not [word for word in ("torch.load(", "pickle.load", " eval(", "shell=True") if word in text], path
