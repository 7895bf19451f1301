"""Single images: what the network saw of them, and which it finds alike."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from numpy.typing import NDArray

from dcp.report.html.document import Section, figure, figures
from dcp.report.html.run_files import NO_PICTURES, ArmFiles, RunFiles
from dcp.report.html.sprites import Sprite, Sprites
from dcp.report.page import listed

Arrays = dict[str, NDArray[Any]]
SHOWN = 4  # of the images of an arm before the others are asked for
FULL = "the page has no room for more pictures; they are in the run folder"


def neighbours(arms: Sequence[ArmFiles], sprites: Sprites) -> Section:
    """For each arm a few test images, and the training images nearest to them."""
    parts, missing = [], []
    for arm in arms:
        if (pictures := arm.pictures()) is None:
            continue
        files, arrays = pictures
        queries, near = sprites.add(arrays["query_image"]), sprites.add(arrays["near_image"])
        if queries is None or near is None:
            missing.append(f"Nearest neighbours of {arm.label}: {FULL}.")
            continue
        strips = _few([_neighbours(files, arrays, queries, near, q) for q in range(len(arrays["query_row"]))])
        note = "First a test image, then the training images most like it, with their cosine similarity."
        source = f"probes/pictures.safetensors of {files.folder}, query_* and near_*"
        parts.append(figure(arm.label or files.folder, strips, note=note, source=source))
    if not parts and not missing:
        missing.append(f"Nearest neighbours: {NO_PICTURES}.")
    return Section("Nearest neighbours", figures(parts), tuple(missing))


def views(arms: Sequence[ArmFiles], sprites: Sprites) -> Section:
    """A few training images with their views; arms whose views are the same share them."""
    groups: dict[bytes, list[tuple[str, RunFiles, Arrays]]] = {}
    for arm in arms:
        if (pictures := arm.pictures()) is not None:
            groups.setdefault(pictures[1]["viewed_views"].tobytes(), []).append((arm.label, *pictures))
    parts, missing = [], []
    for group in groups.values():
        labels, (_, files, arrays) = [label for label, _, _ in group], group[0]
        whole, crops = sprites.add(arrays["viewed_image"]), sprites.add(arrays["viewed_views"])
        if whole is None or crops is None:
            missing.append(f"Views of {labels[0]}: {FULL}.")
            continue
        names = _view_names(files, arrays["viewed_views"].shape[1])
        strips = _few([_views(arrays, whole, crops, i, names) for i in range(len(arrays["viewed_row"]))])
        note = "First a training image, then views of it, drawn by the run's seed and settings."
        source = f"probes/pictures.safetensors of {files.folder}, viewed_*"
        title = listed(labels) + (" (the same views)" if len(labels) > 1 else "")
        parts.append(figure(title, strips, note=note, source=source))
    if not groups:
        missing.append(f"Views: {NO_PICTURES}.")
    return Section("What the network saw", figures(parts), tuple(missing))


def picture(sprite: Sprite, i: int, what: str, lines: Iterable[str], *, apart: bool = False) -> str:
    """An entry of a strip: picture `i`, which is `what` in words, maybe set apart from the next; below it the lines."""
    below = "".join(f"<div>{escape(line)}</div>" for line in lines if line)
    kind = ' class="first"' if apart else ""
    return f"<li{kind}>{sprite.picture(i, what)}{below}</li>"


def strip(entries: Sequence[str]) -> str:
    """Pictures in a row."""
    return f'<ul class="strip" style="--across: {len(entries)}">{"".join(entries)}</ul>'


def _few(strips: Sequence[str]) -> str:
    """The first of them, and the others folded."""
    more = f"<details><summary>{len(strips) - SHOWN} more</summary>{''.join(strips[SHOWN:])}</details>"
    return "".join(strips[:SHOWN]) + (more if len(strips) > SHOWN else "")


def _neighbours(files: RunFiles, arrays: Arrays, queries: Sprite, near: Sprite, q: int) -> str:
    row, label = int(arrays["query_row"][q]), files.class_name(int(arrays["query_label"][q]))
    entries = [picture(queries, q, f"test image {row}", [label or f"test {row}"], apart=True)]
    many = arrays["near_row"].shape[1]
    for k in range(many):
        name = files.class_name(int(arrays["near_label"][q, k]))
        similarity = f"{float(arrays['near_similarity'][q, k]):.3f}"
        what = f"training image {int(arrays['near_row'][q, k])}"
        entries.append(picture(near, q * many + k, what, [name, similarity]))
    return strip(entries)


def _views(arrays: Arrays, whole: Sprite, crops: Sprite, i: int, names: Sequence[str]) -> str:
    row = int(arrays["viewed_row"][i])
    entries = [picture(whole, i, f"training image {row}", [f"image {row}"], apart=True)]
    for k, name in enumerate(names):
        entries.append(picture(crops, i * len(names) + k, f"training image {row}, {name}", [name]))
    return strip(entries)


def _view_names(files: RunFiles, count: int) -> list[str]:
    """What the `count` pictures of an image are; both views in each epoch, where the probe doesn't say."""
    facts = files.extra("pictures").get("views")
    if not isinstance(facts, list) or len(facts) != count:
        facts = [{"epoch": k // 2, "view": k % 2} for k in range(count)]
    return [
        f"epoch {fact['epoch'] + 1}, {'local ' if fact.get('local') else ''}view {fact['view'] + 1}" for fact in facts
    ]
