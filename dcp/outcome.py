"""Outcome: from what happened to an exit code and one plain message."""

import os
import sys
from collections.abc import Callable

from dcp.errors import DONE, INTERRUPTED, DcpError, Interrupted, RequestError


def guarded(work: Callable[[], int | None]) -> int:
    """The exit code of `work`; what the user or the machine caused is one plain message, and anything else a bug."""
    try:
        return work() or DONE
    except DcpError as error:
        if not _said_by_the_first_process(error):
            print(error, file=sys.stderr)
        return error.exit_code
    except Interrupted as error:
        if os.environ.get("RANK", "0") == "0":
            print("stopped; a checkpoint was saved: go on with --resume", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _said_by_the_first_process(error: DcpError) -> bool:
    """Whether this is another process of several, and the error one that all of them meet."""
    another = os.environ.get("RANK", "0") != "0"
    return another and (isinstance(error, RequestError) or error.slug in ("diverged", "process-lost"))
