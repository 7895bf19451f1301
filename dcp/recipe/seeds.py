"""Seeds as a person writes them: "0-4" or "0,1,2"."""

import re

from dcp.errors import RequestError

MOST = 1000
LARGEST = 2**31 - 1  # as run.seed


def parse(text: str, where: str = "--seeds") -> list[int]:
    """The seeds that `text` names, ascending, each once.

    Raises:
        RequestError: it names none, or too many.

    >>> parse("0-2,7")
    [0, 1, 2, 7]
    >>> parse("2147483647")
    [2147483647]
    """
    seeds: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(?P<first>[0-9]{1,10})(-(?P<last>[0-9]{1,10}))?\s*", part)
        chosen = range(int(match["first"]), int(match["last"] or match["first"]) + 1) if match else range(0)
        if not 0 < len(chosen) <= MOST or chosen[-1] > LARGEST:
            hint = f"e.g. 0-4 or 0,1,2; at most {MOST} in one command, each at most {LARGEST}"
            raise RequestError(f'"{text}" names no seeds', slug="bad-option", where=where, hint=hint)
        seeds |= set(chosen)
    return sorted(seeds)
