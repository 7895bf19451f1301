"""The tables of a recipe and their keys, read from the JSON Schema of the models: for the reference and messages."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel

Json = dict[str, Any]


class Table(NamedTuple):
    """One table, or one variant of it."""

    path: str  # dotted, e.g. "probe.linear"; "" for the recipe itself
    meaning: str  # of the key that holds it, in its model
    choice: str  # the key that chooses the variant, e.g. "name"; "" where there are none
    variant: str  # whose keys these are, or ""
    description: str  # what the table or the variant is
    keys: dict[str, Json]  # JSON Schema of each key, in the order of `catalogue.Strict`
    required: frozenset[str]  # keys without a default


@cache
def tables(model: type[BaseModel]) -> tuple[Table, ...]:
    """The table of a model and all below it, from the outside in; one with variants comes once for each."""
    schema = model.model_json_schema()

    def walk(path: str, meaning: str, table: Json) -> Iterator[Table]:
        keys = table.get("properties", {})
        choice = next((name for name, key in keys.items() if "const" in key), "")
        variant = keys[choice]["const"] if choice else ""
        description, required = table.get("description", ""), frozenset(table.get("required", ()))
        yield Table(path, meaning, choice, variant, description, keys, required)
        for name, key in keys.items():
            for inner in models(key):
                yield from walk(f"{path}.{name}".lstrip("."), key.get("description", ""), schema["$defs"][inner])

    return tuple(walk("", "", schema))


def models(key: Json) -> list[str]:
    """Names of the models that the value of a key, or each one in its list, may be of."""
    if "$ref" in key:
        return [key["$ref"].rpartition("/")[2]]
    return [name for each in inside(key) for name in models(each)]


def inside(key: Json) -> list[Json]:
    """What a value may be, where there are alternatives, and what stands in it, where it is a list."""
    alternatives = [*key.get("anyOf", ()), *key.get("oneOf", ())]
    return [*alternatives, *key.get("prefixItems", ()), *([key["items"]] if "items" in key else ())]


def owners(loc: Sequence[int | str], known: Sequence[Table]) -> list[Table]:
    """The table in which the place `loc` lies, or which it is; all its variants if none is chosen.

    Args:
        loc: as pydantic has it: keys, and between them variants, tags of unions, types and positions.
        known: all tables, the recipe itself first.
    """
    here = [known[0]]
    for part in loc:
        chosen = [table for table in here if table.variant == part]
        inner = [table for table in known[1:] if table.path == f"{here[0].path}.{part}".lstrip(".")]
        here = chosen or inner or here
    return here


def bound(value: object) -> str:
    """A bound as a reader writes it: 0 and not 0.0.

    >>> bound(0.0), bound(2.0**31), bound(0.5), bound(1e30)
    ('0', '2147483648', '0.5', '1e30')
    """
    text = str(value).replace("e+", "e")
    return text.removesuffix(".0") if isinstance(value, float) else text
