"""What an evaluation is: frozen features in, scores with their spread out.

Each file in `dcp/probing/evaluations/` offers `labels` (does it need any?), `Config`, and `evaluate(subject, config,
*, seed) -> Scores`. An evaluation learns from `subject.train` alone; `subject.test` is looked at once, to
count what came out right.

Shapes: N images, D features of an image, K classes, D' size of the projection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TypeAlias

import torch
from torch import Tensor, nn

from dcp.data.datasets.base import Dataset
from dcp.data.views.config import Views
from dcp.errors import RequestError, RunError

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
UNLABELLED = -1
# a square of this, summed over a million images, still fits into float32
LARGEST_FEATURE = 1e15
FEWEST_CLASSES_FOR_TOP5 = 6


@dataclass(frozen=True)
class Features:
    """What a frozen encoder makes of one split.

    Args:
        x: [N, D] float32.
        y: [N] int64 class numbers; -1 where an image has no label.
    """

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Origin:
    """What the features were made from, for evaluations that look at images or train the network on.

    Args:
        encoder: [B, 3, S, S] normalised -> [B, D], frozen, in eval mode, where its features are; copy it to change it.
        train: the images behind `Subject.train`, in the same order.
        test: those behind `Subject.test`.
        size: S, side of its images in pixels.
        config: the views it was trained on; their normalisation is the encoder's.
    """

    encoder: nn.Module
    train: Dataset
    test: Dataset
    size: int
    config: Views


@dataclass(frozen=True)
class Subject:
    """One trained run, as evaluations see it.

    Args:
        train: features of the labelled training images, without augmentation.
        test: features of the test images.
        classes: names of the K classes; () where the data have none.
        F: [D', D'] second moments of the projections at the end of training, if the run kept them.
        W: [D', D'] weight of its linear predictor, if it has one.
        origin: what made the features; None where only these are known.
    """

    train: Features
    test: Features
    classes: tuple[str, ...] = ()
    F: Tensor | None = None
    W: Tensor | None = None
    origin: Origin | None = None


@dataclass(frozen=True)
class Scores:
    """What an evaluation found.

    Args:
        score: values by name; accuracies in [0, 1].
        n: number of test images behind them.
        interval: 95 % interval of those scores that have one.
        settings: everything that decided how it was measured.
        predictions: [n] int64 class number given to each test image, or None.
        extra: findings that are no score: lists, choices made on the way, warnings.
        arrays: further tensors by name, written beside the predictions. One that has the name of a score holds its
            value image by image, float64 [n]: their mean is the score.
    """

    score: dict[str, float]
    n: int
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)
    settings: dict[str, Json] = field(default_factory=dict)
    predictions: Tensor | None = None
    extra: dict[str, Json] = field(default_factory=dict)
    arrays: dict[str, Tensor] = field(default_factory=dict)


def accuracy_interval(correct: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of an accuracy from counting `correct` right among `n` (Wilson 1927: the score test inverted).

    It says how far the accuracy of this one encoder may be off for having few test images, and nothing about
    seeds.

    Args:
        correct: in 0..n.
        n: number of test images, at least 1.
        level: coverage aimed at, in (0, 1).

    >>> [round(end, 4) for end in accuracy_interval(8, 10)]
    [0.4902, 0.9433]
    """
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    share = correct / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = (z2 * (share * (1 - share) / n + z2 / (4 * n * n))) ** 0.5 / (1 + z2 / n)
    # at 0 and n the exact ends are 0 and 1, which rounding may miss by 1e-17
    return (0.0 if correct == 0 else middle - reach, 1.0 if correct == n else middle + reach)


def mean_interval(values: Tensor, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of a mean over test images whose values lie in [0, 1]: mean ± z s/√n, cut to [0, 1].

    Args:
        values: [n], one an image.
        level: coverage aimed at, in (0, 1).

    >>> [round(end, 4) for end in mean_interval(torch.tensor([0.0, 0.5, 0.5, 1.0]))]
    [0.0999, 0.9001]
    """
    mean, z = float(values.double().mean()), NormalDist().inv_cdf((1 + level) / 2)
    reach = z * float(values.double().std()) / len(values) ** 0.5 if len(values) > 1 else 1.0
    return max(0.0, mean - reach), min(1.0, mean + reach)


def class_count(subject: Subject) -> int:
    """K: how many classes there are by name, or more if a label in train or test says so."""
    return max(len(subject.classes), *(int(part.y.max()) + 1 for part in (subject.train, subject.test)))


def check(features: Features, split: str, *, labels: bool) -> None:
    """Refuse features from which nothing can be measured.

    Args:
        features: of one split.
        split: its name, for the message.
        labels: whether every image must have one.

    Raises:
        RunError: there are no images, or a feature is not finite or is beyond 1e15.
        RequestError: labels are needed and missing.
    """
    if len(features) == 0:
        raise RunError(f"the {split} split has no images to evaluate", slug="bad-features", where=split)
    if labels and bool((features.y < 0).any()):
        raise RequestError(f"the {split} split has images without a label", slug="no-labels", where=split,
                           hint="spectrum is the evaluation that needs none")  # fmt: skip
    # written so that NaN, which compares as false, is refused too
    if not bool((features.x.abs().amax(1) <= LARGEST_FEATURE).all()):
        bad = int((~(features.x.abs().amax(1) <= LARGEST_FEATURE)).sum())
        what = f"the encoder gives NaN, infinite or huge features for {bad} of {len(features)} {split} images"
        raise RunError(what, slug="bad-features", where=split)


def ranked(ranking: Tensor, subject: Subject, settings: dict[str, Json], extra: dict[str, Json]) -> Scores:
    """Scores of a classifier that names classes in order of preference.

    Args:
        ranking: [n, m] int64, the best class of each image first; -1 where the classifier has no more.
        subject: what was classified; top5 is scored from 6 classes on.
        settings: kept as they are.
        extra: kept as they are.
    """
    ranking, n, classes = ranking.cpu(), len(ranking), class_count(subject)
    hits = ranking == subject.test.y.cpu().unsqueeze(1)
    wanted = {"top1": 1, "top5": 5} if classes >= FEWEST_CLASSES_FOR_TOP5 else {"top1": 1}
    correct = {name: int(hits[:, :m].any(1).sum()) for name, m in wanted.items()}
    return Scores(
        score={name: count / n for name, count in correct.items()},
        n=n,
        interval={name: accuracy_interval(count, n) for name, count in correct.items()},
        settings={**settings, "train_images": len(subject.train), "classes": classes},
        predictions=ranking[:, 0].clone(),
        extra=extra,
    )


def wide(x: Tensor) -> Tensor:
    """`x` in float64; on the CPU if its own device has no such numbers."""
    return (x.cpu() if x.device.type == "mps" else x).to(torch.float64)
