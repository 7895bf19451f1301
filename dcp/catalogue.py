"""The catalogue: the files of a plural folder are its variants.

`dcp/method/predictors/directcopy.py` is the predictor "directcopy" because it lies there; no list is kept anywhere.
Each file has a `Config` whose discriminator (`name`, for data sets `source`) is a literal equal to the file's name.
`base.py` says what a variant of the folder is; a file with an underscore in front is shared by some of them.
"""

import pkgutil
from collections.abc import Iterator
from functools import cache, reduce
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


def union(kind: str, key: str = "name") -> Any:
    """A pydantic type that accepts the Config of any variant of a kind, chosen by the value of `key`."""
    configs = [load(kind, name).Config for name in names(kind)]
    return Annotated[reduce(or_, configs), Field(discriminator=key)]
