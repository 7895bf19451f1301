"""The rooms of dcp, and that imports go one way: a room imports only what stands above it in layers.txt."""

import ast
import re
from collections import Counter
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


def test_no_file_is_called_as_tests_are() -> None:
    assert not [path for path in FILES if re.fullmatch(r"test_.*|.*_test|conftest", path.stem)]


def calls(path: Path, *methods: str) -> list[str]:
    """The methods of these names that a file calls."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [n.func.attr for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
            and n.func.attr in methods]  # fmt: skip


def test_F_W_and_the_target_change_in_after_step_alone() -> None:
    algorithm = PACKAGE / "method/algorithm.py"
    assert [path for path in FILES if room(path) != "cli" and calls(path, "store", "refresh")] == [algorithm]
    tree = ast.parse(algorithm.read_text(encoding="utf-8"))
    updates = [
        n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name in ("after_step", "set_predictor")
    ]
    called = [{ast.unparse(n.func) for n in ast.walk(update) if isinstance(n, ast.Call)} for update in updates]
    assert {"self.moments.store", "self.set_predictor", "self.target.update"} <= called[0]
    assert "self.predictor.refresh" in called[1]
    elsewhere = [path.name for path in FILES if path != algorithm and calls(path, "set_predictor")]
    assert elsewhere in ([], ["step.py"])  # after the replay of a graph that cannot hold it


def packages(path: Path) -> set[str]:
    """The packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_only_processes_knows_accelerate_and_comparing_knows_no_torch() -> None:
    assert [path.name for path in FILES if "accelerate" in packages(path)] == ["processes.py"]
    assert not [path for path in FILES if room(path) in ("comparison", "report") and "torch" in packages(path)]


def test_training_knows_of_no_study() -> None:
    assert not [path for path in FILES if room(path) == "training" and "study" in path.read_text(encoding="utf-8")]


def test_algorithm_1_is_read_in_six_files_and_700_lines() -> None:
    page = (PACKAGE.parent / "docs/architecture.md").read_text(encoding="utf-8")
    order = re.findall(r"^\d\. `(dcp/[a-z_/]+\.py)`", page, re.MULTILINE)
    assert order[0] == "dcp/method/algorithm.py"
    assert len(order) <= 6
    assert sum(len((PACKAGE.parent / name).read_text(encoding="utf-8").splitlines()) for name in order) <= 700


def test_the_page_on_the_architecture_has_a_row_for_each_room_and_names_files_that_exist() -> None:
    page = (PACKAGE.parent / "docs/architecture.md").read_text(encoding="utf-8")
    rows = [
        name.removesuffix(".py").rstrip("/") for name in re.findall(r"^\| `([a-z_]+(?:\.py|/))` \|", page, re.MULTILINE)
    ]
    assert rows == [name for name in ROOMS if name != "__main__"]
    for name in re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", page):
        assert (PACKAGE.parent / name).exists() or list(PACKAGE.rglob(name.rstrip("/"))), name


def names_listed(path: Path) -> set[frozenset[str]]:
    """The lists of names in a file: those with a name of their own, and others of four names or more; no types."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = {node.value for node in tree.body if isinstance(node, ast.Assign)}
    types = {node.slice for node in ast.walk(tree) if isinstance(node, ast.Subscript)}  # mypy compares these
    lists = [n for n in ast.walk(tree) if isinstance(n, ast.Tuple | ast.List | ast.Set) and n not in types]
    words = [(node, [each.value for each in node.elts if isinstance(each, ast.Constant)]) for node in lists]
    return {
        frozenset(names)
        for node, names in words
        if len(names) == len(node.elts) >= (2 if node in named else 4) and all(isinstance(name, str) for name in names)
    }


def test_no_list_of_names_stands_in_two_files() -> None:
    counted = Counter(names for path in FILES for names in names_listed(path))
    assert len(counted) > 50
    assert [sorted(names) for names, count in counted.items() if count > 1] == []


def test_no_file_is_called_utils_and_none_is_long() -> None:
    assert len(FILES) > 60
    assert not [path for path in FILES if path.stem in {"utils", "helpers", "misc", "common"}]
    long = {path.name: n for path in FILES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 260}
    assert not long


def test_nothing_unpickles_or_evaluates_what_others_wrote() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert not [word for word in ("torch.load(", "pickle.load", " eval(", "shell=True") if word in text], path
        assert "import pickle" not in text or path.name == "plain_pickles.py"
