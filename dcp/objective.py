"""What an objective is: one loss a sample from predictions, projections and target projections.

    loss(p [B, D], z [B, D], t [B, D]) -> [B]

p is the prediction made of the online projection z of one view, t the target's projection of the other view. Whether
a gradient flows through t is the target's business, and none does but through `shared`. A variant is a file in
`objectives/` with a `Config` and that function. It is called for both directions and the two are added.
"""

from pydantic import Field

from dcp.variants import VariantConfig


class ObjectiveConfig(VariantConfig):
    """Keys that every objective has."""

    scale: float = Field(
        1.0, gt=0, description="factor on the loss (0.25 turns -2cos - 2cos into SimSiam's -cos/2 - cos/2)"
    )
