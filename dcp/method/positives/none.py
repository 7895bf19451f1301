"""None: a view predicts the other view of the same image and nothing else, as in BYOL and SimSiam.

    loss = ℓ(p₁, t₂) + ℓ(p₂, t₁)

Held to: the loss of a method without positives.
"""

from typing import Literal

from dcp.method.objectives.base import Gather
from dcp.method.positives.base import Positives, PositivesConfig


class Config(PositivesConfig):
    """No positives, no keys."""

    name: Literal["none"] = "none"


def build(config: Config, dim: int, gather: Gather) -> Positives:
    """Positives that are never asked, as they need no labels."""
    return Positives()
