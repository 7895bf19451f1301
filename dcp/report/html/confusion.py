"""Which classes are taken for which: a table whose cells are the darker, the more of a class they hold."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcp.report.html.blocks import grid
from dcp.report.html.document import Section, figure, figures
from dcp.report.html.run_files import Source, Told
from dcp.report.page import Grid, count

PREFERRED = ("linear", "knn")
MOST_CLASSES = 20  # as a matrix; of more the most frequent mistakes are listed
MISTAKES = 20
Counts = NDArray[np.int64]


def confusion(sources: Sequence[Source]) -> Section:
    """For each arm the matrix of its first run that has predictions."""
    parts = [text for source in sources if (text := _of_arm(source))]
    missing = () if parts else ("Confusion matrix: no probe has a prediction for each test image.",)
    return Section("Confusion", figures(parts), missing)


def answered(told: Told) -> tuple[str, NDArray[np.int64], NDArray[np.int64]] | None:
    """Evaluation, predictions and labels [n] of the classifier that a run is shown by; None without one."""
    others = sorted(set(told.probes) - set(PREFERRED))
    for evaluation in (*PREFERRED, *others):
        arrays = told.arrays(evaluation)
        if {"prediction", "label"} <= arrays.keys() and len(arrays["label"]):
            return evaluation, arrays["prediction"], arrays["label"]
    return None


def class_name(told: Told, number: int) -> str:
    """The name of a class where the run knows it, else its number."""
    return told.classes[number] if 0 <= number < len(told.classes) else f"class {number}"


def counted(prediction: NDArray[Any], label: NDArray[Any]) -> tuple[list[int], Counts]:
    """The K classes that occur, ascending, and how many images of each (row) were taken for each (column)."""
    known = label >= 0
    classes, codes = np.unique(np.concatenate([label[known], prediction[known]]), return_inverse=True)
    true, given = np.split(codes, 2)
    size = len(classes)
    return classes.tolist(), np.bincount(true * size + given, minlength=size * size).reshape(size, size)


def _of_arm(source: Source) -> str:
    found = next(((told, known) for told in source.runs if (known := answered(told)) is not None), None)
    if found is None:
        return ""
    told, (evaluation, prediction, label) = found
    if len(np.union1d(prediction, label)) > MOST_CLASSES:
        return _mistakes(source, told, evaluation, prediction, label)
    classes, counts = counted(prediction, label)
    names = [class_name(told, number) for number in classes]
    note = "Rows: the true class. Columns: what the classifier said. Right answers are framed."
    return _framed(source, told, evaluation, note, _matrix(names, counts))


def _framed(source: Source, told: Told, evaluation: str, note: str, body: str) -> str:
    where = f"probes/{evaluation}.safetensors of {told.folder}, prediction and label"
    return figure(f"{source.label}: answers of the {evaluation} evaluation", body, note=note, source=where)


def _matrix(names: list[str], counts: Counts) -> str:
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in names)
    rows = "".join(_line(name, counts[i], i) for i, name in enumerate(names))
    caption = '<caption class="unseen">Test images by true class (rows) and predicted class (columns)</caption>'
    table = f'<table class="confusion">{caption}<thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="scroll" role="region" aria-label="Confusion matrix" tabindex="0">{table}</div>'


def _line(name: str, row: Counts, i: int) -> str:
    cells = "".join(_cell(row, j, right=i == j) for j in range(len(row)))
    return f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'


def _cell(row: Counts, j: int, *, right: bool) -> str:
    share = round(70 * int(row[j]) / max(1, int(row.sum())))  # the darkest still lets ink be read
    kind = ' class="right"' if right else ""
    return f'<td{kind} style="--share:{share}">{int(row[j])}</td>'


def _mistakes(source: Source, told: Told, evaluation: str, prediction: Counts, label: Counts) -> str:
    wrong = (prediction != label) & (label >= 0)
    pairs, counts = np.unique(np.stack([label[wrong], prediction[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MISTAKES]
    rows = tuple(_mistake(told, pairs[:, i], int(counts[i]), label) for i in order.tolist())
    note = f"The {count(len(rows))} most frequent mistakes; there are too many classes for a matrix."
    columns = ("true class", "taken for", "images", "of")
    body = grid(Grid("The most frequent mistakes", columns, (("", rows),))) if rows else "<p>None.</p>"
    return _framed(source, told, evaluation, note, body)


def _mistake(told: Told, pair: Counts, many: int, label: Counts) -> tuple[str, ...]:
    true, given = pair.tolist()
    return class_name(told, true), class_name(told, given), count(many), count(int((label == true).sum()))
