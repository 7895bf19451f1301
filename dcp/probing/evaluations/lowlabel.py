"""Linear evaluation with few labels: the classifier of `linear`, fitted to a small share of the training images.

1 % and 10 % of the labels are customary since Zhai et al. 2019 and Chen et al. 2020 (arXiv:2002.05709). They fine-tune
on one list of images; here the encoder stays frozen (`finetune.share` does the other), and the images are drawn
several times, as many of each class, because so few say much about which they were.

Features are standardised with mean and deviation of all training images, which takes no labels. λ is the one of `l2`
that is most accurate on drawn images held out in turn (cross-validation with 5 folds, or with as many as the largest
class has images; the images of a class with fewer than that lie in different folds). With one image a class nothing
can be held out, and the strongest λ is taken.

A score is the mean over draws; its interval is over test images, with these draws. `arrays` holds, for each score, the
share of the draws that got each test image right.

Shapes: N training images, n test images, D features, K classes.
"""

from collections.abc import Iterator
from statistics import fmean, stdev
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from dcp.catalogue import IMAGES, VariantConfig
from dcp.data import splits
from dcp.probing.evaluations import _logistic, base, linear
from dcp.probing.evaluations._logistic import Curvature, Task
from dcp.probing.evaluations.base import Json, Scores, Subject

labels = True
FOLDS = 5


class Config(VariantConfig):
    """Settings of the low-label evaluation."""

    name: Literal["lowlabel"] = "lowlabel"
    shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.01, 0.1), description="fractions of the training labels to use"
    )
    per_class: tuple[Annotated[int, Field(ge=1, le=IMAGES)], ...] = Field(
        (), description="or this many labelled images per class"
    )
    draws: int = Field(5, ge=1, le=1000, description="random subsets; the score is the mean over them")
    l2: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (1.0, 1e-1, 1e-2, 1e-3, 1e-4), min_length=1, description="values of λ (L2) to choose from by cross-validation"
    )
    max_iterations: int = Field(500, ge=1, le=10**6, description="maximum iterations per fit")

    @model_validator(mode="after")
    def _check(self) -> "Config":
        if not self.shares and not self.per_class:
            raise ValueError("shares and per_class are both empty: nothing would be measured")
        return self


def sizes(config: Config, n: int, classes: int) -> dict[str, int]:
    """Images of each class, at least 1, by name of the score.

    >>> sizes(Config(per_class=(5,)), 50_000, 10)
    {'top1_1pct': 50, 'top1_10pct': 500, 'top1_5_a_class': 5}
    """
    shares = {f"top1_{100 * share:g}pct": max(1, round(share * n / classes)) for share in config.shares}
    return shares | {f"top1_{each}_a_class": each for each in config.per_class}


def folds(y: Tensor, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows to fit and rows held out of images with classes y [N], `count` times; every class is spread over all."""
    by_class = y.argsort(stable=True)
    number = torch.empty_like(y)
    number[by_class] = torch.arange(len(y), device=y.device) % count
    for fold in range(count):
        yield torch.where(number != fold)[0], torch.where(number == fold)[0]


def strength(task: Task, curvature: Curvature, config: Config) -> float:
    """The λ that is most accurate on the folds held out; the strongest of equals, or where nothing can be held out."""
    best = sorted(set(config.l2), reverse=True)
    count = min(FOLDS, int(task.y.bincount().max()))
    if count < 2 or len(best) < 2:
        return best[0]
    right = dict.fromkeys(best, 0.0)
    for fitted, held in folds(task.y, count):
        for l2, _, accuracy in linear.path(task.part(fitted), task.part(held), best, curvature, config.max_iterations):
            right[l2] += accuracy * len(held)
    return max(best, key=lambda l2: right[l2])


def drawn(task: Task, test: Task, each: int, config: Config, seed: int) -> tuple[Tensor, float]:
    """Which test images [n] come out right after fitting `each` images of every class, and the λ that was chosen."""
    few = task.part(splits.few(task.y, each, seed).to(task.y.device))
    curvature = Curvature.of(few.x)
    l2 = strength(few, curvature, config)
    start = torch.zeros(task.classes, task.x.shape[1] + 1, dtype=torch.float64)
    fit = _logistic.fit(few, l2, curvature, start, linear.TOLERANCE, config.max_iterations)
    return _logistic.predict(fit.weight, test.x).argmax(1) == test.y, l2


@torch.no_grad()
def evaluate(subject: Subject, config: Config, *, seed: int) -> Scores:
    """Top-1 accuracy for each number of labels, the mean over draws; `seed` decides which images are drawn."""
    base.check(subject, labels=True)
    x, x_test = linear.standardise(subject.train.x, subject.test.x)
    present, y = torch.unique(subject.train.y.to(x.device), return_inverse=True)
    task, test = Task(x, y, len(present)), Task(x_test, linear.among(subject.test.y.to(x.device), present), 0)
    arrays: dict[str, Tensor] = {}
    extra: dict[str, Json] = {"seed": seed}
    for name, each in sizes(config, len(x), len(present)).items():
        draws = [drawn(task, test, each, config, seed * config.draws + i) for i in range(config.draws)]
        right = torch.stack([correct.cpu().double() for correct, _ in draws])
        accuracy = right.mean(1).tolist()
        arrays[name] = right.mean(0)
        extra[name] = {
            "images_a_class": each,
            "draws": accuracy,
            "mean": fmean(accuracy),
            "std_over_draws": stdev(accuracy) if len(accuracy) > 1 else None,
            "l2": [l2 for _, l2 in draws],
        }
    return Scores(
        score={name: float(value.mean()) for name, value in arrays.items()},
        n=len(subject.test),
        interval={name: base.mean_interval(value) for name, value in arrays.items()},
        settings={**config.model_dump(mode="json"), "train_images": len(x), "classes": base.class_count(subject)},
        extra=extra,
        arrays=arrays,
    )
