"""JSON Schema for editors, read here by a small judge: what ships passes, what is wrong does not."""

import copy
from typing import Any

import pytest

from dcp.recipe import layers, overrides, schema, shipped
from dcp.recipe.recipe import Recipe, editor_schema

SCHEMA = editor_schema()
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list, tuple),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value is what a schema describes, as far as the words go that ours uses."""
    if "$ref" in schema:
        return fits(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    return (
        all(any(fits(value, part) for part in schema[word]) for word in ("anyOf", "oneOf") if word in schema)
        and ("const" not in schema or value == schema["const"])
        and ("enum" not in schema or value in schema["enum"])
        and ("type" not in schema or of_type(value, schema["type"]))
        and (not isinstance(value, int | float) or in_bounds(value, schema))
        and (not isinstance(value, dict) or keys_fit(value, schema))
        and (not isinstance(value, list | tuple) or parts_fit(value, schema))
    )


def of_type(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and (not isinstance(value, bool) or name == "boolean")


def in_bounds(value: float, schema: dict[str, Any]) -> bool:
    return (
        value >= schema.get("minimum", value)
        and value <= schema.get("maximum", value)
        and value > schema.get("exclusiveMinimum", value - 1)
        and value < schema.get("exclusiveMaximum", value + 1)
    )


def keys_fit(value: dict[str, Any], schema: dict[str, Any]) -> bool:
    known = schema.get("properties", {})
    return (
        set(schema.get("required", ())) <= value.keys()
        and (schema.get("additionalProperties", True) or value.keys() <= known.keys())
        and all(fits(part, known[key]) for key, part in value.items() if key in known)
    )


def parts_fit(value: Any, schema: dict[str, Any]) -> bool:
    first = schema.get("prefixItems", [])
    rest = schema.get("items", {})
    return schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)) and all(
        fits(part, first[i] if i < len(first) else rest) for i, part in enumerate(value)
    )


@pytest.mark.parametrize("name", shipped.names())
def test_every_recipe_that_ships_fits_the_schema(name: str) -> None:
    assert fits(layers.parse(shipped.folder() / f"{name}.toml"), SCHEMA)
    assert fits(Recipe.read(name).table(), SCHEMA)


@pytest.mark.parametrize(
    "wrong",
    [
        "predictor.epsilon=1",
        "predictor.eps=-1",
        "predictor.name=directcpy",
        "predictor.alpha=1",
        "data.source=cifar",
        "train.epochs=1.5",
        "train.epochs=true",
        "optimizer.lr=0",
        "optimizer.name=sdg",
        "views.flip=2",
        "views.flip=[0.5]",
        "views.normalize=cifar",
        'probe.after=["knnn"]',
        "network.projector.out=1",
        "predictr.name=x",
    ],
)
def test_what_a_recipe_may_not_say_does_not_fit_the_schema(wrong: str) -> None:
    table = Recipe.read("cifar10_directcopy").table()
    assert fits(table, SCHEMA)
    assert not fits(layers.merge(copy.deepcopy(table), overrides.parse(wrong)), SCHEMA)


def test_a_recipe_needs_data_and_predictor_unless_it_extends_another() -> None:
    assert not fits({"train": {"epochs": 3}}, SCHEMA)
    assert fits({"extends": "other.toml", "train": {"epochs": 3}}, SCHEMA)
    assert not fits({"extends": 3}, SCHEMA)


def test_every_key_in_the_schema_has_a_one_line_meaning() -> None:
    tables = [SCHEMA, *SCHEMA["$defs"].values()]
    keys = {f"{table['title']}.{name}": key for table in tables for name, key in table["properties"].items()}
    assert len(keys) > 100
    assert [name for name, key in keys.items() if not key.get("description") or "\n" in key["description"]] == []


def test_no_model_of_the_recipe_takes_unknown_keys() -> None:
    assert SCHEMA["additionalProperties"] is False
    assert all(schema["additionalProperties"] is False for schema in SCHEMA["$defs"].values())


def test_every_key_of_a_section_has_a_default() -> None:
    must = {f"{table.path}.{key}".lstrip(".") for table in schema.tables(Recipe) for key in table.required}
    assert must == {"data", "predictor", "data.root", "probe.data.root", "views.normalize.mean", "views.normalize.std"}


def test_keys_come_in_the_order_of_their_reader_the_choice_first_and_what_variants_share_last() -> None:
    (table,) = [table for table in schema.tables(Recipe) if table.variant == "directpred"]
    own, shared = ["name", "eps", "eps_place", "root"], ["lr_factor", "lr_schedule", "weight_decay", "every", "norm"]
    assert list(table.keys) == own + shared
