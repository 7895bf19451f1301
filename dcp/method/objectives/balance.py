"""Balance: a penalty ties predictor and features together, no stop-gradient (Liu, Suganuma, Okatani 2022).

    L = c_inv |W F₁ - F₂|² + (c_cov / D) ‖Wᵀ W - W F₁ F₁ᵀ Wᵀ‖²        mean of both directions

F₁, F₂ [D, N] are the projections of both views, each dimension standardised over the batch of all processes; the
gradient flows through W and both views. The penalty enforces Wᵀ W → F Fᵀ, which stop-gradient and predictor reach by
themselves. It needs `predictor.name = "linear"` without bias and `target.name = "shared"`. O(N D² + D³).

Source: Bridging the Gap from Asymmetry Tricks to Decorrelation Principles in Non-contrastive Self-supervised Learning.
Unverified: whether sums over images are means, and both weights. Here |·|² is the mean over images and F₁ F₁ᵀ is
divided by N, so that L does not grow with the batch; both weights are guessed to be 1.
Look at: the eigenvalues of W and of F: the paper reports both tending to a multiple of the identity.
Held to: a float64 computation from the formula to 1e-10, loss and gradient, in W too; two processes to 1e-9.
"""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method.objectives.base import PairConfig, Setting, standardised


class Config(PairConfig):
    """Keys of the balance penalty."""

    name: Literal["balance"] = "balance"
    invariance: float = Field(1.0, ge=0, description="c_inv, weight of the squared distance")
    covariance: float = Field(1.0, ge=0, description="c_cov, weight of the penalty that ties W to the features")

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """Those of every objective of both views; anything but one matrix that learns by gradient."""
        yield from super().clashes(recipe)
        name = recipe.predictor.name
        if name != "linear" or recipe.predictor.bias:
            what = "a bias" if name == "linear" else f'predictor.name = "{name}"'
            yield (
                f'objective.name = "balance" ties one matrix that learns by gradient to the features; {what} is none',
                'take predictor.name = "linear" without bias',
            )


def penalty(W: Tensor, F: Tensor) -> Tensor:
    """‖Wᵀ W - W F Wᵀ‖² / D, [], of W and the correlation F, both [D, D]."""
    return (W.T @ W - W @ F @ W.T).square().sum() / len(W)


def loss_in(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """Half of L in this direction, so that both are its mean; [B]."""
    W = setting.predictor.matrix
    assert W is not None, "Config.clashes asks for a linear predictor"
    rows, start = setting.gather(torch.cat([z, t], dim=1))
    first, second = (standardised(x) for x in rows.chunk(2, dim=1))
    apart = (first @ W.T - second)[start : start + len(p)].square().sum(-1)
    return (config.invariance * apart + config.covariance * penalty(W, first.T @ first / len(rows))) / 2
