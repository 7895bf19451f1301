"""Write, read, equal: for what ships, and for whatever the models allow."""

from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dcp import keys, shipped, tables
from dcp.errors import Problems
from dcp.recipe import Recipe

from . import strategies

slow_to_draw = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def checked(table: dict[str, Any]) -> Recipe:
    """The recipe, unless its parts only do not go together."""
    try:
        return Recipe.check(table)
    except Problems as wrong:
        assert {problem.slug for problem in wrong.problems} == {"bad-combination"}, str(wrong)
        assume(False)
        raise


@pytest.mark.parametrize("name", shipped.names())
def test_a_shipped_recipe_written_out_and_read_again_is_equal(name: str, tmp_path: Path) -> None:
    recipe = Recipe.read(name)
    (tmp_path / "other.toml").write_text(recipe.toml(), encoding="utf-8")
    again = Recipe.read(str(tmp_path / "other.toml"))
    assert again == recipe
    assert again.toml() == recipe.toml()


@slow_to_draw
@given(table=strategies.recipes())
def test_any_valid_recipe_written_out_and_read_again_is_equal(
    table: dict[str, Any], tmp_path_factory
) -> None:
    recipe = checked(table)
    path = tmp_path_factory.mktemp("recipes") / "any.toml"
    path.write_text(recipe.toml(), encoding="utf-8")
    assert Recipe.read(str(path)) == recipe


@slow_to_draw
@given(table=strategies.recipes())
def test_what_a_recipe_gives_is_what_is_read(table: dict[str, Any]) -> None:
    written = tables.flat(tomli.loads(checked(table).toml()))
    for key, value in tables.flat(table).items():
        assert written[key] == value, key


@slow_to_draw
@given(data=st.data(), table=strategies.recipes())
def test_overrides_hold_in_any_order_and_leave_all_else(
    data: st.DataObject, table: dict[str, Any], tmp_path_factory
) -> None:
    # strings are left out: how they are quoted on a command line is tested by itself
    given_ = {
        key: value
        for key, value in tables.flat(table).items()
        if isinstance(value, bool | int | float) or key.rpartition(".")[2] in keys.CHOICES
    }
    sets = [
        f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in given_.items()
    ]
    sets = ["run.name=any", "data.root=/data", *[text for text in sets if not text.startswith("run.name")]]
    path = tmp_path_factory.mktemp("recipes") / "base.toml"
    path.write_text('[data]\nsource = "cifar10"\n[predictor]\nname = "directcopy"\n', encoding="utf-8")
    try:
        expected = Recipe.read(str(path), tuple(sets))
    except Problems as wrong:
        assert {problem.slug for problem in wrong.problems} == {"bad-combination"}, str(wrong)
        return
    assert Recipe.read(str(path), tuple(data.draw(st.permutations(sets)))) == expected
    flat = tables.flat(expected.table())
    assert {key: flat[key] for key in given_ if key != "run.name"} == {
        key: value for key, value in given_.items() if key != "run.name"
    }
