"""W of many matrices F at once, by the very functions that training uses: `directcopy.weight`, `directset.weight`.

`torch.vmap` maps them over the settings, so there is no second implementation of a rule.

Shapes: N settings, M modes, D projection size.
"""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from dcp.method.predictors import directcopy, directset


class Rule(NamedTuple):
    """How W is set; not normalised, as the theory has it."""

    alpha: Tensor  # [N], exponents of F; where all are 1 the rule is DirectCopy's
    eps: Tensor  # [N]
    place: Literal["outside", "inside"] = "outside"  # where ε is added, to W ("outside") or to F ("inside")


def rule(alpha: Tensor, eps: float | Tensor = 0.0, place: Literal["outside", "inside"] = "outside") -> Rule:
    """A rule for settings with exponents `alpha` [N] and with `eps`, one for all or [N]."""
    return Rule(alpha, torch.as_tensor(eps, dtype=alpha.dtype).expand(len(alpha)), place)


def weights(rule: Rule, F: Tensor) -> Tensor:
    """W [N, D, D] of F [N, D, D]."""
    return _mapped(rule.alpha, rule.eps, F, rule.place)


def modes(rule: Rule, f: Tensor) -> Tensor:
    """The eigenvalues [N, M] of W where F is diagonal with f [N, M]: each is the W of a 1x1 matrix.

    >>> modes(rule(torch.tensor([1.0, 0.5])), torch.tensor([[4.0, 9.0], [4.0, 9.0]])).round().tolist()
    [[4.0, 9.0], [2.0, 3.0]]
    """
    alpha, eps = (each[:, None].expand(f.shape).flatten() for each in (rule.alpha, rule.eps))
    return _mapped(alpha, eps, f.reshape(-1, 1, 1), rule.place).view(f.shape)


def _mapped(alpha: Tensor, eps: Tensor, F: Tensor, place: Literal["outside", "inside"]) -> Tensor:
    W: Tensor
    if place == "outside" and bool((alpha == 1).all()):  # without an eigen-decomposition
        W = torch.vmap(lambda F, eps: directcopy.weight(F, eps=eps, norm="none"))(F, eps)
        return W

    def weight(F: Tensor, alpha: Any, eps: Any) -> Tensor:  # scalars of a batch
        return directset.weight(F, alpha=alpha, eps=eps, norm="none", eps_place=place)

    W = torch.vmap(weight)(F, alpha, eps)
    return W
