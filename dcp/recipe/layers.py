"""Recipes before they are checked: TOML files, `extends`, overrides.

Plain nested dicts; knows no key but `extends` and the ones that choose a variant.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import reduce
from pathlib import Path
from typing import Any

from dcp.errors import RequestError
from dcp.recipe import shipped
from dcp.recipe.toml import DEEPEST, cut, loads, shown

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
        one = override(text)
        _check_place(above, one, text)
        above = merge(above, one)
    return merge(named(table), above)


def _check_place(above: Table, one: Table, text: str) -> None:
    """Refuse an override that makes a value a table, or a table a value: one of the two would be lost in silence."""
    path, here, there = "", above, one
    while len(there) == 1 and next(iter(there)) in here:
        (key,) = there
        path, here, there = f"{path}.{key}" if path else key, here[key], there[key]
        if isinstance(here, dict) != isinstance(there, dict):
            what, hint = f'"{cut(text)}" and another override of {path} exclude each other', "leave one of them out"
            raise RequestError(what, slug="bad-override", where="--set", hint=hint)
        if not isinstance(here, dict):
            return


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
    found: dict[Path, Table] = {}
    while True:
        table = found[path.resolve()] = parse(path)
        if "extends" not in table:
            return list(found.items())
        base = parent(path, table.pop("extends"))
        if base in found:
            family = list(found)
            circle = " -> ".join(each.name for each in (*family[family.index(base) :], base))
            hint = "one of them must stand without extends"
            raise RequestError(f"extends goes in a circle: {circle}", slug="bad-extends", where=str(path), hint=hint)
        if len(found) > LONGEST_LINE:
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
        beside = (path.parent / name).resolve()
        if beside.is_file():
            return beside
    except (OSError, ValueError, RuntimeError) as error:  # a name that no file can have, or a link to itself
        hint = f"no file can be called this: {getattr(error, 'strerror', None) or error}"
        raise RequestError(what, slug="bad-extends", where=str(path), hint=hint) from None
    if found := shipped.named(name):
        return found.resolve()
    files = [file.name for file in sorted(beside.parent.glob("*.toml")) if file.resolve() != path.resolve()]
    near = get_close_matches(name, [*files, *shipped.names()], n=3)
    hint = f"it is looked for at {beside}, and among the recipes that ship"
    if near:
        hint += f"\ndid you mean {', '.join(near)}?"
    raise RequestError(what, slug="bad-extends", where=str(path), hint=hint)


def merge(below: Table, above: Table) -> Table:
    """`above` laid over `below`, table by table; a table that chooses another variant replaces the one below.

    >>> merge({"predictor": {"name": "directcopy", "eps": 0.3}}, {"predictor": {"name": "linear"}})
    {'predictor': {'name': 'linear'}}
    """
    merged = dict(below)
    for key, value in above.items():
        old = below.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and not _another_variant(key, old, value):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


def _another_variant(key: str, old: Table, new: Table) -> bool:
    choice = CHOICES.get(key)
    return choice in old and choice in new and old[choice] != new[choice]


def override(text: str) -> Table:
    """The table of "dotted.key=value"; the value is TOML, and a bare word counts as a string.

    >>> override("predictor.eps=0.1")
    {'predictor': {'eps': 0.1}}
    >>> override("predictor.name=identity")
    {'predictor': {'name': 'identity'}}
    """
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or len(parts) > DEEPEST or not all(re.fullmatch(r"[A-Za-z0-9_-]+", part) for part in parts):
        hint = "e.g. --set predictor.eps=0.1"
        raise RequestError(f'"{cut(text)}" is not KEY=VALUE', slug="bad-override", where="--set", hint=hint)
    table: Any = _value(value.strip(), text)
    for part in reversed(parts):
        table = {part: table}
    return table  # type: ignore[no-any-return]


def _value(value: str, text: str) -> object:
    if not value:
        hint = "an empty string is KEY='\"\"'; a key that is to have its default is left out"
        raise RequestError(f'"{cut(text)}" has no value', slug="bad-override", where="--set", hint=hint)
    try:
        if len(found := loads(f"value = {value}")) == 1:  # and no second line
            return found["value"]
    except ValueError:
        if re.fullmatch(r"[A-Za-z_~./][\w./~-]*", value):
            return value
    hint = 'numbers, true, false, lists [0.1, 1.0], "strings"; quotes may be left out of plain words and paths'
    raise RequestError(f'the value in "{cut(text)}" is not TOML', slug="bad-override", where="--set", hint=hint)


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
    found: dict[str, Any] = {}
    for key, value in table.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found
