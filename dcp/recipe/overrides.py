"""Overrides of a recipe: `--set KEY=VALUE`, dotted keys and TOML values."""

import re
from typing import Any

from dcp.errors import RequestError
from dcp.recipe.toml import DEEPEST, cut, loads


def parse(text: str) -> dict[str, Any]:
    """The table of "dotted.key=value"; the value is TOML, and a bare word counts as a string.

    >>> parse("predictor.eps=0.1")
    {'predictor': {'eps': 0.1}}
    >>> parse("predictor.name=identity")
    {'predictor': {'name': 'identity'}}
    """
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or len(parts) > DEEPEST or not all(re.fullmatch(r"[A-Za-z0-9_-]+", part) for part in parts):
        hint = "e.g. --set predictor.eps=0.1"
        raise RequestError(f'"{cut(text)}" is not KEY=VALUE', slug="bad-override", where="--set", hint=hint)
    table: Any = _value(value.strip(), text)
    for part in reversed(parts):
        table = {part: table}
    return table  # type: ignore[no-any-return]


def _value(value: str, text: str) -> object:
    if not value:
        hint = "an empty string is KEY='\"\"'; a key that is to have its default is left out"
        raise RequestError(f'"{cut(text)}" has no value', slug="bad-override", where="--set", hint=hint)
    try:
        if len(table := loads(f"value = {value}")) == 1:  # and no second line
            return table["value"]
    except ValueError:
        if re.fullmatch(r"[A-Za-z_~./][\w./~-]*", value):
            return value
    hint = 'numbers, true, false, lists [0.1, 1.0], "strings"; quotes may be left out of plain words and paths'
    raise RequestError(f'the value in "{cut(text)}" is not TOML', slug="bad-override", where="--set", hint=hint)
