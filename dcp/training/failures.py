"""Failures: how a run that did not end well is noted in run.json, and what the user is told."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.distributed import DistError

from dcp.errors import DcpError, Interrupted, ProcessLost, RequestError, RunBusy, RunError, RunLost, failure, printable
from dcp.runs import lease
from dcp.runs.disk import atomic_write, beside
from dcp.runs.json_files import read_json, to_json
from dcp.runs.owner import group
from dcp.runs.run import Run
from dcp.training.record import now

NOTED_S = 10.0  # for the disk may be that of the machine that is gone
LOST = ("closed by peer", "Connection reset", "Broken pipe", "Timed out waiting")  # what gloo says of other processes
REASON = "reason.json"  # what the other processes leave for the one that writes


@contextlib.contextmanager
def noted(path: Path, run: Run | None) -> Iterator[None]:
    """Note in run.json how a run ended that did not end well; should that fail, it is said on the screen.

    A request that is refused before a run goes on leaves its record as it was; later it is a failure of the run.
    """
    before = None if run is None else run.record
    with contextlib.ExitStack() as reserve:
        try:
            with in_words(path):
                if run is not None:
                    reserve.enter_context(run.reserving())
                yield
        except Interrupted as error:
            how = "after a checkpoint was saved" if error.saved else "without a new checkpoint"
            _note(run, "interrupted", f"stopped by a signal {how}; go on with --resume")
            raise
        except RunLost:
            raise
        except RequestError as error:
            if run is None or before is None:  # another process of the training, which raises it too
                _note(_ours(path), "failed", str(error), error.slug)
                raise
            if run.record is before and before.sittings:
                raise
            _note(run, "failed", str(error), error.slug)
            raise failure(error) from None
        except DcpError as error:
            _note(run or _ours(path), "failed", str(error), error.slug)
            raise
        except Exception as error:  # noted and raised again: whatever it is, run.json must not say "running"
            _note(run or _ours(path), "failed", f"a bug in dcp: {error!r}")
            raise
        except KeyboardInterrupt:
            _note(run, "interrupted", "stopped at once, without a new checkpoint; go on with --resume")
            raise
        except BaseException as error:
            _note(run, "failed", f"ended by {error!r}")
            raise


@contextlib.contextmanager
def in_words(path: Path | None) -> Iterator[None]:
    """Say in words that memory ran out, or that another process ended.

    Raises:
        RunError: "out-of-memory".
        ProcessLost: another process ended.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(str(error)) from None
    except RuntimeError as error:
        if "alloc" in str(error) and "memory" in str(error):
            raise _out_of_memory(str(error)) from None
        if is_lost(error):
            where = "" if path is None else str(path)
            raise ProcessLost("another process of this run ended", slug="process-lost", where=where) from None
        raise


def ends_at_once(path: Path, run: Run | None, what: str) -> None:
    """End this process because another is lost, for which its main thread waits in vain.

    Args:
        path: the run folder.
        run: of the process that writes; None in another, and before there is one.
        what: happened.
    """
    hint = "Go on with --resume, on as many machines as there are."
    error = ProcessLost(what, slug="process-lost", where=str(path), hint=hint)
    if os.environ.get("LOCAL_RANK") == "0":  # one word a machine
        cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""  # which a progress bar hides
        print(f"{cursor}{error}", file=sys.stderr, flush=True)

    def note() -> None:
        ours = run or _ours(path)
        _note(ours, "failed", str(error), error.slug)
        if ours is not None:
            ours.let_go()

    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    thread.join(NOTED_S)
    os._exit(error.exit_code)


def is_lost(error: BaseException) -> bool:
    """Whether an error says that another process of the training ended; gloo's begin with a file of its source."""
    if not group() or not isinstance(error, RuntimeError):
        return False
    text = str(error)
    return isinstance(error, DistError) or ("gloo/" in text and any(mark in text for mark in LOST))


def _ours(path: Path) -> Run | None:
    """The run, in a process that does not write: as long as those that it trains with hold it."""
    with contextlib.suppress(DcpError, OSError):
        found = lease.read(path)
        if found is not None and found.owner is not None and found.owner.group == group():
            return Run.open(path)
    return None


def _note(run: Run | None, status: str, why: str, slug: str = "") -> None:
    """Note how a run ended: in its record, or for the process that writes it."""
    if run is None:
        return
    fields = {"status": status, "why": why, "error": slug, "ended": now()}
    try:
        if not run.is_held:
            _leave(run, fields)
            return
        left = _left(run.path)
        if slug != "process-lost":
            run.end(**fields)
        elif Run.open(run.path).record.status == "running":  # else the process that is lost has said why
            run.end(**{**fields, **left})
    except DcpError as error:  # which must not hide the one that is on its way
        path, said = run.path / "run.json", run.record.status
        print(printable(f'{path} still says "{said}", and cannot be written: {error.message}'), file=sys.stderr)


def _leave(run: Run, fields: dict[str, str]) -> None:
    """Leave the reason where the process that writes finds it when it has lost this one; note it if that is gone."""
    try:
        with run.lock():
            if run.record.status == "running" or (run.record.error == "process-lost" != fields["error"]):
                run.end(**fields)
    except RunBusy:
        atomic_write(beside(run.path / REASON), to_json(fields))  # of a name that the next who takes the run sweeps


def _left(path: Path) -> dict[str, Any]:
    """What another process has left as its reason; nothing if there is none but that it lost one, too."""
    reason: dict[str, Any] = {}
    for place in sorted(path.glob(f".{REASON}.*.tmp")):
        with contextlib.suppress(DcpError, OSError):
            fields = read_json(place)
            place.unlink()
            if fields.get("error") != "process-lost":
                reason = fields
    return reason


def _out_of_memory(text: str) -> RunError:
    return RunError(
        ": ".join(["memory ran out", *text.splitlines()[:1]]),
        slug="out-of-memory",
        hint='a smaller train.batch, network.width or data.image_size; train.precision = "bf16" on a GPU',
    )
