"""Without a predictor, everything that the views scramble collapses, stop-gradient or not.

W_p = I, W_a = W: dW/dt = -W(X' + ηI), so W(t) = W(0) exp(-(X' + ηI)t), X' = X_s - X_d. Directions in S move by the
decay alone. Tian, Chen, Ganguli 2021, arXiv:2102.06810; they print the factor on the left. Also here: with the best
predictor of each instant the encoder of a square W gets no signal at all.
"""

from typing import Literal

import torch
from pydantic import Field

from dcp.dynamics import closed_forms, flow, matrices
from dcp.dynamics.experiments.base import Subspace, rows_over_time, two_lines
from dcp.dynamics.gaussian import gaussian
from dcp.dynamics.result import Figure, Line, Result, Row


class Config(Subspace):
    """Keys of the experiment."""

    experiment: Literal["no_predictor"] = "no_predictor"
    sigma2: float = Field(1.0, ge=0, le=100, description="σ², variance of the noise outside S")
    eta: float = Field(0.01, ge=0, le=10, description="η, weight decay")
    dim: int = Field(6, ge=2, le=32, description="D")
    kept: int = Field(2, ge=0, le=31, description="r, dimensions of S, less than dim, whose direction is random")
    time: float = Field(10.0, ge=0.1, le=100, description="length of the simulation")


def run(config: Config, seed: int) -> Result:
    """‖W‖ on S and outside over time, and the signal that the best predictor leaves."""
    generator = torch.Generator().manual_seed(seed)
    data = gaussian(config.dim, config.kept, config.sigma2, generator)
    start = torch.randn(1, config.dim, config.dim, generator=generator, dtype=torch.float64) / config.dim**0.5
    times = torch.linspace(0, config.time, 101, dtype=torch.float64)
    path = flow.course(matrices.no_predictor(data, config.eta), start, times, tol=1e-11)[:, 0]
    exact = torch.stack(
        [closed_forms.without_predictor(start[0], data.X_s, data.X_d, config.eta, t) for t in times.tolist()]
    )
    rows: list[Row] = []
    lines: list[Line] = []
    for name, P in (("on S", data.P), ("outside S", data.rest)):
        simulated, closed = (torch.linalg.matrix_norm(each @ P) for each in (path, exact))
        rows += rows_over_time(times, {f"norm of W {name}": (simulated, closed)})
        lines += two_lines(name, times, simulated, closed)
    W_p = closed_forms.best_predictor(start, start, data.X_s, data.X_d)
    signal = matrices.signal(data, start, W_p, start).abs().max()
    rows.append(Row({"W_p": "best"}, "signal to the encoder", float(signal), 0.0))
    figure = Figure("Collapse without predictor", "time", "norm of W", tuple(lines), log=True)
    return Result(tuple(rows), (figure,), ("What the views leave alone decays with η only; the rest with σ² + η.",))
