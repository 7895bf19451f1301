"""What an evaluation is: frozen features in, scores with their spread out.

Each file in `dcp/probing/evaluations/` offers `labels` (does it need any?), `Config`, and `evaluate(subject, config,
*, seed) -> Scores`. An evaluation learns from `subject.train` alone; `subject.test` is looked at once, to
count what came out right. It raises RequestError where labels are missing, and RunError where features are not finite.

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
Z = NormalDist().inv_cdf(0.975)  # of a 95 % interval


@dataclass(frozen=True)
class Features:
    """What a frozen encoder makes of one split."""

    x: Tensor  # [N, D] float32
    y: Tensor  # [N] int64 class numbers; -1 where an image has no label

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Origin:
    """What the features were made from, for evaluations that look at images or train the network on.

    The encoder takes [B, C, S, S] normalised to [B, D]. It is frozen, in eval mode, where its features are; copy it to
    change it.
    """

    encoder: nn.Module
    train: Dataset  # the images behind `Subject.train`, in the same order
    test: Dataset
    size: int  # S, side of its images in pixels
    config: Views  # that it was trained on; their normalisation is the encoder's
    workers: int | None = None  # processes that decode image files; None: as many as pay
    projector: nn.Sequential | None = None  # [B, D] -> [B, D']; None where the run folder has none


@dataclass(frozen=True)
class Subject:
    """One trained run, as evaluations see it."""

    train: Features  # of the labelled training images, without augmentation
    test: Features
    classes: tuple[str, ...] = ()  # names of the K classes; () where the data have none
    F: Tensor | None = None  # [D', D'] second moments of the projections at the end of training, if the run kept them
    W: Tensor | None = None  # [D', D'] weight of its linear predictor, if it has one
    origin: Origin | None = None  # what made the features; None where only these are known


@dataclass(frozen=True)
class Scores:
    """What an evaluation measured; `arrays` are written beside the predictions.

    An array that has the name of a score holds its value image by image, float64 [n]: their mean is the score.
    """

    score: dict[str, float]  # accuracies in [0, 1]
    n: int  # number of test images behind them
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)  # 95 %, of those scores that have one
    settings: dict[str, Json] = field(default_factory=dict)  # everything that decided how it was measured
    predictions: Tensor | None = None  # [n] int64 class number given to each test image
    extra: dict[str, Json] = field(default_factory=dict)  # no score: lists, choices made on the way, warnings
    arrays: dict[str, Tensor] = field(default_factory=dict)


def accuracy_interval(correct: int, n: int) -> tuple[float, float]:
    """95 % interval of an accuracy from `correct` (0..n) right among n >= 1 (Wilson 1927: the score test inverted).

    It says how far the accuracy of this one encoder may be off for having few test images, and nothing about
    seeds.

    >>> [round(end, 4) for end in accuracy_interval(8, 10)]
    [0.4902, 0.9433]
    """
    z2, share = Z**2, correct / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = (z2 * (share * (1 - share) / n + z2 / (4 * n * n))) ** 0.5 / (1 + z2 / n)
    # at 0 and n the exact ends are 0 and 1, which rounding may miss by 1e-17
    return (0.0 if correct == 0 else middle - reach, 1.0 if correct == n else middle + reach)


def mean_interval(values: Tensor) -> tuple[float, float]:
    """95 % interval of the mean of values [n] in [0, 1], one a test image: mean ± z s/√n, cut to [0, 1].

    >>> [round(end, 4) for end in mean_interval(torch.tensor([0.0, 0.5, 0.5, 1.0]))]
    [0.0999, 0.9001]
    """
    mean = float(values.double().mean())
    reach = Z * float(values.double().std()) / len(values) ** 0.5 if len(values) > 1 else 1.0
    return max(0.0, mean - reach), min(1.0, mean + reach)


def class_count(subject: Subject) -> int:
    """K: how many classes there are by name, or more if a label in train or test says so."""
    return max(len(subject.classes), *(int(part.y.max()) + 1 for part in (subject.train, subject.test)))


def check(subject: Subject, *, labels: bool) -> None:
    """Refuse a subject from which nothing can be measured; `labels`: whether every image must have one.

    Raises:
        RunError, RequestError: as `check_split`, first for train, then for test.
    """
    check_split(subject.train, "train", labels=labels)
    check_split(subject.test, "test", labels=labels)


def check_split(features: Features, split: str, *, labels: bool) -> None:
    """Refuse the features of one split from which nothing can be measured.

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
    if bad := int((~(features.x.abs().amax(1) <= LARGEST_FEATURE)).sum()):
        what = f"the encoder gives NaN, infinite or huge features for {bad} of {len(features)} {split} images"
        raise RunError(what, slug="bad-features", where=split)


def ranked(ranking: Tensor, subject: Subject, settings: dict[str, Json], extra: dict[str, Json]) -> Scores:
    """Scores of a classifier that names classes in order of preference; top5 is scored from 6 classes on.

    The ranking [n, m] int64 has the best class of each image first, and -1 where the classifier has no more.
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
