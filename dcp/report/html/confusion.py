"""Which classes are taken for which: a table whose cells are the darker, the more of a class they hold."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcp.report.html.document import Section, figure, figures, grid, scrolling
from dcp.report.html.run_files import ArmFiles, RunFiles
from dcp.report.page import Grid, count

PREFERRED = ("linear", "knn")
MOST_CLASSES = 20  # as a matrix; of more the most frequent mistakes are listed
MISTAKES = 20
Counts = NDArray[np.int64]


def confusion(arms: Sequence[ArmFiles]) -> Section:
    """For each arm the matrix of its first run that has predictions; of many classes the most frequent mistakes."""
    parts = []
    for arm in arms:
        classified = next(((files, answers) for files in arm.runs if (answers := answered(files)) is not None), None)
        if classified is None:
            continue
        files, (evaluation, prediction, label) = classified
        if len(np.union1d(prediction, label)) > MOST_CLASSES:
            body, note = _mistakes(files, prediction, label)
        else:
            classes, counts = counted(prediction, label)
            body = _matrix([files.class_name(number) for number in classes], counts)
            note = "Rows: the true class. Columns: the predicted class. Correct predictions are framed."
        title = f"{arm.label}: answers of the {evaluation} evaluation"
        source = f"probes/{evaluation}.safetensors of {files.folder}, prediction and label"
        parts.append(figure(title, body, note=note, source=source))
    missing = () if parts else ("Confusion matrix: no probe has a prediction for each test image.",)
    return Section("Confusion", figures(parts), missing)


def answered(files: RunFiles) -> tuple[str, NDArray[Any], NDArray[Any]] | None:
    """Evaluation, predictions and labels [n] of the classifier that a run is shown by; None without one."""
    others = sorted(set(files.probes) - set(PREFERRED))
    for evaluation in (*PREFERRED, *others):
        arrays = files.arrays(evaluation)
        if {"prediction", "label"} <= arrays.keys() and len(arrays["label"]):
            return evaluation, arrays["prediction"], arrays["label"]
    return None


def counted(prediction: NDArray[Any], label: NDArray[Any]) -> tuple[list[int], Counts]:
    """The K classes that occur, ascending, and how many images of each (row) were taken for each (column)."""
    labelled = label >= 0
    classes, codes = np.unique(np.concatenate([label[labelled], prediction[labelled]]), return_inverse=True)
    true, given = np.split(codes, 2)
    size = len(classes)
    return classes.tolist(), np.bincount(true * size + given, minlength=size * size).reshape(size, size)


def _matrix(names: list[str], counts: Counts) -> str:
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in names)
    rows = ""
    for i, name in enumerate(names):
        cells = ""
        for j, number in enumerate(counts[i].tolist()):
            share = round(70 * number / max(1, int(counts[i].sum())))  # the darkest still lets ink be read
            kind = ' class="right"' if i == j else ""
            cells += f'<td{kind} style="--share:{share}">{number}</td>'
        rows += f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'
    caption = '<caption class="unseen">Test images by true class (rows) and predicted class (columns)</caption>'
    head = f"<thead><tr><td></td>{head}</tr></thead>"
    return scrolling("Confusion matrix", f'<table class="confusion">{caption}{head}<tbody>{rows}</tbody></table>')


def _mistakes(files: RunFiles, prediction: NDArray[Any], label: NDArray[Any]) -> tuple[str, str]:
    """The table of the most frequent mistakes, and its note."""
    wrong = (prediction != label) & (label >= 0)
    pairs, counts = np.unique(np.stack([label[wrong], prediction[wrong]]), axis=1, return_counts=True)
    rows = []
    for i in np.argsort(-counts, kind="stable")[:MISTAKES].tolist():
        true, given = pairs[:, i].tolist()
        names = files.class_name(true), files.class_name(given)
        rows.append((*names, count(int(counts[i])), count(int((label == true).sum()))))
    columns = ("true class", "taken for", "images", "of")
    body = grid(Grid("The most frequent mistakes", columns, (("", tuple(rows)),))) if rows else "<p>None.</p>"
    return body, f"The {count(len(rows))} most frequent mistakes; there are too many classes for a matrix."
