"""What the differences of a comparison come to, in sentences."""

from collections.abc import Mapping

from dcp.comparison.compare import Comparison
from dcp.comparison.effect_size import MORE_IMAGES
from dcp.report.page import listed


def findings(comparison: Comparison, letters: Mapping[str, str]) -> list[str]:
    """For each further arm: its verdict in the primary score, what has none and why.

    The `letters` are those of arms by name; the first has A.
    """
    lines = []
    for arm, all_differences in comparison.differences().items():
        against = f"{letters[arm]} against A"
        differences = [(row, difference) for row, difference in all_differences if not difference.nothing]

        for row, d in differences:
            if row.role != "primary":
                continue
            if d.interval is not None and d.firm:
                lines.append(f"{against}: {d.verdict} in {row.name}, the primary score.")
            if d.lost_to_correction:
                why = "the interval excludes 0, but not after the correction for the number of arms (Holm p above 0.05)"
                lines.append(f"{against} in {row.name}: {why}.")
            if d.seeds_why == MORE_IMAGES:
                lines.append(f"{against} in {row.name}: no number of seeds shows this; {MORE_IMAGES}.")

        by_reason: dict[tuple[str, str], list[str]] = {}  # one sentence a reason, not one a score
        for row, d in differences:
            decides = d.firm or d.value is None  # what other scores leave open needs no reason: they give no verdict
            if d.why and (decides or row.role == "primary"):
                state = f"{against} in" if d.firm else f"{against}: undecided in"
                head = f"{letters[arm]} and A are not compared in" if d.value is None else state
                by_reason.setdefault((head, d.why), []).append(row.name)
        lines += [f"{head} {listed(names)}: {why}." for (head, why), names in by_reason.items()]
    return lines
