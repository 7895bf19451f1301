"""Views: the one thing that a view predicts is the other view of the same image, as self-supervision has it."""

from typing import Literal

from dcp.catalogue import VariantConfig
from dcp.method.objectives.base import Gather
from dcp.method.positives.base import Positives


class Config(VariantConfig):
    """The two views have no keys."""

    name: Literal["views"] = "views"


def build(config: Config, dim: int, gather: Gather) -> Positives:
    """Positives that are never asked, as they need no labels."""
    return Positives()
