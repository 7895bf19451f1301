"""What the contract tests share: a tiny branch, and variants found in the tree."""

import re
from functools import partial
from inspect import getsource

import torch
from torch import Tensor, nn

from dcp import catalogue
from dcp.method.moments import Moments, own
from dcp.method.networks import Branch
from dcp.method.objectives.base import Loss, Setting, alone
from dcp.method.targets.frozen import Frozen

# whatever lies in the tree: a new file is tested without being named anywhere
PREDICTORS, OBJECTIVES, TARGETS, POSITIVES = map(catalogue.names, ("predictors", "objectives", "targets", "positives"))
# objectives in which images see each other, so those of all processes; in any other they must not
TOGETHER = [
    name
    for name in OBJECTIVES
    if re.search(r"setting\.gather|\.blend\(", getsource(catalogue.load("objectives", name)))
]
ALONE = [name for name in OBJECTIVES if name not in TOGETHER]
DTYPES = [torch.float64, torch.bfloat16]


def normal(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def correlation(dim: int, seed: int = 0) -> Tensor:
    z = normal(3 * dim, dim, seed=seed)
    return z.T @ z / len(z)


def cross(dim: int, seed: int = 0) -> Tensor:
    """E[t zᵀ] of the same z, and targets near them."""
    z = normal(3 * dim, dim, seed=seed)
    return (z + 0.5 * normal(3 * dim, dim, seed=seed + 100)).T @ z / len(z)


def branch(seed: int = 0) -> Branch:
    """[B, 3, 4, 4] -> [B, 6], with a convolution and batch norm, as the real ones have."""
    torch.manual_seed(seed)
    backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    return Branch(backbone, nn.Sequential(nn.Linear(16, 6)))


def build_predictor(name: str, dim: int = 6, **keys: object) -> nn.Module:
    torch.manual_seed(1)
    module = catalogue.load("predictors", name)
    return module.build(module.Config(**keys), dim, own)


def build_objective(name: str, dtype: torch.dtype = torch.float32, dim: int = 6, **keys: object) -> Loss:
    """With a linear predictor and an F, for those that look at them; a loss of views gets those of a pair."""
    module = catalogue.load("objectives", name)
    if hasattr(module, "loss"):
        return module.loss
    config = module.Config(**keys)
    moments = Moments(dim, rho=0.5, cross=config.needs_cross)
    moments.second.copy_(correlation(dim))
    setting = Setting(build_predictor("linear", dim).to(dtype), moments, alone)
    if hasattr(module, "loss_of_views"):
        return of_pair(partial(module.loss_of_views, setting, config))
    return partial(module.loss_in, setting, config)


def of_pair(loss: Loss) -> Loss:
    """A loss of all views as one of p, z and t: of two views with the same target, the second of which is t."""
    return lambda p, z, t: loss(torch.stack([p, t]), torch.stack([z, t]), torch.stack([z, t]))


def build_target(name: str, online: nn.Module) -> nn.Module:
    """A target of the tiny branch; what stands in a teacher's file is looked at in tests/method."""
    if name == "distill":
        return Frozen(branch(seed=2).to(next(online.parameters()).dtype), evaluates=True, standardises=True)
    module = catalogue.load("targets", name)
    return module.build(module.Config(), online, lambda: branch(seed=2), own)
