"""Linear evaluation: a linear classifier on frozen features, standardised with train's mean and deviation.

    x̂ = (x - mean) / std      logits = x̂ Aᵀ + b      loss = mean cross-entropy + λ/2 ‖A‖²

method = "lbfgs" (default) goes to the optimum, which is unique, so no learning rate is left to tune (Lee et
al. 2023: that is what linear accuracies depend on most). λ is the one of `l2` that is most accurate on a
held-out part of the *training* images; then all training images are fitted with it. The test images are
classified once.

method = "adam" is the protocol of DirectPred's release (linear_feature_eval.py): Adam with coupled weight
decay, 50 epochs. The release reports the best test accuracy of the 50; here `top1` is that of the last epoch,
and the best one, chosen by looking at the test images, is only told as `top1_best_on_test` in `extra`.

Shapes: N images, D features, K classes with a training image. weight [K, D + 1] is A beside b.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from dcp.catalogue import IMAGES, VariantConfig
from dcp.data import splits
from dcp.probing.evaluations import _logistic, base
from dcp.probing.evaluations._logistic import Curvature, Task
from dcp.probing.evaluations.base import Json, Scores, Subject

labels = True
# a deviation of this share of the mean may be no more than what float32 makes of a constant
ROUNDING = 1e-6
# a fit ends where the gradient, in coordinates in which the objective curves by about 1, is below this;
# float32 features carry noise of a few 1e-6. To choose λ less will do: the objective is then off by less than
# 1e-5.
TOLERANCE, TOLERANCE_TO_CHOOSE = 3e-5, 1e-4


class Config(VariantConfig):
    """Settings of the linear classifier."""

    name: Literal["linear"] = "linear"
    method: Literal["lbfgs", "adam"] = Field(
        "lbfgs", description="fit to the optimum, or train with DirectPred's released Adam protocol"
    )
    l2: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5),
        min_length=1,
        description="lbfgs: values of λ (L2) to choose from on held-out images",
    )
    holdout: float = Field(0.1, gt=0, lt=1, description="lbfgs: fraction of the training images held out to choose λ")
    max_iterations: int = Field(1000, ge=1, le=10**6, description="lbfgs: maximum iterations per fit")
    lr: float = Field(3e-4, gt=0, description="adam: learning rate")
    weight_decay: float = Field(1e-3, ge=0, description="adam: L2 weight decay")
    batch: int = Field(128, ge=1, le=IMAGES, description="adam: batch size")
    epochs: int = Field(50, ge=1, le=10**5, description="adam: passes over the training images")


def standardise(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Both, [N, D] and [n, D], with mean 0 and deviation 1 per dimension *of train*; 0 where train is constant."""
    variance, mean = torch.var_mean(train, dim=0, correction=0)
    scale = torch.where(variance.sqrt() > ROUNDING * mean.abs(), variance.rsqrt(), torch.zeros_like(mean))
    return (train - mean) * scale, (test.to(train) - mean) * scale


def among(y: Tensor, present: Tensor) -> Tensor:
    """Where each class of y [N] stands among the sorted `present` [K], -1 for a class that is not there."""
    where = torch.searchsorted(present, y).clamp_max(len(present) - 1)
    return torch.where(present[where] == y, where, base.UNLABELLED)


def path(
    fitted: Task, held: Task, l2: Sequence[float], curvature: Curvature, iterations: int
) -> Iterator[tuple[float, Tensor, float]]:
    """λ, the weight [K, D + 1] fitted with it, and its accuracy on `held`, from the strongest λ to the weakest.

    Each fit starts where the one before it ended; they are good enough to choose λ.
    """
    weight = torch.zeros(fitted.classes, fitted.x.shape[1] + 1, dtype=torch.float64)
    for strength in sorted(set(l2), reverse=True):
        weight = _logistic.fit(fitted, strength, curvature, weight, TOLERANCE_TO_CHOOSE, iterations).weight
        yield strength, weight, _logistic.accuracy(weight, held)


def optimum(task: Task, config: Config, *, seed: int) -> tuple[Tensor, dict[str, Json]]:
    """Weight [K, D + 1] fitted to all of `task` with the λ that did best on a part held out, and how it went.

    Of equals the strongest λ is taken; `seed` decides which images are held out.
    """
    curvature, iterations = Curvature.of(task.x), config.max_iterations
    l2 = sorted(set(config.l2), reverse=True)
    best, start = l2[0], torch.zeros(task.classes, task.x.shape[1] + 1, dtype=torch.float64)
    accuracy: dict[float, float] = {}
    if len(l2) > 1 and len(task.y) > 1:
        fitted, held = (task.part(rows) for rows in splits.hold_out(task.y, config.holdout, seed))
        fits = list(path(fitted, held, l2, curvature, iterations))
        best, start, _ = max(fits, key=lambda fit: fit[2])
        accuracy = {strength: value for strength, _, value in fits}
    fit = _logistic.fit(task, best, curvature, start, TOLERANCE, iterations)
    return fit.weight, {
        "l2": best,
        "l2_at_edge": bool(accuracy) and best in (l2[0], l2[-1]),
        "held_out": [{"l2": strength, "top1": value} for strength, value in accuracy.items()],
        "objective": fit.objective,
        "iterations": fit.iterations,
        "converged": fit.converged,
    }


def adam(task: Task, config: Config, *, seed: int) -> Iterator[Tensor]:
    """Weight [K, D + 1] after each epoch of Adam, from the start that torch's Linear has; `seed` decides it, and order.

    Images are shuffled anew each epoch, the last batch may be smaller, and the bias decays too.
    """
    generator, dim = torch.Generator().manual_seed(seed), task.x.shape[1]
    start = torch.empty(task.classes, dim + 1).uniform_(-1, 1, generator=generator) / dim**0.5
    weight = start.to(task.x).requires_grad_()
    optimizer = torch.optim.Adam([weight], lr=config.lr, weight_decay=config.weight_decay)
    for _ in range(config.epochs):
        order = torch.randperm(len(task.y), generator=generator).to(task.y.device)
        for rows in torch.split(order, config.batch):
            with torch.enable_grad():
                loss = fn.cross_entropy(_logistic.predict(weight, task.x[rows]), task.y[rows])
            (weight.grad,) = torch.autograd.grad(loss, weight)
            optimizer.step()
        yield weight.detach().clone()


@torch.no_grad()
def evaluate(subject: Subject, config: Config, *, seed: int) -> Scores:
    """Top-1 (and, from 6 classes on, top-5) accuracy; `seed` decides what is held out, or Adam's start and order."""
    base.check(subject, labels=True)
    x, x_test = standardise(subject.train.x, subject.test.x)
    # a class without a training image has no optimum: its bias would fall for ever
    present, y = torch.unique(subject.train.y.to(x.device), return_inverse=True)
    task = Task(x, y, len(present))
    if config.method == "adam":
        test = Task(x_test, among(subject.test.y.to(x.device), present), len(present))
        weights = list(adam(task, config, seed=seed))
        weight, curve = weights[-1], [_logistic.accuracy(weight, test) for weight in weights]
        # what looking at the test images would have chosen
        extra: dict[str, Json] = {"top1_best_on_test": max(curve), "epoch_best_on_test": curve.index(max(curve)) + 1}
    else:
        weight, extra = optimum(task, config, seed=seed)
    order = _logistic.predict(weight, x_test).sort(dim=1, descending=True, stable=True).indices[:, :5]
    settings: dict[str, Json] = {**config.model_dump(mode="json")}  # not the seed: an arm's runs differ in it
    return base.ranked(present[order], subject, settings, {**extra, "seed": seed})
