"""Eigenvalues: of F and W over training, how well they agree, and of features and F at the end."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcp.report.charts.colours import ORDERED
from dcp.report.charts.curves import Curve, draw_curves
from dcp.report.html.document import Drawing, Section, chart_figure, figures
from dcp.report.html.run_files import ArmFiles, number
from dcp.report.html.training_curves import MOST_POINTS, Quantity, charted, quantity_drawing, unit_of

RANKS = (1, 2, 4, 8, 16, 32, 64, 128)  # which of the falling eigenvalues are followed
MOST_ARMS = 4  # whose eigenvalues are followed: each has charts of its own
SMALLEST = 1e-7  # of the largest; float32 knows nothing below
MATRICES = {"F": "the correlation matrix F", "W": "the symmetric part of the predictor W"}
AGREEMENT = (
    Quantity("alignment", "spectrum", "Alignment of F and W", "cosine, from 0 to 1", limits=(0.0, 1.0)),
    Quantity("commutator", "spectrum", "Commutator of F and W", "share, from 0 to 1", limits=(0.0, 1.0)),
)
FINAL = {
    "feature_covariance_eigenvalues": "Eigenvalues of the test features' covariance",
    "F_eigenvalues": "Eigenvalues of F at the end of training",
}
Values = NDArray[np.float64]


def spectra(arms: Sequence[ArmFiles]) -> tuple[Section, Section]:
    """At the end, and over training."""
    return at_the_end(arms), over_training(arms)


def over_training(arms: Sequence[ArmFiles]) -> Section:
    """How F and W agree; and for each arm their eigenvalues, of its first run that has them."""
    unit = unit_of(arms)
    agreement, missing = [], []
    for quantity in AGREEMENT:
        agreement += [each for each in [quantity_drawing(arms, quantity, unit)] if each]
    drawings: list[Drawing] = []
    for matrix, words in MATRICES.items():
        of_matrix = [drawing for arm in arms[:MOST_ARMS] if (drawing := _followed(arm, matrix))]
        drawings += of_matrix
        why = f'no run has lines of kind "spectrum" with "{matrix}"'
        missing += [] if of_matrix else [f"Eigenvalues of {words} over training: {why}."]
    if len(arms) > MOST_ARMS and drawings:
        missing.append(f"Eigenvalues over training of the arms after {arms[MOST_ARMS - 1].label}: too many charts.")
    return charted("Over training", [*agreement, *drawings], missing)


def at_the_end(arms: Sequence[ArmFiles]) -> Section:
    """The whole spectra that the spectrum evaluation found, relative to the largest eigenvalue."""
    drawings, missing = [], []
    for key, title in FINAL.items():
        lines = [line for arm in arms if (line := _final(arm, key)) is not None]
        if not lines:
            missing.append(f'{title}: no run has "{key}" in probes/spectrum.json (dcp probe RUN -e spectrum).')
            continue
        name, y = key.partition("_")[0], "share of the largest"
        chart = draw_curves(lines, name=f"{name}-end", title=title, x="rank", y=y, log=True, whole=True)
        note = "A line that falls early means few directions."
        source = f'probes/spectrum.json of each run, extra, "{key}"'
        drawings.append(Drawing(title, chart, note, source, [(line.style, line.label) for line in lines]))
    return Section("At the end", figures([*map(chart_figure, drawings)]), tuple(missing), tuple(drawings))


def _followed(arm: ArmFiles, matrix: str) -> Drawing | None:
    """The chart of one matrix of an arm, a curve for each of `RANKS` that it has; None without numbers for it."""
    for files in arm.runs:
        spectra = [(line, values) for line in files.lines["spectrum"] if len(values := _numbers(line.get(matrix)))]
        if spectra:
            break
    else:
        return None
    length, log = files.epoch_length, matrix == "F"
    x = np.array([(int(line["step"]) + 1) / (length or 1.0) for line, _ in spectra])
    floor = SMALLEST * max(values[0] for _, values in spectra) if log else -np.inf
    ranks = [rank for rank in RANKS if rank <= min(len(values) for _, values in spectra)]
    curves = []
    for i, rank in enumerate(ranks):
        y = np.array([values[rank - 1] for _, values in spectra])
        y[y <= floor] = np.nan
        if np.isfinite(y).any():
            ordinal = {1: "1st", 2: "2nd", 32: "32nd"}.get(rank, f"{rank}th")
            curves.append(Curve(ordinal, ORDERED + i, x, y))
    if not curves:
        return None
    title, name = f"Eigenvalues of {matrix}, {arm.label}", f"{matrix}-{arm.letter}".rstrip("-")
    unit = "epochs" if length else "steps"
    chart = draw_curves(curves, name=name, title=title, x=unit, y=f"eigenvalue of {matrix}", log=log)
    note = f"Of {MATRICES[matrix]}: the largest, and others by their rank."
    source = f'metrics.jsonl of {files.folder}, lines of kind "spectrum", key "{matrix}"'
    return Drawing(title, chart, note, source, [(curve.style, curve.label) for curve in curves])


def _final(arm: ArmFiles, key: str) -> Curve | None:
    """An arm's relative eigenvalues by rank: geometric middle of its seeds, and a band where there are several."""
    spectra = [values for files in arm.runs if len(values := _numbers(files.extra("spectrum").get(key)))]
    spectra = [values / values[0] for values in spectra if values[0] > 0]
    if not spectra:
        return None
    dim = min(map(len, spectra))
    ranks = np.unique(np.linspace(0, dim - 1, min(dim, MOST_POINTS)).round().astype(int))
    seeds = np.stack([values[ranks] for values in spectra])
    seeds[seeds <= SMALLEST] = np.nan
    positive = np.isfinite(seeds).all(0)
    seeds, x = seeds[:, positive], ranks[positive] + 1.0
    band = (None, None) if len(spectra) == 1 else (seeds.min(0), seeds.max(0))
    return Curve(arm.label, arm.style, x, np.exp(np.log(seeds).mean(0)), *band)


def _numbers(values: object) -> Values:
    """The numbers of a list; empty where it is none, or holds something else."""
    numbers = [number(value) for value in values] if isinstance(values, list) else []
    return np.array([] if None in numbers else numbers, dtype=np.float64)
