"""Which signals are heard, and what a run's record says of them."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dcp.runs import encoder
from dcp.runs.run import Run
from dcp.training import signals
from dcp.training.signals import Signals

WORDS = ("pretrain", "tiny/directcopy", "train.epochs=1", "probe.after=['knn']", "--runs")


def pressing(times: int, before: Callable) -> Callable:
    """The same function, in the middle of which Ctrl-C is pressed."""

    def pressed(*args, **options):
        done = before(*args, **options)
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        return done

    return pressed


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_closed_terminal_stops_a_run_like_sigterm_but_not_under_nohup():
    before = signal.getsignal(signal.SIGHUP)
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with Signals() as heard:
            os.kill(os.getpid(), signal.SIGHUP)
            assert heard.stop == 143
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with Signals() as heard:
            os.kill(os.getpid(), signal.SIGHUP)
            assert heard.stop == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ctrl_c_is_heard_even_where_a_shell_has_switched_it_off():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as shells do for commands in the background
    try:
        with Signals() as heard:
            os.kill(os.getpid(), signal.SIGINT)
            assert heard.stop == 130
    finally:
        signal.signal(signal.SIGINT, before)


def interrupted(owner: object, name: str, presses: int, folder: Path, dcp: Callable, *, apart_s: float = 0.0) -> Run:
    """A training that is sent Ctrl-C so often when it calls `owner.name`; as one press what is less `apart_s`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signals, "ONE_PRESS_S", apart_s)
        patch.setattr(owner, name, pressing(presses, getattr(owner, name)))
        assert dcp(*WORDS, folder).code == 130
    return Run.open(folder / "directcopy-s0")


def test_ctrl_c_after_the_last_step_leaves_a_run_that_is_done_and_is_measured_by_resume(tmp_path: Path, dcp: Callable):
    run = interrupted(encoder, "save", 1, tmp_path, dcp)
    assert (run.record.status, run.probes()) == ("done", {})
    assert dcp(*WORDS, tmp_path, "--resume").code == 0
    assert list(run.probes()) == ["knn"]


def test_ctrl_c_as_soon_as_the_folder_is_there_is_noted_after_a_checkpoint(tmp_path: Path, dcp: Callable):
    run = interrupted(Run, "create", 1, tmp_path, dcp)
    assert run.record.status == "interrupted"
    assert (run.path / "checkpoint/state.safetensors").is_file()
    assert dcp(*WORDS, tmp_path, "--resume").code == 0


def test_a_second_ctrl_c_stops_at_once_and_the_record_says_so_in_words(tmp_path: Path, dcp: Callable):
    record = interrupted(encoder, "save", 2, tmp_path, dcp).record
    assert record.status == "interrupted"
    assert record.why == "stopped at once, without a new checkpoint; go on with --resume"
    assert dcp(*WORDS, tmp_path, "--resume").code == 0


def test_a_ctrl_c_that_arrives_twice_is_one(tmp_path: Path, dcp: Callable):
    run = interrupted(Run, "create", 2, tmp_path, dcp, apart_s=60.0)
    assert run.record.status == "interrupted"
    assert (run.path / "checkpoint/state.safetensors").is_file()


def test_a_thread_that_is_not_the_main_one_trains_without_hearing_signals():
    def heard() -> tuple[int, bool]:
        with Signals() as signals:
            return signals.stop, signals.save

    before = signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(heard).result() == (0, False)
    assert signal.getsignal(signal.SIGINT) == before
