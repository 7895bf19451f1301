"""Standard output and error: what cannot be written there is noted, and stops no work.

A command may have trained for hours when it prints its summary into a full disk or a closed pipe. So writing never
raises; how it went is looked at when all else is done.
"""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from dcp.errors import RunError


class Output:
    """A stream that falls silent when it cannot be written to.

    Attributes:
        error: what the system said then; None as long as all is well.
    """

    def __init__(self, stream: TextIO) -> None:
        if isinstance(stream, io.TextIOWrapper):  # a terminal of few letters shows the others escaped
            stream.reconfigure(errors="backslashreplace")
        self.stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write, as long as that is possible; returns the number of characters as streams do."""
        with self._noting():
            if self.error is None:
                self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Send off what is written, as long as that is possible."""
        with self._noting():
            if self.error is None:
                self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    @property
    def lost(self) -> RunError | None:
        """The error for what could not be written; None too where the reader has gone, as `head` does."""
        if self.error is None or self.error.errno == errno.EPIPE:
            return None
        reason = "it is closed" if self.error.errno == errno.EBADF else self.error.strerror or str(self.error)
        hint = "Everything else is done. To be rid of the output: > /dev/null"
        return RunError(f"cannot write the output: {reason}", slug="no-output", hint=hint)

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = error
            with contextlib.suppress(OSError, ValueError):  # what is still in buffers must not come up again at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


@contextlib.contextmanager
def outputs() -> Iterator[Output]:
    """Standard output and error as Outputs; gives that of standard output."""
    before = sys.stdout, sys.stderr
    out, err = (Output(stream or _closed(number)) for number, stream in enumerate(before, 1))
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def _closed(number: int) -> TextIO:
    """A stream for a descriptor that whoever started us has closed: every write fails.

    The descriptor is taken, or else the next file that is opened would get its number, and what a library prints.
    """
    reading = os.open(os.devnull, os.O_RDONLY)
    if reading != number:
        os.dup2(reading, number)
        os.close(reading)
    return open(number, "w", closefd=False)
