"""What predictors cost: setting W for each that is set, a step through each, and least squares as a yardstick."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Row, Scale, in_turn, rows
from dcp import catalogue
from dcp.method.moments import own
from dcp.method.predictors.base import Predictor

SAMPLES = 256  # two views of 128 images
NEWTON_SCHULZ = "directpred (newton_schulz)"  # DirectPred by matrix products
LARGE = (
    "directpred",
    NEWTON_SCHULZ,
    "directcopy",
)  # the only ones at 8192, where a decomposition takes minutes on a CPU


def tasks(scale: Scale) -> list[partial[list[Row]]]:
    """One a dimension."""
    dims = (128, 512) if scale.quick else (128, 512, 2048, 8192)
    steps = (128,) if scale.quick else (128, 2048)
    return [*(partial(measured, scale, dim) for dim in dims), *(partial(stepped, scale, dim) for dim in steps)]


def measured(scale: Scale, dim: int) -> list[Row]:
    """Updates a second of each rule on one F and C, as in the step: DirectCopy's power iteration is warm."""
    torch.set_num_threads(scale.threads)
    z, t = (x.to(scale.device) for x in _projections(dim))
    F, C = z.T @ z / len(z), t.T @ z / len(z)
    builds = {name: build for name, build in _set().items() if dim <= 4096 or name in LARGE}
    things = {name: _refreshing(build(dim).to(scale.device), F, C, z[:SAMPLES]) for name, build in builds.items()}
    things["least squares"] = _solving(F)
    repeats = 1 if dim > 4096 else scale.repeats
    found = in_turn(things, repeats, scale.device, least_s=scale.least_s)
    return rows(f"predictor update, d = {dim}", "updates/s", found, beside="directpred")


def stepped(scale: Scale, dim: int) -> list[Row]:
    """Passes a second, forward and backward, of each predictor over the projections of one view."""
    torch.set_num_threads(scale.threads)
    z = _projections(dim)[0][: SAMPLES // 2].to(scale.device)
    things = {name: _passing(_built(name, dim).to(scale.device), z) for name in catalogue.names("predictors")}
    found = in_turn(things, scale.repeats, scale.device, least_s=scale.least_s)
    return rows(f"predictor forward and backward, d = {dim}", "passes/s", found, beside="linear")


def _built(name: str, dim: int, **keys: str) -> Predictor:
    torch.manual_seed(0)
    module = catalogue.load("predictors", name)
    built: Predictor = module.build(module.Config(**keys), dim, own)
    return built


def _set() -> dict[str, Callable[[int], Predictor]]:
    """The predictors that are set, which are those with a `refresh` of their own, as functions of D."""
    names = catalogue.names("predictors")
    names = [name for name in names if type(_built(name, 2)).refresh is not Predictor.refresh]
    newton_schulz = partial(_built, "directpred", root="newton_schulz")
    return {**{name: partial(_built, name) for name in names}, NEWTON_SCHULZ: newton_schulz}


def _projections(dim: int) -> tuple[Tensor, Tensor]:
    """Projections z and targets t, both [2 d, d], whose directions fade by the power law 1/k, t a noisy z."""
    torch.manual_seed(0)
    z, noise = torch.randn(2, 2 * dim, dim) / torch.arange(1, dim + 1)
    return z, z + 0.3 * noise


def _refreshing(predictor: Predictor, F: Tensor, C: Tensor, z: Tensor) -> Callable[[], float]:
    def run() -> float:
        predictor.refresh(F, C, z)
        return 1.0

    return run


def _passing(predictor: Predictor, z: Tensor) -> Callable[[], float]:
    z = z.clone().requires_grad_()

    def run() -> float:
        predictor(z).square().sum().backward()
        return 1.0

    return run


def _solving(F: Tensor) -> Callable[[], float]:
    """W = C (F + λI)⁻¹ by Cholesky, with C = F: what a closed-form regression on the same moments costs."""
    eye = torch.eye(len(F), device=F.device)

    def run() -> float:
        factor = torch.linalg.cholesky(F + 1e-3 * eye)
        torch.cholesky_solve(F, factor)
        return 1.0

    return run
