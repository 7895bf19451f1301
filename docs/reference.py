"""The recipe reference, written from the models: `python -m docs.pages`.

One table a section, one a variant. What it says of a key is what the key's Field says, and a test holds the
page against it.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from pydantic import BaseModel

from dcp.recipe import schema, sections
from dcp.recipe.layers import DEFAULTS
from dcp.recipe.recipe import File
from dcp.recipe.schema import Json
from dcp.recipe.toml import shown

INTRODUCTION = """\
# Recipe reference

Made by `python -m docs.pages`; edit the models in `dcp/`, not this page.

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

WORDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "string": "string",
    "object": "table",
}
SIGNS = {
    "minLength": "at least {} of them",
    "minItems": "at least {} of them",
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}


class Row(NamedTuple):
    """What there is to know of a key, each in Markdown."""

    key: str
    type: str
    default: str
    bounds: str
    meaning: str


def markdown() -> str:
    """The whole page."""
    order = list(File.model_fields)
    tables = sorted(schema.tables(File)[1:], key=lambda table: order.index(table.path.partition(".")[0]))
    parts = [INTRODUCTION]
    for path, group in groupby(tables, key=lambda table: table.path):
        variants, mark = list(group), "#" * (path.count(".") + 2)
        if len(variants) > 1 and "." in path:
            continue  # the data of probes: as those of the recipe
        meaning, choice = variants[0].meaning, variants[0].choice
        parts.append(f"{mark} [{path}]\n\n{meaning[:1].upper()}{meaning[1:]}.\n")
        if len(variants) > 1:
            default = f"; without the section `{shown(DEFAULTS[path])}`" if path in DEFAULTS else ""
            parts.append(f"The key `{choice}` chooses one of these, each with its own keys{default}.\n")
        for table in variants:
            if len(variants) > 1:
                parts.append(f"{mark}# {path}.{choice} = {shown(table.variant)}\n\n{table.description}\n")
            parts.append(lines(_rows(table)))
    return "\n".join(parts)


def rows(model: type[BaseModel]) -> list[Row]:
    """The keys of one model, as of a variant's Config: what chooses it, its own, those that it shares with others."""
    return _rows(schema.tables(model)[0])


def lines(rows: Iterable[Row]) -> str:
    """The rows as a table in Markdown."""
    return markdown_table(Row._fields, rows)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    first, *body = [f"| {' | '.join(row)} |\n" for row in cells]
    return "".join((first, "|---" * len(head) + "|\n", *body))


def _rows(table: schema.Table) -> list[Row]:
    found = []
    for name, key in table.keys.items():
        value = key.get("default")
        if name in table.required:
            default = "must be given"
        elif value is None or value == {}:
            default = "not set"
        else:
            default = "see below" if isinstance(value, dict) else f"`{shown(value)}`"
        bounds = ", ".join(dict.fromkeys(_bounds(key))) or "-"
        found.append(Row(f"`{name}`", _type(key), default, bounds, key["description"]))
    return found


def _type(key: Json) -> str:
    """A type in TOML's words."""
    if values := key.get("enum", [key["const"]] if "const" in key else []):
        return ", ".join(f"`{shown(value)}`" for value in values)
    if len(schema.models(key)) > 1:
        return "table, with the keys of [data](#data)"
    inside = schema.inside(key)
    if key.get("type") == "array":
        each, count = _type(inside[0]), f"{len(inside)} " if "prefixItems" in key else ""
        return f"list of {count}{each}s" if each in WORDS.values() else f"list of {each}"
    if inside:
        return " or ".join(dict.fromkeys(_type(each) for each in inside if each != {"type": "null"}))
    return WORDS[key.get("type", "object")]


def _bounds(key: Json) -> Iterator[str]:
    """The bounds of the values, or of each one in a list."""
    for name, text in SIGNS.items():
        if name in key and not (name == "minItems" and "prefixItems" in key):
            yield text.format(schema.bound(key[name]))
    if key.get("pattern") in (sections.NAME, sections.NAMED):
        yield "letters, digits, `.`, `_`, `-`; a letter or digit first"
    elif "pattern" in key:  # of probe.primary
        yield "EVALUATION.SCORE, of an evaluation that needs labels and is in `probe.after`"
    for each in schema.inside(key):
        yield from _bounds(each)
