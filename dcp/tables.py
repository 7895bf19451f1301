"""Recipes before they are checked: TOML files, `extends`, overrides. Plain nested dicts; knows no key but `name` and `extends`."""

import re
from pathlib import Path
from typing import Any

import tomli

from dcp import shipped
from dcp.errors import RequestError

Table = dict[str, Any]

# In these tables one key chooses a variant. Where it changes, the other keys are not those of the first variant: it is replaced.
CHOICES = {"data": "source", "predictor": "name", "target": "name", "objective": "name"}


def load(source: str, sets: tuple[str, ...] = ()) -> tuple[Table, str]:
    """The table of a recipe file or of a recipe that ships, with overrides laid over it, and the name of the file.

    Raises:
        RequestError: no such recipe, no TOML, or an override that is none.
    """
    path = shipped.find(source)
    table = _with_parents(path, ())
    for text in sets:
        table = merge(table, override(text))
    return table, str(path)


def stem(where: str) -> str:
    """The name that a recipe file gives to its run."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", Path(where).stem)


def parse(path: Path) -> Table:
    """The TOML file at `path` as nested dicts.

    Raises:
        RequestError: not readable, or no TOML; with the line.
    """
    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"this is not TOML: {error}", slug="bad-toml", where=str(path)) from None
    except OSError as error:
        raise RequestError(f"cannot read it: {error.strerror}", slug="bad-file", where=str(path)) from None


def _with_parents(path: Path, children: tuple[Path, ...]) -> Table:
    table = parse(path)
    parent = table.pop("extends", None)
    if parent is None:
        return table
    if not isinstance(parent, str):
        raise RequestError("extends is not a string", slug="bad-type", where=str(path), hint='e.g. extends = "other.toml"')
    base = (path.parent / parent).resolve()
    if base in (*children, path.resolve()):
        raise RequestError(f"extends goes in a circle at {parent}", slug="bad-extends", where=str(path))
    if not base.is_file():
        raise RequestError(
            f'extends = "{parent}": there is no such file',
            slug="bad-extends",
            where=str(path),
            hint=f"it is looked for at {base}",
        )
    return merge(_with_parents(base, (*children, path.resolve())), table)


def merge(below: Table, above: Table) -> Table:
    """`above` laid over `below`, table by table; a table that chooses another variant replaces the one below.

    >>> merge({"predictor": {"name": "directcopy", "eps": 0.3}}, {"predictor": {"name": "linear"}})
    {'predictor': {'name': 'linear'}}
    """
    merged = dict(below)
    for key, value in above.items():
        old = below.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and not _another_variant(CHOICES.get(key), old, value):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


def _another_variant(choice: str | None, old: Table, new: Table) -> bool:
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
    if not equals or not all(re.fullmatch(r"[A-Za-z0-9_-]+", part) for part in parts):
        raise RequestError(
            f'"{text}" is not KEY=VALUE', slug="bad-override", where="--set", hint="e.g. --set predictor.eps=0.1"
        )
    table: Any = _value(value.strip(), text)
    for part in reversed(parts):
        table = {part: table}
    return table  # type: ignore[no-any-return]


def _value(value: str, text: str) -> object:
    try:
        return tomli.loads(f"value = {value}")["value"]
    except tomli.TOMLDecodeError:
        if re.fullmatch(r"[A-Za-z_~./][\w./~-]*", value):
            return value
        raise RequestError(
            f'the value in "{text}" is not TOML', slug="bad-override", where="--set", hint="strings with spaces need quotes"
        ) from None


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
