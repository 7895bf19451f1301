"""The role of ε at the origin: it lets features grow from nothing, and too much of it collapses everything.

W_p = F^α + εI ("outside") or (F + εI)^α ("inside"), squared loss, λ_s = λ_d = 1. Outside, the origin is unstable iff p₋
< ε < p₊; inside iff p₋ < ε^α < p₊. Derived here.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.catalogue import VariantConfig
from dcp.dynamics import closed_forms, flow, modes, rules
from dcp.dynamics.experiments.base import Exponents, Positives, Rates, grid, line, rows
from dcp.dynamics.result import Figure, Line, Result, Row, Setting, unrest

Place = Literal["outside", "inside"]

MOVING = 1e-6  # |dw/dt| above which a mode is not at rest


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["eps_at_origin"] = "eps_at_origin"
    eta: float = Field(0.15, ge=0.01, le=10, description="η, weight decay")
    alpha: Exponents = Field((1.0, 0.5), description="α, exponents of F")
    eps: Rates = Field((0.0, 0.1, 0.3, 0.9), description="ε, added to W or to F")
    start: Positives = Field((1e-3, 1.0), description="w at the start")
    time: float = Field(400.0, ge=1, le=10_000, description="length of the simulation; it ends early at rest")


def run(config: Config, seed: int) -> Result:
    """w² at the end for each α, ε, start and place."""
    settings, (alpha, eps, start) = grid(alpha=config.alpha, eps=config.eps, start=config.start)
    one = torch.ones((), dtype=torch.float64)
    low, high = map(float, closed_forms.roots(one, one, config.eta * one))
    notes = [
        "η is above 1/4: nothing survives, whatever ε."
        if math.isnan(low)
        else f"With ε outside the origin is unstable for ε between p₋ = {low:.6g} and p₊ = {high:.6g}.",
        "Without ε a mode that starts below p₋ never grows: ε removes the condition on the start. Derived here.",
    ]
    every: list[Row] = []
    places: tuple[Place, Place] = ("outside", "inside")
    for place in places:
        derivative = _flow(config, alpha, eps, place)
        end = flow.advance(derivative, start[:, None], config.time, tol=1e-10, rest=1e-9)
        placed: list[Setting] = [{"place": place, **setting} for setting in settings]
        every += rows(placed, {"w^2 at the end": (end[:, 0] ** 2, _closed(config, alpha, eps, start, place))})
        notes += unrest(placed, flow.speed(derivative, end).tolist(), MOVING)
    return Result(tuple(every), (_figure(config),), tuple(notes))


def _flow(config: Config, alpha: Tensor, eps: Tensor, place: Place) -> flow.Derivative:
    one = torch.ones(len(alpha), 1, dtype=torch.float64)
    return modes.squared(modes.Modes(one, one, config.eta * one, one), rules.rule(alpha, eps, place))


def _closed(config: Config, alpha: Tensor, eps: Tensor, start: Tensor, place: Place) -> Tensor:
    """w² [N] at the end."""
    one = torch.ones_like(alpha)
    inside = place == "inside"
    return closed_forms.limit(start, one, one, config.eta * one, alpha=alpha, eps=eps, inside=inside, phi=one)


def _figure(config: Config) -> Figure:
    """w² over time from the smallest start, for the first α."""
    eps = torch.tensor(config.eps, dtype=torch.float64)
    alpha, start = torch.full_like(eps, config.alpha[0]), torch.full_like(eps, min(config.start))
    times = torch.linspace(0, 150, 151, dtype=torch.float64)
    path = flow.course(_flow(config, alpha, eps, "outside"), start[:, None], times)[:, :, 0] ** 2
    closed = _closed(config, alpha, eps, start, "outside").tolist()
    lines: list[Line] = []
    for i, value in enumerate(config.eps):
        lines.append(line(f"ε = {value:g}, simulated", times, path[:, i]))
        lines.append(line(f"ε = {value:g}, closed form of the end", [0.0, 150.0], [closed[i]] * 2))
    note = f"α = {config.alpha[0]:g}, η = {config.eta:g}, ε outside the power, from w = {min(config.start):g}."
    return Figure("Growth from the origin", "time", "w²", tuple(lines), note)
