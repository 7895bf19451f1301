"""What a predictor is: a map from online projections z to predictions p of the target's projections, both [B, D].

A predictor is learnt by gradient, or set from F = E[z zᵀ] (and C = E[t zᵀ]), or has nothing to learn; which of these
is no flag but follows from its parameters. A variant is a file in `predictors/` with a `Config` and
`build(config, dim, total) -> Predictor`, where `total` adds a tensor up over processes.

Shapes: B samples, D projection size. Rows are samples, so p = z Wᵀ.
"""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dcp.catalogue import VariantConfig
from dcp.method import spectra
from dcp.method.moments import NOT_KEPT

# Power iterations at each refresh: few, as F moves slowly and v is kept; tests/method bound the error.
ITERATIONS = 8

# (F [D, D], C [D, D], v [D]) -> W [D, D], finite also where F or C is zero or not finite. C is empty unless the
# predictor asks for it, and v a random unit vector unless it follows F's top eigenvector.
Rule = Callable[[Tensor, Tensor, Tensor], Tensor]


class PredictorConfig(VariantConfig):
    """Keys of every predictor, which are none; and what it says of itself."""

    symmetric: ClassVar[bool] = False  # W is symmetric and positive, as IsoLoss needs it
    aligns: ClassVar[bool] = False  # W is learnt and takes on F's eigenvectors (Tian et al. 2021, Theorem 3)
    identity: ClassVar[bool] = False  # p = z, which is no predictor at all

    @property
    def learns(self) -> bool:
        """Whether the optimizer steps on it, always or between two settings."""
        return False


class LearntConfig(PredictorConfig):
    """Keys of a predictor that the optimizer steps on."""

    lr_factor: float = Field(1.0, gt=0, description="α_p: the predictor's learning rate as a multiple of the encoder's")
    lr_schedule: Literal["same", "constant"] = Field(
        "same", description='"constant": no schedule for its learning rate, as in SimSiam'
    )
    weight_decay: float | None = Field(
        None, ge=0, description="weight decay of the predictor; default: optimizer.weight_decay"
    )

    @property
    def learns(self) -> bool:
        """Always."""
        return True


class ClosedConfig(LearntConfig):
    """Keys of a predictor that is set in closed form. The learning rate matters only between two settings."""

    every: int = Field(1, ge=1, le=10**6, description="set W every k-th step; in between, the optimizer trains it")

    @property
    def learns(self) -> bool:
        """Between two settings, where there are steps between them."""
        return self.every > 1

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """Keys of the optimizer where it never moves W; W of every batch where it is set less often."""
        if self.every > 1 and recipe.moments.timing == "immediate":
            yield (
                f'moments.timing = "immediate" sets W at every step, and predictor.every = {self.every} asks for less',
                'take timing = "stale" with every > 1, or every = 1',
            )
        for key in ("lr_factor", "lr_schedule", "weight_decay") if self.every == 1 else ():
            if getattr(self, key) != type(self).model_fields[key].default:
                yield (
                    f"predictor.{key} has no effect: W is set at every step, and the optimizer never moves it",
                    "leave it out, or set W less often: predictor.every = 5",
                )


class CrossConfig(ClosedConfig):
    """Keys of a predictor that is set from C too."""

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """A centred F beside a C that is not."""
        yield from super().clashes(recipe)
        if recipe.moments.zero_mean:
            yield (
                f'predictor.name = "{recipe.predictor.name}" needs C = E[t zᵀ], which zero_mean does not centre',
                "moments.zero_mean = false; a centred F and a C that is not belong to different data",
            )


class SetConfig(ClosedConfig):
    """Keys of a predictor that is a function of F with F's eigenvectors."""

    symmetric: ClassVar[bool] = True

    norm: spectra.Norm = Field(
        "spectral", description="divide F by its largest eigenvalue, its Frobenius norm, or nothing"
    )


class Predictor(nn.Module):
    """Abstract: [B, D] -> [B, D].

    Attributes:
        every: it is set at every k-th step.
        needs_cross: whether it is set from C too, which is kept only then.
        forward_waits: whether `forward` makes the host wait for a GPU, so that no CUDA graph can hold it.
        refresh_waits: whether `refresh` does, as decompositions do.
    """

    every: int = 1
    needs_cross: bool = False
    forward_waits: bool = False
    refresh_waits: bool = False

    def forward(self, z: Tensor) -> Tensor:
        """Predictions p [B, D] of projections z [B, D]."""
        raise NotImplementedError  # abstract: every file in predictors/ has its own

    def refresh(self, F: Tensor, C: Tensor = NOT_KEPT, z: Tensor | None = None) -> None:
        """Set the weight from F [D, D] and C [D, D], or from statistics of its own over the projections z [N, D].

        A predictor that is not set ignores them.
        """

    def weight(self, F: Tensor, C: Tensor = NOT_KEPT) -> Tensor | None:
        """The weight [D, D] that `refresh` would set, without setting it; None for a predictor that is not set."""
        return None

    @property
    def matrix(self) -> Tensor | None:
        """W [D, D] where the predictor is one matrix, else None."""
        return None


class SetLinear(Predictor):
    """Final: p = z Wᵀ with W [D, D] set by a rule; W starts as I.

    Where it is set at every k-th step only, W is a parameter that the optimizer steps on in between, as in the official
    release, which never resets its momentum. With `follows_top` v follows F's top eigenvector. A rule of products alone
    says `refresh_waits = False`; decompositions and solvers make the host wait for a GPU, or may.
    """

    W: Tensor
    v: Tensor

    def __init__(
        self,
        dim: int,
        rule: Rule,
        every: int = 1,
        *,
        needs_cross: bool = False,
        follows_top: bool = False,
        refresh_waits: bool = True,
    ) -> None:
        super().__init__()
        self.rule, self.every, self.needs_cross, self.refresh_waits = rule, every, needs_cross, refresh_waits
        self.iterations = ITERATIONS if follows_top else 0
        if every > 1:
            self.W = nn.Parameter(torch.eye(dim))
        else:
            self.register_buffer("W", torch.eye(dim))
        self.register_buffer("v", spectra.start_vector(dim))

    def forward(self, z: Tensor) -> Tensor:
        """P = z Wᵀ, [B, D]."""
        return z @ self.W.T

    def top(self, F: Tensor) -> Tensor:
        """What v becomes with F [D, D]: a unit vector [D] nearer to its top eigenvector."""
        return spectra.power_iteration(F, self.v.to(F.dtype), self.iterations)

    def weight(self, F: Tensor, C: Tensor = NOT_KEPT) -> Tensor:
        """W [D, D] by the rule."""
        return self.rule(F, C, self.top(F))

    @torch.no_grad()
    def refresh(self, F: Tensor, C: Tensor = NOT_KEPT, z: Tensor | None = None) -> None:
        """W and v from F [D, D] and C [D, D]."""
        v = self.top(F)
        self.W.copy_(self.rule(F, C, v))
        self.v.copy_(v)

    @property
    def matrix(self) -> Tensor:
        """W [D, D]."""
        return self.W
