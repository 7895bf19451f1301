"""What training shows on its way: a bar in a terminal, lines elsewhere."""

import io
import threading

import pytest
from rich.console import Console

from dcp.cli.progress import Bar, Watcher
from dcp.cli.ticker import Pulse, Ticker

START = {
    **{"kind": "start", "run": "runs/a-s0", "images": 50_000, "epochs": 100, "steps": 1000, "step": 0},
    **{"device": "cpu", "processes": 1, "precision": "fp32", "why": "the cpu has no fast bf16"},
    **{"graph": "no CUDA device", "threads_why": "5 ms a pass on 1, 8 ms a pass on 2"},
}
STEP = {
    **{"kind": "step", "step": 499, "epoch": 49, "loss": -1.926, "lr": 0.1, "images_per_s": 12_345.6},
    **{"spread": 0.9, "effective_rank": 1.2},
}
EPOCH = {**STEP, "kind": "epoch", "online_knn": 0.21, "online_linear": 0.22}
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


@pytest.mark.parametrize("width", [30, 60, 80, 120, 150])
def test_progress_in_a_terminal_loses_no_word_at_any_width(width, monkeypatch):
    file = io.StringIO()
    console = Console(width=width, force_terminal=True, color_system=None, file=file)
    bar = watched(console, START, EPOCH, STATE, STEP, clock=Clock(monkeypatch)).bar
    said = file.getvalue()
    words = ("epoch 50/100", "loss -1.926", "12,346 img/s", "spread 0.90", "rank 1.2", "kNN 21%, linear 22%")
    assert [word for word in (*words, STATE["state"], "1.7 min left", "50%") if word not in said] == []
    assert "…" not in said
    lines = bar.lines(width)
    assert max(map(len, lines)) <= width
    assert len(lines) == {30: 5, 60: 3, 80: 2, 120: 2, 150: 1}[width]
    assert ("━" in said) == (width > 60)


@pytest.mark.parametrize(("terminal", "width"), [(True, 40), (True, 60), (True, 80), (False, 60), (False, 80)])
def test_no_word_of_the_header_is_broken(terminal, width):
    file = io.StringIO()
    watched(Console(width=width, force_terminal=terminal, color_system=None, file=file), START)
    header = file.getvalue().partition("\x1b")[0]
    words = (
        "runs/a-s0: 50,000 images, 100 epochs, 1,000 steps cpu, fp32 (the cpu has no fast bf16); threads: 5 ms a pass"
    )
    assert header.split()[: len(words.split())] == words.split()
    assert max(map(len, header.splitlines())) <= width


def test_the_bar_shrinks_before_it_goes():
    bar = Bar()
    bar.progress, bar.share = ("epoch 1/2", "loss -1.9"), 0.5
    assert bar.lines(60) == ["━━━━━━━━━━──────────  50%  epoch 1/2  loss -1.9"]
    assert bar.lines(33) == ["━━━───  50%  epoch 1/2  loss -1.9"]
    assert bar.lines(30) == ["50%  epoch 1/2  loss -1.9"]
    assert bar.lines(22) == ["50%  epoch 1/2", "loss -1.9"]
    assert bar.lines(12) == ["50%", "epoch 1/2", "loss -1.9"]
    bar.health = ("spread 0.9", "healthy")
    assert bar.lines(52) == ["━━━━━─────  50%  epoch 1/2  loss -1.9".replace("━━━━━─────", "━" * 10 + "─" * 10),
                             "spread 0.9  healthy"]  # fmt: skip
    assert bar.lines(54) == ["━━━───  50%  epoch 1/2  loss -1.9  spread 0.9  healthy"]


def test_the_bar_is_drawn_in_ascii_where_the_terminal_knows_no_more():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(width=100, force_terminal=True, color_system=None, file=file)
    watched(console, START, {**EPOCH, "step": 999})
    file.seek(0)
    assert "====  100%" in file.read()


def test_one_epoch_is_one():
    file = io.StringIO()
    watched(Console(width=200, file=file), {**START, "images": 1, "epochs": 1, "steps": 1})
    assert file.getvalue().startswith("runs/a-s0: 1 image, 1 epoch, 1 step\n  cpu, fp32")


def test_the_rank_of_what_has_collapsed_is_not_shown():
    file = io.StringIO()
    watched(Console(width=200, file=file), START, {**EPOCH, "spread": 0.1}, {**EPOCH, "spread": 0.0999})
    above, below = file.getvalue().splitlines()[-2:]
    assert "spread 0.10  rank 1.2" in above
    assert "spread 0.10" in below
    assert "rank" not in below


def test_the_last_line_in_a_terminal_has_the_readouts_of_the_last_epoch():
    file = io.StringIO()
    console = Console(width=80, force_terminal=True, color_system=None, file=file)
    watched(console, START, EPOCH, {**STEP, "step": 999}, {**EPOCH, "step": 999, "online_knn": 0.35})
    assert "online kNN 35%, linear 22%" in file.getvalue().rpartition("100%")[2]


def test_a_line_an_epoch_says_elsewhere_all_that_the_bar_says_and_in_its_order():
    file = io.StringIO()
    watched(Console(width=80, file=file), START, {**STATE, "state": "healthy"}, EPOCH)
    (line,) = [line for line in file.getvalue().splitlines() if line.startswith("epoch")]
    assert line == (
        "epoch 50/100  loss -1.926  12,346 img/s  0 s left  spread 0.90  rank 1.2  online kNN 21%, linear 22%  healthy"
    )
    drawn = io.StringIO()
    console = Console(width=200, force_terminal=True, color_system=None, file=drawn)
    bar = watched(console, START, {**STATE, "state": "healthy"}, EPOCH).bar
    assert bar.lines(200)[0].partition("%  ")[2] == line


def test_a_long_epoch_is_told_of_before_it_ends_and_ever_more_rarely(monkeypatch):
    file, clock = io.StringIO(), Clock(monkeypatch)
    with Watcher(Console(width=80, file=file), quiet=False) as watcher:
        watcher(START)
        for second in range(1000):
            clock.now = float(second)
            watcher(STEP)
    lines = [line for line in file.getvalue().splitlines() if line.startswith("step 500/1,000  loss -1.926")]
    assert 20 < len(lines) < 40


@pytest.mark.parametrize("terminal", [True, False])
def test_the_time_left_after_resuming_is_at_the_pace_of_this_sitting(terminal, monkeypatch):
    file = io.StringIO()
    console = Console(width=100, force_terminal=terminal, color_system=None, file=file)
    # 100 steps in 60 s, 500 to go: 300 s
    lines = ({**START, "step": 400}, STEP if terminal else EPOCH)
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


def test_what_goes_on_is_one_line_that_is_gone_when_it_ends():
    file = io.StringIO()
    ticker = Ticker(Console(width=60, force_terminal=True, color_system=None, file=file))
    ticker.show("loading PyTorch")
    assert file.getvalue().startswith("\r\x1b[Kloading PyTorch ...")
    ticker.show("measuring: knn (1/3)", 0.5)
    ticker.clear()
    assert "measuring: knn (1/3) ...  ━━━━━━━━━━──────────  50%" in file.getvalue()
    assert file.getvalue().endswith("\r\x1b[K")
    assert ticker.thread is None


@pytest.mark.parametrize("width", [10, 30, 60, 200])
def test_what_goes_on_fits_its_line(width, monkeypatch):
    clock = Clock(monkeypatch)
    ticker = Ticker(Console(width=width, force_terminal=True, color_system=None, file=io.StringIO()))
    ticker.show("measuring: linear (2/3)", 0.25)
    clock.now = 12.0
    line = ticker.line(width)
    ticker.clear()
    assert len(line) <= width
    assert ("━━━━━───────────────" in line, "12 s" in line) == (width >= 60, width >= 60)


def test_without_a_terminal_what_takes_long_is_told_again_and_again_and_without_a_bar(monkeypatch):
    monkeypatch.setattr("dcp.cli.ticker.REDRAW_S", 0.001)
    file, clock = io.StringIO(), Clock(monkeypatch)
    ticker = Ticker(Console(width=80, file=file))
    ticker.show("loading PyTorch")
    for second in (1.0, 4.9, 5.1, 6.0, 14.0, 15.1, 35.0, 35.2, 64.0, 65.3):
        clock.now = second
        threading.Event().wait(0.05)
    assert file.getvalue() == "loading PyTorch ...\nloading PyTorch ...  35 s\nloading PyTorch ...  65 s\n"
    file.truncate(0)
    file.seek(0)
    for second in (66.0, 69.9, 71.1, 90.0):
        clock.now = second
        ticker.show("measuring: linear (2/3)", second / 100)
        threading.Event().wait(0.05)
    with ticker.away():
        pass
    threading.Event().wait(0.05)
    ticker.clear()
    assert file.getvalue() == "measuring: linear (2/3) ...\n"


def test_warnings_stand_in_lines_of_their_own_and_errors_leave_what_goes_on(capsys, monkeypatch):
    def broken(text):
        assert watcher.ticker.thread is None
        raise OSError("disk")

    file = io.StringIO()
    console = Console(width=80, force_terminal=True, color_system=None, file=file)
    with Watcher(console, quiet=False) as watcher:
        watcher.doing("preparing runs/a")
        watcher.warn("waiting for another process")
        assert file.getvalue().count("\r\x1b[Kpreparing runs/a ...") >= 2
        monkeypatch.setattr("dcp.cli.progress.complain", broken)
        with pytest.raises(OSError, match="disk"):
            watcher.warn("something")
        assert watcher.ticker.thread is not None
    assert capsys.readouterr().err == "waiting for another process\n"


def test_where_nobody_knows_how_much_is_done_no_share_is_shown():
    file = io.StringIO()
    with Watcher(Console(width=80, force_terminal=True, color_system=None, file=file), quiet=False) as watcher:
        watcher({"kind": "probe", "name": "knn", "number": 1, "of": 2, "share": None})
    assert "measuring: knn (1/2) ..." in file.getvalue()
    assert "%" not in file.getvalue()


def test_what_is_said_meanwhile_stands_above_what_goes_on():
    file = io.StringIO()
    with Watcher(Console(width=80, force_terminal=True, color_system=None, file=file), quiet=False) as watcher:
        watcher({"kind": "probe", "name": "knn", "number": 1, "of": 2, "share": 0.0})
        watcher.say("skipped: linear")
        watcher({"kind": "probe", "name": "", "number": 0, "of": 2, "share": 1.0})
    said = file.getvalue()
    assert "\r\x1b[Kskipped: linear\n" in said
    assert said.index("measuring: knn (1/2)") < said.index("skipped") < said.rindex("measuring: knn (1/2)")
    assert said.endswith("\r\x1b[K")


@pytest.mark.parametrize(("room", "drawn"), [(30, True), (7, False)])
def test_a_bar_that_gets_no_numbers_shows_for_how_long_where_there_is_room(room, drawn, monkeypatch):
    monkeypatch.setattr("dcp.cli.ticker.BEAT_S", 0.001)
    file, clock = io.StringIO(), Clock(monkeypatch)
    pulse = Pulse(Console(width=80, force_terminal=True, file=file), lambda: room, lambda: 0.0)
    clock.now = 1.9
    threading.Event().wait(0.05)
    assert file.getvalue() == ""
    clock.now = 5.0
    threading.Event().wait(0.1)
    pulse.close()
    assert ("\x1b7  ... 5 s\x1b8" in file.getvalue()) == drawn


def test_from_the_last_step_on_something_is_said_to_go_on():
    file = io.StringIO()
    console = Console(width=80, force_terminal=True, color_system=None, file=file)
    watched(console, START, {**STEP, "step": 999}, {**EPOCH, "step": 999})
    assert "\n\x1b[?25h\r\x1b[Ksaving ..." in file.getvalue()


def test_quiet_is_quiet():
    file = io.StringIO()
    with Watcher(Console(width=80, force_terminal=True, color_system=None, file=file), quiet=True) as watcher:
        watcher.doing("loading PyTorch")
        watcher({"kind": "probe", "name": "knn", "number": 1, "of": 2, "share": 0.0})
        watcher.say("something")
    assert file.getvalue() == ""
