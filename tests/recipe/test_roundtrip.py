"""Write, read, equal: for what ships, and for whatever the models allow."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dcp.errors import Problems
from dcp.recipe import layers, shipped
from dcp.recipe.recipe import Recipe

from . import strategies

BASE = '[data]\nsource = "cifar10"\n[predictor]\nname = "directcopy"\n'
slow_to_draw = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "base.toml"
    path.write_text(BASE, encoding="utf-8")
    return path


def or_reject(make: Callable[[], Recipe]) -> Recipe:
    """The recipe; parts that are right and do not go together are no example."""
    try:
        return make()
    except Problems as wrong:
        assume({problem.slug for problem in wrong.problems} != {"bad-combination"})
        raise


@pytest.mark.parametrize("name", shipped.names())
def test_a_shipped_recipe_written_out_or_pickled_and_read_again_is_equal(name: str, tmp_path: Path) -> None:
    recipe = Recipe.read(name)
    (tmp_path / "other.toml").write_text(recipe.toml(), encoding="utf-8")
    again = Recipe.read(str(tmp_path / "other.toml"))
    assert again == recipe
    assert again.toml() == recipe.toml()
    assert pickle.loads(pickle.dumps(recipe)) == recipe


@slow_to_draw
@given(table=strategies.recipes())
def test_any_valid_recipe_written_out_and_read_again_is_equal(table: dict[str, Any], tmp_path_factory) -> None:
    recipe = or_reject(lambda: Recipe.check(table))
    path = tmp_path_factory.mktemp("recipes") / "any.toml"
    path.write_text(recipe.toml(), encoding="utf-8")
    assert Recipe.read(str(path)) == recipe


@slow_to_draw
@given(table=strategies.recipes())
def test_what_a_recipe_gives_is_what_is_read(table: dict[str, Any]) -> None:
    written = layers.flat(tomli.loads(or_reject(lambda: Recipe.check(table)).toml()))
    for key, value in layers.flat(table).items():
        assert written[key] == value, key


def sets_of(table: dict[str, Any]) -> dict[str, str]:
    """Overrides for what is no list and no text: how texts are quoted is tested by itself."""
    choices = {f"{section}.{choice}" for section, choice in layers.CHOICES.items()}
    chosen = {
        key: value
        for key, value in layers.flat(table).items()
        if isinstance(value, bool | int | float) or key in choices
    }
    chosen |= {"run.name": "any", "data.root": "/data"}
    return {key: f"{key}={str(value).lower()}" for key, value in chosen.items()}


@slow_to_draw
@given(data=st.data(), table=strategies.recipes())
def test_overrides_hold_in_any_order(data: st.DataObject, table: dict[str, Any], base: Path) -> None:
    table.get("probe", {}).pop("data", None)  # its root would have to be given too
    sets = sets_of(table)
    expected = or_reject(lambda: Recipe.read(str(base), tuple(sets.values())))
    shuffled = tuple(data.draw(st.permutations(sorted(sets.values()))))
    assert Recipe.read(str(base), shuffled) == expected
    flat = layers.flat(expected.table())
    for key in sets.keys() & layers.flat(table).keys() - {"run.name", "data.root"}:
        assert flat[key] == layers.flat(table)[key], key
