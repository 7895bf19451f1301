"""Random valid recipes, drawn from the models: a new key or variant takes part without being named here."""

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel

from dcp.recipe import schema
from dcp.recipe.recipe import Recipe

LARGEST = 10**6
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


def recipes() -> st.SearchStrategy[dict[str, Any]]:
    """Tables that `Recipe.check` accepts, or refuses for a combination only."""
    return table(Recipe)


def table(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    needed, optional = {}, {}
    chooses = schema.choice(model)
    for name, field in model.model_fields.items():
        strategy = value(field.annotation, list(field.metadata), name)
        (needed if field.is_required() or name == chooses else optional)[name] = strategy
    return st.fixed_dictionaries(needed, optional=optional)


def value(annotation: Any, metadata: list[Any], name: str) -> st.SearchStrategy[Any]:
    origin, inside = get_origin(annotation), [part for part in get_args(annotation) if part is not type(None)]
    if origin is Annotated:
        return value(inside[0], metadata + flattened(inside[1:]), name)
    if origin is Literal:
        return st.sampled_from(inside)
    if origin in (Union, UnionType):
        return st.one_of([value(part, metadata, name) for part in inside])
    if origin is tuple:
        one = value(inside[0], [], name)
        if inside[-1] is Ellipsis:
            return st.lists(one, min_size=1, max_size=4)
        return (
            st.lists(one, min_size=len(inside), max_size=len(inside))
            .map(sorted)
            .filter(lambda pair: name != "crop_scale" or pair[-1] > 0)
        )
    return table(annotation) if issubclass(annotation, BaseModel) else plain(annotation, metadata, name)


def flattened(metadata: list[Any]) -> list[Any]:
    return [inner for item in metadata for inner in (item, *getattr(item, "metadata", ()))]


def plain(kind: type, metadata: list[Any], name: str) -> st.SearchStrategy[Any]:
    limit = {key: getattr(item, key) for item in metadata for key in ("ge", "gt", "le", "lt") if hasattr(item, key)}
    least, most = limit.get("ge", limit.get("gt", 0)), limit.get("le", limit.get("lt", LARGEST))
    if kind is bool:
        return st.booleans()
    if kind is str:
        return st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True) if name == "name" else TEXT
    if kind is int:
        whole = st.integers(least + ("gt" in limit), min(most, LARGEST) - ("lt" in limit))
        return whole.map(lambda number: number | 1) if name == "kernel" else whole
    assert kind is float
    numbers = st.floats(least, most, exclude_min="gt" in limit, exclude_max="lt" in limit, allow_subnormal=False)
    # a whole number may stand for a number
    return numbers if most <= 1 else numbers | st.integers(int(least) + 1, min(int(most), LARGEST) - 1)
