"""What of two arms belongs together: the same seeds, the same test images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dcp.comparison.arms import Member
from dcp.comparison.scores import RIGHT, score_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dcp.comparison.seeds_and_images import Values

    Answers = tuple[Values, Values]

# The recipe keys, or what they begin with, by which a seed gives the same images in the same order.
ORDER = ("data.", "train.batch")
NO_ANSWERS = "not paired: no predictions per image for this score"
OTHER_LABELS = "not paired: by their labels, the test images are others or in another order"


def paired_seeds(a: Sequence[Member], b: Sequence[Member]) -> bool:
    """Whether the seeds of two arms are the same ones, and mean the same in both: the same images in the same order.

    Decided by the recipes, never by the scores: a test that pairs is right whether or not pairing helps, but one
    that pairs where it happens to help is not. Networks may differ: their seeds then share the order only.
    """
    seeds = [[member.run.seed for member in arm] for arm in (a, b)]
    return seeds[0] == seeds[1] and len(seeds[0]) > 1 and _order(a[0]) == _order(b[0])


def right_answers(a: Sequence[Member], b: Sequence[Member], evaluation: str, score: str) -> "Answers | str":
    """What each run of two arms made of each test image, [S_a, n] and [S_b, n]; or why that cannot be had.

    For accuracies it is whether the image came out right; retrieval and fits to few labels have values in [0, 1].
    All runs of `a` and `b`, sorted by seed, have the score.
    """
    import numpy as np

    answers = [answer for member in (*a, *b) if (answer := _by_image(member, evaluation, score)) is not None]
    if len(answers) < len(a) + len(b):
        return NO_ANSWERS
    if not all(np.array_equal(which, answers[0][1]) for _, which in answers):
        return OTHER_LABELS
    values = np.stack([values for values, _ in answers])
    return cast("Answers", (values[: len(a)], values[len(a) :]))


def _by_image(member: Member, evaluation: str, score: str) -> "tuple[Values, NDArray[np.int64]] | None":
    """The value of each test image, and its label or number; None if the score is not the mean of such values.

    Which values those are is decided by the score's name, as other scores may come near to the accuracy by chance.
    That the mean agrees is asked besides, so that files that do not belong together are not used.
    """
    import numpy as np

    arrays, probe = member.run.predictions(evaluation) or {}, member.probes[evaluation]
    values: Values
    if score in arrays:
        values = np.asarray(arrays[score], dtype=np.float64)
        which = arrays.get("query", np.arange(len(values)))
    elif score in RIGHT and {"prediction", "label"} <= arrays.keys():
        values, which = arrays["prediction"] == arrays["label"], arrays["label"]
    else:
        return None
    value = score_of(probe, score)
    fits = values.ndim == 1 and len(values) == len(which) == probe.n and value is not None
    return (values, which) if fits and abs(float(values.mean()) - (value or 0)) < 0.5 / len(values) else None


def _order(member: Member) -> tuple[dict[str, object], str | None]:
    asked = {key: value for key, value in member.asked.items() if key.startswith(ORDER)}
    return asked, member.run.record.data.fingerprint
