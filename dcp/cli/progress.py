"""Progress of training: a bar in a terminal, one plain line an epoch elsewhere."""

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from dcp.cli.lines import complain, tell
from dcp.cli.ticker import GAP, SHORTEST, Pulse, Ticker, drawn_bar, is_live
from dcp.report.page import count
from dcp.report.paragraphs import INDENT, paragraph, row
from dcp.training.diagnosis.states import COMPLETE

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult

REDRAW_S = 0.1  # at most so often
WORTH_SAYING = 0.05  # share of the time for which training waits for images: more of train.workers may help
SILENT_S, SILENT_SHARE = 10.0, 0.1  # elsewhere than in a terminal a long epoch is told of before it ends


class Bar:
    """How far training is, with a bar where there is room, and how it does; as wide as the terminal is.

    Attributes:
        progress, health: words that are to be read in any case; they stand in one line, or in two, or in more.
        share: of the steps that are done, in [0, 1].
    """

    def __init__(self) -> None:
        self.progress: tuple[str, ...] = ()
        self.health: tuple[str, ...] = ()
        self.share = 0.0

    def __rich_console__(self, console: Console, options: "ConsoleOptions") -> "RenderResult":
        from rich.text import Text

        signs = str.maketrans("━─", "=-") if options.ascii_only else {}
        for line in self.lines(options.max_width):
            yield Text(line.translate(signs))

    def lines(self, width: int) -> list[str]:
        """The lines that fit `width` columns."""
        percent = f"{100 * self.share:.0f}%"
        joined = GAP.join(("━" * SHORTEST, percent, *self.progress, *self.health))
        first = (*self.progress, *self.health) if len(joined) <= width else self.progress
        rest = self.health if first is self.progress else ()
        text = GAP.join(first)
        bar = drawn_bar(self.share, width - len(GAP.join(("", percent, text))))
        head = [GAP.join((bar, percent, text))] if bar else row((percent, *first), GAP, width)
        return [*head, *(row(rest, GAP, width) if rest else [])]


class Watcher:
    """Shows what is going on, and the lines that a run writes about itself.

    Work goes on when nobody can read them any more.

    Args:
        console: where to.
        quiet: show nothing.
    """

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self.console, self.quiet = console, quiet
        self.bar, self.ticker = Bar(), Ticker(console)
        self.live: Live | None = None
        self.pulse: Pulse | None = None
        self.epochs = self.steps = 1
        self.state = ""  # of the last examination
        self.readouts: dict[str, float] = {}  # of the last epoch
        self.start = 0  # step that this sitting began with
        self.started = self.drawn = self.said = time.monotonic()

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rest()

    def __call__(self, line: dict[str, Any]) -> None:
        """Show one line of metrics, or how far probing is."""
        if not self.quiet:
            with self._silent_without_reader():
                show = {"start": self._start, "step": self._step, "epoch": self._epoch, "spectrum": self._spectrum}
                show |= {"probe": self._probe}
                show[line["kind"]](line)

    def say(self, text: str) -> None:
        """A sentence for the user, broken between words where a terminal ends."""
        if self.quiet:
            return
        with self._silent_without_reader():
            self.said = time.monotonic()
            with self.ticker.away():
                tell(self.console, text)

    def warn(self, text: str) -> None:
        """The same on standard error, and also where it is quiet."""
        with self.ticker.away():
            complain(text)

    def doing(self, text: str, share: float | None = None, pace: str = "") -> None:
        """What goes on from here, until there is something else to show; which share is done, and how fast."""
        if not self.quiet:
            self.ticker.show(text, share, pace)

    def rest(self) -> None:
        """Nothing goes on: what is printed from here on stands below what was shown."""
        self.ticker.clear()
        if self.pulse is not None:
            self.pulse.close()
            self.pulse = None
        if self.live is not None:
            with self._silent_without_reader():
                self.live.stop()
            self.live = None

    def _room(self) -> int:
        """Columns behind the bar."""
        return self.console.width - len(self.bar.lines(self.console.width)[-1])

    @contextlib.contextmanager
    def _silent_without_reader(self) -> Iterator[None]:
        """Fall silent where the output is gone, as behind `| head`: no reason to lose a training run."""
        try:
            yield
        except (OSError, SystemExit):  # rich makes a SystemExit of a broken pipe
            self.quiet = self.console.quiet = True
            self.ticker.clear()

    def _start(self, line: dict[str, Any]) -> None:
        self.rest()
        self.state, self.readouts = "", {}
        self.epochs, self.steps, self.start = line["epochs"], line["steps"], line["step"]
        self.started = time.monotonic()
        resumed = f", resumed at step {line['step']:,}" if line["step"] else ""
        counts = (count(line[f"{what}s"], what) for what in ("image", "epoch", "step"))
        processes = f", {line['processes']} processes" if line["processes"] > 1 else ""
        self.say(f"{line['run']}: {', '.join(counts)}{resumed}")
        graph = "one CUDA graph a step" if line["graph"] is True else f"no CUDA graph: {line['graph']}"
        threads = f"threads: {line['threads_why']}" if line["threads_why"] else ""
        how = graph if line["device"].startswith("cuda") else threads
        numbers = f"{line['device']}{processes}, {line['precision']} ({line['why']})"
        for part in paragraph(INDENT + "; ".join(filter(None, (numbers, how))), self.console.width):
            self.say(part)
        self.bar.share = line["step"] / max(1, self.steps)
        if is_live(self.console) and not self.quiet:
            # drawn as lines come, not by a thread of its own: that one's errors would reach nobody
            live = Live(self.bar, console=self.console, auto_refresh=False)
            live.start(refresh=True)
            self.live, self.drawn = live, time.monotonic()
            self.pulse = Pulse(self.console, self._room, lambda: self.drawn)

    def _step(self, line: dict[str, Any]) -> None:
        self._draw(line)
        now = time.monotonic()
        if self.live is None and now - self.said > max(SILENT_S, SILENT_SHARE * (now - self.started)):
            self.say(self._told(line, f"step {line['step'] + 1:,}/{self.steps:,}"))

    def _spectrum(self, line: dict[str, Any]) -> None:
        if line["state"] not in (self.state, "healthy", "unknown"):
            self.say(f"step {line['step'] + 1:,}: {line['state']}: {line['evidence']}")
        self.state = line["state"]

    def _epoch(self, line: dict[str, Any]) -> None:
        named = (("kNN", "online_knn"), ("linear", "online_linear"))
        self.readouts = {name: line[key] for name, key in named if key in line}
        if self.live is None:
            self.say(self._told(line, f"epoch {line['epoch'] + 1}/{self.epochs}"))
        elif line["step"] + 1 < self.steps:
            self._draw(line)
        else:
            self._draw(line, now=True)
            self.rest()  # what is said from here on stands below
            self.doing("saving")

    def _probe(self, line: dict[str, Any]) -> None:
        if self.live is not None:
            self.rest()
        name, number, of = line["name"], line["number"], line["of"]
        if name:
            self.ticker.show(f"measuring: {name} ({number}/{of})" if number else f"measuring: {name}", line["share"])
        else:
            self.ticker.clear()

    def _draw(self, line: dict[str, Any], *, now: bool = False) -> None:
        """Draw the bar anew, but not more often than a terminal should be asked to."""
        self.bar.progress, self.bar.health = self._progress(line), self._health(line)
        self.bar.share = (line["step"] + 1) / max(1, self.steps)
        if self.live is not None and (now or time.monotonic() - self.drawn > REDRAW_S):
            self.drawn = time.monotonic()
            self.live.refresh()

    def _told(self, line: dict[str, Any], place: str) -> str:
        """What the bar says, where there is no terminal: in one line, as long as that may be."""
        _, *progress = self._progress(line)
        return GAP.join((place, *progress, *self._health(line)))

    def _progress(self, line: dict[str, Any]) -> tuple[str, ...]:
        done = line["step"] + 1
        pace = (time.monotonic() - self.started) / max(1, done - self.start)  # earlier sittings may have had another
        waits = line.get("data_wait", 0.0)
        return (
            f"epoch {line['epoch'] + 1}/{self.epochs}",
            f"loss {line['loss']:.3f}",
            f"{line['images_per_s']:,.0f} img/s",
            *([f"waits {waits:.0%}"] if waits >= WORTH_SAYING else []),
            f"{duration(pace * (self.steps - done))} left",
        )

    def _health(self, line: dict[str, Any]) -> tuple[str, ...]:
        readouts = ", ".join(f"{name} {share:.0%}" for name, share in self.readouts.items())
        state = () if self.state in ("", "unknown") else (self.state,)
        return (*_signs(line), *((f"online {readouts}",) if readouts else ()), *state)


def _signs(line: dict[str, Any]) -> tuple[str, ...]:
    """Spread, and rank where that means something: of projections that all point one way it says nothing."""
    rank = (f"rank {line['effective_rank']:.1f}",) if line["spread"] >= COMPLETE else ()
    return (f"spread {line['spread']:.2f}", *rank)


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(5), duration(150), duration(9000)
    ('5 s', '2.5 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
