"""Whole reports: the words of the page, and pictures of what the runs wrote.

What a run has not is left out and named at the end with the way to it.
"""

from collections.abc import Sequence

from dcp.comparison.compare import Comparison
from dcp.report.comparison_page import comparison_page
from dcp.report.html import disagreements, eigenvalues, estimates, examples, flat_maps, run_files, training_curves
from dcp.report.html.confusion import confusion
from dcp.report.html.document import Section, document, grid, sections
from dcp.report.html.run_files import ArmFiles
from dcp.report.html.sprites import Sprites
from dcp.report.page import Grid, Page
from dcp.report.summary_page import summary_page
from dcp.runs.run import Run


def comparison_html(comparison: Comparison) -> str:
    """A comparison as one file.

    Raises:
        RequestError: "broken-run", a file of a run cannot be read.
    """
    page, arms = comparison_page(comparison), run_files.of_comparison(comparison)
    pictures = [estimates.scores_of(comparison, arms), estimates.differences(comparison, arms)]
    return _report(page, pictures, arms)


def run_html(run: Run) -> str:
    """One run as one file.

    Raises:
        RequestError: "broken-run", a file of the run cannot be read.
    """
    alone = run_files.of_run(run)
    return _report(summary_page(run), [estimates.scores_of_run(alone[0].runs[0])], alone)


def _report(page: Page, scores: list[Section], arms: Sequence[ArmFiles]) -> str:
    """The words of the page with the pictures of the scores behind their table; then everything else."""
    words = sections(page)
    after = next((i for i, section in enumerate(words, start=1) if section.title == "Scores"), len(words))
    curves = [training_curves.training(arms), training_curves.over_time(arms)]
    spectra = [eigenvalues.over_training(arms), eigenvalues.at_the_end(arms)]
    sprites = Sprites()
    pictures = [
        disagreements.disagreements(arms, sprites),
        confusion(arms),
        flat_maps.flat_maps(arms, sprites),
        examples.neighbours(arms, sprites),
        examples.views(arms, sprites),
    ]
    store = Section("", sprites.html())  # the small images, once, before the first that shows one
    rows = tuple(
        (files.folder, arm.letter, str(files.run.seed), str(files.run.path)) for arm in arms for files in arm.runs
    )
    folders = Grid("Run folders", ("run", "arm", "seed", "folder"), (("", rows),), numbers=False)
    shown = [*words[:after], *scores, *words[after:], *curves, *spectra, store, *pictures]
    return document(page.title, [*shown, Section(folders.title, grid(folders))])
