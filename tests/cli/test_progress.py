"""What training shows on its way: a bar in a terminal, lines elsewhere."""

import io

import pytest
from rich.console import Console

from dcp.cli.progress import Bar, Watcher

START = {
    **{"kind": "start", "run": "runs/a-s0", "images": 50_000, "epochs": 100, "steps": 1000, "step": 0},
    **{"device": "cpu", "processes": 1, "precision": "fp32", "why": "the cpu has no fast bf16"},
    **{"graph": "no CUDA device", "threads_why": "5 ms a pass on 1, 8 ms a pass on 2"},
}
STEP = {
    **{"kind": "step", "step": 499, "epoch": 49, "loss": -1.926, "lr": 0.1, "images_per_s": 12_345.6},
    **{"spread": 0.9, "effective_rank": 1.2},
}
STATE = {
    "kind": "spectrum",
    "step": 449,
    "state": "learning rate too high",
    "evidence": "a step changes the weights by 9 %",
}


class Clock:
    """A clock that a test sets."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr("dcp.cli.progress.time.monotonic", lambda: self.now)


def watched(console, *lines, clock=None, seconds=100.0) -> Watcher:
    """A watcher that was told these lines, the last of them after some time."""
    with Watcher(console, quiet=False) as watcher:
        for i, line in enumerate(lines):
            if clock and i == len(lines) - 1:
                clock.now = seconds
            watcher(line)
    return watcher


@pytest.mark.parametrize("width", [30, 60, 80, 100])
def test_progress_in_a_terminal_loses_no_number_at_any_width(width, monkeypatch):
    file = io.StringIO()
    console = Console(width=width, force_terminal=True, color_system=None, file=file)
    bar = watched(console, START, STATE, STEP, clock=Clock(monkeypatch)).bar
    said = file.getvalue()
    words = ("epoch 50/100", "loss -1.926", "12,346 img/s", "rank 1.2", STATE["state"], "1.7 min left")
    assert [word for word in words if word not in said] == []
    assert "…" not in said
    assert max(map(len, bar.lines(width))) <= width
    assert ("50%" in said, "━" in said) == (width > 80, width > 80)
    assert (len(bar.lines(width)) == 1) == (width > 80)


def test_the_bar_shrinks_before_it_goes():
    bar = Bar()
    bar.words, bar.share = ("epoch 1/2", "loss -1.9"), 0.5
    assert bar.lines(60) == ["━━━━━━━━━━──────────  50%  epoch 1/2  loss -1.9"]
    assert bar.lines(33) == ["━━━───  50%  epoch 1/2  loss -1.9"]
    assert bar.lines(30) == ["50%  epoch 1/2  loss -1.9"]
    assert bar.lines(22) == ["epoch 1/2  loss -1.9"]
    assert bar.lines(12) == ["epoch 1/2", "loss -1.9"]


def test_the_bar_is_drawn_in_ascii_where_the_terminal_knows_no_more():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(width=100, force_terminal=True, color_system=None, file=file)
    watched(console, START, {**STEP, "step": 999})
    file.seek(0)
    assert "====  100%" in file.read()


def test_one_epoch_is_one():
    file = io.StringIO()
    watched(Console(width=200, file=file), {**START, "images": 1, "epochs": 1, "steps": 1})
    assert file.getvalue().startswith("runs/a-s0: 1 image, 1 epoch, 1 step; cpu, 1 process, fp32")


@pytest.mark.parametrize("terminal", [True, False])
def test_the_time_left_after_resuming_is_at_the_pace_of_this_sitting(terminal, monkeypatch):
    file = io.StringIO()
    console = Console(width=100, force_terminal=terminal, color_system=None, file=file)
    # 100 steps in 60 s, 500 to go: 300 s
    lines = ({**START, "step": 400}, {**STEP, "kind": "step" if terminal else "epoch"})
    watched(console, *lines, clock=Clock(monkeypatch), seconds=60.0)
    assert "5.0 min left" in file.getvalue()


class Gone(io.StringIO):
    """An output whose reader leaves after a few writes."""

    def __init__(self, error: Exception, after: int) -> None:
        super().__init__()
        self.error, self.left = error, after

    def write(self, text: str) -> int:
        self.left -= 1
        if self.left < 0:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("after", range(5))
@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(5, "Input/output error")], ids=["pipe", "terminal"])
def test_training_is_not_disturbed_when_nobody_reads_its_progress(error, after, terminal, monkeypatch):
    def broken_pipe(self):  # rich's own also closes the stdout of the process
        self.quiet = True
        raise SystemExit(1)

    monkeypatch.setattr(Console, "on_broken_pipe", broken_pipe)
    console = Console(width=80, force_terminal=terminal, file=Gone(error, after))
    steps = [{**STEP, "step": step, "kind": kind} for step in range(997, 1000) for kind in ("step", "epoch")]
    watcher = watched(console, START, *steps)
    watcher.say("still training")
    assert watcher.quiet or after > 2
