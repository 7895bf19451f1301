"""A page before it is drawn: headings, grids of words, and sentences; and how numbers are worded.

The rest of dcp stores fractions and SI units; percent, minutes and thousands begin here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dcp.comparison.intervals import Interval
from dcp.errors import printable
from dcp.runs.records import is_share

NOTHING = "-"
SMALL_P = 1e-6  # what is smaller is told as that
# Of these evaluations the terminal shows only some scores, those that docs/evaluation.md explains; JSON and Markdown
# have all.
MAIN = {"spectrum": ("rankme", "lidar", "participation_ratio", "F_effective_rank", "alignment")}


@dataclass(frozen=True)
class Grid:
    """Rows of words under one header, in groups that each have a heading ("" for none).

    The first column names the row; the others are set flush right if `numbers`.
    """

    title: str
    columns: tuple[str, ...]
    groups: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]
    numbers: bool = True

    def clean(self) -> "Grid":
        """The same with every cell on one line, escaped where a terminal would obey it."""
        groups = tuple(
            (one_line(heading), tuple(tuple(map(one_line, row)) for row in rows)) for heading, rows in self.groups
        )
        return replace(self, columns=tuple(map(one_line, self.columns)), groups=groups)


@dataclass(frozen=True)
class Lines:
    """Sentences under a heading."""

    title: str
    lines: tuple[str, ...]

    def clean(self) -> "Lines":
        """The same with each sentence on one line, escaped where a terminal would obey it."""
        return replace(self, lines=tuple(map(one_line, self.lines)))


@dataclass(frozen=True)
class Page:
    """Blocks under a title, in order; a block without content is left out."""

    title: str
    blocks: tuple[Grid | Lines, ...]

    def content(self) -> list[Grid | Lines]:
        """The blocks that have something in them; what the files of runs say is escaped."""
        return [block.clean() for block in self.blocks if (block.groups if isinstance(block, Grid) else block.lines)]


def one_line(text: str) -> str:
    r"""The text on one line, escaped where a terminal would obey it or cannot show it.

    >>> print(one_line("a\nb\x1b[31m ρ"))
    a b\x1b[31m ρ
    """
    return printable(" ".join(text.splitlines()))


def is_main(evaluation: str, score: str) -> bool:
    """Whether a score is for the terminal too.

    >>> is_main("linear", "top1"), is_main("spectrum", "rankme"), is_main("spectrum", "nesum")
    (True, True, False)
    """
    return score in MAIN.get(evaluation.partition("@")[0], (score,))


def figure(score: str, value: float | None) -> str:
    """A score in words.

    >>> figure("top1", 0.6312), figure("rankme", 45.678), figure("top1", None)
    ('63.12', '45.68', '-')
    """
    if value is None:
        return NOTHING
    return f"{100 * value:.2f}" if is_share(score) else significant(value)


def span(score: str, interval: Interval | None) -> str:
    """An interval in words.

    >>> span("top1", (0.62, 0.64))
    '62.00 to 64.00'
    """
    return NOTHING if interval is None else f"{figure(score, interval[0])} to {figure(score, interval[1])}"


def signed(score: str, value: float) -> str:
    """A difference in words.

    >>> signed("top1", 0.012), signed("rankme", -3.0)
    ('+1.20', '-3.000')
    """
    text = figure(score, value)
    return text if text.startswith("-") else f"+{text}"


def significant(value: float) -> str:
    """Four significant digits.

    >>> significant(45.678), significant(0.00012345), significant(12345.6), significant(0.0)
    ('45.68', '0.0001234', '12,346', '0')
    """
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}".rstrip(".")


def count(number: float | None, what: str = "") -> str:
    """A count of something, by thousands; "-" if unknown.

    >>> count(10000, "test image"), count(1, "seed"), count(None)
    ('10,000 test images', '1 seed', '-')
    """
    if number is None:
        return NOTHING
    return f"{number:,.0f} {what}{'' if number == 1 else 's'}" if what else f"{number:,.0f}"


def duration(seconds: float | None) -> str:
    """A time in the two units that matter.

    >>> duration(42.4), duration(100), duration(7325), duration(None)
    ('42.4 s', '1 min 40 s', '2 h 02 min', '-')
    """
    if seconds is None:
        return NOTHING
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def memory(size: float | None) -> str:
    """Bytes, in binary units.

    >>> memory(3 * 2**30), memory(5 * 2**20)
    ('3.0 GiB', '5 MiB')
    """
    if size is None:
        return NOTHING
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def operations(number: float | None) -> str:
    """Floating-point operations, by thousands.

    >>> operations(2.5e15), operations(999.0), operations(None)
    ('2.50 PFLOP', '999 FLOP', '-')
    """
    if number is None:
        return NOTHING
    power = min(6, int(math.log10(max(number, 1)) // 3))
    return f"{number / 1000**power:.2f} {' kMGTPE'[power]}FLOP" if power else f"{number:.0f} FLOP"


def probability(p: float | None) -> str:
    """A p-value in words; how far one is below a millionth, no model of the data says.

    >>> probability(0.03456), probability(0.5), probability(0.00123), probability(2e-5), probability(1.4e-9)
    ('0.035', '0.50', '0.0012', '2e-05', '< 1e-6')
    """
    if p is None:
        return NOTHING
    if p < SMALL_P:
        return "< 1e-6"
    digits = next((digits for least, digits in ((0.1, 2), (0.01, 3), (0.0001, 4)) if p >= least), 0)
    return f"{p:.{digits}f}" if digits else f"{p:.0e}"


def listed(words: Sequence[str]) -> str:
    """Words with commas and an "and".

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
