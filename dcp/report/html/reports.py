"""Whole reports: the answer first, pictures of what the encoders do, and the rest folded.

What a run has not is left out and named at the end with the way to it.
"""

from collections.abc import Sequence

from dcp.comparison.compare import Comparison
from dcp.report.comparison_page import comparison_page
from dcp.report.html import disagreements, eigenvalues, estimates, examples, flat_maps, run_files, training_curves
from dcp.report.html.confusion import confusion
from dcp.report.html.document import Drawing, Fold, Section, document, grid, sections, stacked
from dcp.report.html.opening import opening, opening_of_run
from dcp.report.html.run_files import ArmFiles
from dcp.report.html.sprites import Sprites
from dcp.report.page import Grid, Page
from dcp.report.summary_page import summary_page
from dcp.runs.run import Run

SCORES = "Every score of every evaluation, with its interval."
TESTS = "How sure each difference is: intervals, p-values, and what they cover."
TRAINING = "Whether training had settled, collapsed or slowed down, and which arm is ahead after the same time."
SPECTRA = "How many directions the features use, and whether the predictor W follows the correlation matrix F."
MISTAKES = "Which classes are confused, and which images one arm gets right and the other wrong."
MAP = "Where the test images lie for each encoder: whether classes form groups, or everything is in one place."
RUNS = "What each arm was asked to do, what it cost, whether it collapsed, and where its files are."
# blocks of the page in words, by the fold that they stand in
OF_SCORES = ("Scores",)
OF_TESTS = ("Tests",)
OF_WORDS = ("What the intervals show", "What they cover")


def comparison_html(comparison: Comparison) -> str:
    """A comparison as one file.

    Raises:
        RequestError: "broken-run", a file of a run cannot be read.
    """
    page = comparison_page(comparison)
    return document(page.title, _comparison(page, comparison, run_files.of_comparison(comparison)))


def run_html(run: Run) -> str:
    """One run as one file.

    Raises:
        RequestError: "broken-run", a file of the run cannot be read.
    """
    page = summary_page(run)
    return document(page.title, _run(page, run_files.of_run(run)))


def charts(shown: Comparison | Run) -> list[Drawing]:
    """Every chart of the page of a comparison, or of a run, in its order.

    Raises:
        RequestError: "broken-run", a file of a run cannot be read.
    """
    if isinstance(shown, Run):
        parts = _run(summary_page(shown), run_files.of_run(shown))
    else:
        parts = _comparison(comparison_page(shown), shown, run_files.of_comparison(shown))
    every = [section for part in parts for section in (part.sections if isinstance(part, Fold) else (part,))]
    return [drawing for section in every for drawing in section.drawings]


def _run(page: Page, alone: Sequence[ArmFiles]) -> list[Section | Fold]:
    words = {section.title: section for section in sections(page)}
    scores = estimates.scores_of_run(alone[0].runs[0])
    first = opening_of_run(alone[0].runs[0], scores, [words[title] for title in ("", "Diagnosis") if title in words])
    tables = tuple(words[title] for title in ("Scores", "Speed") if title in words)
    folds = [Fold("All scores and speed", SCORES, (*tables, _folders(alone)))]
    return [first, *_body(alone, folds)]


def _comparison(page: Page, comparison: Comparison, arms: Sequence[ArmFiles]) -> list[Section | Fold]:
    words = {section.title: section for section in sections(page)}
    care = [words.pop("Take care")] if "Take care" in words else []
    of_scores = tuple(words.pop(title) for title in OF_SCORES if title in words)
    tests = tuple(words.pop(title) for title in OF_TESTS if title in words)
    meaning = stacked(tuple(words.pop(title) for title in OF_WORDS if title in words))
    folds = [
        Fold("All scores", SCORES, (*of_scores, estimates.scores_of(comparison, arms))),
        Fold("Differences and tests", TESTS, (estimates.differences(comparison, arms), *tests, meaning)),
    ]
    body = _body(arms, folds, Fold("Settings, cost and state", RUNS, (*words.values(), _folders(arms))))
    return [opening(comparison, arms), *care, *body]


def _body(arms: Sequence[ArmFiles], scores: Sequence[Fold], *after: Fold) -> list[Section | Fold]:
    """Pictures of what the encoders do, and then, folded, everything else."""
    sprites = Sprites()
    pictures = [examples.neighbours(arms, sprites), examples.views(arms, sprites)]
    folds = [
        *scores,
        Fold("Training", TRAINING, (training_curves.training(arms),)),
        Fold("Spectra", SPECTRA, eigenvalues.spectra(arms)),
        Fold("Mistakes", MISTAKES, (disagreements.disagreements(arms, sprites), confusion(arms))),
        Fold("Map of the test images", MAP, (flat_maps.flat_maps(arms, sprites),)),
        *after,
    ]
    return [Section("", sprites.html()), *pictures, *folds]  # the small images once, before the first that shows one


def _folders(arms: Sequence[ArmFiles]) -> Section:
    rows = tuple(
        (files.folder, arm.letter, str(files.run.seed), str(files.run.path)) for arm in arms for files in arm.runs
    )
    folders = Grid("Run folders", ("run", "arm", "seed", "folder"), (("", rows),), numbers=False)
    return Section(folders.title, grid(folders))
