"""What is wrong with a recipe, in words: pydantic's errors as messages that name the key, what was found and what would be right."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dcp.errors import RequestError

EXPECTED = {
    "int_type": "a whole number, e.g. {example}",
    "int_from_float": "a whole number",
    "float_type": "a number, e.g. {example}",
    "string_type": 'a string, e.g. "{example}"',
    "bool_type": "true or false",
    "tuple_type": "a list, e.g. {example}",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "one of {expected}",
    "too_short": "{min_length} values",
    "too_long": "{max_length} values",
}


def explain(error: ValidationError, model: type[BaseModel], where: str) -> list[RequestError]:
    """One message for each problem, in the order of the recipe; the alternatives of a union count once.

    Args:
        error: what pydantic found.
        model: the model that was asked, for the names of its keys.
        where: the file, for the reader.
    """
    told: dict[str, RequestError] = {}
    for item in error.errors():
        path = keys(item["loc"], model)
        message = _one(item, path, model, where)
        if path not in told:
            told[path] = message
        elif "type" in item["type"] or item["type"] == "literal_error":  # the next alternative of a union
            told[path].hint += f"\nor {message.hint.removeprefix('expected ')}"
    return list(told.values())


def keys(loc: Sequence[int | str], model: type[BaseModel]) -> str:
    """The dotted key of a place that pydantic names, without the names of union members that it puts between."""
    path: list[str] = []
    here: list[Any] = [model]
    for part in loc:
        models = _models(here)
        fields = [m.model_fields[part] for m in models if part in m.model_fields]
        known = any(_literal_name(m) == part for m in models)
        if fields:
            path.append(str(part))
            here = [field.annotation for field in fields]
        elif models and known:
            here = [m for m in models if _literal_name(m) == part]
        elif isinstance(part, int):
            path[-1] += f"[{part}]"
        elif models and not _is_type_name(str(part)):
            path.append(str(part))
    return ".".join(path)


def _is_type_name(part: str) -> bool:
    """Whether pydantic means the member of a union, such as "float" or "tuple[float, float]", and no key."""
    return "[" in part or part in {"float", "int", "str", "bool", "none", "literal"} or part[:1].isupper()


def _literal_name(model: type[BaseModel]) -> str | None:
    for key in ("name", "source"):
        field = model.model_fields.get(key)
        if field is not None and get_args(field.annotation):
            return str(get_args(field.annotation)[0])
    return None


def _models(annotations: list[Any]) -> list[type[BaseModel]]:
    """All models that the annotations allow."""
    found: list[type[BaseModel]] = []
    for annotation in annotations:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.append(annotation)
        elif get_origin(annotation) in (Union, UnionType) or hasattr(annotation, "__metadata__"):
            found += _models(list(get_args(annotation)))
    return found


def _one(item: ErrorDetails, path: str, model: type[BaseModel], where: str) -> RequestError:
    kind = item["type"]
    if kind == "extra_forbidden":
        return unknown_key(path, _siblings(item["loc"], model), where)
    if kind.startswith("union_tag"):
        return _unknown_variant(item, path, where)
    if kind == "missing":
        return RequestError(f"{path} is missing", slug="missing-key", where=where, hint="add it to the recipe")
    found = _toml(item["input"])
    slug = "bad-value" if kind in ("value_error", "literal_error", "string_pattern_mismatch") or "than" in kind else "bad-type"
    return RequestError(f"{path} is {found}", slug=slug, where=where, hint=f"expected {_expected(item)}")


def _expected(item: ErrorDetails) -> str:
    context = {key: value for key, value in item.get("ctx", {}).items() if key != "error"}
    template = EXPECTED.get(item["type"])
    if item["type"] == "string_pattern_mismatch":
        return "letters, digits, dots, dashes and underscores"
    if template is None:
        return item["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return template.format(example={"int_type": 10, "float_type": 0.1, "string_type": "name"}.get(item["type"], "[0.1, 1.0]"), **context)


def unknown_key(path: str, known: list[str], where: str) -> RequestError:
    """The message for a key that does not exist beside those that do."""
    last = path.rpartition(".")[2]
    near = get_close_matches(last, known, n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    return RequestError(
        f"there is no key {path}", slug="unknown-key", where=where, hint=f"known here: {', '.join(known)}.{meant}"
    )


def _siblings(loc: Sequence[int | str], model: type[BaseModel]) -> list[str]:
    here: list[Any] = [model]
    for part in loc[:-1]:
        models = _models(here)
        chosen = [m for m in models if _literal_name(m) == part]
        here = list(chosen) or [m.model_fields[part].annotation for m in models if part in m.model_fields] or list(models)
    return [key for m in _models(here) for key in m.model_fields]


def _unknown_variant(item: ErrorDetails, path: str, where: str) -> RequestError:
    context = item.get("ctx", {})
    key = str(context.get("discriminator", "'name'")).strip("'")
    known = [name.strip(" '") for name in str(context.get("expected_tags", "")).split(",") if name.strip()]
    given = context.get("tag")
    if given is None:
        return RequestError(f"{path}.{key} is missing", slug="missing-key", where=where, hint=f'say which, e.g. {key} = "..."')
    near = get_close_matches(str(given), known, n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    return RequestError(
        f'there is no {path} called "{given}"', slug="unknown-name", where=where, hint=f"known: {', '.join(known)}.{meant}"
    )


def _toml(value: object) -> str:
    """A value as the user wrote it, more or less."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(part) for part in value)}]"
    return str(value)
