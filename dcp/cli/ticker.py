"""What goes on now and for how long: one line in a terminal, drawn over itself; elsewhere a line where it takes long.

A thread draws it, because what it tells of is one call: importing PyTorch, fitting a classifier. It writes to the
descriptor, past the locks of Python's streams: a process that is forked meanwhile must not find one of them taken.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console

REDRAW_S = 0.25
BEAT_S, STILL_S = 1.0, 2.0
PATIENCE_S, AGAIN_S = 5.0, 30.0  # without a terminal nothing is said of what takes less, and then again so often
LONGEST, SHORTEST = 20, 5  # columns of the bar
GAP = "  "
ERASE = "\r\x1b[K"


def drawn_bar(share: float, room: int) -> str:
    """A bar of at most `LONGEST` columns with a share in [0, 1] of it done, or "" where it would be too short.

    >>> drawn_bar(0.5, 10), drawn_bar(0.5, 4)
    ('━━━━━─────', '')
    """
    room = min(room, LONGEST)
    done = int(share * room)
    return "━" * done + "─" * (room - done) if room >= SHORTEST else ""


def is_live(console: Console) -> bool:
    """Whether lines can be drawn over."""
    return console.is_terminal and not console.is_dumb_terminal


class Ticker:
    """The line. Errors of the output silence it, and nothing else.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self.console, self.live = console, is_live(console)
        self.text, self.share, self.pace = "", None, ""  # type: tuple[str, float | None, str]
        self.since = time.monotonic()
        self.due = PATIENCE_S  # without a terminal, after so long it is said that the text goes on
        self.ended = threading.Event()
        self.thread: threading.Thread | None = None

    def show(self, text: str, share: float | None = None, pace: str = "") -> None:
        """From now on this goes on, so much of it is done, at this pace; the time is since the text is another."""
        if text != self.text:
            self.since, self.due = time.monotonic(), PATIENCE_S
        self.text, self.share, self.pace = text, share, pace
        if self.thread is None:
            with contextlib.suppress(OSError, SystemExit):
                self.console.file.flush()  # what was printed before comes before
            self.ended.clear()
            self.thread = threading.Thread(target=self._tick, args=(self.ended,), daemon=True)
            self.thread.start()
        if self.live:
            self._write(ERASE + self.line(self.console.width - 1))

    def clear(self) -> None:
        """Nothing goes on that would have to be told; a line in a terminal is gone again."""
        if self.thread is None:
            return
        self.ended.set()
        self.thread.join()
        self.thread, self.text = None, ""
        if self.live:
            self._write(ERASE)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Gone while something is printed, and there again."""
        text, share, pace, since, due = self.text, self.share, self.pace, self.since, self.due
        self.clear()
        try:
            yield
        finally:
            if text:
                self.show(text, share, pace)
                self.since, self.due = since, due

    def line(self, width: int) -> str:
        """What the line says, in at most so many columns."""
        seconds, text = time.monotonic() - self.since, f"{self.text} ..."
        tail = [f"{self.share:.0%}"] if self.share is not None else []
        tail += [self.pace] if self.pace else [f"{seconds:.0f} s"] if seconds >= 1 else []
        while tail and len(GAP.join([text, *tail])) > width:
            tail.pop(0)
        bar = drawn_bar(self.share or 0.0, width - len(GAP.join([text, "", *tail]))) if self.share is not None else ""
        line = GAP.join([text, *([bar] if bar else []), *tail])
        return line[:width].translate(str.maketrans("━─", "=-") if self.console.options.ascii_only else {})

    def _tick(self, ended: threading.Event) -> None:
        """Draw again and again; the thread's part."""
        while not ended.wait(REDRAW_S):
            if self.live:
                self._write(ERASE + self.line(self.console.width - 1))
            elif (seconds := time.monotonic() - self.since) >= self.due:
                self._write(f"{self.text} ...{f'  {seconds:.0f} s' if self.due > PATIENCE_S else ''}\n")
                self.due = seconds + AGAIN_S

    def _write(self, text: str) -> None:
        write(self.console, text)


class Pulse:
    """Behind a bar that is drawn as numbers come: for how many seconds none have come. Drawn by a thread.

    It stands behind the cursor, which stays where it was: whoever draws the bar anew wipes it out.

    Args:
        console: a terminal.
        room: columns that are free behind the cursor.
        since: the time of the last number.
    """

    def __init__(self, console: Console, room: Callable[[], int], since: Callable[[], float]) -> None:
        self.console, self.room, self.since = console, room, since
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)
        self.thread.start()

    def close(self) -> None:
        """No more of it."""
        self.ended.set()
        self.thread.join()

    def _beat(self) -> None:
        while not self.ended.wait(BEAT_S):
            text = f"  ... {time.monotonic() - self.since():.0f} s"
            if time.monotonic() - self.since() >= STILL_S and self.room() > len(text):
                write(self.console, f"\x1b7{text}\x1b8")


def write(console: Console, text: str) -> None:
    """Write to the descriptor; an output that nobody reads any more is no reason to stop."""
    with contextlib.suppress(OSError, ValueError):
        try:
            number = console.file.fileno()
        except OSError:  # no file of the system
            console.file.write(text)
            return
        os.write(number, text.encode(console.encoding, errors="backslashreplace"))
