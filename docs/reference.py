"""The recipe reference, written from the models: `python -m docs.pages`.

One table a section, one a variant. What it says of a key is what the key's Field says, and a test holds the
page against it.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from pydantic import BaseModel

from dcp.data.datasets import hf
from dcp.recipe import schema, sections
from dcp.recipe.layers import DEFAULTS
from dcp.recipe.recipe import File
from dcp.recipe.schema import Json
from dcp.recipe.toml import shown

OPENING = """\
# Recipe reference

A recipe is a TOML file that fixes everything about a run. Two keys are required, [`data.source`](#data) and
[`predictor.name`](#predictor); every other key has a default.

## The fifteen keys that people change

"""

RULES = """
Everything else stands below, section by section.

## How recipes work

* **Start from one that ships.** `dcp recipes` lists them, `dcp recipes copy NAME mine.toml` gives you a copy to edit,
  and `dcp recipes show NAME --full` prints one with every default written out.
* **Check before you train.** `dcp recipes check mine.toml` reports every mistake at once, each with the nearest valid
  name.
* **Types are strict.** `"0.1"` is not a number, and `1` is not `true`; an integer may stand in for a float. Unknown
  keys, NaN and infinity are errors.
* **`extends = "other.toml"`**, above the first section, builds on another recipe: a file next to this one, or the name
  of a recipe that ships. Sections are merged key by key. A section that selects another variant (`name`, or `source`
  for data) replaces the one that it extends, because a variant has keys of its own.
* **`--set KEY=VALUE`** on the command line overrides both: dotted keys, TOML values, as in `--set predictor.eps=0.1`.
  After the recipe, the word `--set` itself may be left out.
* **`[study]`** turns a recipe into [many runs](studies.md), and **`[theory]`** into an experiment for
  [`dcp theory`](theory.md), which needs no other section.

## In your editor

`dcp recipes schema` prints a JSON Schema of recipes. Write it once into the folder of your recipes:

```bash
dcp recipes schema > dcp.schema.json
```

Recipes made by `dcp recipes copy` begin with the line `#:schema ./dcp.schema.json`. Editors that use Taplo, such as VS
Code with the extension Even Better TOML, read that line: they complete keys, show what a key means, and underline
mistakes. Add the line to your other recipes; the path is relative to the recipe.

This page is generated from the code by `python -m docs.pages`.
"""

EVERYDAY = (
    "run.name",
    "data.source",
    "data.root",
    "data.download",
    "data.limit",
    "views.crop_scale",
    "network.backbone",
    "network.stem",
    "network.width",
    "predictor.name",
    "target.tau",
    "optimizer.lr",
    "train.epochs",
    "train.batch",
    "probe.after",
)

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
    parts = [f"{OPENING}{everyday()}{RULES}"]
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


def everyday() -> str:
    """The keys that people change most, as a table; of a section with variants, those of its default or first one."""
    cells = []
    for path in EVERYDAY:
        section, key = path.split(".")
        variants = [table for table in schema.tables(File) if table.path == section]
        default = next((table for table in variants if table.variant == DEFAULTS.get(section)), variants[0])
        (row,) = [row for row in _rows(default) if row.key == f"`{key}`"]
        chooses = len(variants) > 1 and key == default.choice
        usual = f"`{shown(DEFAULTS[section])}`" if section in DEFAULTS else "must be given"
        meaning = f"{default.meaning}; {len(variants)} to choose from" if chooses else row.meaning
        cells.append([f"[`{path}`](#{section})", usual if chooses else row.default, meaning])
    return markdown_table(("key", "default", "meaning"), cells)


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
    elif key.get("pattern") == hf.NAME:
        yield "NAME or USER/NAME"
    elif "pattern" in key:  # of probe.primary
        yield "EVALUATION.SCORE, of an evaluation that needs labels and is in `probe.after`"
    for each in schema.inside(key):
        yield from _bounds(each)
