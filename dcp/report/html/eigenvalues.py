"""Eigenvalues: of F and W over training, how well they agree, and of features and F at the end."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcp.report.charts.curves import Curve, draw_curves
from dcp.report.html.document import Section, figure, figures
from dcp.report.html.run_files import Source, Told, number
from dcp.report.html.training_curves import MOST_POINTS, Quantity, course, unit_of
from dcp.runs.json_files import Json

RANKS = (1, 2, 4, 8, 16, 32, 64, 128)  # which of the falling eigenvalues are followed
MOST_ARMS = 4  # whose eigenvalues are followed: each has charts of its own
SMALLEST = 1e-7  # of the largest; float32 knows nothing below
MATRICES = {"F": "the correlation matrix F", "W": "the symmetric part of the predictor W"}
AGREEMENT = (
    Quantity("alignment", "spectrum", "Alignment of F and W", "cosine, from 0 to 1"),
    Quantity("commutator", "spectrum", "Commutator of F and W", "share, from 0 to 1"),
)
FINAL = {
    "feature_covariance_eigenvalues": "Eigenvalues of the test features' covariance",
    "F_eigenvalues": "Eigenvalues of F at the end of training",
}
Values = NDArray[np.float64]


def over_training(sources: Sequence[Source]) -> Section:
    """For each arm the eigenvalues of F and of W, of its first run that has them; then how they agree."""
    drawn, missing = [], []
    for matrix, words in MATRICES.items():
        found = [text for source in sources[:MOST_ARMS] if (text := _matrix(source, matrix))]
        drawn += found
        if not found:
            missing.append(
                f'Eigenvalues of {words} over training: no run has lines of kind "spectrum" with "{matrix}".'
            )
    if len(sources) > MOST_ARMS and drawn:
        missing.append(f"Eigenvalues over training of the arms after {sources[MOST_ARMS - 1].label}: too many charts.")
    drawn += [text for one in AGREEMENT if (text := _agreement(sources, one))]
    return Section("Spectra over training", figures(drawn), tuple(missing))


def at_the_end(sources: Sequence[Source]) -> Section:
    """The whole spectra that the spectrum evaluation found, relative to the largest eigenvalue."""
    drawn, missing = [], []
    for key, title in FINAL.items():
        lines = [line for source in sources if (line := _final(source, key)) is not None]
        if lines:
            drawn.append(_falling(title, key, lines))
        else:
            missing.append(f'{title}: no run has "{key}" in probes/spectrum.json (dcp probe RUN -e spectrum).')
    return Section("Spectra at the end", figures(drawn), tuple(missing))


def _matrix(source: Source, matrix: str) -> str:
    """The figure of one matrix of an arm; "" without numbers for it."""
    told, spectra = next(((told, found) for told in source.runs if (found := _spectra(told, matrix))), (None, []))
    if told is None:
        return ""
    length = told.epoch_length
    x = np.array([(int(line["step"]) + 1) / (length or 1.0) for line, _ in spectra])
    log = matrix == "F"
    lines = _ranks(source, x, [values for _, values in spectra], log=log)
    if not lines:
        return ""
    title = f"Eigenvalues of {matrix}, {source.label}"
    unit = "epochs" if length else "steps"
    name = f"{matrix}-{source.style}"
    chart = draw_curves(lines, name=name, title=title, x=unit, y=f"eigenvalue of {matrix}", log=log)
    note = f"Of {MATRICES[matrix]}, from the top: {', '.join(line.label for line in lines)} largest, ever fainter."
    where = f'metrics.jsonl of {told.folder}, lines of kind "spectrum", key "{matrix}"'
    return figure(title, chart, note=note, source=where)


def _spectra(told: Told, matrix: str) -> list[tuple[Json, Values]]:
    return [(line, values) for line in told.lines["spectrum"] if len(values := _numbers(line.get(matrix)))]


def _ranks(source: Source, x: Values, spectra: list[Values], *, log: bool) -> list[Curve]:
    """A curve for each of `RANKS` that the matrix has; ever fainter."""
    floor = SMALLEST * max(values[0] for values in spectra) if log else -np.inf
    ranks = [rank for rank in RANKS if rank <= min(map(len, spectra))]
    lines = []
    for i, rank in enumerate(ranks):
        y = np.array([values[rank - 1] for values in spectra])
        y[y <= floor] = np.nan
        if np.isfinite(y).any():
            lines.append(Curve(_ordinal(rank), source.style, x, y, strength=1 - 0.75 * i / len(ranks)))
    return lines


def _ordinal(rank: int) -> str:
    return {1: "1st", 2: "2nd", 32: "32nd"}.get(rank, f"{rank}th")


def _agreement(sources: Sequence[Source], one: Quantity) -> str:
    unit = unit_of(sources)
    lines = [line for source in sources if (line := course(source, one, unit)) is not None]
    if not lines:
        return ""
    chart = draw_curves(lines, name=one.key, title=one.title, x=unit, y=one.axis)
    where = f'metrics.jsonl of each run, lines of kind "spectrum", key "{one.key}"'
    return figure(one.title, chart, source=where, key=[(line.style, line.label) for line in lines])


def _final(source: Source, key: str) -> Curve | None:
    """An arm's relative eigenvalues by rank: geometric middle of its seeds, and a band where there are several."""
    found = [values for told in source.runs if len(values := _numbers(told.extra("spectrum").get(key)))]
    found = [values / values[0] for values in found if values[0] > 0]
    if not found:
        return None
    dim = min(map(len, found))
    ranks = np.unique(np.linspace(0, dim - 1, min(dim, MOST_POINTS)).round().astype(int))
    seeds = np.stack([values[ranks] for values in found])
    seeds[seeds <= SMALLEST] = np.nan
    known = np.isfinite(seeds).all(0)
    seeds, x = seeds[:, known], ranks[known] + 1.0
    band = (None, None) if len(found) == 1 else (seeds.min(0), seeds.max(0))
    return Curve(source.label, source.style, x, np.exp(np.log(seeds).mean(0)), *band)


def _falling(title: str, key: str, lines: list[Curve]) -> str:
    name = key.partition("_")[0]
    chart = draw_curves(lines, name=name, title=title, x="rank", y="share of the largest", log=True, whole=True)
    note = "A line that falls early means few directions."
    where = f'probes/spectrum.json of each run, extra, "{key}"'
    return figure(title, chart, note=note, source=where, key=[(line.style, line.label) for line in lines])


def _numbers(values: object) -> Values:
    """The numbers of a list; empty where it is none, or holds something else."""
    found = [number(value) for value in values] if isinstance(values, list) else []
    return np.array([] if None in found else found, dtype=np.float64)
