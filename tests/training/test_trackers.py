"""Each step stands once in a tracker, however often the run was cut off."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import dcp
from dcp.errors import Diverged, RunError
from dcp.hardware.processes import Process
from dcp.runs.run import Run
from dcp.training.loop import Loop

SETS = ("run.tracker=tensorboard", "train.epochs=12", "train.save_every=5", "train.log_every=2", "probe.after=[]")
KILLED = """
import os, sys
from dcp.training.loop import Loop
step = Loop.step
Loop.step = lambda self, batch: step(self, batch) if batch.step < {step} else os._exit(9)
import dcp
dcp.pretrain("tiny/directcopy", sets={sets}, runs={runs!r}, resume=True)
"""


def told(run: Path) -> list[tuple[int, float]]:
    """(step, loss) as TensorBoard shows them."""
    seen = EventAccumulator(str(next(run.rglob("events.out.tfevents.*")).parent)).Reload()
    return [(event.step, event.value) for event in seen.Scalars("step/loss")]


def logged(run: Path) -> list[tuple[int, float]]:
    """The same as metrics.jsonl has them."""
    return [(line["step"], pytest.approx(line["loss"], rel=1e-6)) for line in Run.open(run).metrics("step")]


def failing_at(steps: int) -> Callable[..., None]:
    """Loop.step, which fails at a step as a full disk would."""
    original = Loop.step

    def step(self: Loop, batch: object) -> None:
        if batch.step == steps:
            raise RunError("cut off", slug="disk-full")
        original(self, batch)

    return step


def test_each_step_stands_once_in_tensorboard_after_a_kill_and_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "directcopy-s0"
    code = KILLED.format(step=14, sets=SETS, runs=str(tmp_path))
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert [step for step, _ in told(run)][:5] == [1, 3, 5, 7, 9]  # what is behind the checkpoint was not lost
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "step", failing_at(19))
        with pytest.raises(RunError):
            dcp.pretrain("tiny/directcopy", sets=SETS, runs=tmp_path, resume=True)
    assert [step for step, _ in told(run)] == list(range(1, 19, 2))  # nor what a failed run said last
    dcp.pretrain("tiny/directcopy", sets=SETS, runs=tmp_path, resume=True)
    assert told(run) == logged(run)


def test_a_tracker_that_takes_nothing_back_is_told_a_step_when_a_checkpoint_is_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    def track(self: Process, values: dict[str, float], step: int) -> None:
        steps.extend([step] if "step/loss" in values else [])

    monkeypatch.setattr(Process, "takes_back", property(lambda self: False))
    monkeypatch.setattr(Process, "track", track)
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "step", failing_at(19))
        with pytest.raises(RunError):
            dcp.pretrain("tiny/directcopy", sets=SETS[1:], runs=tmp_path)
    assert steps == [1, 3, 5, 7, 9, 11, 13]
    dcp.pretrain("tiny/directcopy", sets=SETS[1:], runs=tmp_path, resume=True)
    assert steps == [step for step, _ in logged(tmp_path / "directcopy-s0")]


def test_a_tracker_that_takes_nothing_back_is_told_all_steps_of_a_run_that_diverges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    def track(self: Process, values: dict[str, float], step: int) -> None:
        steps.extend([step] if "step/loss" in values else [])

    def diverging(self: Loop, batch: object, step: Callable = Loop.step) -> None:
        step(self, batch)
        if batch.step == 18:
            self.metrics.ring.fill_(float("nan"))

    monkeypatch.setattr(Process, "takes_back", property(lambda self: False))
    monkeypatch.setattr(Process, "track", track)
    monkeypatch.setattr(Loop, "step", diverging)
    with pytest.raises(Diverged):
        dcp.pretrain("tiny/directcopy", sets=SETS[1:], runs=tmp_path)
    assert steps == [step for step, _ in logged(tmp_path / "directcopy-s0")] == list(range(1, 18, 2))
