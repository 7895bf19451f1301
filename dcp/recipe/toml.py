"""Values of a recipe: how a reader is shown them, and those that TOML can write and no key can use."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import tomli

from dcp.errors import RequestError

LONGEST = 60  # characters that are shown
DEEPEST = 32  # tables and lists within each other; recipes have four


def loads(text: str) -> dict[str, Any]:
    """TOML as nested dicts, not too deep for functions that call themselves.

    Raises:
        ValueError: it is no TOML; says where.
    """
    try:
        table = tomli.loads(text)
    except RecursionError:
        table = None
    if table is None or _deeper(table, DEEPEST):
        raise ValueError(f"there are more than {DEEPEST} tables or lists within each other")
    return table


def _deeper(value: object, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        inside = [one.values() if isinstance(one, dict) else one for one in layer if isinstance(one, dict | list)]
        layer = [part for parts in inside for part in parts]
    return any(isinstance(one, dict | list) for one in layer)


def shown(value: object) -> str:
    """A value as the user wrote it, more or less, and not too long.

    >>> shown([0.1, "a", True])
    '[0.1, "a", true]'
    """
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, tuple | list):
        text = f"[{', '.join(map(shown, value))}]"
    elif isinstance(value, int) and abs(value) >> 64:
        text = hex(value)  # Python writes no decimals of more than 4300 digits
    else:
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, bool | str) else str(value)
    return cut(text)


def cut(text: str) -> str:
    """The beginning of a long text."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."


def useless(table: Mapping[str, Any], where: str) -> list[RequestError]:
    """One message for each number that is nan, infinite or longer than 64 bits, and each text that is no name."""
    return [
        RequestError(f"{path} is {shown(value)}", slug="bad-value", where=where, hint=f"expected {usable(value)}")
        for path, value in _leaves(table, "")
        if usable(value)
    ]


def usable(value: object) -> str:
    """What a useless value should have been; "" for every other one.

    >>> usable(float("nan")), usable(0.3)
    ('a finite number', '')
    """
    if isinstance(value, str) and "\0" in value:  # in a path it would end in an error of Python's
        return "text without the character of code 0"
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number"
    too_long = isinstance(value, int) and not -(2**63) <= value < 2**63
    return "a number of at most 64 bits" if too_long else ""


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            yield from _leaves(part, f"{path}[{i}]")
    else:
        yield path, value
