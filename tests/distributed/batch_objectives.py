"""Run by torchrun: losses and gradients of objectives that see the batch, over two processes with unequal shares.

Writes from the first process, for each objective, the losses of all images and the gradient of a linear encoder (and of
a linear predictor), averaged over processes as training does it.
"""

import json
import re
import sys
from functools import partial
from inspect import getsource
from pathlib import Path

import torch
from torch import Tensor, nn

from dcp import catalogue
from dcp.hardware.processes import Process
from dcp.method.moments import Moments, Total, own
from dcp.method.objectives.base import Gather, Setting, alone
from dcp.method.predictors import linear

# those in which images see each other, so those of all processes
NAMES = [
    name
    for name in catalogue.names("objectives")
    if re.search(r"setting\.gather|\.blend\(", getsource(catalogue.load("objectives", name)))
]
N, D = 9, 4
SHARES = [slice(0, 5), slice(5, 9)]


def draws(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def losses(name: str, gather: Gather, total: Total, mine: slice) -> tuple[Tensor, list[nn.Parameter]]:
    """Of both directions [B], for the images of a share; and the weights they depend on."""
    torch.manual_seed(0)
    predictor = linear.build(linear.Config(), D, own).double()
    encoder, module = nn.Parameter(draws(D, 6, seed=0)), catalogue.load("objectives", name)
    config = module.Config()
    setting = Setting(predictor, Moments(D, rho=0.5, cross=config.needs_cross, total=total).double(), gather)
    z1, z2 = (draws(N, 6, seed=seed)[mine] @ encoder.T for seed in (1, 2))
    if hasattr(module, "loss_of_views"):
        z = torch.stack([z1, z2, draws(N, 6, seed=3)[mine] @ encoder.T])
        both = module.loss_of_views(setting, config, predictor(z), z, z[:2])
    else:
        loss = partial(module.loss_in, setting, config)
        both = loss(predictor(z1), z1, z2) + loss(predictor(z2), z2, z1)
    return both, [encoder] if name == "peira" else [encoder, predictor.layer.weight]  # it makes its predictor itself


def together(name: str, process: Process) -> tuple[list[float], list[list[float]]]:
    """As training does it: sums over the share, scaled, gradients averaged over processes."""
    both, weights = losses(name, process.gather, process.total, SHARES[process.rank])
    slopes = torch.autograd.grad(both.sum() * (process.count / N), weights)
    everything: Tensor = process.gather(both.detach()[:, None])[0].flatten()
    return everything.tolist(), [(process.total(slope) / process.count).flatten().tolist() for slope in slopes]


def whole(name: str) -> tuple[list[float], list[list[float]]]:
    """One process with all images."""
    both, weights = losses(name, alone, own, slice(None))
    return both.tolist(), [slope.flatten().tolist() for slope in torch.autograd.grad(both.sum() / N, weights)]


if __name__ == "__main__":
    process = Process("cpu")
    assert process.count == 2
    found = {name: {"two": together(name, process), "one": whole(name)} for name in NAMES}
    if process.is_main:
        Path(sys.argv[1]).write_text(json.dumps(found))
    process.end()
