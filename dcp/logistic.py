"""Multinomial logistic regression, taken to its optimum.

    logits = x Aᵀ + b      minimise: mean cross-entropy + λ/2 ‖A‖²

scikit-learn's C is 1 / (λ N). λ is per image here, so that its best value hardly depends on how many images
are fitted.

Shapes: N images, D features, K classes. weight [K, D + 1] is A beside b, in float64 on the CPU; features stay
where they are.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dcp import spectra

# logits held at a time: 64 MB
LOGITS_AT_A_TIME = 2**24


@dataclass(frozen=True)
class Task:
    """Features x [N, D] of mean near 0 and class numbers y [N] in 0..K-1, to be fitted."""

    x: Tensor
    y: Tensor
    classes: int

    def part(self, index: Tensor) -> "Task":
        """Only the images that `index` names."""
        return Task(self.x[index], self.y[index], self.classes)


@dataclass(frozen=True)
class Fit:
    """An optimum: weight [K, D + 1], the objective there, and how it was reached."""

    weight: Tensor
    objective: float
    iterations: int
    converged: bool


def predict(weight: Tensor, x: Tensor) -> Tensor:
    """Logits [N, K] of features [N, D]."""
    weight = weight.to(x)
    return torch.addmm(weight[:, -1], x, weight[:, :-1].T)


def accuracy(weight: Tensor, task: Task) -> float:
    """Share of the images whose largest logit is that of their class."""
    return int((predict(weight, task.x).argmax(1) == task.y).sum()) / len(task.y)


def objective(weight: Tensor, task: Task, l2: float) -> tuple[float, Tensor]:
    """Mean cross-entropy + λ/2 ‖A‖² and its gradient [K, D + 1]; pieces that fit in memory, added in float64.

    Args:
        weight: [K, D + 1].
        task: N images.
        l2: λ; the bias pays nothing.
    """
    rows, n = max(1, LOGITS_AT_A_TIME // task.classes), len(task.x)
    penalised = torch.cat([weight[:, :-1], torch.zeros_like(weight[:, -1:])], dim=1)
    loss, gradient = l2 / 2 * float(penalised.square().sum()), l2 * penalised
    for x, y in zip(torch.split(task.x, rows), torch.split(task.y.unsqueeze(1), rows), strict=True):
        log_p = predict(weight, x).log_softmax(1)
        loss -= float(log_p.gather(1, y).cpu().double().sum()) / n
        error = log_p.exp_().scatter_add_(1, y, torch.full_like(y, -1, dtype=x.dtype))
        # errorᵀ x and not xᵀ error: four times as fast for tall thin matrices on a CPU
        gradient += torch.cat([error.T @ x, error.sum(0).unsqueeze(1)], dim=1).cpu() / n
    return loss, gradient


@dataclass(frozen=True)
class Curvature:
    """Coordinates in which the objective curves by about 1 every way, so that L-BFGS needs few steps.

    The Hessian of the cross-entropy is near h E[x xᵀ] for each class, h the mean of p(1 - p): so weight = v
    (hΛ + λ)^-½ Uᵀ, where U Λ Uᵀ = E[x xᵀ]. It changes the path and not the optimum; ResNet features need 5
    times fewer steps for it.
    """

    eigenvalues: Tensor
    U: Tensor

    @classmethod
    def of(cls, x: Tensor) -> "Curvature":
        """From features [N, D]; kept on the CPU in float64."""
        return cls(*spectra.eigh((x.T @ x / len(x)).cpu().double()))

    def scale(self, h: float, l2: float) -> Tensor:
        """Size [D + 1] of one unit of v: in D eigenvectors, and in the bias."""
        return torch.cat([h * self.eigenvalues + l2, torch.tensor([h], dtype=torch.float64)]).rsqrt()

    def rotate(self, weight: Tensor, *, back: bool = False) -> Tensor:
        """Weight [K, D + 1] in features to weight in their eigenvectors, or `back`; the bias stays."""
        return torch.cat([weight[:, :-1] @ (self.U.T if back else self.U), weight[:, -1:]], dim=1)


def fit(task: Task, l2: float, curvature: Curvature, start: Tensor, tolerance: float, iterations: int) -> Fit:
    """Go to the minimum of `objective` by L-BFGS (Liu, Nocedal 1989), full batch, strong Wolfe line search.

    Args:
        task: N images.
        l2: λ > 0.
        curvature: of features like these.
        start: weight [K, D + 1] to begin from.
        tolerance: largest entry of the gradient, in the coordinates of `curvature`, at which to end.
        iterations: at most.
    """
    p = predict(start, task.x[:10_000]).softmax(1)
    scale = curvature.scale(max(float((p * (1 - p)).mean()), 1e-6), l2)
    v = curvature.rotate(start) / scale
    optimizer = torch.optim.LBFGS(
        [v],
        max_iter=iterations,
        max_eval=4 * iterations,
        history_size=20,
        tolerance_grad=tolerance,
        tolerance_change=1e-10,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        loss, gradient = objective(curvature.rotate(v * scale, back=True), task, l2)
        v.grad = curvature.rotate(gradient) * scale
        return loss

    optimizer.step(closure)
    used = int(optimizer.state[v]["n_iter"])
    weight = curvature.rotate(v * scale, back=True)
    return Fit(weight, objective(weight, task, l2)[0], used, used < iterations)
