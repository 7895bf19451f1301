"""The recipe reference, written from the models: `python -m dcp.reference > docs/recipe.md`.

One table a section, one a variant. What it says of a key is what the key's Field says, and a test holds the
page against it.
"""

import sys
from collections.abc import Iterator
from inspect import getdoc
from types import ModuleType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dcp.recipe import schema
from dcp.recipe.recipe import File
from dcp.recipe.toml import shown

INTRODUCTION = """\
# Recipe reference

Made by `python -m dcp.reference > docs/recipe.md`; edit the models in `dcp/`, not this page.

A recipe is a TOML file that decides everything about a run. Only [`data.source`](#data) and
[`predictor.name`](#predictor) must be there; every other key has the default below. `dcp recipes copy NAME` gives one
to edit, `dcp recipes check FILE` says everything that is wrong with it, and `dcp recipes schema` is for editors.

* **Nothing is coerced.** `"0.1"` is no number and `1` is not `true`; a whole number may stand for a number.
  An unknown key is an error. Nan and infinity are refused everywhere.
* **`extends = "other.toml"`**, above the first section, puts another recipe under this one: a file beside it,
  or the name of a recipe that ships. Sections are merged key by key; a section that chooses another variant
  (`name`, for data `source`) replaces the one below, because its keys are others.
* **`[theory]`** makes a file a recipe for `dcp theory`, which needs no other section.
* **`--set KEY=VALUE`** on the command line lies over both: dotted keys, TOML values; `predictor.eps=0.1`.
"""

WORDS: dict[Any, str] = {int: "whole number", float: "number", bool: "true or false", str: "string"}
SIGNS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}", "min_length": "at least {} of them"}


def markdown() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for name, field in File.model_fields.items():
        parts += _section(name, field, level=2)
    return "\n".join(parts)


def _section(path: str, field: FieldInfo, *, level: int) -> Iterator[str]:
    """A section and those inside it."""
    models = schema.models([field.annotation])
    description = field.description or ""
    yield f"{'#' * level} [{path}]\n\n{description[:1].upper()}{description[1:]}.\n"
    if len(models) > 1:
        yield from _variants(path, field, models, level=level + 1)
    else:
        yield from _table(models[0])
        yield from _inner(path, models[0], level=level + 1)


def _variants(path: str, field: FieldInfo, models: list[type[BaseModel]], *, level: int) -> Iterator[str]:
    key = schema.choice(models[0])
    without = None if field.is_required() else _default(field)
    default = "" if without is None else f"; without the section `{shown(schema.variant(type(without)))}`"
    yield f"The key `{key}` chooses one of these, each with its own keys{default}.\n"
    for model in models:
        name = schema.variant(model)
        yield f"{'#' * level} {path}.{key} = {shown(name)}\n"
        yield f"{_first_sentence(sys.modules[model.__module__])}\n"
        yield from _table(model)
        yield from _inner(path, model, level=level + 1)


def _inner(path: str, model: type[BaseModel], *, level: int) -> Iterator[str]:
    """The tables in a table; one with variants, as the data of probes, has them described elsewhere."""
    for name in schema.names(model):
        if len(schema.models([model.model_fields[name].annotation])) == 1:
            yield from _section(f"{path}.{name}", model.model_fields[name], level=level)


def _first_sentence(module: ModuleType) -> str:
    """The first paragraph of the module's docstring."""
    return " ".join((getdoc(module) or "").partition("\n\n")[0].split())


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield "| key | type | default | bounds | meaning |\n|---|---|---|---|---|"
    for name in schema.names(model):
        field = model.model_fields[name]
        meaning = field.description or "chooses this variant"
        bounds = ", ".join(dict.fromkeys(_bounds(field))) or "-"
        cells = [f"`{name}`", _type(field.annotation), _default_text(field), bounds, meaning]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _default_text(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    default = _default(field)
    if default is None or default == {}:
        return "not set"
    return "see below" if isinstance(default, BaseModel) else f"`{shown(default)}`"


def _type(annotation: Any) -> str:
    """A type in TOML's words."""
    if annotation in WORDS:
        return WORDS[annotation]
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inside[0])
    if origin is Literal:
        return ", ".join(f"`{shown(value)}`" for value in inside)
    if origin is tuple:
        one = _type(inside[0])
        count = "" if inside[-1] is Ellipsis else f"{len(inside)} "
        return f"list of {count}{one}s" if one in (*WORDS.values(), "table") else f"list of {one}"
    if origin in (Union, UnionType):
        if len(schema.models(inside)) > 1:
            return "table, with the keys of [data](#data)"
        return " or ".join(dict.fromkeys(_type(part) for part in inside if part is not type(None)))
    return "table"


def _bounds(field: FieldInfo) -> Iterator[str]:
    """The bounds of the values, or of each one in a list."""
    yield from _limits(field.metadata)
    yield from _inner_limits(field.annotation)


def _inner_limits(annotation: Any) -> Iterator[str]:
    yield from _limits(getattr(annotation, "__metadata__", ()))
    if not schema.models([annotation]):
        for part in get_args(annotation):
            yield from _inner_limits(part)


def _limits(metadata: Any) -> Iterator[str]:
    for item in metadata:
        yield from _limits(getattr(item, "metadata", ()))
        for name, text in SIGNS.items():
            if getattr(item, name, None) is not None:
                yield text.format(schema.bound(getattr(item, name)))
        if getattr(item, "pattern", None):
            yield "letters, digits, `.`, `_`, `-`; a letter or digit first"


if __name__ == "__main__":
    sys.stdout.buffer.write(markdown().encode())
