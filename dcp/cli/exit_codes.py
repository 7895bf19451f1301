"""Exit codes: from what happened to a number and one plain message."""

import functools
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import typer

from dcp.cli.lines import complain
from dcp.errors import (
    DONE,
    INTERRUPTED,
    DcpError,
    Diverged,
    Interrupted,
    ProcessLost,
    RequestError,
    RunError,
)
from dcp.training.signals import STOPS

ON_EVERY_PROCESS = (RequestError, Diverged, ProcessLost)  # one of several processes says it for all
LAUNCHED = "DCP_LAUNCHED"  # set in the environment of processes that dcp has started itself, and watches
LOST = 75  # the exit code by which such a one tells that another was lost
_heard: list[int] = []  # signals of this process
LAST_RESORT = (OSError, UnicodeError, RecursionError, MemoryError)  # nobody before knew better what they mean


def exits(command: Callable[..., int | None]) -> Callable[..., NoReturn]:
    """The command, leaving with its exit code."""

    @functools.wraps(command)
    def guarded_command(**options: Any) -> NoReturn:
        raise typer.Exit(guarded(lambda: command(**options)))

    return guarded_command


def guarded(work: Callable[[], int | None]) -> int:
    """The exit code of `work`; what the user or the machine caused is one plain message, and anything else a bug."""
    try:
        try:
            return work() or DONE
        except Exception:  # code in other languages makes another error of an interrupt
            if _heard:
                raise KeyboardInterrupt from None
            raise
    except DcpError as error:
        return report(error)
    except Interrupted as error:
        if not error.said and (is_main() or not (error.saved or LAUNCHED in os.environ)):
            how = "a checkpoint was saved" if error.saved else "no new checkpoint, images were waited for in vain"
            complain(f"stopped; {how}: go on with --resume")
        return error.exit_code
    except KeyboardInterrupt as error:
        if is_main():
            complain(" ".join(error.args) or "stopped")  # who knows how to go on says so
        return STOPS[signal.Signals(_heard[-1]).name] if _heard else INTERRUPTED
    except LAST_RESORT as error:
        return report(_system_error(error))


def stop(number: int, frame: FrameType | None) -> NoReturn:
    """A handler of signals: whatever is done ends here, as with Ctrl-C."""
    _heard.append(number)
    raise KeyboardInterrupt


def is_main() -> bool:
    """Whether this process is the only one, or that of rank 0."""
    return not is_launched() or _integer("RANK") == 0


def is_launched() -> bool:
    """Whether a launcher has started this process together with others."""
    return _integer("WORLD_SIZE") > 1


def _integer(variable: str) -> int:
    text = os.environ.get(variable, "")
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def report(error: DcpError) -> int:
    """The error's exit code, after the message is on the screen."""
    sys.stdout.flush()  # what was printed before comes before
    if isinstance(error, ProcessLost) and LAUNCHED in os.environ:
        return LOST  # whoever started it knows which process ended, and why
    # several processes meet some errors alike, and the word of one is enough, or of two where one is lost
    two = isinstance(error, ProcessLost) and (_integer("RANK") == 1 or os.environ.get("LOCAL_RANK") == "0")
    if is_main() or two or not isinstance(error, ON_EVERY_PROCESS):
        complain(str(error))
    return error.exit_code


def _system_error(error: Exception) -> RunError:
    """What the machine refused, where nobody has said it better, and the place in dcp for a bug report."""
    where = ""
    if isinstance(error, OSError):
        message, where = error.strerror or str(error), str(error.filename or "")
    elif isinstance(error, UnicodeError):
        message = f"a text cannot be read or written: {error}"
    else:
        message = "memory ran out" if isinstance(error, MemoryError) else "something is nested too deeply"
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if Path(frame.filename).parent.is_relative_to(Path(__file__).parents[1])]
    hint = f"It came up at {Path(inside[-1].filename).name}, line {inside[-1].lineno}." if inside else ""
    return RunError(message, slug="system-error", where=where, hint=hint)
