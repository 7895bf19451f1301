"""What the files of a run may hold: hands and other programs write them too, and their readers rely on this."""

import re
from collections.abc import Callable, Mapping
from typing import Any

LARGEST = 1e300  # what is larger is no measurement, and arithmetic on it overflows
_SCORE = re.compile(r"[A-Za-z0-9_@.-]{1,200}")  # its name, which reports print
Problem = str  # in words; "" if there is none
Check = Callable[[Any], Problem]


def record(content: Mapping[str, Any]) -> Problem:
    """What is wrong with the content of run.json."""
    return _fields(content, RECORD)


def probe(content: Mapping[str, Any]) -> Problem:
    """What is wrong with the content of probes/*.json."""
    return _fields(content, PROBE)


def metric(content: Mapping[str, Any]) -> Problem:
    """What is wrong with a line of metrics.jsonl."""
    problem = _fields(content, {"step": _whole, "kind": _text})
    # nearly all values are floats of ordinary size, and a comparison reads a hundred thousand lines: those go first
    odd = ((key, one) for key, one in content.items() if not (type(one) is float and -LARGEST <= one <= LARGEST))
    wide = (key for key, one in odd if isinstance(one, (int, float)) and _number(one))
    return problem or next((f"{key} is {_number(content[key])}" for key in wide), "")


def _fields(content: Mapping[str, Any], checks: Mapping[str, Check]) -> Problem:
    found = ((key, check(content[key])) for key, check in checks.items() if key in content)
    return next((f"{key} is {problem}" for key, problem in found if problem), "")


def _text(value: Any) -> Problem:
    return "" if isinstance(value, str) else "no text"


def _whole(value: Any) -> Problem:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return "" if fits else "no whole number"


def _number(value: Any) -> Problem:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return "no number"
    return "" if abs(value) <= LARGEST else "no finite number"  # nan is not, either


def _known(check: Check) -> Check:
    """The same, where null says that it is not known."""
    return lambda value: "" if value is None else check(value)


def _table(checks: Mapping[str, Check]) -> Check:
    return lambda value: _inner(value, checks) if isinstance(value, Mapping) else "no object"


def _inner(value: Mapping[str, Any], checks: Mapping[str, Check]) -> Problem:
    problem = _fields(value, checks)
    return f"an object whose {problem}" if problem else ""


def _list(value: Any) -> Problem:
    return "" if isinstance(value, list) else "no list"


def _scores(value: Any) -> Problem:
    return _each(value, lambda name, score: _known(_share if _is_share(name) else _number)(score))


def _is_share(name: str) -> bool:
    return name.startswith("top") or "accuracy" in name  # as the report shows them, in percent


def _share(value: Any) -> Problem:
    return _number(value) or ("" if 0 <= value <= 1 else f"{value}, and a share lies between 0 and 1")


def _intervals(value: Any) -> Problem:
    return _each(value, lambda _, ends: _known(_ends)(ends))


def _ends(value: Any) -> Problem:
    if not isinstance(value, list) or len(value) != 2:
        return "no list of two numbers"
    return next(filter(None, map(_known(_number), value)), "")


def _each(value: Any, check: Callable[[str, Any], Problem]) -> Problem:
    """What is wrong with an object by names of scores."""
    if not isinstance(value, Mapping):
        return "no object"
    odd = [name for name in value if not _SCORE.fullmatch(name)]
    if odd:
        return f'an object with a score called "{odd[0][:60]}"; letters, digits and _ @ . - make its name'
    found = ((name, check(name, item)) for name, item in value.items())
    return next((f"an object whose {name} is {problem}" for name, problem in found if problem), "")


RECORD: dict[str, Check] = {
    "name": _text,
    "seed": _whole,
    "status": _text,
    "why": _known(_text),
    "data": _known(_table({"fingerprint": _known(_text), "n": _known(_whole), "source": _known(_text)})),
    "state": _known(_table({"name": _known(_text), "evidence": _known(_text)})),
    "versions": _known(_table({})),
    "sittings": _list,
    "device": _known(_text),
    "processes": _known(_whole),
    "steps": _known(_whole),
    "wall_s": _known(_number),
    "images_per_s": _known(_number),
    "peak_memory_bytes": _known(_number),
}
PROBE: dict[str, Check] = {
    "score": _known(_scores),
    "n": _known(_whole),
    "interval": _known(_intervals),
    "random_encoder": _known(_table({"score": _known(_scores), "interval": _known(_intervals)})),
    "settings": _known(_table({})),
    "data": _known(_table({})),
    "extra": _known(_table({})),
    "step": _known(_whole),
}
