"""Small pictures: many in one file inside the page, each shown by a window onto it.

The same pictures are written once, however many arms show them. They are WebP: 256 images of CIFAR-10 take 85 KB,
and 554 KB as PNG, which a Pillow that was built without WebP writes.
"""

import base64
import hashlib
import io
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

ACROSS = 16  # pictures in a row of the file
QUALITY = 82
MOST_BYTES = 1_500_000  # of all pictures of a page: the rest of it stays below as much again


@dataclass(frozen=True)
class Sprite:
    """A store of M square pictures in the page."""

    name: str  # its identifier
    side: int  # of a picture in pixels

    def window(self, i: int) -> str:
        """The part of the file that is picture `i`: left, top, width, height."""
        return f"{i % ACROSS * self.side} {i // ACROSS * self.side} {self.side} {self.side}"

    def at(self, i: int, x: float, y: float, size: float) -> str:
        """Picture `i` inside another SVG, without words of its own."""
        place = f'x="{x:.1f}" y="{y:.1f}" width="{size:.1f}" height="{size:.1f}"'
        return f'<svg {place} viewBox="{self.window(i)}"><use href="#{self.name}"/></svg>'

    def picture(self, i: int, words: str) -> str:
        """Picture `i` alone; `words` say what it shows."""
        head = f'<svg class="picture" role="img" aria-label="{escape(words)}" viewBox="{self.window(i)}">'
        return f'{head}<use href="#{self.name}"/></svg>'


class Sprites:
    """The pictures of a page, each store of them once."""

    def __init__(self) -> None:
        self.by_hash: dict[str, Sprite] = {}
        self.written: list[str] = []
        self.bytes = 0

    def add(self, images: NDArray[Any]) -> Sprite | None:
        """Keep pictures, uint8 [..., 3, s, s], for the page; None if there is no more room in it."""
        flat = np.ascontiguousarray(images.reshape(-1, *images.shape[-3:]))
        key = hashlib.sha256(repr(flat.shape).encode() + flat.tobytes()).hexdigest()
        if key in self.by_hash:
            return self.by_hash[key]
        data, kind = _encoded(flat)
        if not len(flat) or self.bytes + len(data) > MOST_BYTES:
            return None
        self.bytes += len(data)
        sprite = self.by_hash[key] = Sprite(f"pictures-{len(self.by_hash)}", flat.shape[-1])
        width, height = ACROSS * sprite.side, -(-len(flat) // ACROSS) * sprite.side
        address = f"data:image/{kind};base64,{data}"
        self.written.append(f'<image id="{sprite.name}" width="{width}" height="{height}" href="{address}"/>')
        return sprite

    def html(self) -> str:
        """What the page needs, once, before any picture is shown; "" without any."""
        defs = f"<defs>{''.join(self.written)}</defs>"
        return f'<svg class="store" aria-hidden="true">{defs}</svg>' if self.written else ""


def _encoded(images: NDArray[Any]) -> tuple[str, str]:
    """Pictures [M, 3, s, s] in rows of 16 as one file, in base64; and its kind."""
    from PIL import Image, features

    side, down = images.shape[-1], -(-len(images) // ACROSS)
    padded = np.zeros((down * ACROSS, 3, side, side), dtype=np.uint8)
    padded[: len(images)] = images
    sheet = padded.reshape(down, ACROSS, 3, side, side).transpose(0, 3, 1, 4, 2).reshape(down * side, -1, 3)
    kind = "webp" if features.check("webp") else "png"
    file = io.BytesIO()
    if sheet.size:
        Image.fromarray(np.ascontiguousarray(sheet)).save(file, format=kind, quality=QUALITY, method=4)
    return base64.b64encode(file.getvalue()).decode(), kind
