"""Resuming: what a run folder already holds, and whether training may go on from there."""

from contextlib import suppress
from pathlib import Path

from dcp.comparison.arms import FREE, LATER
from dcp.errors import RequestError
from dcp.recipe.layers import flat, frozen
from dcp.recipe.recipe import Recipe
from dcp.runs import checkpoint, lease, open_run
from dcp.runs.disk import occupied
from dcp.runs.run import Run


def existing(path: Path, recipe: Recipe, *, resume: bool) -> Run | None:
    """The run to continue, or None to begin one.

    Args:
        path: the run folder.
        recipe: of the run that is to be trained.
        resume: whether the user wants to continue.

    Raises:
        RunBusy: another process writes to it.
        RequestError: going on would overwrite the run, or mix two recipes in it.
    """
    if not occupied(path):
        return None
    if path.is_symlink() and not path.exists():
        hint = "Remove the link, or bring back what it leads to."
        raise RequestError("a link that leads nowhere is in the way", slug="bad-folder", where=str(path), hint=hint)
    if not resume:
        raise open_run.exists(path)
    run = Run.open(path)
    if lines := _differences(run, recipe):
        lines.append(f"Resume with its own recipe ({path / 'recipe.toml'}), or choose another run.name.")
        raise RequestError(
            "the recipe differs from that of the run", slug="recipe-differs", where=str(path), hint="\n".join(lines)
        )
    if held := lease.holder(path):
        raise lease.busy(path, held.owner)
    return run


def check(run: Run, *, fingerprint: str, steps: int) -> None:
    """Refuse to go on with other images, or with another number of steps.

    Args:
        run: the run to continue.
        fingerprint: of the images that are there now.
        steps: of the whole training, as it would be now.

    Raises:
        RequestError: "data-differ" or "steps-differ".
    """
    data, planned = run.record.data, run.record.steps
    hint = f"Put things back as they were, or train anew: run.name=NEW_NAME. The run is as it was: {run.path}"
    if data.fingerprint not in (None, fingerprint):
        images = "?" if data.n is None else data.n
        what = f"the images are not those that the run began with ({images} images then)"
        raise RequestError(what, slug="data-differ", where=str(run.path), hint=hint)
    if planned not in (None, steps):
        what = f"the run has {planned} steps, and would have {steps} now: the number of processes is another"
        raise RequestError(what, slug="steps-differ", where=str(run.path), hint=hint)


def check_step(path: Path, step: int, steps: int) -> None:
    """Refuse a checkpoint after which a step comes that the run in the folder `path` does not have.

    Raises:
        RequestError: "bad-checkpoint".
    """
    if step > steps:
        what, hint = f"the checkpoint is of step {step}, and the run has {steps}", "delete the folder checkpoint/ and"
        where = str(path / checkpoint.FILE)
        raise RequestError(what, slug="bad-checkpoint", where=where, hint=f"{hint} resume: the run begins anew")


def agrees(run: Run, recipe: Recipe) -> bool:
    """Whether a run was trained as the recipe says, its seed included."""
    return not _differences(run, recipe)


def _differences(run: Run, recipe: Recipe) -> list[str]:
    """One line for each key that decides a step and differs; keys that an older dcp lacked have their defaults."""
    there = run.recipe()
    with suppress(RequestError):
        there = Recipe.check(there).table()
    old, new = ({**LATER, **flat(frozen(table))} for table in (there, recipe.table()))
    return [
        f"{key}: {old.get(key, 'not set')} there, {new.get(key, 'not set')} here"
        for key in sorted(old | new)
        if old.get(key) != new.get(key) and not key.startswith(FREE)
    ]
