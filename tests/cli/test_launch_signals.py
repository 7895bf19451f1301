"""What the command that starts several processes passes on to them; shell scripts stand for the processes."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dcp.cli import launch
from dcp.errors import ProcessLost

pytestmark = pytest.mark.skipif(not Path("/bin/sh").exists(), reason="no shell")
# notes its number and every signal in a file of its own, and ends when its standard input does, or on TERM
SCRIPT = """#!/bin/sh
out="$OUT/$RANK"
for name in INT HUP USR1 USR2; do trap "echo $name >> $out" $name; done
trap "echo TERM >> $out; exit 143" TERM
echo $$ > "$out.pid"
{body}
"""
WAIT = "while :; do sleep 0.05; done"


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable], int]:
    """Launch two scripts with this body, and do something when both have begun, given their numbers."""

    def run(body: str, act: Callable[[list[int]], object]) -> int:
        script = tmp_path / "worker"
        script.write_text(SCRIPT.replace("{body}", body))
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))
        monkeypatch.setenv("OUT", str(tmp_path))

        def when_both_have_begun() -> None:
            files, until = [tmp_path / f"{rank}.pid" for rank in (0, 1)], time.monotonic() + 60
            while not all(file.exists() and file.read_text().strip() for file in files):
                if time.monotonic() > until:
                    return
                time.sleep(0.02)
            act([int(file.read_text()) for file in files])

        thread = threading.Thread(target=when_both_have_begun)
        thread.start()
        try:
            return launch.launch([], 2)
        finally:
            thread.join()

    return run


def to_us(*names: str) -> Callable[[list[int]], None]:
    """Send signals to the command alone, one after the other."""

    def send(_: list[int]) -> None:
        for name in names:
            os.kill(os.getpid(), getattr(signal, name))
            time.sleep(0.3)

    return send


def test_signals_to_the_command_alone_reach_each_process_once(launched: Callable, tmp_path: Path) -> None:
    assert launched(WAIT, to_us("SIGUSR1", "SIGUSR2", "SIGHUP", "SIGINT", "SIGTERM")) == 143
    for rank in (0, 1):
        assert (tmp_path / str(rank)).read_text().split() == ["USR1", "USR2", "HUP", "INT", "TERM"]


def test_what_a_terminal_sends_to_its_group_reaches_the_command_alone(launched: Callable) -> None:
    sessions: list[int] = []

    def look(numbers: list[int]) -> None:
        sessions.extend(map(os.getsid, numbers))
        os.kill(os.getpid(), signal.SIGTERM)

    launched(WAIT, look)
    assert len({os.getsid(0), *sessions}) == 3


def test_a_process_that_is_killed_is_named_and_the_others_get_some_time(
    launched: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "GRACE_S", 0.3)
    began = time.monotonic()
    with pytest.raises(ProcessLost) as caught:
        launched(WAIT, lambda numbers: os.kill(numbers[1], signal.SIGKILL))
    assert time.monotonic() - began < 30
    assert "process 1 of 2 was ended by signal 9" in caught.value.message
    assert "--resume" in caught.value.hint


@pytest.mark.parametrize(
    ("body", "code"),
    [("exit 0", 0), ("exit 2", 2), ('exit "$((RANK * 130))"', 130), ('exit "$((75 - RANK * 74))"', 1)],
)
def test_one_exit_code_stands_for_all(body: str, code: int, launched: Callable) -> None:
    assert launched(body, lambda numbers: None) == code


def test_processes_that_have_only_lost_each_other_say_so_through_the_command(launched: Callable) -> None:
    with pytest.raises(ProcessLost, match="have lost each other"):
        launched("exit 75", lambda numbers: None)


def test_a_process_killed_before_it_hears_is_stopped_as_asked(
    launched: Callable, capfd: pytest.CaptureFixture[str]
) -> None:
    assert launched(f"trap - TERM; {WAIT}", to_us("SIGTERM")) == 143
    assert "no new checkpoint" in capfd.readouterr().err


@pytest.fixture
def ignored() -> Iterator[None]:
    """What asks for a checkpoint is ignored, as the command line has it until a training begins."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGUSR2,)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("ignored")
def test_what_asks_for_a_checkpoint_ends_no_process_that_begins_and_is_passed_on_all_the_same(
    launched: Callable, tmp_path: Path
) -> None:
    passed: list[object] = []

    def look(_: list[int]) -> None:
        time.sleep(0.2)
        passed.append(signal.getsignal(signal.SIGUSR2))

    assert launched("kill -USR2 $$; sleep 0.5; exit 0", look) == 0
    assert not [rank for rank in (0, 1) if (tmp_path / str(rank)).exists()]  # none has heard it
    assert callable(passed[0])
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN
