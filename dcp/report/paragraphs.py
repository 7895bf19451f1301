"""Text in lines of so many columns, broken between words."""

from textwrap import wrap

INDENT = "  "
HARD = "\0"  # a space where no line ends


def paragraph(text: str, width: int, *, hang: str = INDENT, whole: bool = True) -> list[str]:
    """The text in lines of so many columns, at least one, indented as it is, and those after the first also by `hang`.

    A word that is longer stays whole, or is broken if not `whole`; "word" is what stands between spaces.

    >>> paragraph("runs/a-s0: 256 images, 2 epochs", 20)
    ['runs/a-s0: 256', '  images, 2 epochs']
    """
    own = " " * (len(text) - len(text.lstrip(" ")))
    room = max(width, len(own) + len(hang) + 1)
    lines = wrap(text, room, subsequent_indent=own + hang, break_long_words=not whole, break_on_hyphens=False)
    return [line.replace(HARD, " ") for line in lines] or [own]


def row(words: tuple[str, ...], gap: str, width: int) -> list[str]:
    """As few lines as hold the words, with a gap between them; none is broken, spaces in them or not.

    >>> row(("epoch 1/2", "loss -1.9"), "  ", 12)
    ['epoch 1/2', 'loss -1.9']
    """
    return paragraph(gap.join(word.replace(" ", HARD) for word in words), width, hang="")
