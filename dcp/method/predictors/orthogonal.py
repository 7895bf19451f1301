"""Orthogonal: a learned linear predictor that stays orthogonal (V_kD: Miles, Elezi, Deng 2024).

    p = W z,  W = Q exp(A),  A = -Aᵀ learnt,  Q fixed

The parametrisation is that of torch.nn.utils.parametrizations, as in V_kD's release; Q is the orthogonal factor of an
ordinary linear layer. Weight decay acts on A, so it pulls W back to its start; the recipe has 0. `procrustes` sets
such a W instead of learning it. Each forward pass takes one matrix exponential, so a step takes two.

Differs: V_kD distils, with a smooth L1 loss on a fixed teacher's features; here any target and objective will do.
Look at: `alignment` in the "spectrum" lines of `metrics.jsonl`; the spectrum probe has no eigenvalues of this W.
Held to: WᵀW = I before and after steps of SGD, lengths that W keeps.
"""

from typing import Literal

from torch import nn
from torch.nn.utils.parametrizations import orthogonal

from dcp.method.moments import Total
from dcp.method.predictors.base import LearntConfig, Predictor
from dcp.method.predictors.linear import Linear


class Config(LearntConfig):
    """Keys of the orthogonal predictor that is learnt."""

    name: Literal["orthogonal"] = "orthogonal"


def build(config: Config, dim: int, total: Total) -> Predictor:
    """An orthogonal predictor of [B, dim]."""
    built = Linear(orthogonal(nn.Linear(dim, dim, bias=False)))
    built.forward_waits = True  # torch's matrix exponential reads a norm back to choose its polynomial
    return built
