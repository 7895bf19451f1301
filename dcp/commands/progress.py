"""Progress of training: a bar in a terminal, one plain line an epoch elsewhere."""

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dcp import diagnosis


class Watcher:
    """Shows the lines that a run writes about itself.

    Args:
        console: where to.
        quiet: show nothing.
    """

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self.console, self.quiet = console, quiet
        self.bar: Progress | None = None
        self.epochs = 1
        self.started = time.monotonic()

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, line: dict[str, Any]) -> None:
        """Show one line of metrics."""
        if not self.quiet:
            {"start": self._start, "step": self._step, "epoch": self._epoch}[line["kind"]](line)

    def say(self, text: str) -> None:
        """A sentence for the user."""
        if not self.quiet:
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _start(self, line: dict[str, Any]) -> None:
        self.epochs, self.started = line["epochs"], time.monotonic()
        again = f", resumed at step {line['step']:,}" if line["step"] else ""
        self.say(
            f"{line['run']}: {line['images']:,} images, {line['epochs']} epochs, {line['steps']:,} steps{again}; "
            f"{line['device']}, {_processes(line['processes'])}, {line['precision']} ({line['why']})"
        )
        if self.console.is_terminal:
            self.bar = Progress(
                TextColumn("epoch {task.fields[epoch]}"),
                BarColumn(bar_width=20),
                TextColumn("{task.percentage:3.0f}%"),
                TextColumn("{task.fields[numbers]}"),
                TimeRemainingColumn(),
                console=self.console,
            )
            self.bar.start()
            self.bar.add_task("", total=line["steps"], completed=line["step"], epoch=f"1/{self.epochs}", numbers="")

    def _step(self, line: dict[str, Any]) -> None:
        if self.bar is not None:
            epoch = f"{line['epoch'] + 1}/{self.epochs}"
            self.bar.update(self.bar.task_ids[0], completed=line["step"] + 1, epoch=epoch, numbers=_numbers(line))

    def _epoch(self, line: dict[str, Any]) -> None:
        if self.bar is None:
            done = line["epoch"] + 1
            left = (time.monotonic() - self.started) / max(1, done) * (self.epochs - done)
            self.say(f"epoch {done}/{self.epochs}  {_numbers(line)}  {duration(left)} left")


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"


def _numbers(line: dict[str, Any]) -> str:
    name, _ = diagnosis.state(line["spread"], line["effective_rank"])
    return f"loss {line['loss']:.3f}  {line['images_per_s']:,.0f} img/s  rank {line['effective_rank']:.1f}  {name}"


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(5), duration(150), duration(9000)
    ('5 s', '2.5 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
