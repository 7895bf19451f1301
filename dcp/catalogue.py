"""The catalogue: the files of a plural folder are its variants.

`dcp/method/predictors/directcopy.py` is the predictor "directcopy" because it lies there; no list is kept anywhere.
Each file has a `Config` whose discriminator (`name`, for data sets `source`) is a literal equal to the file's name.
Whoever has to know more of a variant than its keys asks for a fact, a class variable of the Config, and not for a name.
`base.py` says what a variant of the folder is; a file with an underscore in front is shared by some of them.
"""

import pkgutil
import re
import sys
from collections.abc import Iterator
from functools import cache, reduce
from importlib import import_module
from inspect import get_annotations
from operator import or_
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

WIDEST = 2**20  # channels; what is wider has weights that no machine holds
IMAGES = 10**9  # no data set has more; where more are asked for than there are, all are taken, or their number is told
WHOLE = 2**53  # up to here every whole number is a float too
NOT_KEPT = PydanticCustomError(
    "bad_number", f"a whole number from -{WHOLE} to {WHOLE} (2^53), beyond which floats skip some; or one with a point"
)


def _for_readers(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Order and describe the JSON Schema of a model for those who read it: editors, the reference, messages.

    The key that chooses the variant comes first, then the model's own keys, then those that it shares with others.
    What a variant is stands in the first paragraph of its file.
    """
    keys, own = schema.get("properties", {}), get_annotations(model)
    order = sorted(keys, key=lambda name: ("const" not in keys[name], name not in own))
    schema["properties"] = {name: keys[name] for name in order}
    if order and "const" in keys[order[0]]:
        keys[order[0]].setdefault("description", "chooses this variant")
        schema["description"] = " ".join((sys.modules[model.__module__].__doc__ or "").partition("\n\n")[0].split())


class Strict(BaseModel):
    """A table of a recipe: nothing is coerced, unknown keys are forbidden, numbers are finite; frozen."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False, json_schema_extra=_for_readers
    )

    @field_validator("*")
    @classmethod
    def _of_this_machine(cls, value: Any) -> Any:
        """Refuse what TOML can write and no key can use: a text that ends early in a path."""
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, str) and "\0" in part:
                raise PydanticCustomError("bad_text", "text without the character of code 0")
            if isinstance(part, str) and re.search("[\ud800-\udfff]", part):  # no recipe.toml could hold it
                raise PydanticCustomError("bad_text", "text that UTF-8 has all characters of")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _as_written(cls, given: Any, check: ModelWrapValidatorHandler[Any]) -> Any:
        """Refuse whole numbers that would become another number in a key for floats."""
        model = check(given)
        errors: list[InitErrorDetails] = [
            {"type": NOT_KEPT, "loc": (name,), "input": value}
            for name, value in (given.items() if isinstance(given, dict) else ())
            if isinstance(value, int | tuple) and _rounded(value, getattr(model, name))
        ]
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return model


def _rounded(given: object, kept: object) -> bool:
    """Whether a whole number, or one of several, is kept as a float that may be another."""
    if isinstance(given, tuple) and isinstance(kept, tuple):
        return any(map(_rounded, given, kept))
    return isinstance(given, int) and isinstance(kept, float) and abs(given) > WHOLE


class VariantConfig(Strict):
    """Settings of one variant."""

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """What in the rest of a checked recipe makes no sense beside this: (one sentence that says why, a way out)."""
        return iter(())

    def facts(self) -> dict[str, bool]:
        """What may be asked of it by who does not know its name: its class variables that are true or false."""
        values = {name: getattr(self, name) for name in sorted(self.__class_vars__)}
        return {name: value for name, value in values.items() if isinstance(value, bool)}


@cache
def folder(kind: str) -> Path:
    """Where the variants of a kind lie: the one folder of dcp with that name."""
    (package,) = Path(__file__).parent.rglob(f"{kind}/__init__.py")
    return package.parent


def names(kind: str) -> list[str]:
    """Names of all variants of a kind, sorted.

    >>> "directcopy" in names("predictors")
    True
    """
    files = (module.name for module in pkgutil.iter_modules([str(folder(kind))]))
    return sorted(name for name in files if name != "base" and not name.startswith("_"))


def load(kind: str, name: str) -> ModuleType:
    """The module of one variant; `name` must be one of `names(kind)`."""
    package = folder(kind).relative_to(Path(__file__).parent).parts
    return import_module(".".join(("dcp", *package, name)))


def checked_as(model: Any) -> GetPydanticSchema:
    """What makes the field of a model take a type that is known at run time only.

    A type checker sees what is written before it: `probe: Annotated[Probe, checked_as(model)]`.
    """
    return GetPydanticSchema(lambda _, handler: handler.generate_schema(model))


def variant(kind: str, key: str = "name") -> GetPydanticSchema:
    """The same for the Config of any variant of a kind, chosen by the value of `key`."""
    return checked_as(union(kind, key))


def union(kind: str, key: str = "name") -> Any:
    """A pydantic type that accepts the Config of any variant of a kind, chosen by the value of `key`."""
    configs = [load(kind, name).Config for name in names(kind)]
    return Annotated[reduce(or_, configs), Field(discriminator=key)]
