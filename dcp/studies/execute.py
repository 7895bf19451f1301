"""Running a study, from the first look to the tables at the end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcp.comparison.compare import Comparison, compare
from dcp.report import render
from dcp.runs.disk import atomic_write, make_folder
from dcp.runs.json_files import Json, to_json
from dcp.runs.lookup import STUDY
from dcp.runs.made_by_dcp import check_made_by_dcp, marked
from dcp.studies import page, previous, published
from dcp.studies.grid import cells, states, waiting
from dcp.studies.preflight import check
from dcp.studies.published import Reproduction
from dcp.studies.share import Share
from dcp.studies.study import Study
from dcp.studies.worker import Outcome, Train, work
from dcp.training.pretrain import pretrain
from dcp.training.request import Request, silent

SCHEMA = 1  # of study.json


@dataclass(frozen=True)
class Result:
    """What a study came to."""

    study: Study  # that was run
    outcome: Outcome  # which runs of this call are done, failed or busy; of all, where a share is the last
    own: Outcome  # the same of this share; without one `outcome`
    waiting: list[str]  # runs that other shares have not finished, so that nothing was compared
    arms: list[Json]  # those of earlier calls too, each its name and that of its runs
    comparison: Comparison | None  # of all finished runs of these arms, of earlier calls too; None below two
    reproductions: list[Reproduction]  # published numbers and ours

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as study.json holds them."""
        return {
            "schema": SCHEMA,
            "study": self.study.name,
            "arms": self.arms,
            "seeds": list(self.study.seeds),
            "sets": list(self.study.sets),
            "done": self.outcome.done,
            "skipped": self.outcome.skipped,
            "failed": self.outcome.failed,
            "busy": self.outcome.busy,
            "published": [each.to_dict() for each in self.reproductions],
        }


def run(study: Study, request: Request, train: Train | None = None, share: Share | None = None) -> Result:
    """Check all, train what is not done, compare, and write `<runs>/<study>/`.

    Of a share only its own runs are checked and trained, and it compares if it finds all others finished.

    Args:
        study: that was read.
        request: where the runs lie, on what they are trained, and who is told what is skipped, fails or is busy.
        train: trains and measures one run, from where it stopped; without it in this process, in silence.
        share: of the runs; None for all.

    Raises:
        Problems: something that a run needs is not there, or a run folder has other settings; nothing was trained.
        Interrupted: asked to stop. The same call goes on.
    """
    runs = request.runs
    check_made_by_dcp(runs / study.name, (STUDY, "comparison.md", "comparison.json", "comparison.html"))
    some = share.of(cells(study)) if share else cells(study)
    check(study, states(study, runs, some), request)
    quiet = Request(runs, resume=True, device=request.device)
    train = train or (lambda cell: pretrain(cell.recipe, quiet))
    outcome = own = work(some, runs, train=train, say=request.say)
    if share is not None:
        if left := [str(cell.path(runs)) for cell in waiting(study, runs)]:
            return Result(study, own, own, left, [], None, [])
        outcome = work(cells(study), runs, train=train, say=silent)  # nothing is trained: these are what was found

    arms = previous.arms(study, runs)
    done, absent = previous.done_and_absent([arm["run"] for arm in arms], study.seeds, runs, request.say)
    comparison = compare(done, absent) if len(done) > 1 else None
    reproductions = published.reproductions(study, previous.with_settings_of(study, done))
    result = Result(study, outcome, own, [], arms, comparison, reproductions)
    _write(result, runs / study.name)
    return result


def _write(result: Result, folder: Path) -> None:
    """study.json, and the comparison as JSON and Markdown."""
    make_folder(folder)
    atomic_write(folder / STUDY, to_json(result.to_dict()))
    if result.comparison is None:
        return
    text = render.markdown(result.comparison)
    if result.reproductions:
        text += "\n" + render.page_markdown(page.published(result.study, result.reproductions))
    atomic_write(folder / "comparison.md", marked(text))
    atomic_write(folder / "comparison.json", to_json(render.plain(result.comparison)))
