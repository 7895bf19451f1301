"""Single images: what the network saw of them, and which it finds alike."""

from collections.abc import Sequence
from html import escape
from typing import Any

from numpy.typing import NDArray

from dcp.report.html.confusion import class_name
from dcp.report.html.document import Section, figure, figures
from dcp.report.html.flat_maps import NO_PICTURES, pictured
from dcp.report.html.run_files import Source, Told
from dcp.report.html.sprites import Sprite, Sprites
from dcp.report.page import listed

Arrays = dict[str, NDArray[Any]]
FULL = "the page has no room for more pictures; they are in the run folder"


def neighbours(sources: Sequence[Source], sprites: Sprites) -> Section:
    """For each arm a few test images, and the training images nearest to them."""
    parts, missing = [], []
    for source in sources:
        if (found := pictured(source)) is not None:
            text = _neighbours(source, *found, sprites)
            parts += [text] if text else []
            missing += [] if text else [f"Nearest neighbours of {source.label}: {FULL}."]
    return Section("Nearest neighbours", figures(parts), tuple(missing or _none(parts, "Nearest neighbours")))


def seen(sources: Sequence[Source], sprites: Sprites) -> Section:
    """A few training images with their views; arms whose views are the same share them."""
    groups: dict[bytes, list[tuple[Source, Told, Arrays]]] = {}
    for source in sources:
        if (found := pictured(source)) is not None:
            groups.setdefault(found[1]["viewed_views"].tobytes(), []).append((source, *found))
    parts, missing = [], []
    for group in groups.values():
        text = _views(group, sprites)
        parts += [text] if text else []
        missing += [] if text else [f"Views of {group[0][0].label}: {FULL}."]
    return Section("What the network saw", figures(parts), tuple(missing or _none(parts, "Views")))


def words_of(told: Told, label: int) -> str:
    """The class of an image; "" where it has no label."""
    return class_name(told, label) if label >= 0 else ""


def picture(sprite: Sprite, i: int, what: str, lines: Sequence[str], *, first: bool = False) -> str:
    """An entry of a strip: the picture and the lines below it.

    Args:
        sprite: where it is.
        i: which one.
        what: says in words what it is.
        lines: below it; they are part of what is said.
        first: set apart from what follows.
    """
    told = [line for line in lines if line]
    below = "".join(f"<div>{escape(line)}</div>" for line in told)
    kind = ' class="first"' if first else ""
    return f"<li{kind}>{sprite.picture(i, what)}{below}</li>"


def _none(parts: Sequence[str], title: str) -> list[str]:
    return [] if parts else [f"{title}: {NO_PICTURES}."]


def _neighbours(source: Source, told: Told, arrays: Arrays, sprites: Sprites) -> str:
    asked, near = sprites.add(arrays["query_image"]), sprites.add(arrays["near_image"])
    if asked is None or near is None:
        return ""
    strips = "".join(_strip(told, arrays, asked, near, q) for q in range(len(arrays["query_row"])))
    note = "First a test image, then the training images most like it, with their cosine similarity."
    where = f"probes/pictures.safetensors of {told.folder}, query_* and near_*"
    return figure(source.label or told.folder, strips, note=note, source=where)


def _strip(told: Told, arrays: Arrays, asked: Sprite, near: Sprite, q: int) -> str:
    row, label = int(arrays["query_row"][q]), words_of(told, int(arrays["query_label"][q]))
    entries = [picture(asked, q, f"test image {row}", [label or f"test {row}"], first=True)]
    for k in range(arrays["near_row"].shape[1]):
        name = words_of(told, int(arrays["near_label"][q, k]))
        what = f"training image {int(arrays['near_row'][q, k])}"
        similar = f"{float(arrays['near_similarity'][q, k]):.3f}"
        entries.append(picture(near, q * arrays["near_row"].shape[1] + k, what, [name, similar]))
    return f'<ul class="strip">{"".join(entries)}</ul>'


def _views(group: list[tuple[Source, Told, Arrays]], sprites: Sprites) -> str:
    _, told, arrays = group[0]
    whole, views = sprites.add(arrays["viewed_image"]), sprites.add(arrays["viewed_views"])
    if whole is None or views is None:
        return ""
    strips = "".join(_view_strip(arrays, whole, views, i) for i in range(len(arrays["viewed_row"])))
    note = "First a training image, then its two views in each of two epochs, drawn by the run's seed and settings."
    where = f"probes/pictures.safetensors of {told.folder}, viewed_*"
    labels = [source.label for source, _, _ in group]
    title = listed(labels) + (" (the same views)" if len(labels) > 1 else "")
    return figure(title, strips, note=note, source=where)


def _view_strip(arrays: Arrays, whole: Sprite, views: Sprite, i: int) -> str:
    row, many = int(arrays["viewed_row"][i]), arrays["viewed_views"].shape[1]
    entries = [picture(whole, i, f"training image {row}", [f"image {row}"], first=True)]
    for k in range(many):
        what = f"epoch {k // 2 + 1}, view {k % 2 + 1}"
        entries.append(picture(views, i * many + k, f"training image {row}, {what}", [what]))
    return f'<ul class="strip">{"".join(entries)}</ul>'
