"""The flow beside SGD on real batches, with the same Method and Moments as in training.

A linear network on batches of the Gaussian distribution, the euclidean objective, the online target, a predictor set
from F without norm, plain SGD with PyTorch's weight decay η: at time t = lr · steps W is near the flow's, and ends near
((1 + √(1-4η))/2)^(1/(2α)) P_S. The objective's scale is 1/4: two directions, and ½ in the theory's loss.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dcp.dynamics import closed_forms, flow, matrices, rules
from dcp.dynamics.experiments.base import Exponents, Subspace, line
from dcp.dynamics.gaussian import Gaussian, gaussian
from dcp.dynamics.result import Figure, Line, Result, Row
from dcp.method.algorithm import Method
from dcp.method.moments import Moments, own
from dcp.method.networks import Branch
from dcp.method.objectives import euclidean
from dcp.method.predictors import directcopy, directset
from dcp.method.targets.online import Online

SCALE = 0.25
LAST = 0.25  # share of the run over which W is averaged


class Config(Subspace):
    """Keys of the experiment."""

    experiment: Literal["finite_sample"] = "finite_sample"
    sigma2: float = Field(1.0, ge=0, le=10, description="σ², variance of the noise outside S")
    eta: float = Field(0.2, ge=0, le=10, description="η, weight decay of SGD")
    alpha: Exponents = Field((1.0, 0.5), description="α; 1 is trained as DirectCopy, others as DirectSet")
    dim: int = Field(8, ge=2, le=16, description="D")
    kept: int = Field(3, ge=1, le=15, description="r, dimensions of S, less than dim, whose direction is random")
    delta: float = Field(1.0, ge=1e-3, le=10, description="δ, W starts as δI")
    batch: int = Field(256, ge=2, le=1024, description="samples per batch")
    lr: float = Field(0.02, ge=1e-3, le=0.2, description="learning rate")
    steps: int = Field(3000, ge=100, le=10_000, description="number of SGD steps")
    rho: float = Field(0.5, ge=0, lt=1, description="ρ, weight of the past in F")


def run(config: Config, seed: int) -> Result:
    """W of SGD beside the flow's on the way, and beside the closed form at the end."""
    generator = torch.Generator().manual_seed(seed)
    data = gaussian(config.dim, config.kept, config.sigma2, generator)
    rows: list[Row] = []
    lines: list[Line] = []
    for alpha in config.alpha:
        path = trained(config, data, alpha, generator)
        rows += _rows(config, data, alpha, path)
        at = list(range(0, len(path), max(1, len(path) // 100)))
        times = torch.tensor([config.lr * (i + 1) for i in at], dtype=torch.float64)
        for name, W in (("SGD", path[at]), ("flow", _flow(config, data, alpha, times))):
            lines.append(line(f"α = {alpha:g}, {name}", times, [_size(each, data.P) for each in W]))
    figure = Figure("SGD beside the flow", "time, learning rate times steps", "W on S", tuple(lines))
    return Result(tuple(rows), (figure,), ("SGD runs through the Method and Moments that `dcp pretrain` uses.",))


def trained(config: Config, data: Gaussian, alpha: float, generator: torch.Generator) -> Tensor:
    """W [steps, D, D] after each step of SGD; ArithmeticError where it diverges."""
    layer = nn.Linear(config.dim, config.dim, bias=False)
    with torch.no_grad():
        layer.weight.copy_(config.delta * torch.eye(config.dim))
    if alpha == 1:
        predictor = directcopy.build(directcopy.Config(eps=0.0, norm="none"), config.dim, own)
    else:
        predictor = directset.build(directset.Config(alpha=alpha, eps=0.0, norm="none"), config.dim, own)
    method = Method(
        Branch(nn.Identity(), nn.Sequential(layer)),
        predictor,
        Online(),
        Moments(config.dim, rho=config.rho),
        lambda p, z, t: SCALE * euclidean.loss(p, z, t),
    ).double()
    optimizer = torch.optim.SGD(method.online.parameters(), lr=config.lr, weight_decay=config.eta)
    path = []
    for index in range(config.steps):
        outputs = method(*data.views(config.batch, generator))
        outputs.losses.mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        method.after_step(outputs, index, (index + 1) / config.steps)
        path.append(layer.weight.detach().clone())
        if not bool(path[-1].isfinite().all()):
            raise ArithmeticError(f"SGD diverges at step {index + 1}")
    return torch.stack(path)


def _rows(config: Config, data: Gaussian, alpha: float, path: Tensor) -> list[Row]:
    setting: dict[str, float | str] = {"alpha": alpha, "eta": config.eta}
    parts = (("on S", data.P, _closed(config, alpha, False)), ("outside S", data.rest, _closed(config, alpha, True)))
    early = len(path) // 20
    W, soon = path[-int(LAST * len(path)) :].mean(0), {**setting, "time": config.lr * early}
    by_flow = _flow(config, data, alpha, torch.tensor([config.lr * early], dtype=torch.float64))[0]
    limit = sum(closed * P for _, P, closed in parts)
    return [
        *(Row(soon, f"W {name}, early", _size(path[early - 1], P), _size(by_flow, P)) for name, P, _ in parts),
        *(Row(setting, f"W {name}, at the end", _size(W, P), closed) for name, P, closed in parts),
        Row(setting, "largest entry of W less its limit", float((W - limit).abs().max()), 0.0),
    ]


def _size(W: Tensor, P: Tensor) -> float:
    """The c of the best c P."""
    return float((W * P).sum() / P.trace())


def _flow(config: Config, data: Gaussian, alpha: float, times: Tensor) -> Tensor:
    """W of the flow at `times`, [T, D, D]."""
    exponent, eta = (torch.full((1,), value, dtype=torch.float64) for value in (alpha, config.eta))
    start = config.delta * data.X_d[None]
    return flow.course(matrices.set_by(data, rules.rule(exponent), eta), start, times, tol=1e-7)[:, 0]


def _closed(config: Config, alpha: float, scrambled: bool) -> float:
    """The size of W at the end, on S or of what the views scramble."""
    start, one, exponent = torch.tensor([config.delta, 1.0, alpha], dtype=torch.float64)
    lambda_s = one + config.sigma2 if scrambled else one
    return float(closed_forms.limit(start, lambda_s, one, config.eta * one, alpha=exponent, phi=lambda_s).sqrt())
