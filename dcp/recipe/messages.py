"""What is wrong with a recipe, in words: pydantic's errors as messages that a reader can act on.

Each names the key and the file, shows what was found, and says what would be right and which name is near.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dcp.errors import RequestError
from dcp.recipe import schema
from dcp.recipe.toml import shown, usable

Models = Sequence[type[BaseModel]]

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
    "tuple_type": (0.1, 1.0),
}


def explain(error: ValidationError, table: Mapping[str, Any], model: type[BaseModel], where: str) -> list[RequestError]:
    """One message for each problem, in the order of the recipe; those of `values.useless` are left to it.

    Args:
        error: what pydantic found.
        table: in this recipe.
        model: that was asked, for the names of its keys.
        where: the file, for the reader.
    """
    told: dict[str, RequestError] = {}
    for item in error.errors():
        if usable(item["input"]) and item["type"] != "extra_forbidden":
            continue
        message = _one(item, dotted(item["loc"], table), model, where)
        before = told.get(message.message)
        if (
            before is None or item["type"] == "missing"
        ):  # of a list that is too short each missing place comes, the last one last
            told[message.message] = message
        elif message.hint not in before.hint:  # the same value, judged by the next alternative of a union
            before.hint += f"\nor {message.hint.removeprefix('expected ')}"
    return list(told.values())


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


def _one(item: ErrorDetails, path: str, model: type[BaseModel], where: str) -> RequestError:
    kind, owners = item["type"], schema.owners(item["loc"], model)
    if kind == "extra_forbidden":
        what = f"section [{path}]" if "." not in path and isinstance(item["input"], Mapping) else f"key {path}"
        hint = _known(path, owners, model)
        return RequestError(f"there is no {what}", slug="unknown-key", where=where, hint=hint)
    if kind.startswith("union_tag"):
        return _no_variant(item, path, owners, where)
    if kind == "missing":
        return _missing(item, path, owners, where)
    if kind == "value_error":  # of a check in a model, whose message says what would be right
        text = item["msg"].removeprefix("Value error, ")
        text = re.sub(r"\(([-+\d., e]+)\)", r"[\1]", text)  # lists as TOML has them
        return RequestError(f"{path}: {text}", slug="bad-value", where=where)
    slug = "bad-type" if kind.endswith("_type") or kind == "int_from_float" else "bad-value"
    hint = f"expected {_expected(item, path, owners)}"
    return RequestError(f"{path} is {shown(item['input'])}", slug=slug, where=where, hint=hint)


def _expected(item: ErrorDetails, path: str, owners: Models) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "literal_error":
        return _one_of(re.findall(r"'([^']*)'", str(context["expected"])), item["input"])
    template = EXPECTED.get(kind)
    if template is None:
        return item["msg"].removeprefix("Input should be ")
    bounds = {key: schema.bound(value) for key, value in context.items() if key != "error"}
    return template.format(example=shown(_example(kind, path, owners)), **bounds)


def _example(kind: str, path: str, owners: Models) -> object:
    """A right value: the key's own default where it is of the right kind."""
    example = EXAMPLES.get(kind)
    fields = [m.model_fields.get(path.rpartition(".")[2]) for m in owners]
    default = next((field.default for field in fields if field is not None), None)
    return default if default and type(default) is type(example) else example


def _one_of(known: list[str], given: object) -> str:
    quoted = [shown(name) for name in known]
    text = f"{', '.join(quoted[:-1])} or {quoted[-1]}" if len(quoted) > 1 else quoted[0]
    return text + _meant(str(given), known)


def _meant(given: str, known: list[str]) -> str:
    near = get_close_matches(given, known, n=1)
    return f". Did you mean {near[0]}?" if near else ""


def _known(path: str, owners: Models, model: type[BaseModel]) -> str:
    """The keys beside an unknown one, and the nearest of them, or else where there is a key of this name."""
    table, _, last = path.rpartition(".")
    known = [key for m in owners for key in schema.names(m)]
    chosen = schema.variant(owners[0])
    text = (f'{table} "{chosen}" has ' if chosen else "known here: ") + ", ".join(known)
    return text + (_meant(last, known) or _elsewhere(last, model))


def _elsewhere(name: str, model: type[BaseModel]) -> str:
    places: dict[str, list[str]] = {}
    for key in schema.walk(model):
        if key.path.rpartition(".")[2] == name:
            places.setdefault(key.path, []).append(key.variant)
    found = [path + (f" of {', '.join(of)}" if of[0] else "") for path, of in places.items()]
    return f"\nelsewhere there is {'; '.join(found[:3])}" if found else ""


def _no_variant(item: ErrorDetails, path: str, owners: Models, where: str) -> RequestError:
    key, known = schema.choice(owners[0]), [schema.variant(m) for m in owners]
    given = item.get("ctx", {}).get("tag")
    if given is None:
        hint = f"expected {_one_of(known, None)}"
        return RequestError(f"{path}.{key} is missing", slug="missing-key", where=where, hint=hint)
    what = path if key == "name" else f"{path} {key}"
    hint = f"known: {', '.join(known)}{_meant(str(given), known)}"
    return RequestError(f'there is no {what} called "{given}"', slug="unknown-name", where=where, hint=hint)


def _missing(item: ErrorDetails, path: str, owners: Models, where: str) -> RequestError:
    last = item["loc"][-1]
    if isinstance(last, int):
        text, hint = f"{path} is {shown(item['input'])}", f"expected {last + 1} values"
        return RequestError(text, slug="bad-value", where=where, hint=hint)
    path = f"{path}.{last}" if path else last
    field = next((m.model_fields[last] for m in owners if last in m.model_fields), None)
    if field is not None:
        hint = f"add it: {field.description}"
    else:  # a whole table, and `owners` are its variants
        hint = f"add [{path}] with {schema.choice(owners[0])} = {_one_of([schema.variant(m) for m in owners], None)}"
    return RequestError(f"{path} is missing", slug="missing-key", where=where, hint=hint)
