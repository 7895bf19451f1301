"""Variants: the files of a plural folder are the catalogue.

`dcp/predictors/directcopy.py` is the predictor "directcopy" because it lies there; no list is kept anywhere. Each
file has a `Config` whose discriminator (`name`, for data sets `source`) is a literal equal to the file's name.
"""

import pkgutil
from collections.abc import Iterator
from functools import reduce
from importlib import import_module
from operator import or_
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class VariantConfig(BaseModel):
    """Settings of one variant: strict (nothing is coerced), frozen, unknown keys forbidden."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """What in the rest of a checked recipe makes no sense beside this: (one sentence that says why, a way out)."""
        return iter(())


def names(folder: str) -> list[str]:
    """Names of all variants in `dcp/<folder>/`, sorted.

    >>> "directcopy" in names("predictors")
    True
    """
    return sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent / folder)]))


def load(folder: str, name: str) -> ModuleType:
    """The module of one variant; `name` must be one of `names(folder)`."""
    return import_module(f"dcp.{folder}.{name}")


def union(folder: str, key: str = "name") -> Any:
    """A pydantic type that accepts the Config of any variant in `folder`, chosen by the value of `key`."""
    configs = [load(folder, name).Config for name in names(folder)]
    return Annotated[reduce(or_, configs), Field(discriminator=key)]
