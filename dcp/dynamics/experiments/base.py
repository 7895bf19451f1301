"""What an experiment of `dcp theory` is: the linear model simulated, and a closed form beside every number.

A variant is a file in `experiments/` with a `Config` (keys of the recipe's [theory]; `experiment` is its name) and
`run(config, seed) -> Result`. Here are the types that its keys share.
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from dcp.catalogue import VariantConfig

Rate = Annotated[float, Field(ge=0, le=10)]
Positive = Annotated[float, Field(ge=1e-3, le=100)]
Rates = Annotated[tuple[Rate, ...], Field(min_length=1, max_length=20)]
Positives = Annotated[tuple[Positive, ...], Field(min_length=1, max_length=20)]
Exponent = Annotated[float, Field(ge=0.25, le=16)]
Exponents = Annotated[tuple[Exponent, ...], Field(min_length=1, max_length=6)]


class Subspace(VariantConfig):
    """Settings with a subspace S of `kept` dimensions of `dim`, which leaves something to scramble."""

    if TYPE_CHECKING:  # each experiment has them in its own order, with its own bounds
        dim: int
        kept: int

    @model_validator(mode="after")
    def _fits(self) -> "Subspace":
        require_below("kept", self.kept, "dim", self.dim)
        return self


def require_below(name: str, value: int, other: str, most: int) -> None:
    """ValueError, in words for the reader of a recipe, unless `value` is less than `most`, the value of `other`."""
    if value >= most:
        raise ValueError(f"{name} = {value} must be less than {other} = {most}, so at most {most - 1}")
