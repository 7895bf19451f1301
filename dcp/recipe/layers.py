"""Recipes before they are checked: TOML files, `extends`, overrides.

Plain nested dicts; knows no key but `extends` and the ones that choose a variant.
"""

import re
from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import Any

from dcp.errors import RequestError, near_names
from dcp.recipe import overrides, shipped
from dcp.recipe.toml import cut, loads, shown

Table = dict[str, Any]

# In these tables one key chooses a variant. Where it changes, the other keys are those of another variant, so
# the table above replaces the one below.
CHOICES = {"data": "source", "theory": "experiment"}
CHOICES |= dict.fromkeys(("predictor", "target", "objective", "positives"), "name")
DEFAULTS = {"target": "ema", "objective": "cosine", "positives": "none"}  # the variant of a section that names none
LONGEST_LINE = 20  # files that extend each other


def load(source: str, sets: tuple[str, ...] = ()) -> tuple[Table, str]:
    """The table of a recipe (a file, or one that ships) with overrides over it, and the name of its file.

    The order of overrides matters only for those of the same key, where the last one holds.

    Raises:
        RequestError: no such recipe, no TOML, or an override that is none.
    """
    path = shipped.find(source)
    return overridden(merged(table for _, table in layers(path)), sets), str(path)


def overridden(table: Table, sets: tuple[str, ...]) -> Table:
    """`table` with overrides over it; they are merged among themselves first, so that their order does not matter.

    Raises:
        RequestError: "bad-override", one is none, or one gives a key a value and another gives it keys of its own.
    """
    above: Table = {}
    for text in sets:
        added = overrides.parse(text)
        # one that makes a value a table, or a table a value, would lose one of the two in silence
        path, old, new = "", above, added
        while isinstance(old, dict) and isinstance(new, dict) and len(new) == 1 and (key := next(iter(new))) in old:
            path, old, new = f"{path}.{key}".lstrip("."), old[key], new[key]
        if isinstance(old, dict) != isinstance(new, dict):
            what, hint = f'"{cut(text)}" and another override of {path} exclude each other', "leave one of them out"
            raise RequestError(what, slug="bad-override", where="--set", hint=hint)
        above = merge(above, added)
    return merge(named(table), above)


def named(table: Table) -> Table:
    """The same, where sections that have a default variant name it: what is laid over may choose another."""
    names = {
        section: {CHOICES[section]: name, **table[section]}
        for section, name in DEFAULTS.items()
        if isinstance(table.get(section), dict)
    }
    return {**table, **names}


def stem(where: str) -> str:
    """The name that a recipe file gives to its run.

    >>> stem("recipes/_my recipe.toml")
    'my-recipe'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "-", Path(where).stem).lstrip("._-") or "recipe"


def parse(path: Path) -> Table:
    """The TOML file at `path` as nested dicts.

    Raises:
        RequestError: not readable, or no TOML; with the line.
    """
    try:
        return loads(shipped.read(path))
    except ValueError as error:
        hint = 'a line is key = value, [section] or # comment; strings have quotes: name = "directcopy"'
        raise RequestError(f"this is not TOML: {error}", slug="bad-toml", where=str(path), hint=hint) from None


def layers(path: Path) -> list[tuple[Path, Table]]:
    """The recipe at `path` and those below it, the lowest last: each file with its table, without `extends`.

    Raises:
        RequestError: "bad-extends", or one of the files cannot be read.
    """
    tables: dict[Path, Table] = {}
    while True:
        table = tables[path.resolve()] = parse(path)
        if "extends" not in table:
            return list(tables.items())
        base = parent(path, table.pop("extends"))
        if base in tables:
            line = list(tables)
            circle = " -> ".join(file.name for file in (*line[line.index(base) :], base))
            hint = "one of them must stand without extends"
            raise RequestError(f"extends goes in a circle: {circle}", slug="bad-extends", where=str(path), hint=hint)
        if len(tables) > LONGEST_LINE:
            what, hint = f"extends goes over more than {LONGEST_LINE} files", "write the settings of some into one"
            raise RequestError(what, slug="bad-extends", where=str(path), hint=hint)
        path = base


def merged(tables: Iterable[Table]) -> Table:
    """Tables laid over each other, the lowest last, as `layers` gives them."""
    upwards = list(tables)[::-1]
    return reduce(lambda below, above: merge(named(below), above), upwards[1:], upwards[0])


def parent(path: Path, name: object) -> Path:
    """The file that the recipe at `path` extends under this name: beside it, or one that ships.

    Raises:
        RequestError: "bad-extends", there is none, or "bad-type".
    """
    if not isinstance(name, str):
        hint = 'e.g. extends = "other.toml"'
        raise RequestError(f"extends is {shown(name)}, no string", slug="bad-type", where=str(path), hint=hint)
    what = f"extends = {shown(name)}: there is no such recipe"
    try:
        file = (path.parent / name).resolve()
        if file.is_file():
            return file
    except (OSError, ValueError, RuntimeError) as error:  # a name that no file can have, or a link to itself
        hint = f"no file can be called this: {getattr(error, 'strerror', None) or error}"
        raise RequestError(what, slug="bad-extends", where=str(path), hint=hint) from None
    if ships := shipped.named(name):
        return ships.resolve()
    beside = (other for other in sorted(file.parent.glob("*.toml")) if other.is_file())  # no links to themselves
    others = [other.name for other in beside if other.resolve() != path.resolve()]
    near = near_names(name, [*others, *shipped.names()])
    hint = f"it is looked for at {file}, and among the recipes that ship"
    if near:
        hint += f"\ndid you mean {', '.join(near)}?"
    raise RequestError(what, slug="bad-extends", where=str(path), hint=hint)


def merge(below: Table, above: Table) -> Table:
    """`above` laid over `below`, table by table; a table that chooses another variant replaces the one below.

    >>> merge({"predictor": {"name": "directcopy", "eps": 0.3}}, {"predictor": {"name": "linear"}})
    {'predictor': {'name': 'linear'}}
    """
    merged = dict(below)
    for key, new in above.items():
        old, choice = below.get(key), CHOICES.get(key)
        merged[key] = new
        if isinstance(old, dict) and isinstance(new, dict):
            another_variant = choice in old and choice in new and old[choice] != new[choice]
            merged[key] = new if another_variant else merge(old, new)
    return merged


def frozen(value: Any) -> Any:
    """The same with tuples for lists: models are frozen through and through."""
    if isinstance(value, dict):
        return {key: frozen(part) for key, part in value.items()}
    return tuple(frozen(part) for part in value) if isinstance(value, list) else value


def flat(table: Table, prefix: str = "") -> dict[str, Any]:
    """Dotted keys and their values.

    >>> flat({"a": {"b": 1}, "c": 2})
    {'a.b': 1, 'c': 2}
    """
    values: dict[str, Any] = {}
    for key, value in table.items():
        values |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return values
