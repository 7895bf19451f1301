"""An output that is full, closed or gone: no work is lost, and it is said in words."""

import fcntl
import os
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from dcp.cli import app
from dcp.runs.run import Run

full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
VERBS = (
    ("recipes",), ("recipes", "show", "quickstart"), ("recipes", "schema"), ("recipes", "check", "quickstart"),
    ("--help",), ("--version",), ("pretrain", "--help"), ("compare", "directcopy", "linear"), ("probe", "linear"),
    ("theory", "theory/threshold"),
)  # fmt: skip


@full
@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_full_output_ends_every_verb_with_1_in_words(
    words: tuple[str, ...],
    trained: Path,
    other: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    more = {"compare": ("--runs", trained.parent), "probe": ("--runs", trained.parent, "-e", "spectrum")}
    more["theory"] = ("--out", tmp_path / "theory")
    with Path("/dev/full").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        code = app.run([*words, *map(str, more.get(words[0], ()))])
    err = capfd.readouterr().err
    assert (code, err.count("error[")) == (1, 1), err
    assert err.startswith("error[no-output]: cannot write the output: No space left on device")
    if words[0] == "theory":
        assert (tmp_path / "theory" / "report.html").is_file()


@full
def test_a_full_output_stops_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("pretrain", "tiny/directcopy", "train.epochs=1", "--seeds", "0,1", "--runs", str(tmp_path))
    for runs in ("loud", "quiet"):
        more = ("--quiet",) if runs == "quiet" else ()
        with Path("/dev/full").open("w") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            assert app.run([*words[:-1], str(tmp_path / runs), *more]) == 1
        assert capfd.readouterr().err.startswith("error[no-output]")
        for seed in (0, 1):
            run = Run.open(tmp_path / runs / f"directcopy-s{seed}")
            assert run.record.status == "done"
            assert "knn" in run.probes()


@full
def test_an_error_that_cannot_be_printed_keeps_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert app.run(["pretrain", "no-such-recipe"]) == 2


@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="no shell that could close an output")
@pytest.mark.parametrize(
    ("closed", "code", "said"),
    [(">&-", 1, "error[no-output]: cannot write the output: it is closed"), ("2>&-", 0, ""), ("<&- >&- 2>&-", 1, "")],
)
def test_a_closed_output_is_told_and_no_file_gets_its_number(closed: str, code: int, said: str, tmp_path: Path) -> None:
    command = f'exec "$0" -m dcp recipes copy quickstart "$1" {closed}'
    target = tmp_path / "mine.toml"
    done = subprocess.run(["/bin/sh", "-c", command, sys.executable, target], capture_output=True, text=True)
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr
    assert target.read_text().startswith("#")


def test_no_word_of_an_error_is_broken_in_a_terminal() -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    command = [sys.executable, "-m", "dcp", "recipes", "check", "no-such"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, check=False)
    lines = os.read(ours, 10_000).decode().splitlines()
    assert done.returncode == 2
    assert max(map(len, lines)) <= 40
    piped = subprocess.run(command, capture_output=True, text=True, check=False)
    assert " ".join(lines).split() == piped.stderr.split()
    assert len(piped.stderr.splitlines()) < len(lines)
