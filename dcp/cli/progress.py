"""Progress of training: a bar in a terminal, one plain line an epoch elsewhere."""

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from dcp.report.page import count

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult

GAP = "  "
LONGEST, SHORTEST = 20, 5  # columns of the bar
WORTH_SAYING = 0.05  # share of the time for which training waits for images: more of train.workers may help
REDRAW_S = 0.1  # at most so often


class Bar:
    """One line of numbers, with a bar where there is room; it draws itself as wide as the terminal is.

    Attributes:
        words: what is to be read in any case; they go on in a further line if they must.
        share: of the steps that are done, in [0, 1].
    """

    def __init__(self) -> None:
        self.words: tuple[str, ...] = ()
        self.share = 0.0

    def __rich_console__(self, console: Console, options: "ConsoleOptions") -> "RenderResult":
        from rich.text import Text

        signs = str.maketrans("━─", "=-") if options.ascii_only else {}
        for line in self.lines(options.max_width):
            yield Text(line.translate(signs))

    def lines(self, width: int) -> list[str]:
        """The lines that fit `width` columns; the numbers come first, then percent, then the bar."""
        text = GAP.join(self.words)
        if len(text) > width:  # as few lines as hold the words
            lines = [self.words[0]]
            for word in self.words[1:]:
                longer = lines[-1] + GAP + word
                lines = [*lines[:-1], longer] if len(longer) <= width else [*lines, word]
            return lines
        percent = f"{100 * self.share:.0f}%"
        room = min(width - len(GAP.join((text, percent, ""))), LONGEST)
        if room < SHORTEST:
            return [GAP.join((percent, text))] if room >= 0 else [text]
        done = int(self.share * room)
        return [GAP.join(("━" * done + "─" * (room - done), percent, text))]


class Watcher:
    """Shows the lines that a run writes about itself; training goes on when nobody can read them any more.

    Args:
        console: where to.
        quiet: show nothing.
    """

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self.console, self.quiet = console, quiet
        self.bar = Bar()
        self.live: Live | None = None
        self.epochs = self.steps = 1
        self.state = ""  # of the last examination
        self.readouts: tuple[str, ...] = ()  # of the last epoch
        self.start = 0  # step that this sitting began with
        self.started = self.drawn = time.monotonic()

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            with self._silent_without_reader():
                self.live.stop()

    def __call__(self, line: dict[str, Any]) -> None:
        """Show one line of metrics."""
        if not self.quiet:
            with self._silent_without_reader():
                show = {"start": self._start, "step": self._step, "epoch": self._epoch, "spectrum": self._spectrum}
                show[line["kind"]](line)

    def say(self, text: str) -> None:
        """A sentence for the user."""
        if not self.quiet:
            with self._silent_without_reader():
                self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def _silent_without_reader(self) -> Iterator[None]:
        """Fall silent where the output is gone, as behind `| head`: no reason to lose a training run."""
        try:
            yield
        except (OSError, SystemExit):  # rich makes a SystemExit of a broken pipe
            self.quiet = self.console.quiet = True

    def _start(self, line: dict[str, Any]) -> None:
        self.epochs, self.steps, self.start = line["epochs"], line["steps"], line["step"]
        self.started = time.monotonic()
        resumed = f", resumed at step {line['step']:,}" if line["step"] else ""
        counts = (count(line[f"{what}s"], what) for what in ("image", "epoch", "step"))
        processes = f"{line['processes']} process{'' if line['processes'] == 1 else 'es'}"
        graph = "; one CUDA graph a step" if line["graph"] is True else f"; no CUDA graph: {line['graph']}"
        threads = f"; threads: {line['threads_why']}" if line["threads_why"] else ""
        how = graph if line["device"].startswith("cuda") else threads
        self.say(
            f"{line['run']}: {', '.join(counts)}{resumed}; "
            f"{line['device']}, {processes}, {line['precision']} ({line['why']}){how}"
        )
        if self.console.is_terminal and not self.console.is_dumb_terminal and not self.quiet:
            # drawn as lines come, not by a thread of its own: that one's errors would reach nobody
            live = Live(self.bar, console=self.console, auto_refresh=False)
            live.start()
            self.live = live

    def _step(self, line: dict[str, Any]) -> None:
        done = line["step"] + 1
        self.bar.words = self._words(line)
        self.bar.share = done / max(1, self.steps)
        if self.live is not None and (time.monotonic() - self.drawn > REDRAW_S or done == self.steps):
            self.drawn = time.monotonic()
            self.live.refresh()
            if done == self.steps:
                self.live.stop()  # what is said from here on stands below

    def _spectrum(self, line: dict[str, Any]) -> None:
        if line["state"] not in (self.state, "healthy", "unknown"):
            self.say(f"step {line['step'] + 1:,}: {line['state']}: {line['evidence']}")
        self.state = line["state"]

    def _epoch(self, line: dict[str, Any]) -> None:
        named = (("kNN", "online_knn"), ("linear", "online_linear"))
        self.readouts = tuple(f"{name} {line[key]:.0%}" for name, key in named if key in line)
        if self.live is None:
            self.say(GAP.join(self._words(line)))

    def _words(self, line: dict[str, Any]) -> tuple[str, ...]:
        done = line["step"] + 1
        pace = (time.monotonic() - self.started) / max(1, done - self.start)  # earlier sittings may have had another
        waits = line.get("data_wait", 0.0)
        return (
            f"epoch {line['epoch'] + 1}/{self.epochs}",
            f"loss {line['loss']:.3f}",
            f"{line['images_per_s']:,.0f} img/s",
            *([f"waits {waits:.0%}"] if waits >= WORTH_SAYING else []),
            f"rank {line['effective_rank']:.1f}",
            *self.readouts,
            *([self.state] if self.state else []),
            f"{duration(pace * (self.steps - done))} left",
        )


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(5), duration(150), duration(9000)
    ('5 s', '2.5 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
