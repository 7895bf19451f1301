"""TOML as nested dicts, and its values as a reader is shown them."""

import json
from collections.abc import Mapping
from typing import Any

import tomli

LONGEST = 60  # characters that are shown
DEEPEST = 32  # tables and lists within each other; recipes have four
TOO_DEEP = f"there are more than {DEEPEST} tables or lists within each other"


def loads(text: str) -> dict[str, Any]:
    """TOML as nested dicts, not too deep for functions that call themselves.

    Raises:
        ValueError: it is no TOML; says where.
    """
    try:
        table = tomli.loads(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    level: list[Any] = [table]
    for _ in range(DEEPEST):
        inside = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list)]
        level = [part for parts in inside for part in parts]
    if any(isinstance(part, dict | list) for part in level):
        raise ValueError(TOO_DEEP)
    return table


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
