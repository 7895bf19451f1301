"""`dcp pretrain STUDY --submit slurm`: shares of a study as one array job of Slurm, through submitit.

submitit writes the batch script, calls sbatch, and puts a job back into the queue when its time is up. A job of the
array is this command again, with --share: it goes on where it was stopped.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcp.errors import RequestError, missing_package

if TYPE_CHECKING:
    from submitit.core.utils import DelayedSubmission

SYSTEMS = ("slurm",)
SHORT = {
    **{"p": "partition", "t": "time", "c": "cpus-per-task", "A": "account", "q": "qos", "C": "constraint"},
    **{"G": "gpus", "w": "nodelist", "x": "exclude", "J": "job-name", "d": "dependency", "M": "clusters"},
}  # options of sbatch
OURS = {  # and those that have a meaning here, with what to write for them
    "array": "--share N says how many jobs there are",
    "nodes": "a job is one process on one node; --processes N trains with several there",
    **dict.fromkeys(
        ("ntasks", *(f"ntasks-per-{each}" for each in ("node", "gpu", "core", "socket", "tres"))),
        "a job is one process; --processes N trains with several",
    ),
    **dict.fromkeys(("output", "error", "open-mode"), "the logs lie beside the study: RUNS/STUDY/slurm"),
    **dict.fromkeys(("signal", "requeue", "no-requeue"), "jobs are told 90 s before their time is up, and go on later"),
    "wrap": "the command is this one",
}
LIMIT = re.compile(r"(?:(?P<d>\d+)-)?(?P<a>\d+)(?::(?P<b>\d+))?(?::(?P<c>\d+))?")
EXAMPLE = "dcp pretrain STUDY --submit slurm -- --partition=gpu --time=4:00:00 --gpus=1 --cpus-per-task=8"
READ = ("time", "job-name", "cpus-per-task")  # options that are not handed on as they are
REQUEUED = 10**6  # times at most; each goes on


class Job:
    """One job of the array: the command line in a process of its own, which it tells when its time is up."""

    def __init__(self, words: Sequence[str], folder: str) -> None:
        self.words, self.folder = list(words), folder
        self.pid = 0

    def __call__(self) -> None:
        """Run it to its end.

        Raises:
            RuntimeError: it failed, for submitit to note; its own message stands in the log.
        """
        command = [sys.executable, "-m", "dcp", *self.words]
        child = subprocess.Popen(command, cwd=self.folder)
        self.pid = child.pid
        signal.signal(signal.SIGTERM, lambda number, frame: os.kill(self.pid, number))
        while not os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
            time.sleep(0.2)  # and not Popen.wait, which must not be called again in a handler of a signal
        if code := child.wait():
            raise RuntimeError(f"dcp has ended with exit code {code}; its message stands above")

    def checkpoint(self) -> "DelayedSubmission":
        """Called by submitit when the time is up, or the job has to make room: save, and go on in the next."""
        from submitit.helpers import DelayedSubmission

        if self.pid:
            os.kill(self.pid, signal.SIGUSR1)
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        return DelayedSubmission(Job(self.words, self.folder))


def slurm(words: Sequence[str], options: Sequence[str], *, count: int, name: str, folder: Path) -> str:
    """Submit `dcp WORDS --share I/COUNT` for every I as an array job.

    Args:
        words: of dcp.
        options: of sbatch.
        count: of jobs.
        name: of the array job.
        folder: for scripts and logs.

    Returns:
        The number of the job.

    Raises:
        RequestError: "missing-package" or "no-slurm"; "bad-option"; "sbatch-failed", with what Slurm says.
    """
    given = _options(options)
    if "time" not in given:
        hint = f"Slurm's own limit may be minutes. E.g. {EXAMPLE}"
        raise RequestError("--submit slurm needs a --time for sbatch", slug="bad-option", where="--submit", hint=hint)
    minutes = _minutes(str(given.pop("time")))
    if not (shutil.which("sbatch") and shutil.which("srun")):
        what = "this machine has no Slurm: there is no sbatch and srun on the path"
        hint = "Run it on a login node; without Slurm, dcp pretrain STUDY --share I/N is one of N parts"
        raise RequestError(what, slug="no-slurm", where="--submit slurm", hint=hint)
    try:
        import submitit
    except ImportError:
        raise missing_package("--submit slurm needs the package submitit", "slurm", "--submit slurm") from None
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    executor = submitit.SlurmExecutor(folder=folder, max_num_timeout=REQUEUED)
    executor.update_parameters(job_name=str(given.pop("job-name", name)), time=minutes, array_parallelism=count)
    # Since 22.05 srun does not take the cores from sbatch; and with them alone it may start as many tasks as fit.
    srun = ["--ntasks=1", *(f"--{name}={given[name]}" for name in ("cpus-per-task",) if name in given)]
    executor.update_parameters(additional_parameters={**given, "ntasks": 1}, srun_args=srun)
    try:
        with executor.batch():
            shares = [f"{number}/{count}" for number in range(count)]
            jobs = [executor.submit(Job([*words, "--share", share], str(Path.cwd()))) for share in shares]
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError, OSError) as error:
        if missing:
            shutil.rmtree(folder, ignore_errors=True)
        for path in missing[1:]:
            with contextlib.suppress(OSError):
                path.rmdir()
        hint = "\n".join(line for line in str(error).splitlines() if line.strip())
        raise RequestError("sbatch did not take the job", slug="sbatch-failed", where="sbatch", hint=hint) from None
    return str(jobs[0].job_id).partition("_")[0]


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides KEY=VALUE, and the options of sbatch after them.

    >>> split(["train.epochs=5", "--partition", "gpu", "-t", "60"])
    (['train.epochs=5'], ['--partition', 'gpu', '-t', '60'])
    """
    first = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    return list(words[:first]), list(words[first:])


def _options(words: Sequence[str]) -> dict[str, Any]:
    """Options of sbatch by their long names; those without a value are True."""
    given: dict[str, Any] = {}
    waiting = ""
    for word in words:
        if match := re.fullmatch(r"--([a-z][a-z-]*)(?:=(.*))?", word):
            name, value = match[1], match[2]
        elif match := re.fullmatch(r"-([A-Za-z])(.+)?", word):
            name, value = SHORT.get(match[1], ""), match[2]
        elif waiting:
            given[waiting], waiting = word, ""
            continue
        else:
            name, value = "", None
        whole = next((long for long in (*OURS, *READ) if name and long.startswith(name)), name)
        if name in OURS or whole != name or not name:  # sbatch takes the beginning of a name, too
            hint = OURS.get(whole, f"options of sbatch, the long ones, written out. E.g. {EXAMPLE}")
            what = f'"{word}" cannot be given to sbatch here'
            raise RequestError(what, slug="bad-option", where="--submit slurm", hint=hint)
        given[name], waiting = (True, name) if value is None else (value, "")
    return given


def _minutes(text: str) -> int:
    """Slurm's ways to write a time: M, M:S, H:M:S, D-H, D-H:M and D-H:M:S; in minutes, rounded up.

    >>> _minutes("90"), _minutes("4:00:00"), _minutes("1-12"), _minutes("10:30")
    (90, 240, 2160, 11)
    """
    match = LIMIT.fullmatch(text)
    if match is None:
        hint = "e.g. --time=90 for minutes, --time=4:00:00, --time=1-12:00:00"
        raise RequestError(f'--time is "{text}"', slug="bad-option", where="--submit slurm", hint=hint)
    numbers = [int(match[name] or 0) for name in "abc"]
    if match["d"] or match["c"]:
        seconds = int(match["d"] or 0) * 86400 + numbers[0] * 3600 + numbers[1] * 60 + numbers[2]
    else:
        seconds = numbers[0] * 60 + numbers[1]
    if seconds == 0:  # for Slurm: no limit
        hint = "How long may a job take? When its time is up it saves, and goes on in the next."
        raise RequestError(f'--time is "{text}"', slug="bad-option", where="--submit slurm", hint=hint)
    return -(-seconds // 60)


def check_system(name: str) -> None:
    """Refuse a system that jobs cannot be submitted to.

    Raises:
        RequestError: "bad-option".
    """
    if name not in SYSTEMS:
        hint = f"--submit slurm; for Kubernetes and SkyPilot: --share, docs/clusters.md. {EXAMPLE}"
        raise RequestError(f'--submit is "{name}"', slug="bad-option", where="--submit", hint=hint)
