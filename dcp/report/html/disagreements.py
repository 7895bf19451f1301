"""Where two arms disagree: test images that most seeds of one get right and most seeds of the other get wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcp.comparison.comparable import images_of
from dcp.report.html.confusion import PREFERRED, class_name
from dcp.report.html.document import Section, figure, figures
from dcp.report.html.examples import FULL, picture
from dcp.report.html.flat_maps import NO_PICTURES, pictured
from dcp.report.html.run_files import Source, Told
from dcp.report.html.sprites import Sprite, Sprites
from dcp.report.page import count

MOST = 12  # images of a kind
TITLE = "Where they disagree"


@dataclass(frozen=True)
class Answers:
    """What the seeds of an arm say about the images on the map.

    Attributes:
        evaluation: whose predictions they are.
        rows: [M] their numbers in the test split.
        label: [M] true classes.
        given: [seeds, M] predicted classes.
        test: fingerprint of the test images.
    """

    evaluation: str
    rows: NDArray[Any]
    label: NDArray[Any]
    given: NDArray[Any]
    test: str | None

    @property
    def right(self) -> NDArray[np.float64]:
        """Share [M] of the seeds that are right."""
        return np.asarray((self.given == self.label).mean(0), dtype=np.float64)


def disagreements(sources: Sequence[Source], sprites: Sprites) -> Section:
    """The first arm beside each of the others, in both directions."""
    if len(sources) < 2:
        return Section("", "")
    first, *others = sources
    parts, missing = [], []
    for other in others:
        found, why = _pair(first, other, sprites)
        parts += found
        missing += [f"{TITLE}, {first.label} and {other.label}: {why}."] if why else []
    return Section(TITLE, figures(parts), tuple(missing))


def answers(source: Source, evaluation: str) -> Answers | None:
    """The answers of an arm about the images of its first run with pictures; None without labels or predictions."""
    found = pictured(source)
    if found is None:
        return None
    told, arrays = found
    rows, label = arrays["map_row"], arrays["map_label"]
    test = images_of(told.probes[evaluation], "test") if evaluation in told.probes else None
    seeds = [one for run in source.runs if (one := _given(run, evaluation, rows, label, test)) is not None]
    return Answers(evaluation, rows, label, np.stack(seeds), test) if seeds and (label >= 0).all() else None


def _given(
    told: Told, evaluation: str, rows: NDArray[Any], label: NDArray[Any], test: str | None
) -> NDArray[Any] | None:
    """Predictions [M] for `rows`; None without them, or where the labels show that the images are others."""
    arrays = told.arrays(evaluation)
    if not {"prediction", "label"} <= arrays.keys() or len(arrays["label"]) <= int(rows.max(initial=-1)):
        return None
    same = images_of(told.probes[evaluation], "test") == test and bool((arrays["label"][rows] == label).all())
    return arrays["prediction"][rows] if same else None


def _pair(first: Source, other: Source, sprites: Sprites) -> tuple[list[str], str]:
    """Figures, or why there are none."""
    both = ((answers(first, one), answers(other, one)) for one in PREFERRED)
    a, b = next(((a, b) for a, b in both if a is not None and b is not None), (None, None))
    found = pictured(first)
    if found is None:
        return [], NO_PICTURES
    if a is None or b is None:
        return [], "both need pictures of labelled test images, and the predictions of linear or knn"
    if a.test != b.test or not np.array_equal(a.rows, b.rows) or not np.array_equal(a.label, b.label):
        return [], "their pictures are of other test images"
    told, arrays = found
    sprite = sprites.add(arrays["map_image"])
    if sprite is None:
        return [], FULL
    shown = [
        _grid(told, sprite, better, worse, x, y) for better, worse, x, y in ((first, other, a, b), (other, first, b, a))
    ]
    return shown, ""


def _grid(told: Told, sprite: Sprite, better: Source, worse: Source, x: Answers, y: Answers) -> str:
    """The images that `better` gets right on most seeds and `worse` gets wrong on most, the clearest first."""
    clear = np.where((x.right > 0.5) & (y.right < 0.5), x.right - y.right, -1.0)
    order = [i for i in np.argsort(-clear, kind="stable").tolist() if clear[i] > 0]
    entries = "".join(_image(told, sprite, better, worse, x, y, i) for i in order[:MOST])
    title = f"{better.label} right, {worse.label} wrong"
    note = f"{count(len(order))} of the {count(len(x.rows), 'image')} on the map, by {x.evaluation}"
    note += f"; {MOST} of them are shown." if len(order) > MOST else "."
    where = f"probes/{x.evaluation}.safetensors of both arms, for the images map_row of probes/pictures.safetensors"
    body = f'<ul class="strip pairs">{entries}</ul>' if entries else "<p>None.</p>"
    return figure(title, body, note=note, source=where)


def _image(told: Told, sprite: Sprite, better: Source, worse: Source, x: Answers, y: Answers, i: int) -> str:
    true = class_name(told, int(x.label[i]))
    said = [f"{better.letter}: {_said(told, x, i)}", f"{worse.letter}: {_said(told, y, i)}"]
    return picture(sprite, i, f"test image {int(x.rows[i])}", [f"true: {true}", *said])


def _said(told: Told, one: Answers, i: int) -> str:
    """The most frequent answer of the seeds, and how many gave it where they differ."""
    values, counts = np.unique(one.given[:, i], return_counts=True)
    most = int(counts.argmax())
    seeds = "" if len(values) == 1 else f" ({counts[most]} of {len(one.given)} seeds)"
    return class_name(told, int(values[most])) + seeds
