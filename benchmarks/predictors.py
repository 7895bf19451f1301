"""What setting W from F costs: DirectCopy, DirectPred, and least squares as a yardstick."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Row, Scale, in_turn, rows
from dcp.predictor import Predictor
from dcp.predictors import directcopy, directpred


def tasks(scale: Scale) -> list[partial[list[Row]]]:
    """One a dimension."""
    dims = (128, 512) if scale.quick else (128, 512, 2048, 8192)
    return [partial(measured, scale, dim) for dim in dims]


def measured(scale: Scale, dim: int) -> list[Row]:
    """Updates a second of each rule on one F, as in the step: DirectCopy's power iteration is warm."""
    torch.set_num_threads(scale.threads)
    torch.manual_seed(0)
    F = _correlation(dim).to(scale.device)
    things = {
        "directpred": _refreshing(directpred.build(directpred.Config(), dim), F),
        "least squares": _solving(F),
        "directcopy": _refreshing(directcopy.build(directcopy.Config(), dim), F),
    }
    repeats = 1 if dim > 4096 else scale.repeats  # an eigen-decomposition of 8192 takes minutes on a CPU
    found = in_turn(things, repeats, scale.device, least_s=0.2)
    return rows(f"predictor update, d = {dim}", "updates/s", found, beside="directpred")


def _correlation(dim: int) -> Tensor:
    """F of 4 d samples whose directions fade by the power law 1/k."""
    z = torch.randn(4 * dim, dim) / torch.arange(1, dim + 1)
    return z.T @ z / len(z)


def _refreshing(predictor: Predictor, F: Tensor) -> Callable[[], float]:
    predictor = predictor.to(F.device)

    def run() -> float:
        predictor.refresh(F)
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
