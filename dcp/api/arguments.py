"""Arguments of the public functions that no type checker has looked at: refused in words."""

import os
from collections.abc import Iterable
from typing import Any

from dcp.errors import RequestError


def texts(given: Any, name: str) -> tuple[str, ...]:
    """Words or paths as text; a single one stands for a list of it.

    Args:
        given: what was passed.
        name: of the argument.

    Raises:
        RequestError: "bad-type".

    >>> texts("knn", "evaluations"), texts(["knn", "linear"], "evaluations")
    (('knn',), ('knn', 'linear'))
    """
    parts = [given] if isinstance(given, str | os.PathLike) else list(given) if isinstance(given, Iterable) else None
    if parts is None or not all(isinstance(part, str | os.PathLike) for part in parts):
        what, hint = f"{name} is a list of texts, not {given!r:.100}", f'e.g. {name} = ["...", "..."]'
        raise RequestError(what, slug="bad-type", where=name, hint=hint)
    return tuple(map(str, parts))
