"""Random valid recipes, drawn from the JSON Schema: a new key or variant takes part without being named here."""

import re
from typing import Any

from hypothesis import strategies as st

from dcp.recipe.recipe import Recipe
from dcp.recipe.schema import Json

SCHEMA = Recipe.model_json_schema()
LARGEST = 10**6
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


def recipes() -> st.SearchStrategy[dict[str, Any]]:
    """Tables that `Recipe.check` accepts, or refuses for a combination only."""
    return table(SCHEMA)


def table(schema: Json) -> st.SearchStrategy[dict[str, Any]]:
    drawn = {name: value(key, name) for name, key in schema["properties"].items()}
    needed = {*schema.get("required", ()), *(name for name, key in schema["properties"].items() if "const" in key)}
    optional = {name: strategy for name, strategy in drawn.items() if name not in needed}
    return st.fixed_dictionaries({name: drawn[name] for name in drawn if name in needed}, optional=optional)


def value(key: Json, name: str) -> st.SearchStrategy[Any]:
    if "$ref" in key:
        return table(SCHEMA["$defs"][key["$ref"].rpartition("/")[2]])
    if "pattern" in key and name != "name":
        return st.from_regex(re.compile(key["pattern"], re.ASCII), fullmatch=True)
    if "const" in key or "enum" in key:
        return st.sampled_from(key.get("enum") or [key["const"]])
    if alternatives := [each for each in key.get("anyOf", key.get("oneOf", ())) if each != {"type": "null"}]:
        return st.one_of([value(each, name) for each in alternatives])
    if key["type"] == "array" and "prefixItems" in key:
        least, most = key["minItems"], key["maxItems"]
        several = st.lists(value(key["prefixItems"][0], name), min_size=least, max_size=most).map(sorted)
        several = several.filter(lambda pair: name != "range" or pair[0] < pair[-1])
        return several.filter(lambda pair: name != "crop_scale" or pair[-1] > 0)
    if key["type"] == "array":
        return st.lists(value(key["items"], name), min_size=1, max_size=4)
    return plain(key, name)


def plain(key: Json, name: str) -> st.SearchStrategy[Any]:
    open_below, open_above = "exclusiveMinimum" in key, "exclusiveMaximum" in key
    least = key.get("minimum", key.get("exclusiveMinimum", 0))
    most = key.get("maximum", key.get("exclusiveMaximum", LARGEST))
    if key["type"] == "boolean":
        return st.booleans()
    if key["type"] == "string":
        return st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True) if name == "name" else TEXT
    if key["type"] == "integer":
        whole = st.integers(least + open_below, min(most, LARGEST) - open_above)
        return whole.map(lambda number: number | 1) if name == "kernel" else whole
    numbers = st.floats(least, most, exclude_min=open_below, exclude_max=open_above, allow_subnormal=False)
    # a whole number may stand for a number
    return numbers if most <= 1 else numbers | st.integers(max(int(least) + 1, -LARGEST), min(int(most), LARGEST) - 1)
