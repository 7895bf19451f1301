"""The blocks of a comparison that tests and equal time fill."""

from collections.abc import Mapping

from dcp.comparison.compare import Comparison
from dcp.comparison.difference import TESTS
from dcp.report.page import NOTHING, Grid, duration, figure, probability

Letters = Mapping[str, str]


def tests(comparison: Comparison, letters: Letters) -> Grid:
    """p-values, effects and seeds needed of every difference, by arm and by what was tested.

    Args:
        comparison: what was compared.
        letters: by name of arm; the first has the letter A.
    """
    groups: dict[str, list[tuple[str, ...]]] = {}
    for arm in comparison.arms[1:]:
        for row in comparison.scores:
            for difference in row.differences:
                if difference.arm != arm.name or difference.p is None:
                    continue
                heading = f"{letters[arm.name]} against A, {difference.method}: {TESTS[difference.method]}"
                effect, needed = difference.effect, difference.seeds_needed
                cells = (
                    f"{row.evaluation} {row.score}",
                    probability(difference.p),
                    probability(difference.p_holm),
                    NOTHING if effect is None else f"{effect:+.2f}",
                    NOTHING if needed is None else f"{needed:,}",
                )
                groups.setdefault(heading, []).append(cells)
    columns = ("", "p", "Holm p", "effect", "seeds needed")
    return Grid("Tests", columns, tuple((heading, tuple(rows)) for heading, rows in groups.items()))


def equal_time(comparison: Comparison, letters: Letters) -> Grid:
    """The readouts of all arms after the same time of training, in percent.

    Args:
        comparison: what was compared.
        letters: by name of arm.
    """
    groups = []
    for readout in comparison.equal_time:
        rows = tuple(
            (letters[arm.arm], figure("top1", arm.mean), figure("top1", arm.deviation), str(len(arm.seeds)))
            for arm in readout.arms
        )
        groups.append((f"{readout.readout} in %, after {duration(readout.wall_s)} of training", rows))
    return Grid("Accuracy at equal time", ("", "mean", "deviation", "seeds"), tuple(groups))
