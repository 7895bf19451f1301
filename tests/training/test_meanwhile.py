"""A run on which another process has gone on between the look at it and the moment when this one holds it."""

from pathlib import Path

import pytest

from dcp.cli import pretrain as command
from dcp.errors import INTERRUPTED, Interrupted, ProcessLost
from dcp.recipe.recipe import Recipe
from dcp.runs.run import Run
from dcp.training import pretrain
from dcp.training.agreement import Agreement
from dcp.training.request import Request
from dcp.training.trainer import Trainer

SETS = ("train.epochs=4", "train.batch=64", "train.log_every=1")
TO_THE_END = 10**6


def trainer(runs: Path, *sets: str) -> Trainer:
    """One that has looked at the run folder."""
    return Trainer(Recipe.read("tiny/directcopy", ("probe.after=[]", *SETS, *sets)), Request(runs, resume=True))


def train(trainer: Trainer, until: int = TO_THE_END) -> None:
    """Train, and stop before the step `until` with a checkpoint."""

    def stops(agreement: Agreement, step: int) -> tuple[bool, bool]:
        agreement.signals.stop = INTERRUPTED if step == until else 0
        return step == until, False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Agreement, "before", stops)
        try:
            trainer.run()
        except Interrupted:
            assert until < TO_THE_END


def files(run: Run) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def test_a_run_that_another_has_finished_is_left_as_it_is(tmp_path: Path) -> None:
    train(trainer(tmp_path), until=2)
    late = trainer(tmp_path)
    train(trainer(tmp_path))
    run = Run.open(late.path)
    assert run.record.status == "done"
    before = files(run)
    train(late)
    assert files(run) == before


def test_a_run_that_another_has_brought_further_goes_on_where_that_one_stopped(tmp_path: Path) -> None:
    train(trainer(tmp_path), until=2)
    late = trainer(tmp_path)
    train(trainer(tmp_path), until=5)
    train(late)
    run = Run.open(late.path)
    assert [sitting["step"] for sitting in run.record.sittings] == [0, 2, 5]
    steps = [line["step"] for line in run.metrics("step")]
    assert steps == list(range(len(steps)))


def test_probes_that_another_has_made_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = trainer(tmp_path, 'probe.after=["spectrum"]')
    train(late)
    run = Run.open(late.path)
    lock = Run.lock

    def after_another(self: Run, *say: object) -> object:
        with lock(self):
            run.write_probe("spectrum", {"score": {"rank": 1.0}})
        return lock(self, *say)

    monkeypatch.setattr(Run, "lock", after_another)
    pretrain.measure(run, Request(tmp_path))
    assert run.probes()["spectrum"].score == {"rank": 1.0}


def test_a_lost_process_is_not_noted_over_the_end_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(tmp_path, "directcopy", 0, "", {})
    lock = Run.lock

    def after_another(self: Run, *say: object) -> object:
        with lock(run):
            run.update(status="done")
        return lock(self, *say)

    monkeypatch.setattr(Run, "lock", after_another)
    command._note([Recipe.read("tiny/directcopy")], Request(tmp_path), ProcessLost("lost", slug="process-lost"))
    assert Run.open(run.path).record.status == "done"
