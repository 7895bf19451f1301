"""The test images on a plane, as the encoder sees them: dots by class, and the images themselves."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcp.report.charts.canvas import COLOURS
from dcp.report.html.confusion import class_name
from dcp.report.html.document import Section, figure, figures
from dcp.report.html.run_files import Source, Told
from dcp.report.html.sprites import Sprite, Sprites

SIDE, MARGIN = 400.0, 14.0  # of the map, in units of its SVG
ACROSS = 15  # places for images in each direction: one image a place, so that none hides another
MOST_CLASSES = 12
NO_PICTURES = "no run has been probed for pictures (dcp probe RUN -e pictures)"
# outlines of a mark around 0, so that classes differ in more than colour
MARKS = (
    "M-3-3H3V3H-3Z",
    "M0-4 4 3H-4Z",
    "M0-4 4 0 0 4-4 0Z",
    "M-1-4H1V-1H4V1H1V4H-1V1H-4V-1H-1Z",
    "M0 4 4-3H-4Z",
    "M0-3A3 3 0 1 0 .1-3Z",
)
ARRAYS = {
    *("map_xy", "map_row", "map_label", "map_image", "query_row", "query_label", "query_image", "near_row"),
    *("near_label", "near_similarity", "near_image", "viewed_row", "viewed_image", "viewed_views"),
}
Places = NDArray[np.float64]


def flat_maps(sources: Sequence[Source], sprites: Sprites) -> Section:
    """For each arm the map of its first run that has one."""
    parts = [text for source in sources for text in _of_arm(source, sprites)]
    missing = () if parts else (f"Map of the features: {NO_PICTURES}.",)
    return Section("Map of the test images", figures(parts), missing)


def pictured(source: Source) -> "tuple[Told, dict[str, NDArray[Any]]] | None":
    """The first run of an arm that has pictures, and their arrays."""
    found = ((told, told.arrays("pictures")) for told in source.runs)
    return next(((told, arrays) for told, arrays in found if arrays.keys() >= ARRAYS), None)


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


def _of_arm(source: Source, sprites: Sprites) -> list[str]:
    found = pictured(source)
    if found is None:
        return []
    told, arrays = found
    places, labels = placed(arrays["map_xy"].astype(np.float64)), arrays["map_label"]
    note, where = _how(told), f"probes/pictures.safetensors of {told.folder}, map_*"
    parts = []
    if 1 <= len(np.unique(labels[labels >= 0])) <= MOST_CLASSES:
        parts.append(figure(f"{source.label}, by class", _dots(told, places, labels), note=note, source=where))
    sprite = sprites.add(arrays["map_image"])
    if sprite is not None:
        body = _images(sprite, places)
        more = f"{note} Where images would overlap, one of them stands for all."
        parts.append(figure(f"{source.label}, by image", body, note=more, source=where))
    return parts


def _how(told: Told) -> str:
    how = told.extra("pictures").get("map")
    if not isinstance(how, dict) or how.get("kind") == "tsne":
        return "t-SNE of the features: neighbours are near, but distances and sizes of groups mean little."
    along, up = (f"{100 * share:.0f} %" for share in how["variance"])
    return f"First principal components of the features: {along} of their variance from left to right, {up} upwards."


def _dots(told: Told, places: Places, labels: NDArray[Any]) -> str:
    classes = np.unique(labels).tolist()
    marks = "".join(_dot(places[i], classes.index(int(labels[i]))) for i in range(len(labels)))
    names = ["no label" if number < 0 else class_name(told, number) for number in classes]
    entries = "".join(f"<li>{_sample(i)}{escape(name)}</li>" for i, name in enumerate(names))
    words = f"{len(labels)} test images as dots on a plane, in {len(classes)} classes: {', '.join(names)}"
    return f'{_frame(words, marks, places)}<ul class="key">{entries}</ul>'


def _dot(place: Places, style: int) -> str:
    x, y = place.tolist()
    return f'<path transform="translate({x:.1f} {y:.1f})" {_look(style)}/>'


def _look(style: int) -> str:
    return f'd="{MARKS[style % len(MARKS)]}" fill="var(--s{style % COLOURS})" fill-opacity=".85"'


def _sample(style: int) -> str:
    return f'<svg class="swatch" viewBox="-13 -5 26 10" aria-hidden="true"><path {_look(style)}/></svg>'


def _images(sprite: Sprite, places: Places) -> str:
    size = SIDE / ACROSS
    shown = apart(places)
    parts = "".join(sprite.at(i, x * size, y * size, size) for (x, y), i in sorted(shown.items()))
    return _frame(f"{len(shown)} test images at their places on the plane", parts, places)


def _frame(words: str, inside: str, places: Places) -> str:
    """The map as wide as the images reach, and as high."""
    size = SIDE / ACROSS
    wide, high = np.ceil((places.max(0) + MARGIN) / size - 1e-6) * size
    box = f"0 0 {wide:.0f} {high:.0f}"
    return f'<svg class="map" role="img" aria-label="{escape(words)}" viewBox="{box}">{inside}</svg>'
