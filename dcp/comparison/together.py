"""What of two arms belongs together: the same seeds, the same test images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dcp.comparison.arms import Member
from dcp.comparison.scores import score_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Answers = tuple[NDArray[np.bool_], NDArray[np.bool_]]

# The recipe keys, or what they begin with, by which a seed gives the same images in the same order.
ORDER = ("data.", "train.batch")
NO_ANSWERS = "not paired: no predictions per image for this score"
OTHER_LABELS = "not paired: by their labels, the test images are others or in another order"


def paired_seeds(a: Sequence[Member], b: Sequence[Member]) -> bool:
    """Whether the seeds of two arms are the same ones, and mean the same in both: the same images in the same order.

    Decided by the recipes, never by the scores: a test that pairs is right whether or not pairing helps, but one
    that pairs where it happens to help is not. Networks may differ: their seeds then share the order only.

    Args:
        a: the runs of an arm that have the score, by seed.
        b: the same of another.
    """
    seeds = [[one.run.seed for one in arm] for arm in (a, b)]
    return seeds[0] == seeds[1] and len(seeds[0]) > 1 and _order(a[0]) == _order(b[0])


def right_answers(a: Sequence[Member], b: Sequence[Member], evaluation: str, score: str) -> "Answers | str":
    """Which test images each run of two arms got right, [S_a, n] and [S_b, n]; or why that cannot be had.

    Args:
        a: the runs of an arm that have the score, by seed.
        b: the same of another.
        evaluation: e.g. "linear".
        score: e.g. "top1".
    """
    import numpy as np

    found = [_right(one, evaluation, score) for one in (*a, *b)]
    known = [answers for answers in found if answers is not None]
    if len(known) < len(found):
        return NO_ANSWERS
    if not all(np.array_equal(label, known[0][1]) for _, label in known):
        return OTHER_LABELS
    right = np.stack([right for right, _ in known])
    return right[: len(a)], right[len(a) :]


def _right(one: Member, evaluation: str, score: str) -> "tuple[NDArray[np.bool_], NDArray[np.int64]] | None":
    """Which test images came out right, and their labels; None if the score is not the share of them."""
    arrays = one.run.predictions(evaluation) or {}
    probe = one.probes[evaluation]
    if not {"prediction", "label"} <= arrays.keys() or len(arrays["label"]) != probe.get("n"):
        return None
    right = arrays["prediction"] == arrays["label"]
    value = score_of(probe, score)
    share = value is not None and abs(float(right.mean()) - value) < 0.5 / len(right)
    return (right, arrays["label"]) if share else None


def _order(one: Member) -> tuple[dict[str, object], object]:
    asked = {key: value for key, value in one.asked.items() if key.startswith(ORDER)}
    return asked, (one.run.record.get("data") or {}).get("fingerprint")
