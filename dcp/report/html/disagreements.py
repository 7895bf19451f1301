"""Where two arms disagree: test images that most seeds of one get right and most seeds of the other get wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcp.comparison.comparable import images_of
from dcp.report.html.confusion import PREFERRED
from dcp.report.html.document import Section, figure, figures
from dcp.report.html.examples import FULL, picture
from dcp.report.html.run_files import NO_PICTURES, ArmFiles, RunFiles
from dcp.report.html.sprites import Sprite, Sprites
from dcp.report.page import count

MOST = 12  # images of a kind
TITLE = "Where they disagree"


@dataclass(frozen=True)
class Answers:
    """What the seeds of an arm say, in an evaluation, about the images on the map."""

    arm: ArmFiles
    evaluation: str
    rows: NDArray[Any]  # [M] numbers of the images in the test split
    label: NDArray[Any]  # [M] true classes
    given: NDArray[Any]  # [seeds, M] predicted classes
    test: str | None  # fingerprint of the test images

    @property
    def right(self) -> NDArray[np.float64]:
        """Share [M] of the seeds that are right."""
        return np.asarray((self.given == self.label).mean(0), dtype=np.float64)

    def in_words(self, files: RunFiles, i: int) -> str:
        """The most frequent answer of the seeds about image `i`, and how many gave it where they differ."""
        values, counts = np.unique(self.given[:, i], return_counts=True)
        most = int(counts.argmax())
        seeds = "" if len(values) == 1 else f" ({counts[most]} of {len(self.given)} seeds)"
        return f"{self.arm.letter}: {files.class_name(int(values[most]))}{seeds}"


def disagreements(arms: Sequence[ArmFiles], sprites: Sprites) -> Section:
    """The first arm beside each of the others, in both directions."""
    if len(arms) < 2:
        return Section("", "")
    parts, missing = [], []
    for other in arms[1:]:
        both, why = _pair(arms[0], other, sprites)
        parts += both
        missing += [f"{TITLE}, {arms[0].label} and {other.label}: {why}."] if why else []
    return Section(TITLE, figures(parts), tuple(missing))


def answers(arm: ArmFiles, evaluation: str) -> Answers | None:
    """The answers of an arm about the images of its first run with pictures; None without labels or predictions."""
    if (pictures := arm.pictures()) is None:
        return None
    pictured, arrays = pictures
    rows, label = arrays["map_row"], arrays["map_label"]
    test = images_of(pictured.probes[evaluation], "test") if evaluation in pictured.probes else None
    seeds = []
    for files in arm.runs:
        probe = files.arrays(evaluation)
        if not {"prediction", "label"} <= probe.keys() or len(probe["label"]) <= int(rows.max(initial=-1)):
            continue
        # the labels may show that the images are others
        if images_of(files.probes[evaluation], "test") == test and bool((probe["label"][rows] == label).all()):
            seeds.append(probe["prediction"][rows])
    return Answers(arm, evaluation, rows, label, np.stack(seeds), test) if seeds and (label >= 0).all() else None


def _pair(first: ArmFiles, other: ArmFiles, sprites: Sprites) -> tuple[list[str], str]:
    """Figures, or why there are none."""
    both = ((answers(first, evaluation), answers(other, evaluation)) for evaluation in PREFERRED)
    a, b = next(((a, b) for a, b in both if a is not None and b is not None), (None, None))
    if (pictures := first.pictures()) is None:
        return [], NO_PICTURES
    if a is None or b is None:
        return [], "both need pictures of labelled test images, and the predictions of linear or knn"
    if a.test != b.test or not np.array_equal(a.rows, b.rows) or not np.array_equal(a.label, b.label):
        return [], "their pictures are of other test images"
    files, arrays = pictures
    if (sprite := sprites.add(arrays["map_image"])) is None:
        return [], FULL
    return [_grid(files, sprite, a, b), _grid(files, sprite, b, a)], ""


def _grid(files: RunFiles, sprite: Sprite, better: Answers, worse: Answers) -> str:
    """The images that `better` gets right on most seeds and `worse` gets wrong on most, the clearest first."""
    clear = np.where((better.right > 0.5) & (worse.right < 0.5), better.right - worse.right, -1.0)
    order = [i for i in np.argsort(-clear, kind="stable").tolist() if clear[i] > 0]
    entries = ""
    for i in order[:MOST]:
        lines = [f"true: {files.class_name(int(better.label[i]))}", better.in_words(files, i), worse.in_words(files, i)]
        entries += picture(sprite, i, f"test image {int(better.rows[i])}", lines)
    title = f"{better.arm.label} right, {worse.arm.label} wrong"
    note = f"{count(len(order))} of the {count(len(better.rows), 'image')} on the map, by {better.evaluation}"
    note += f"; {MOST} of them are shown." if len(order) > MOST else "."
    images = "for the images map_row of probes/pictures.safetensors"
    source = f"probes/{better.evaluation}.safetensors of both arms, {images}"
    body = f'<ul class="strip pairs">{entries}</ul>' if entries else "<p>None.</p>"
    return figure(title, body, note=note, source=source)
