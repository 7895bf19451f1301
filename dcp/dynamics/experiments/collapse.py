"""The way out of collapse: what pushes projections apart that are nearly the same, by vicreg, sigreg and visreg.

Projections z = m + s x of N images, x white, the same in both views: no view is away from another. The growth rate r =
-⟨∇L, s x⟩/|s x|² is what one step of size η multiplies s by, less 1, over η: s grows as 1 + η r. In V views

    vicreg   25/(D(N-1) √(s²N/(N-1) + 1e-4))        sigreg   4λ/(VD) ∫₀³ φ t² e^(-t²s²/2) (e^(-t²s²/2) - φ c(t)) dt
    visreg   2λ/(VNDs²) (s(1-s) - δ)                 φ = e^(-t²/2), c the mean of cos(t a·m) over the slices a

sigreg's gradient vanishes with s, as Wu, Balestriero, Levine 2026 (arXiv:2606.02572, figure 2) say, but its rate does
not: s grows exponentially. visreg's shape takes std for a constant, and pulls inwards by δ = mean p(p - q), p sorted
projections over s, q their quantiles: below s ≈ δ more than its variance term pushes out. Derived here.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from dcp.catalogue import VariantConfig
from dcp.dynamics.experiments.base import line, rows
from dcp.dynamics.result import Figure, Result, Setting
from dcp.method.moments import Moments, own
from dcp.method.objectives import base, sigreg, vicreg, visreg
from dcp.method.objectives._slices import directions
from dcp.method.predictors import identity

Sizes = Annotated[tuple[Annotated[float, Field(ge=1e-6, le=1)], ...], Field(min_length=1, max_length=20)]
VIEWS = 2
Losses = dict[str, Callable[[Tensor], Tensor]]


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["collapse"] = "collapse"
    images: int = Field(256, ge=8, le=4096, description="N, images in the batch")
    dim: int = Field(16, ge=2, le=512, description="D, width of the projections, less than images")
    mean: float = Field(1.0, ge=0, le=100, description="|m|, length of the mean of the projections")
    slices: int = Field(256, ge=1, le=4096, description="K, slices of sigreg and visreg")
    spread: Sizes = Field((1e-6, 1e-4, 1e-2, 0.1), description="s, std of the projections")

    @model_validator(mode="after")
    def _can_be_white(self) -> "Config":
        if self.dim >= self.images:
            raise ValueError(f"dim = {self.dim} must be less than images = {self.images}: fewer cannot be white")
        return self


def run(config: Config, seed: int) -> Result:
    """The growth rate of s for each s and objective; the norms of the gradients in a figure."""
    x, m = _draw(config, seed)
    every = []
    for name, loss in _losses(config).items():
        settings: list[Setting] = [{"objective": name, "s": s} for s in config.spread]
        pairs = [(_growth(loss, m, s * x), _closed(config, name, x, m, s)) for s in config.spread]
        simulated, closed = torch.tensor(pairs, dtype=torch.float64).T
        every += rows(settings, {"growth rate of s": (simulated, closed)})
    notes = (
        "Where the rate does not depend on s, s grows exponentially, however small the gradient.",
        f"Below s ≈ δ = {_inwards(config, x):.2g} visreg pulls inwards; its gradient grows as 1/s, so that steps of "
        "any fixed size jump out of there. Derived here.",
        "The projections are free here: no network, no batch norm, no momentum.",
    )
    return Result(tuple(every), (_figure(config, x, m),), notes)


def _draw(config: Config, seed: int) -> tuple[Tensor, Tensor]:
    """White x [N, D], with mean 0 and the identity as its covariance, and m [D]."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(config.images, config.dim, generator=generator, dtype=torch.float64)
    white = torch.linalg.qr(x - x.mean(0)).Q * config.images**0.5
    m = torch.randn(config.dim, generator=generator, dtype=torch.float64)
    return white, config.mean * m / m.norm()


def _losses(config: Config) -> Losses:
    """Each loss of projections z [V, N, D] that both views share, with its defaults."""
    predictor = identity.build(identity.Config(), config.dim, own)
    setting = base.Setting(predictor, Moments(config.dim, rho=0.5).double(), base.alone)
    vic, sig = vicreg.Config(), sigreg.Config(slices=config.slices)
    vis = visreg.Config(slices=config.slices)
    return {
        "vicreg": lambda z: (
            vicreg.loss_in(setting, vic, z[0], z[0], z[1]) + vicreg.loss_in(setting, vic, z[1], z[1], z[0])
        ),
        "sigreg": lambda z: sigreg.loss_of_views(setting, sig, z, z, z),
        "visreg": lambda z: visreg.loss_of_views(setting, vis, z, z, z),
    }


def _slope(loss: Callable[[Tensor], Tensor], m: Tensor, moved: Tensor) -> Tensor:
    """∇L [V, N, D] at z = m + moved."""
    z = (m + moved).expand(VIEWS, -1, -1).clone().requires_grad_()
    return torch.autograd.grad(loss(z).mean(), z)[0]


def _growth(loss: Callable[[Tensor], Tensor], m: Tensor, moved: Tensor) -> float:
    slope = _slope(loss, m, moved)
    return float(-(slope * moved).sum() / (VIEWS * moved.square().sum()))


def _closed(config: Config, name: str, x: Tensor, m: Tensor, s: float) -> float:
    """The growth rate by the formulas above."""
    N, D = x.shape
    if name == "vicreg":
        std = (s**2 * N / (N - 1) + vicreg.FLOOR) ** 0.5
        return vicreg.Config().variance / (D * (N - 1) * std) if std < 1 else 0.0
    if name == "visreg":
        return 2 * visreg.Config().lam / (VIEWS * N * D * s**2) * (s * (1 - s) - _inwards(config, x))
    t = torch.linspace(0, 3, 1001, dtype=torch.float64)
    normal, here = (-t.square() / 2).exp(), (-(t * s).square() / 2).exp()
    cosine = (t[:, None] * (m @ _slices(config))).cos().mean(1)
    rate = torch.trapezoid(normal * t.square() * here * (here - normal * cosine), t)
    return float(4 * sigreg.Config().lam / (VIEWS * D) * rate)


def _inwards(config: Config, x: Tensor) -> float:
    """δ, the mean of p(p - q)."""
    p = (x @ _slices(config)).sort(0).values
    return float((p * (p - visreg.quantiles(len(x), x)[:, None])).mean())


def _slices(config: Config) -> Tensor:
    return directions(torch.tensor(0), config.dim, config.slices, torch.float64)


def _figure(config: Config, x: Tensor, m: Tensor) -> Figure:
    """The norm of the gradient that acts on a projection, less the mean of all, over s."""
    exponents = torch.linspace(-6, 0, 13, dtype=torch.float64)
    lines = []
    for name, loss in _losses(config).items():
        slopes = [_slope(loss, m, s * x) for s in (10**exponents).tolist()]
        lines.append(line(name, exponents, torch.stack([(g - g.mean(1, keepdim=True)).norm() for g in slopes])))
    note = f"N = {config.images}, D = {config.dim}, |m| = {config.mean:g}; the part that moves all alike is left out."
    return Figure("Gradient near collapse", "log10 of s", "norm of the gradient", tuple(lines), note, log=True)
