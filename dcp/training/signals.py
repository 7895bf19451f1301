"""Signals: a request to stop or to save is noted, and obeyed between two steps."""

import signal
import threading
import time
from types import FrameType, TracebackType

from dcp.errors import INTERRUPTED, TERMINATED, TIME_UP

# SIGHUP: the terminal was closed; SIGUSR1: what schedulers send before a job's time is up, and only then
STOPS = {"SIGINT": INTERRUPTED, "SIGTERM": TERMINATED, "SIGHUP": TERMINATED, "SIGUSR1": TIME_UP}
SAVES = ("SIGUSR2",)
ONE_PRESS_S = 0.2


class Signals:
    """While it is entered, SIGINT, SIGTERM, SIGHUP and SIGUSR1 set `stop` to their exit code and SIGUSR2 sets `save`.

    A SIGHUP that is ignored stays so: that is how `nohup` works. A second SIGINT is not caught: whoever presses
    Ctrl-C twice does not want to wait for the checkpoint. One that follows within ONE_PRESS_S is the same: `timeout`
    sends to a process and then to its group. Only the main thread is given signals: others note none.
    """

    def __init__(self) -> None:
        self.stop = 0
        self._at = 0.0  # when it was asked for, by the monotonic clock
        self.save = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Signals":
        main = threading.current_thread() is threading.main_thread()
        for name in (*STOPS, *SAVES) if main else ():
            number = getattr(signal, name, None)  # Windows has no SIGUSR1
            if number is not None and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name in SAVES:
            self.save = True
        elif self.stop and name == "SIGINT":
            if time.monotonic() - self._at >= ONE_PRESS_S:
                raise KeyboardInterrupt
        elif self.stop != TIME_UP:  # which a SIGTERM follows when the time is over
            self.stop, self._at = STOPS[name], time.monotonic()
