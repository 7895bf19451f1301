"""`--submit slurm`: the array job that Slurm is given, and what one of its jobs does."""

import json
import os
import pickle
import re
import signal
import sys
import threading
import time

import pytest

from dcp.cli import submit
from dcp.runs.run import Run

submitit = pytest.importorskip("submitit", reason="needs the extra slurm: pip install 'dcp[slurm]'")
RECORDS = """#!/bin/sh
cp "$1" "$RECORD"
echo "Submitted batch job 4711"
"""
LIMIT = ("--", "--time=4:00:00")


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A machine on which sbatch keeps the script that it is given; the path of that script."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {"sbatch": RECORDS, "srun": "#!/bin/sh\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RECORD", str(tmp_path / "script"))
    return tmp_path / "script"


def test_a_study_becomes_an_array_job_of_one_run_each(dcp, tiny, tmp_path, slurm):
    options = ("--", "--partition", "gpu", "--time=1-2", "--gpus=1", "-c8", "-A", "lab", "--exclusive")
    words = ("pretrain", tiny, "train.epochs=3", "--runs", tmp_path / "runs", "--submit", "slurm", "--json")
    said = dcp(*words, *options)
    assert said.code == 0, said.err
    told = json.loads(said.out.splitlines()[-1])
    assert (told["job"], told["shares"]) == ("4711", 8)
    script = slurm.read_text()
    for line in ("array=0-7%8", "time=1560", "job-name=little", "partition=gpu", "gpus=1", "cpus-per-task=8"):
        assert f"#SBATCH --{line}\n" in script
    for line in ("account=lab", "exclusive", "signal=USR2@90", "open-mode=append"):
        assert f"#SBATCH --{line}\n" in script
    assert "submitit.core._submit" in script
    (srun,) = (line for line in script.splitlines() if line.startswith("srun "))
    assert "#SBATCH --ntasks=1\n" in script
    assert {"--ntasks=1", "--cpus-per-task=8"} <= set(srun.split())
    folder = tmp_path / "runs/little/slurm"
    jobs = [pickle.loads((folder / f"4711_{i}_submitted.pkl").read_bytes()).function for i in range(8)]
    shares = [" ".join(job.words) for job in jobs]
    assert [words.rpartition("--share ")[2] for words in shares] == [f"{i}/8" for i in range(8)]
    assert all("--set train.epochs=3" in words and f"--runs {tmp_path / 'runs'}" in words for words in shares)


def test_fewer_jobs_than_runs_are_asked_for_by_their_number(dcp, tiny, tmp_path, slurm):
    said = dcp("pretrain", tiny, "--runs", tmp_path, "--submit", "slurm", "--share", 3, *LIMIT)
    assert said.code == 0, said.err
    assert "submitted 8 runs as 3 jobs of Slurm: 4711" in said.out
    assert "--array=0-2%3" in slurm.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--submit", "slurm"), "needs a --time"),
        (("--submit", "pbs", *LIMIT), '--submit is "pbs"'),
        (("--submit", "slurm", "--share", "1/3", *LIMIT), '--share is "1/3"'),
        (("--submit", "slurm", "--share", "0", *LIMIT), '--share is "0"'),
        (("--submit", "slurm", *LIMIT, "--array=0-3"), "--share N says how many"),
        (("--submit", "slurm", *LIMIT, "--nodes", "2"), "--processes N"),
        (("--submit", "slurm", *LIMIT, "-N2"), '"-N2" cannot be given'),
        *(
            (("--submit", "slurm", *LIMIT, *words), "a job is one process")
            for words in (
                ("--ntasks=2",), ("--ntasks-per-node=4",), ("--ntasks-per-gpu", "1"), ("--ntasks-per-core=2",),
                ("--ntasks-per-n=4",), ("--nt=4",),
            )
        ),
        (("--submit", "slurm", *LIMIT, "--arr=0-3"), "--share N says how many"),
        (("--submit", "slurm", *LIMIT, "--cpus-per-t=8"), "written out"),
        (("--submit", "slurm", "--", "--time=soon"), '--time is "soon"'),
        *((("--submit", "slurm", "--", f"--time={zero}"), f'--time is "{zero}"') for zero in ("0", "0:00", "0-0")),
        (("--submit", "slurm", *LIMIT, "gpu"), '"gpu" cannot be given'),
        (("--submit", "slurm", "--dry-run", *LIMIT), "exclude each other"),
    ],
)  # fmt: skip
def test_what_cannot_be_submitted_is_refused_and_nothing_is_written(dcp, tiny, tmp_path, slurm, words, said):
    told = dcp("pretrain", tiny, "--runs", tmp_path / "runs", *words)
    assert told.code == 2
    assert told.err.count("error[") == 1
    assert said in told.err
    assert not slurm.exists()
    assert not (tmp_path / "runs").exists()


def test_without_slurm_or_where_it_refuses_that_is_said(dcp, tiny, tmp_path, slurm, monkeypatch):
    (slurm.parent / "bin/sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    said = dcp("pretrain", tiny, "--runs", tmp_path / "runs", "--submit", "slurm", *LIMIT)
    assert (said.code, said.err.count("error[")) == (2, 1)
    assert "error[sbatch-failed]" in said.err
    assert "invalid partition" in said.err
    assert not (tmp_path / "runs").exists()
    monkeypatch.setitem(sys.modules, "submitit", None)
    said = dcp("pretrain", tiny, "--runs", tmp_path / "none", "--submit", "slurm", *LIMIT)
    assert said.code == 2
    assert "pip install 'dcp[slurm]'" in said.err
    monkeypatch.setenv("PATH", str(tmp_path))
    said = dcp("pretrain", tiny, "--runs", tmp_path / "none", "--submit", "slurm", *LIMIT)
    assert said.code == 2
    assert "error[no-slurm]" in said.err
    assert not (tmp_path / "none").exists()
    said = dcp("pretrain", "tiny/directcopy", "--runs", tmp_path / "none", "--submit", "slurm", *LIMIT)
    assert (said.code, "--submit is for studies" in said.err) == (2, True)


def test_a_job_whose_time_is_up_saves_and_the_next_goes_on(tiny, tmp_path, monkeypatch):
    long = ("train.epochs=20000", "study.axes.predictor.eps=[0.1]", "study.axes.optimizer.lr=[0.03]")
    words = [word for text in long for word in ("--set", text)]
    words = ["pretrain", str(tiny), *words, "--seed", "0", "--runs", str(tmp_path), "--device", "cpu", "--share", "0/1"]
    job, again = submit.Job(words, str(tmp_path)), []
    path = tmp_path / "little-lr0.03-eps0.1-s0"

    def time_is_up() -> None:  # as submitit's handler of SIGUSR2 does, while the job runs
        until = time.monotonic() + 120
        while not (path / "metrics.jsonl").exists() and time.monotonic() < until:
            time.sleep(0.05)
        again.append(job.checkpoint())

    thread = threading.Thread(target=time_is_up)
    thread.start()
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(RuntimeError, match="exit code 138"):
            job()
    finally:
        signal.signal(signal.SIGTERM, before)
        thread.join()
    run = Run.open(path)
    assert run.record.status == "interrupted"
    assert (path / "checkpoint/state.safetensors").exists()
    (next_one,) = again
    assert next_one.function.words == words
    assert not re.search("pid.: [1-9]", repr(vars(next_one.function)))


def test_a_job_that_fails_is_noted_as_failed(tmp_path):
    job = submit.Job(["pretrain", "no-such-recipe"], str(tmp_path))
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(RuntimeError, match="exit code 2"):
            job()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_array_job_runs_through_submitits_own_runner(tiny, tmp_path):
    executor = submitit.LocalExecutor(folder=tmp_path / "logs")
    job = executor.submit(submit.Job(["recipes", "check", str(tiny)], str(tmp_path)))
    assert job.result() is None
    assert "4 arms, 2 seeds, 8 runs" in job.stdout()
