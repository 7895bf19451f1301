"""What the differences of a comparison come to, in sentences."""

from collections.abc import Mapping, Sequence

from dcp.comparison.compare import Comparison, ScoreRow
from dcp.comparison.difference import Difference
from dcp.comparison.effect_size import MORE_IMAGES
from dcp.report.page import listed

Pairs = Sequence[tuple[ScoreRow, Difference]]


def findings(comparison: Comparison, letters: Mapping[str, str]) -> list[str]:
    """For each further arm: in which scores it is higher, lower or neither, and why one says nothing.

    Args:
        comparison: what was compared.
        letters: by name of arm; the first has the letter A.
    """
    lines = []
    for arm in comparison.arms[1:]:
        differences = [(row, one) for row in comparison.scores for one in row.differences if one.arm == arm.name]
        pairs = [(row, one) for row, one in differences if not one.nothing]
        name = letters[arm.name]
        lines += [*_verdicts(pairs, name), *_corrected(pairs, name), *_reasons(pairs, name), *_too_few(pairs, name)]
    return lines


def _verdicts(pairs: Pairs, arm: str) -> list[str]:
    """One sentence for all scores whose interval may decide."""
    pairs = [(row, one) for row, one in pairs if one.interval is not None and one.firm]
    parts = []
    for verdict in ("higher", "lower", "undecided"):
        names = [_name(row) for row, one in pairs if one.verdict == verdict]
        parts += [f"{verdict} in {listed(names)}"] if names else []
    return [f"{arm} against A: {'; '.join(parts)}."] if parts else []


def _corrected(pairs: Pairs, arm: str) -> list[str]:
    """What one test alone would have called different."""
    names = [_name(row) for row, one in pairs if one.lost_to_correction]
    said = "the interval leaves 0 out, but among so many scores one may by chance (Holm p above 0.05)"
    return [f"{arm} against A in {listed(names)}: {said}."] if names else []


def _too_few(pairs: Pairs, arm: str) -> list[str]:
    """Where more seeds alone would not help."""
    names = [_name(row) for row, one in pairs if one.seeds_why == MORE_IMAGES]
    return [f"{arm} against A in {listed(names)}: no number of seeds shows this; {MORE_IMAGES}."] if names else []


def _reasons(pairs: Pairs, arm: str) -> list[str]:
    """One sentence a reason, not one a score."""
    by_reason: dict[str, list[str]] = {}
    for row, one in pairs:
        if one.why:
            by_reason.setdefault(f"{_head(one, arm)} {{}}: {one.why}.", []).append(_name(row))
    return [reason.replace("{}", listed(names)) for reason, names in by_reason.items()]


def _head(one: Difference, arm: str) -> str:
    if one.value is None:
        return f"{arm} and A are not compared in"
    return f"{arm} against A in" if one.firm else f"{arm} against A: undecided in"


def _name(row: ScoreRow) -> str:
    return f"{row.evaluation} {row.score}"
