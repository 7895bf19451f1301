"""The phase diagram: the weight decay at which a feature vanishes, over the noise σ² and the signal λ_d.

Modes of a predictor that is set, squared loss: λ_s = λ_d + σ², and the boundary found by simulation alone, halving a
bracket of η for all settings at once, beside η = λ_d²/(4λ_s). Derived here; it does not depend on α.
"""

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from dcp.catalogue import VariantConfig
from dcp.dynamics import closed_forms, flow, modes, rules
from dcp.dynamics.experiments.base import Positive, Positives, grid, rows, two_lines
from dcp.dynamics.result import Figure, Line, Result

ALIVE = 0.1  # share of w² at the start that a feature must still have; it is either far above or falls to 0


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["phase_diagram"] = "phase_diagram"
    sigma2: tuple[Positive, Positive] = Field((0.05, 10.0), description="σ²: [min, max], log-spaced")
    count: int = Field(100, ge=2, le=100, description="number of values of σ²")
    lambda_d: Positives = Field(
        (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 3.0, 4.0), description="λ_d, second moments between views"
    )
    alpha: float = Field(1.0, ge=0.25, le=4, description="α, exponent of F")
    halvings: int = Field(12, ge=4, le=20, description="bisection steps for the boundary")
    time: float = Field(400.0, ge=20, le=1000, description="length of a simulation, in units of λ_s/λ_d²")

    @model_validator(mode="after")
    def _rises(self) -> "Config":
        if self.sigma2[0] >= self.sigma2[1]:
            raise ValueError(f"sigma2 = {self.sigma2} must go up, from less noise to more")
        return self


def run(config: Config, seed: int) -> Result:
    """The boundary for each λ_d and σ²."""
    low, high = torch.tensor(config.sigma2, dtype=torch.float64).log()
    noise = torch.linspace(float(low), float(high), config.count, dtype=torch.float64).exp()
    settings, (lambda_d, sigma2) = grid(lambda_d=config.lambda_d, sigma2=noise.tolist())
    lambda_s = lambda_d + sigma2
    boundary, closed = simulated(config, lambda_s, lambda_d), closed_forms.threshold(lambda_s, lambda_d)
    lines: list[Line] = []
    for i in sorted({0, len(config.lambda_d) // 2, len(config.lambda_d) - 1}):
        part = slice(i * config.count, (i + 1) * config.count)
        lines += two_lines(f"λ_d = {config.lambda_d[i]:g}", noise, boundary[part], closed[part])
    note = "A feature survives below its curve and vanishes above it."
    figure = Figure("Phase diagram", "noise σ²", "weight decay η", tuple(lines), note, log=True)
    worst = float((boundary / closed - 1).abs().max())
    notes = (
        f"{len(settings):,} boundaries, each found by {config.halvings} simulations; at most {100 * worst:.3f} % off.",
        "Features below a curve survive, those above vanish. The closed form is derived here.",
    )
    return Result(tuple(rows(settings, {"eta at the boundary": (boundary, closed)})), (figure,), notes)


def simulated(config: Config, lambda_s: Tensor, lambda_d: Tensor) -> Tensor:
    """η [N] at which a feature that starts large just vanishes."""
    rule = rules.rule(torch.full_like(lambda_d, config.alpha))
    best = lambda_d / lambda_s  # w_p without decay, so above every root
    start = (best ** (1 / config.alpha) / lambda_s).sqrt()[:, None]
    duration = config.time * lambda_s / lambda_d**2

    def survives(eta: Tensor) -> Tensor:
        parameters = modes.Modes(*(each[:, None] for each in (lambda_s, lambda_d, eta, lambda_s)))
        end = flow.advance(modes.squared(parameters, rule), start, duration, tol=1e-6, decided=vanished)
        return ~vanished(end)

    def vanished(w: Tensor) -> Tensor:  # a mode alone never turns
        return ((w / start) ** 2 <= ALIVE)[:, 0]

    # growth is at most λ_d²/(4λ_s); nothing below four times that is assumed
    return flow.boundary(survives, torch.zeros_like(best), lambda_d * best, halvings=config.halvings)
