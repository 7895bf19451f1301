"""Correction of p-values for the number of scores that were looked at."""

from collections.abc import Sequence
from dataclasses import replace

from dcp.comparison.difference import Difference


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down p-values, which hold the chance of one false finding among all down to its level.

    The j-th smallest of m is multiplied by m - j + 1, is no smaller than those before it, and at most 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p)), key=p.__getitem__)
    corrected, largest = [1.0] * len(p), 0.0
    for j, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - j) * p[index]))
        corrected[index] = largest
    return corrected


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The differences of one arm from the first, in all scores, with their corrected p-values."""
    tested = [(place, one.p) for place, one in enumerate(differences) if one.p is not None]
    found = list(differences)
    for (place, _), p in zip(tested, holm([p for _, p in tested]), strict=True):
        found[place] = replace(found[place], p_holm=p)
    return found
