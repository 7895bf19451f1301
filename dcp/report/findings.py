"""What the differences of a comparison come to, in sentences."""

from collections.abc import Mapping

from dcp.comparison.compare import Comparison
from dcp.comparison.effect_size import MORE_IMAGES
from dcp.report.page import listed


def findings(comparison: Comparison, letters: Mapping[str, str]) -> list[str]:
    """For each further arm: in which scores it is higher, lower or neither, and why one says nothing.

    The `letters` are those of arms by name; the first has A.
    """
    lines = []
    for arm, all_differences in comparison.differences().items():
        against = f"{letters[arm]} against A"
        differences = [(name, difference) for name, difference in all_differences if not difference.nothing]

        verdicts = []  # one sentence for all scores whose interval may decide
        for verdict in ("higher", "lower", "undecided"):
            names = [name for name, d in differences if d.interval is not None and d.firm and d.verdict == verdict]
            verdicts += [f"{verdict} in {listed(names)}"] if names else []
        lines += [f"{against}: {'; '.join(verdicts)}."] if verdicts else []

        names = [name for name, d in differences if d.lost_to_correction]
        why = "the interval leaves 0 out, but among so many scores one may by chance (Holm p above 0.05)"
        lines += [f"{against} in {listed(names)}: {why}."] if names else []

        by_reason: dict[tuple[str, str], list[str]] = {}  # one sentence a reason, not one a score
        for name, d in differences:
            if d.why:
                state = f"{against} in" if d.firm else f"{against}: undecided in"
                head = f"{letters[arm]} and A are not compared in" if d.value is None else state
                by_reason.setdefault((head, d.why), []).append(name)
        lines += [f"{head} {listed(names)}: {why}." for (head, why), names in by_reason.items()]

        names = [name for name, d in differences if d.seeds_why == MORE_IMAGES]
        lines += [f"{against} in {listed(names)}: no number of seeds shows this; {MORE_IMAGES}."] if names else []
    return lines
