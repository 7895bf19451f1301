"""Exit codes: from what happened to a number and one plain message."""

import contextlib
import functools
import io
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import typer

from dcp.errors import DONE, INTERRUPTED, DcpError, Diverged, Interrupted, ProcessLost, RequestError, RunError

ON_EVERY_PROCESS = (RequestError, Diverged, ProcessLost)  # one of several processes says it for all
LAST_RESORT = (OSError, UnicodeError, RecursionError, MemoryError)  # nobody before knew better what they mean


def exits(command: Callable[..., int | None]) -> Callable[..., NoReturn]:
    """The command, leaving with its exit code."""

    @functools.wraps(command)
    def guarded_command(**options: Any) -> NoReturn:
        raise typer.Exit(guarded(lambda: command(**options)))

    return guarded_command


def guarded(work: Callable[[], int | None]) -> int:
    """The exit code of `work`; what the user or the machine caused is one plain message, and anything else a bug."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal of few letters shows the others escaped
            stream.reconfigure(errors="backslashreplace")
    try:
        code = work() or DONE
        _flush()
        return code
    except DcpError as error:
        return _report(error)
    except Interrupted as error:
        if is_main():
            print("stopped; a checkpoint was saved: go on with --resume", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as error:
        print(*(error.args or ("stopped",)), file=sys.stderr)  # who knows how to go on says so
        return INTERRUPTED
    except BrokenPipeError:
        return _discard_output()
    except SystemExit as error:  # rich's answer to a closed pipe
        if isinstance(error.__context__, BrokenPipeError):
            return _discard_output()
        raise
    except LAST_RESORT as error:
        return _report(_system_error(error))


def is_main() -> bool:
    """Whether this process is the only one, or that of rank 0."""
    return not is_launched() or _integer("RANK") == 0


def is_launched() -> bool:
    """Whether a launcher has started this process together with others."""
    return _integer("WORLD_SIZE") > 1


def _integer(variable: str) -> int:
    text = os.environ.get(variable, "")
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def _report(error: DcpError) -> int:
    """The error's exit code, after the message is on the screen."""
    with contextlib.suppress(OSError):
        _flush()  # what was printed before comes before
    # several processes meet these alike, and the word of one is enough
    if is_main() or not isinstance(error, ON_EVERY_PROCESS):
        print(error, file=sys.stderr)
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


def _flush() -> None:
    """Send off what is printed, as long as an error can still be shown.

    Raises:
        OSError: it cannot be; nothing will be tried again.
    """
    if sys.stdout is None:  # closed by whoever started us
        return
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()
        raise


def _discard_output() -> int:
    """Done: the reader of our output has gone, as `head` does."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE
