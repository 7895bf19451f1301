"""What is wrong with a recipe, in words: pydantic's errors as messages that a reader can act on.

Each names the key and the file, shows what was found, and says what would be right and which name is near.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from dcp.errors import RequestError, near_names, squeezed
from dcp.recipe import other_names, schema
from dcp.recipe.schema import Table
from dcp.recipe.toml import shown

EXPECTED = {
    "int_type": "a whole number, e.g. {example}",
    "int_from_float": "a whole number, e.g. {example}",
    "float_type": "a number, e.g. {example}",
    "string_type": "a string, e.g. {example}",
    "bool_type": "true or false",
    "tuple_type": "a list, e.g. {example}",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_pattern_mismatch": "letters, digits, dots, dashes and underscores, a letter or digit first; at most 200",
    "string_too_short": "text of {min_length} or more characters",
    "too_short": "a list of {min_length} or more",
    "too_long": "{max_length} values",
}
EXAMPLES: dict[str, object] = {
    "int_type": 10,
    "int_from_float": 10,
    "float_type": 0.1,
    "string_type": "text",
    "tuple_type": [0.1, 1.0],
}


def refusal(slug: str, message: str, hint: str) -> PydanticCustomError:
    """What a check in a model raises where a slug and a hint of its own help.

    Args:
        slug: as in `RequestError`.
        message: with {path} where the dotted key of the value is to stand.
        hint: what would be right.
    """
    return PydanticCustomError(slug, message, {"hint": hint})


def explain(error: ValidationError, table: Mapping[str, Any], model: type[BaseModel], where: str) -> list[RequestError]:
    """One message for each problem, in the order of the recipe.

    Args:
        error: what pydantic found.
        table: in this recipe.
        model: that was asked, for the names of its keys.
        where: the file, for the reader.
    """
    known = schema.tables(model)
    messages: dict[str, RequestError] = {}
    for item in error.errors():
        if item["type"] == "too_short" and item["input"]:
            continue  # too short without those of its values that are refused by themselves
        message = _message(item, dotted(item["loc"], table), known, where)
        before = messages.get(message.message)
        # a list that is too short lacks each place by itself, and the last one tells how many there should be
        if before is None or item["type"] == "missing":
            messages[message.message] = message
        elif message.hint not in before.hint:  # the same value, judged by the next alternative of a union
            before.hint += f"\nor {message.hint.removeprefix('expected ')}"
    return list(messages.values())


def dotted(loc: Sequence[int | str], table: Mapping[str, Any]) -> str:
    """The dotted key of a place that pydantic names, without the variants, tags and types between.

    >>> dotted(("views", "flip", "several", 1), {"views": {"flip": [0.5, 2]}})
    'views.flip[1]'
    """
    path, here = "", table
    for part in loc:
        if isinstance(here, Mapping) and part in here:
            path, here = f"{path}.{part}" if path else str(part), here[str(part)]
        elif isinstance(here, list | tuple) and isinstance(part, int) and part < len(here):
            path, here = f"{path}[{part}]", here[part]
    return path


def _message(item: ErrorDetails, path: str, known: Sequence[Table], where: str) -> RequestError:
    kind, owners, context = item["type"], schema.owners(item["loc"], known), item.get("ctx", {})
    if "hint" in context:
        return RequestError(item["msg"].replace("{path}", path), slug=kind, where=where, hint=context["hint"])
    if kind == "extra_forbidden":
        what = f"section [{path}]" if "." not in path and isinstance(item["input"], Mapping) else f"key {path}"
        return RequestError(f"there is no {what}", slug="unknown-key", where=where, hint=_near(path, owners, known))
    if kind.startswith("union_tag"):
        return _no_variant(path, context.get("tag"), owners, where)
    if kind == "missing":
        return _missing(item, path, owners, where)
    if kind == "value_error":  # of a check in a model, whose message says what would be right
        text = item["msg"].removeprefix("Value error, ")
        text = re.sub(r"\(([-+\d., e]+)\)", r"[\1]", text)  # lists as TOML has them
        return RequestError(f"{path}: {text}", slug="bad-value", where=where)
    slug = "bad-type" if kind.endswith("_type") or kind == "int_from_float" else "bad-value"
    hint = f"expected {_expected(item, path, owners)}"
    return RequestError(f"{path} is {shown(item['input'])}", slug=slug, where=where, hint=hint)


def _expected(item: ErrorDetails, path: str, owners: Sequence[Table]) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "literal_error":
        names = re.findall(r"'([^']*)'", str(context["expected"]))
        section = "evaluation" if path.startswith("probe.after") else ""
        allowed: list[str | bool | int] = [*names, *([False] if "False" in str(context["expected"]) else [])]
        allowed = allowed or [int(number) for number in re.findall(r"\d+", str(context["expected"]))]
        return _one_of(allowed) + _meant(str(item["input"]), names, section)
    if kind not in EXPECTED:
        return item["msg"].removeprefix("Input should be ")
    example, last = EXAMPLES.get(kind), path.rpartition(".")[2]
    default = next((table.keys[last].get("default") for table in owners if last in table.keys), None)
    if default and type(default) is type(example):
        example = default
    bounds = {key: schema.bound(value) for key, value in context.items() if key != "error"}
    return EXPECTED[kind].format(example=shown(example), **bounds)


def _one_of(names: Sequence[str | bool | int]) -> str:
    quoted = [shown(name) for name in names]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}" if len(quoted) > 1 else quoted[0]


def _meant(given: str, names: list[str], section: str = "") -> str:
    if here := other_names.variant(section, given):
        return f". Here that is {here}"
    near = near_names(given, names, 1)
    return f". Did you mean {near[0]}?" if near else ""


def _near(path: str, owners: Sequence[Table], known: Sequence[Table]) -> str:
    """The keys beside an unknown one, and the nearest of them, or else where there is a key of this name."""
    section, _, last = path.rpartition(".")
    beside = [key for table in owners for key in table.keys]
    text = (f'{section} "{owners[0].variant}" has ' if owners[0].variant else "known here: ") + ", ".join(beside)
    named_so = any(last in table.keys for table in known)
    if (here := other_names.key(last)) and not named_so and squeezed(last) not in map(squeezed, beside):
        return f"{text}. Here that is {here}"
    if meant := _meant(last, beside):
        return text + meant
    elsewhere: dict[str, list[str]] = {}  # path of each key of this name -> variants that have it
    for table in known:
        if last in table.keys:
            elsewhere.setdefault(f"{table.path}.{last}".lstrip("."), []).append(table.variant)
    places = [key + (f" of {', '.join(variants)}" if variants[0] else "") for key, variants in elsewhere.items()]
    return text + (f"\nelsewhere there is {'; '.join(places[:3])}" if places else "")


def _no_variant(path: str, given: str | None, owners: Sequence[Table], where: str) -> RequestError:
    key, names = owners[0].choice, [table.variant for table in owners]
    if given is None:
        hint = f"expected {_one_of(names)}"
        return RequestError(f"{path}.{key} is missing", slug="missing-key", where=where, hint=hint)
    what = path if key == "name" else f"{path} {key}"
    hint = f"known: {', '.join(names)}{_meant(str(given), names, path)}"
    return RequestError(f'there is no {what} called "{given}"', slug="unknown-name", where=where, hint=hint)


def _missing(item: ErrorDetails, path: str, owners: Sequence[Table], where: str) -> RequestError:
    last = item["loc"][-1]
    if isinstance(last, int):
        text, hint = f"{path} is {shown(item['input'])}", f"expected {last + 1} values"
        return RequestError(text, slug="bad-value", where=where, hint=hint)
    path = f"{path}.{last}" if path else last
    key = next((table.keys[last] for table in owners if last in table.keys), None)
    if key is not None:
        hint = f"add it: {key['description']}"
    else:  # a whole table, and `owners` are its variants
        hint = f"add [{path}] with {owners[0].choice} = {_one_of([table.variant for table in owners])}"
    return RequestError(f"{path} is missing", slug="missing-key", where=where, hint=hint)
