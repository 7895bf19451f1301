"""What an experiment of `dcp theory` is: the linear model simulated, and a closed form beside every number.

A variant is a file in `experiments/` with a `Config` (keys of the recipe's [theory]; `experiment` is its name) and
`run(config, seed) -> Result`. Here are the types that its keys share.
"""

from typing import Annotated

from pydantic import Field

Rate = Annotated[float, Field(ge=0, le=10)]
Positive = Annotated[float, Field(gt=0, le=1000)]
Rates = Annotated[tuple[Rate, ...], Field(min_length=1, max_length=100)]
Positives = Annotated[tuple[Positive, ...], Field(min_length=1, max_length=100)]
Exponents = Annotated[tuple[Annotated[float, Field(gt=0, le=16)], ...], Field(min_length=1, max_length=10)]
