"""The keys of a recipe as its models know them: all of them, those beside a place, and those of a variant."""

from collections.abc import Iterator, Sequence
from inspect import get_annotations
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

CHOICES = ("name", "source", "experiment")  # the key that chooses a variant, of data sets and of [theory]


class Key(NamedTuple):
    """One key of one model."""

    path: str  # dotted, e.g. "predictor.eps"
    variant: str  # that has it, "" where its table has no variants
    field: FieldInfo


def walk(model: type[BaseModel], prefix: str = "") -> Iterator[Key]:
    """All keys below `model`; a key that several variants have comes once for each."""
    for name in names(model):
        field = model.model_fields[name]
        yield Key(prefix + name, variant(model), field)
        for inner in models([field.annotation]):
            yield from walk(inner, f"{prefix}{name}.")


def names(model: type[BaseModel]) -> list[str]:
    """The keys of one table: what chooses the variant, its own, then those that it shares with others."""
    own = get_annotations(model)
    chooses = choice(model)
    return sorted(model.model_fields, key=lambda name: (name != chooses, name not in own))


def choice(model: type[BaseModel]) -> str:
    """The key of `model` that has one possible value, the variant's name; "" for a table without variants."""
    for name in CHOICES:
        field = model.model_fields.get(name)
        if field is not None and len(get_args(field.annotation)) == 1:
            return name
    return ""


def variant(model: type[BaseModel]) -> str:
    """The variant whose keys these are, or ""."""
    name = choice(model)
    return str(get_args(model.model_fields[name].annotation)[0]) if name else ""


def models(annotations: Sequence[Any]) -> list[type[BaseModel]]:
    """All models that the annotations allow."""
    found: list[type[BaseModel]] = []
    for annotation in annotations:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.append(annotation)
        elif get_origin(annotation) in (Union, UnionType, tuple) or hasattr(annotation, "__metadata__"):
            found += models(get_args(annotation))
    return found


def owners(loc: Sequence[int | str], model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models of the table in which the place `loc` lies, or which it is; several if no variant is chosen.

    Args:
        loc: as pydantic has it: keys, and between them variants, tags of unions, types and positions.
        model: where it starts.
    """
    here = [model]
    for part in loc:
        chosen = [m for m in here if variant(m) == part]
        inner = models([m.model_fields[str(part)].annotation for m in here if part in m.model_fields])
        here = chosen or inner or here
    return here


def bound(value: object) -> str:
    """A bound as a reader writes it: 0 and not 0.0.

    >>> bound(0.0), bound(2.0**31), bound(0.5)
    ('0', '2147483648', '0.5')
    """
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
