"""What all calls of a study have left: its arms and their finished runs, whichever part of them this call trained."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from dcp.comparison.arms import Member
from dcp.comparison.missing_runs import Absent, unfinished
from dcp.errors import RequestError
from dcp.runs import encoder, lease
from dcp.runs.json_files import Json
from dcp.runs.lookup import arms_of, lacking, named, seed_of, without_seed
from dcp.runs.run import Run
from dcp.studies.study import Study
from dcp.training import resume
from dcp.training.request import Say


def arms(study: Study, runs: Path) -> list[Json]:
    """The study's arms and those of earlier calls, as study.json lists them: each its name, and that of its runs.

    The order is that of the call with more arms, so that a call of a part does not change which arm is the first. An
    earlier arm of which no run folder is left is forgotten.
    """
    now = [{"name": arm.name, "run": arm.recipe.run.name} for arm in study.arms]
    try:
        listed = arms_of(runs / study.name)
    except RequestError:  # none yet, or a damaged list, which is written anew
        listed = []
    before = [arm for arm in listed if arm in now or named([arm.get("run")], runs)]
    more, fewer = (now, before) if len(now) >= len(before) else (before, now)
    return more + [arm for arm in fewer if arm not in more]


def done_and_absent(names: Sequence[str], seeds: Iterable[int], runs: Path, say: Say) -> tuple[list[Run], list[Absent]]:
    """The runs of these names that were trained to their end, with every seed there is, and those that were not.

    Args:
        names: of runs, without their seed.
        seeds: that all of them should have, besides those that any of them has.
        runs: the folder of run folders.
        say: is told which run cannot be read, and so has no part in the results.
    """
    done: list[Run] = []
    absent = [Absent(name, seed, "no folder") for name, seed in lacking(names, seeds, runs)]
    for path in named(names, runs):
        try:
            run = Member.of(Run.open(path)).run
        except RequestError as error:
            say(f"{path} has no part in the results\n{error}")
            absent.append(Absent(without_seed(path.name), seed_of(path.name), "unreadable"))
            continue
        name = without_seed(path.name)
        if lost := unfinished(name, run):
            absent.append(lost)
        elif lease.holder(path):
            absent.append(Absent(name, run.seed, "busy"))
        elif not (run.path / encoder.FILE).is_file():
            absent.append(Absent(name, run.seed, "no encoder"))
        else:
            done.append(run)
    return done, sorted(absent, key=lambda run: (names.index(run.arm), run.seed))


def with_settings_of(study: Study, runs: Iterable[Run]) -> list[Run]:
    """Those that were trained as the study's arms are now, so that published numbers may stand beside them."""
    recipes = {arm.recipe.run.name: arm.recipe for arm in study.arms}
    return [run for run in runs if run.name in recipes and resume.agrees(run, recipes[run.name].with_seed(run.seed))]
