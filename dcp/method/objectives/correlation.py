"""Correlation: the squared distance after batch norm on both sides (Wen, Li 2022, arXiv:2205.06226).

    L = E |BN(p) - sg BN(t)|² = 2 Σ_j (1 - corr(p_j, t_j))        BN standardises over the batch, without weights

The loss of their analysis of the prediction head; their predictor is `offdiagonal`. The batch is that of all processes.
The gradient of one image goes through the statistics of all.

Differs: both directions count; the paper has one.
Look at: `effective_rank`: batch norm keeps each dimension alive, but without a predictor all may learn the same
feature.
Held to: a float64 computation from the formula to 1e-10, loss and gradient; two processes to 1e-9.
"""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor

from dcp.method.objectives.base import ObjectiveConfig, Setting, standardised


class Config(ObjectiveConfig):
    """Keys of the correlation objective."""

    name: Literal["correlation"] = "correlation"

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """Positives that only some of the images have, and whose statistics would be those of a part."""
        if recipe.positives.partial:
            yield (
                'objective.name = "correlation" standardises over the whole batch, '
                f'of which positives.name = "{recipe.positives.name}" gives only a part something to predict',
                'take objective.name = "cosine", or positives.name = "none"',
            )


def loss_in(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """Half of L in this direction, so that both are its mean; [B]."""
    rows, start = setting.gather(torch.cat([p, t], dim=1))
    first, second = (standardised(x) for x in rows.chunk(2, dim=1))
    return (first - second)[start : start + len(p)].square().sum(-1) / 2
