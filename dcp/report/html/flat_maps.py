"""The test images on a plane, as the encoder sees them: dots by class, and the images themselves."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcp.report.charts.colours import css
from dcp.report.html.document import Section, figure, figures
from dcp.report.html.run_files import NO_PICTURES, ArmFiles, RunFiles
from dcp.report.html.sprites import Sprites

SIDE, MARGIN = 400.0, 14.0  # of the map, in units of its SVG
ACROSS = 15  # places for images in each direction: one image a place, so that none hides another
MOST_CLASSES = 12
# outlines of a mark around 0, so that classes differ in more than colour
MARKS = (
    "M-3-3H3V3H-3Z",
    "M0-4 4 3H-4Z",
    "M0-4 4 0 0 4-4 0Z",
    "M-1-4H1V-1H4V1H1V4H-1V1H-4V-1H-1Z",
    "M0 4 4-3H-4Z",
    "M0-3A3 3 0 1 0 .1-3Z",
)
Places = NDArray[np.float64]


def flat_maps(arms: Sequence[ArmFiles], sprites: Sprites) -> Section:
    """For each arm the maps of its first run that has pictures: by class, where there are few, and by image."""
    parts = []
    for arm in arms:
        if (pictures := arm.pictures()) is None:
            continue
        files, arrays = pictures
        places, labels = placed(arrays["map_xy"].astype(np.float64)), arrays["map_label"]
        source = f"probes/pictures.safetensors of {files.folder}, map_*"
        how = files.extra("pictures").get("map")
        note = "t-SNE of the features: neighbours are near, but distances and sizes of groups mean little."
        if isinstance(how, dict) and how.get("kind") != "tsne":
            along, up = (f"{100 * share:.0f} %" for share in how["variance"])
            note = "First principal components of the features: "
            note += f"{along} of their variance from left to right, {up} upwards."
        if 1 <= len(np.unique(labels[labels >= 0])) <= MOST_CLASSES:
            parts.append(figure(f"{arm.label}, by class", _dots(files, places, labels), note=note, source=source))
        if (sprite := sprites.add(arrays["map_image"])) is not None:
            size, shown = SIDE / ACROSS, apart(places)
            images = "".join(sprite.at(i, x * size, y * size, size) for (x, y), i in sorted(shown.items()))
            body = _frame(f"{len(shown)} test images at their places on the plane", images, places)
            note += " Where images would overlap, one of them stands for all."
            parts.append(figure(f"{arm.label}, by image", body, note=note, source=source))
    missing = () if parts else (f"Map of the features: {NO_PICTURES}.",)
    return Section("Map of the test images", figures(parts), missing)


def placed(xy: Places) -> Places:
    """Coordinates [M, 2] on the map, in the same scale: the wider direction fills it, upwards falls."""
    least, reach = xy.min(0), float(np.ptp(xy, axis=0).max()) or 1.0
    x, y = ((xy - least) / reach * (SIDE - 2 * MARGIN)).T
    return np.stack([x + MARGIN, y.max() - y + MARGIN], axis=1)


def apart(places: Places) -> dict[tuple[int, int], int]:
    """Which image to show in each of `ACROSS`² places: of those in it the nearest to its middle."""
    size = SIDE / ACROSS
    cells = np.clip((places // size).astype(int), 0, ACROSS - 1)
    distance = np.abs(places - (cells + 0.5) * size).max(1)
    shown: dict[tuple[int, int], int] = {}
    for i in np.argsort(distance, kind="stable").tolist():
        shown.setdefault((int(cells[i, 0]), int(cells[i, 1])), i)
    return shown


def _dots(files: RunFiles, places: Places, labels: NDArray[Any]) -> str:
    """The map with a mark for each image, and its key."""
    classes = np.unique(labels).tolist()
    names = ["no label" if number < 0 else files.class_name(number) for number in classes]
    looks = [f'd="{MARKS[i % len(MARKS)]}" style="fill: {css(i)}" fill-opacity=".85"' for i in range(len(classes))]
    marks = "".join(
        f'<path transform="translate({x:.1f} {y:.1f})" {looks[classes.index(label)]}/>'
        for (x, y), label in zip(places.tolist(), labels.tolist(), strict=True)
    )
    key = "".join(
        f'<li><svg class="swatch" viewBox="-13 -5 26 10" aria-hidden="true"><path {look}/></svg>{escape(name)}</li>'
        for look, name in zip(looks, names, strict=True)
    )
    words = f"{len(labels)} test images as dots on a plane, in {len(classes)} classes: {', '.join(names)}"
    return f'{_frame(words, marks, places)}<ul class="key">{key}</ul>'


def _frame(words: str, inside: str, places: Places) -> str:
    """The map as wide as the images reach, and as high."""
    size = SIDE / ACROSS
    wide, high = np.ceil((places.max(0) + MARGIN) / size - 1e-6) * size
    box = f"0 0 {wide:.0f} {high:.0f}"
    return f'<svg class="map" role="img" aria-label="{escape(words)}" viewBox="{box}">{inside}</svg>'
