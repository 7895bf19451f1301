"""Colours of series: concrete ones for files, the same as CSS for pages, which know light from dark.

The first eight are chosen by hand; further ones lie apart in hue, no two of the first 256 are the same, and none is
told by colour alone: lines also differ in their dashes, and values have letters.
"""

import colorsys
from functools import cache

LIGHT = ("#0067a5", "#c04a00", "#007d5c", "#9c4a86", "#8a6200", "#5f6670", "#5a41b8", "#b01547")
DARK = ("#5cb3f0", "#ff9a5a", "#45d6ab", "#ea9fd1", "#eec44f", "#b9bfc9", "#b7a3ff", "#ff8ba4")
INK, SOFT, LINE, PAPER = "#1c1e21", "#585d66", "#dcdfe4", "#fefefe"  # unlike any that matplotlib writes by itself
INKED = -1  # the style of a dotted line in ink, over the coloured ones
ORDERED = 1000  # styles from here on have an order: their hues go from violet over green to red
STEPS = 8  # of that order
GOLDEN = 137.508  # degrees: multiples of it come near to one another only late
SATURATION, TONE, TONE_DARK = 75, 32, 72  # percent, of colours that are not chosen by hand
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2), (2, 1.5), (7, 2, 1.5, 2))


def colour(style: int) -> str:
    """The colour of series `style` on white, as a file has it."""
    if style == INKED:
        return INK
    if style < len(LIGHT):
        return LIGHT[style]
    parts = colorsys.hls_to_rgb(_hue(style) / 360, TONE / 100, SATURATION / 100)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def css(style: int) -> str:
    """The same for a page, light or dark."""
    if style == INKED:
        return "currentColor"
    return f"var(--s{style})" if style < len(LIGHT) else f"hsl({_hue(style)} {SATURATION}% var(--tone))"


@cache
def in_css() -> dict[str, str]:
    """CSS by concrete colour, of every colour that a chart can have."""
    styles = (INKED, *range(len(LIGHT), 256), *range(ORDERED, ORDERED + STEPS), *range(len(LIGHT)))
    words = {colour(style): css(style) for style in styles}
    return words | {SOFT: "var(--soft)", LINE: "var(--line)", PAPER: "var(--paper)"}


def dash_of(style: int) -> tuple[float, ...]:
    """Lengths of line and gap of series `style`; () is a solid line."""
    return DASHES[2] if style == INKED else DASHES[(style + style // len(LIGHT)) % len(DASHES)]


def swatch(style: int) -> str:
    """A short line in colour and dashes of series `style`, for the key below a chart."""
    dashes = f' stroke-dasharray="{" ".join(map(str, dash_of(style)))}"' if dash_of(style) else ""
    line = f'<line x1="0" x2="26" y1="5" y2="5" style="stroke: {css(style)}" stroke-width="2.5"{dashes}/>'
    return f'<svg class="swatch" viewBox="0 0 26 10" aria-hidden="true">{line}</svg>'


def variables(colours: tuple[str, ...], tone: int) -> str:
    """The CSS variables of the series."""
    return " ".join(f"--s{i}: {each};" for i, each in enumerate(colours)) + f" --tone: {tone}%;"


def _hue(style: int) -> float:
    if style >= ORDERED:
        return 280 - 36 * ((style - ORDERED) % STEPS)
    return round(GOLDEN * style % 360, 2)
