"""Counts that nobody can mean are refused before anything is begun."""

from collections.abc import Iterator

import pytest

from dcp.errors import Problems
from dcp.recipe import schema
from dcp.recipe.recipe import File, Recipe
from dcp.recipe.schema import Json


def whole_numbers(key: Json) -> Iterator[Json]:
    """The schemas of the whole numbers that a key may hold, by itself or in lists."""
    if key.get("type") == "integer":
        yield key
    for inner in schema.inside(key):
        yield from whole_numbers(inner)


KEYS = [
    pytest.param(table, name, id=".".join(filter(None, (table.path, table.variant, name))))
    for table in schema.tables(File)
    for name, key in table.keys.items()
    if list(whole_numbers(key))
]


@pytest.mark.parametrize(("table", "name"), KEYS)
def test_every_whole_number_of_a_recipe_has_an_upper_bound(table: schema.Table, name: str) -> None:
    for key in whole_numbers(table.keys[name]):
        assert max(key.get("enum", [key.get("maximum", key.get("exclusiveMaximum", 2**63))])) <= 2**31


def test_a_count_that_cannot_be_meant_is_refused_with_the_largest_that_can() -> None:
    with pytest.raises(Problems) as refused:
        Recipe.read("tiny/directcopy", ("probe.clustering.starts=2147483648",))
    assert "probe.clustering.starts is 2147483648" in str(refused.value)
    assert "expected at most 10000" in str(refused.value)
