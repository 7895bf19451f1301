"""Values of a recipe: how a reader is shown them, and the numbers that TOML can write and no key can use."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from dcp.errors import RequestError

LONGEST = 60  # characters that are shown


def shown(value: object) -> str:
    """A value as the user wrote it, more or less, and not too long.

    >>> shown([0.1, "a", True])
    '[0.1, "a", true]'
    """
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, tuple | list):
        text = f"[{', '.join(map(shown, value))}]"
    else:
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, bool | str) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."


def useless(table: Mapping[str, Any], where: str) -> list[RequestError]:
    """One message for each number that is nan, infinite or longer than TOML's 64 bits."""
    return [
        RequestError(f"{path} is {shown(value)}", slug="bad-value", where=where, hint=f"expected {usable(value)}")
        for path, value in _leaves(table, "")
        if usable(value)
    ]


def usable(value: object) -> str:
    """What a useless number should have been; "" for every other value.

    >>> usable(float("nan")), usable(0.3)
    ('a finite number', '')
    """
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
