"""The blocks of a comparison that tests and equal time fill."""

from collections.abc import Mapping

from dcp.comparison.compare import Comparison, ScoreRow
from dcp.comparison.difference import TESTS, Difference
from dcp.comparison.equal_time import ArmAtTime, EqualTime
from dcp.report.page import NOTHING, Grid, duration, figure, probability

Row = tuple[str, ...]
Letters = Mapping[str, str]


def tests(comparison: Comparison, letters: Letters) -> Grid:
    """p-values, effects and seeds needed of every difference, by arm and by what was tested.

    Args:
        comparison: what was compared.
        letters: by name of arm; the first has the letter A.
    """
    groups: dict[str, list[Row]] = {}
    for arm in comparison.arms[1:]:
        for row in comparison.scores:
            for one in row.differences:
                if one.arm == arm.name and one.p is not None:
                    heading = f"{letters[arm.name]} against A, {one.method}: {TESTS[one.method]}"
                    groups.setdefault(heading, []).append(_row(row, one))
    columns = ("", "p", "Holm p", "effect", "seeds needed")
    return Grid("Tests", columns, tuple((heading, tuple(rows)) for heading, rows in groups.items()))


def _row(row: ScoreRow, one: Difference) -> Row:
    effect = NOTHING if one.effect is None else f"{one.effect:+.2f}"
    needed = NOTHING if one.seeds_needed is None else f"{one.seeds_needed:,}"
    return f"{row.evaluation} {row.score}", probability(one.p), probability(one.p_holm), effect, needed


def equal_time(comparison: Comparison, letters: Letters) -> Grid:
    """The readouts of all arms after the same time of training, in percent.

    Args:
        comparison: what was compared.
        letters: by name of arm.
    """
    groups = tuple((_heading(one), tuple(_arm(arm, letters) for arm in one.arms)) for one in comparison.equal_time)
    return Grid("Accuracy at equal time", ("", "mean", "deviation", "seeds"), groups)


def _heading(one: EqualTime) -> str:
    return f"{one.readout} in %, after {duration(one.wall_s)} of training"


def _arm(arm: ArmAtTime, letters: Letters) -> Row:
    return letters[arm.arm], figure("top1", arm.mean), figure("top1", arm.deviation), str(len(arm.seeds))
