"""Files, `extends` and --set: which table comes out, and what is answered where none does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dcp.errors import Problems, RequestError
from dcp.recipe import overrides, shipped
from dcp.recipe.recipe import Recipe

RIGHT = '[data]\nsource = "cifar10"\n[predictor]\nname = "directcopy"\n'
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, encoding="utf-8")
        return path

    return to


def refusal(source: object, *sets: str) -> RequestError:
    with pytest.raises(RequestError) as caught:
        Recipe.read(str(source), sets)
    return caught.value


# files


def test_a_run_is_named_after_its_file(write: Write) -> None:
    assert Recipe.read(str(write("my try.toml", RIGHT))).run.name == "my-try"
    assert Recipe.read(str(write("_x.toml", RIGHT))).run.name == "x"
    assert Recipe.read(str(write("___.toml", RIGHT))).run.name == "recipe"
    assert Recipe.read(str(write("b.toml", RIGHT + '[run]\nname = "c"'))).run.name == "c"


def test_a_path_comes_before_a_name_that_ships(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("cifar10_byol", RIGHT)
    monkeypatch.chdir(path.parent)
    assert Recipe.read("cifar10_byol").predictor.name == "directcopy"


@pytest.mark.parametrize("name", ["cifar10_byol", "cifar10_byol.toml", "recipes/cifar10_byol.toml"])
def test_a_recipe_that_ships_is_found_by_each_form_of_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Recipe.read(name) == Recipe.read(str(shipped.folder() / "cifar10_byol.toml"))


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbf" + RIGHT.replace("\n", "\r\n").encode())
    assert Recipe.read(str(tmp_path / "a.toml")).predictor.name == "directcopy"


def test_a_missing_recipe_is_answered_with_near_names() -> None:
    assert str(refusal("cifar10_directcpy")) == (
        'error[no-such-recipe]: there is no recipe "cifar10_directcpy"\n'
        "  did you mean cifar10_directcopy, cifar100_directcopy, cifar10_directpred?\n"
        "  `dcp recipes` lists those that ship"
    )


def test_a_missing_file_is_answered_with_the_near_file_beside_it(write: Write) -> None:
    path = write("my_recipe.toml", RIGHT)
    assert str(path) in refusal(path.with_name("my_recip.toml")).hint


def test_a_run_folder_is_no_recipe_and_is_told_where_its_recipe_is(write: Write) -> None:
    path = write("runs/a-s0/recipe.toml", RIGHT)
    error = refusal(path.parent)
    assert error.slug == "no-such-recipe"
    assert error.hint == f"this is a run folder; its recipe is {path}"


@pytest.mark.parametrize(
    "source", ["", ".", "/", "x" * 5000, "~nobody-of-this-name/x", "a\0b", "no/such/folder/x.toml"]
)
def test_any_text_that_is_no_recipe_is_answered_plainly(source: str) -> None:
    assert refusal(source).slug == "no-such-recipe"


@pytest.mark.parametrize(
    ("text", "line"),
    [("[data\n", "line 1"), ("[data]\nsource = cifar10\n", "line 2"), ("a = 1\na = 2\n", "line 2"), ("\x00", "line 1")],
)
def test_a_file_that_is_no_toml_is_answered_with_the_line(text: str, line: str, write: Write) -> None:
    path = write("bad.toml", text)
    error = refusal(path)
    assert (error.slug, error.where) == ("bad-toml", str(path))
    assert error.message.startswith("this is not TOML: ")
    assert line in error.message
    assert "quotes" in error.hint


def test_a_file_that_is_no_text_is_named_with_the_byte(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(b"# \xfcber")
    assert str(refusal(tmp_path / "bad.toml")) == (
        f"error[bad-file]: this is no text in UTF-8: byte 2 is 0xfc ({tmp_path / 'bad.toml'})\n"
        '  Save it as UTF-8; editors have that under "encoding".'
    )


# extends


def test_a_recipe_that_extends_another_changes_only_what_it_says(write: Write) -> None:
    write("base.toml", RIGHT + 'eps = 0.2\nnorm = "fro"\n[train]\nepochs = 7\nbatch = 9\n')
    child = write("child.toml", 'extends = "base.toml"\n[predictor]\neps = 0.4\n[train]\nbatch = 8\n')
    recipe: Any = Recipe.read(str(child))
    assert (recipe.predictor.eps, recipe.predictor.norm) == (0.4, "fro")
    assert (recipe.train.epochs, recipe.train.batch) == (7, 8)
    assert recipe.run.name == "child"


def test_a_section_that_chooses_another_variant_replaces_that_of_the_parent(write: Write) -> None:
    write("base.toml", RIGHT + "eps = 0.2\n")
    child = write("child.toml", 'extends = "base.toml"\n[predictor]\nname = "directpred"\n')
    recipe: Any = Recipe.read(str(child))
    assert recipe.predictor.eps == 0.1  # DirectPred's own


def test_extends_may_go_over_several_files_and_folders(write: Write) -> None:
    write("low/a.toml", RIGHT + "[train]\nepochs = 1\nbatch = 2\n")
    write("low/b.toml", 'extends = "a.toml"\n[train]\nepochs = 3\n')
    recipe = Recipe.read(str(write("c.toml", 'extends = "low/b.toml"\n[run]\nseed = 4\n')))
    assert (recipe.train.epochs, recipe.train.batch, recipe.run.seed) == (3, 2, 4)


@pytest.mark.parametrize("parent", ["stl10_byol", "tiny/mlp"])
def test_a_recipe_may_extend_one_that_ships(parent: str, write: Write) -> None:
    recipe = Recipe.read(str(write("mine.toml", f'extends = "{parent}"\n[train]\nepochs = 3\n')))
    expected = Recipe.read(parent, ("train.epochs=3", "run.name=mine"))
    assert recipe == expected


def test_a_missing_parent_is_answered_with_its_place_and_near_names(write: Write) -> None:
    base = write("base.toml", RIGHT)
    child = write("child.toml", 'extends = "bas.toml"\n')
    assert str(refusal(child)) == (
        f'error[bad-extends]: extends = "bas.toml": there is no such recipe ({child})\n'
        f"  it is looked for at {base.with_name('bas.toml').resolve()}, and among the recipes that ship\n"
        "  did you mean base.toml?"
    )


@pytest.mark.parametrize("files", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_extends_in_a_circle_is_refused_with_the_circle(files: list[str], write: Write) -> None:
    for child, parent in zip(files, [*files[1:], files[0]], strict=True):
        write(f"{child}.toml", f'extends = "{parent}.toml"\n' + RIGHT)
    start = write("start.toml", 'extends = "a.toml"\n')
    error = refusal(start)
    assert error.slug == "bad-extends"
    assert error.message == f"extends goes in a circle: {' -> '.join(f'{file}.toml' for file in [*files, files[0]])}"


@pytest.mark.parametrize("value", ["3", "true", "[]", '["a.toml"]'])
def test_extends_must_be_a_string(value: str, write: Write) -> None:
    error = refusal(write("a.toml", f"extends = {value}\n" + RIGHT))
    assert error.slug == "bad-type"
    assert error.hint == 'e.g. extends = "other.toml"'


def test_what_is_wrong_in_a_parent_is_said_too(write: Write) -> None:
    write("base.toml", RIGHT + "eps = -1\n")
    error = refusal(write("child.toml", 'extends = "base.toml"\n[train]\nepochs = 0\n'))
    assert isinstance(error, Problems)
    assert {problem.message for problem in error.problems} == {"predictor.eps is -1", "train.epochs is 0"}


# --set


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("predictor.eps=0.1", {"predictor": {"eps": 0.1}}),
        ("predictor.eps=1", {"predictor": {"eps": 1}}),
        (" predictor.eps = 1e-3 ", {"predictor": {"eps": 0.001}}),
        ("predictor.name=identity", {"predictor": {"name": "identity"}}),
        ('predictor.name="identity"', {"predictor": {"name": "identity"}}),
        ("data.root=~/my/data", {"data": {"root": "~/my/data"}}),
        ("data.root=./data-2", {"data": {"root": "./data-2"}}),
        ('data.root="my data=x"', {"data": {"root": "my data=x"}}),
        ("data.download=true", {"data": {"download": True}}),
        ("views.flip=[0.5, 0.1]", {"views": {"flip": [0.5, 0.1]}}),
        ("views.blur={ p = 1.0 }", {"views": {"blur": {"p": 1.0}}}),
        ('probe.after=["knn"]', {"probe": {"after": ["knn"]}}),
        ("seed=3", {"seed": 3}),
    ],
)
def test_an_override_is_a_dotted_key_and_a_toml_value(text: str, table: dict[str, Any]) -> None:
    assert overrides.parse(text) == table


@pytest.mark.parametrize("text", ["predictor.eps", "", "=3", ".=3", "a..b=1", "a.=1", ".a=1", "a b=1", "[a]=1"])
def test_what_is_no_override_is_refused(text: str) -> None:
    error = refusal("cifar10_byol", text)
    assert str(error) == (f'error[bad-override]: "{text}" is not KEY=VALUE (--set)\n  e.g. --set predictor.eps=0.1')


@pytest.mark.parametrize("value", ["my data", "1, 2", "[1, 2", "0,1", "'a", "1\nx = 2", "1\n[x]", "C:\\data", "3 4"])
def test_a_value_that_is_no_toml_is_refused(value: str) -> None:
    error = refusal("cifar10_byol", f"data.root={value}")
    assert error.slug == "bad-override"
    assert error.message == f'the value in "data.root={value}" is not TOML'
    assert "quotes" in error.hint


def test_an_override_without_a_value_is_refused() -> None:
    assert refusal("cifar10_byol", "data.root=").message == '"data.root=" has no value'


def test_what_an_override_makes_wrong_is_said_with_set_in_the_address() -> None:
    error = refusal("cifar10_directcopy", "predictor.eps=.1", "train.compile=True")
    assert isinstance(error, Problems)
    assert [problem.message for problem in error.problems] == ['predictor.eps is ".1"', 'train.compile is "True"']
    assert all(problem.where.endswith("cifar10_directcopy.toml with --set") for problem in error.problems)


def test_an_override_may_go_below_a_plain_value_and_is_told_off() -> None:
    assert refusal("cifar10_directcopy", "predictor.eps.x=1").message == "predictor.eps is a table"
    assert refusal("cifar10_directcopy", "predictor=directpred").message == 'predictor is "directpred"'


@pytest.mark.parametrize(
    "sets", [("predictor.name=directset", "predictor.alpha=2"), ("predictor.alpha=2", "predictor.name=directset")]
)
def test_a_variant_and_its_key_may_be_set_in_either_order(sets: tuple[str, ...]) -> None:
    predictor: Any = Recipe.read("cifar10_directcopy", sets).predictor
    assert (predictor.name, predictor.alpha) == ("directset", 2)


def test_the_last_of_two_overrides_of_one_key_holds() -> None:
    predictor: Any = Recipe.read("cifar10_directcopy", ("predictor.eps=1", "predictor.eps=2")).predictor
    assert predictor.eps == 2


@pytest.mark.parametrize("sets", [("train=3", "train.batch=16"), ("views={flip={p=1}}", "views.flip=0.5")])
def test_a_value_and_a_key_below_it_exclude_each_other_in_either_order(sets: tuple[str, str]) -> None:
    for order in (sets, sets[::-1]):
        error = refusal("cifar10_directcopy", *order)
        assert error.slug == "bad-override"
        assert error.message.startswith(f'"{order[1]}" and another override of ')
        assert error.message.endswith(" exclude each other")


@pytest.mark.parametrize("value", ["0", "0.0", "1", "true"])
def test_a_graph_is_auto_or_false_and_no_number(value: str) -> None:
    error = refusal("cifar10_directcopy", f"train.graph={value}")
    assert (error.slug, "train.graph" in error.message) == ("bad-value", True)
    assert Recipe.read("cifar10_directcopy", ("train.graph=false",)).train.graph is False


def test_an_override_may_not_extend() -> None:
    assert refusal("cifar10_byol", "extends=stl10_byol").slug == "unknown-key"


def test_the_key_that_chooses_is_written_first() -> None:
    written = Recipe.read("cifar10_directcopy").toml()
    assert '[predictor]\nname = "directcopy"\n' in written
    assert '[data]\nsource = "cifar10"\n' in written
