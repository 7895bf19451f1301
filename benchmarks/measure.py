"""Measuring: rows, and things done in turn."""

import gc
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch

Turn = Callable[[], float]  # does some work and returns its rate, or the time it took


@dataclass(frozen=True)
class Spread:
    """Median, lowest and highest of a few repeats."""

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """The spread of at least one value."""
        return cls(median(values), min(values), max(values), len(values))


@dataclass(frozen=True)
class Row:
    """One measured thing.

    Args:
        group: what it belongs to, "views 32 px".
        name: what was measured, "dcp".
        unit: of the value, "views/s".
        value: spread over the repeats.
        beside: name of the row of the same group that the ratio is to.
        ratio: this row's value over that of `beside`, repeat by repeat.
        note: whatever else a reader must know.
    """

    group: str
    name: str
    unit: str
    value: Spread
    beside: str = ""
    ratio: Spread | None = None
    note: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Args:
        quick: small networks and few repeats: does it run, roughly how fast.
        device: "cpu" or "cuda".
        threads: of torch on the CPU where the whole machine is used.
        until: when a task should be over, in `time.monotonic()`, which all processes of a machine share.
        limit: when it is ended, on the same clock.
    """

    quick: bool
    device: str
    threads: int
    until: float = math.inf
    limit: float = math.inf

    @property
    def limited(self) -> bool:
        """Whether time is short."""
        return self.until < math.inf

    @property
    def repeats(self) -> int:
        """Of each thing that is compared."""
        return 2 if self.quick else 5

    @property
    def least_s(self) -> float:
        """A short thing is repeated within its turn until so many seconds have gone."""
        return 0.02 if self.quick else 0.2


def alternate(turns: Mapping[str, Turn], repeats: int, until: float = math.inf) -> dict[str, list[float]]:
    """What the turns return: all of them once a round, in an order that alternates.

    Args:
        turns: name -> turn.
        repeats: rounds that count; one before them warms up.
        until: no round begins that would not be over by then, as far as the one before tells; one counts in any case.
    """
    found: dict[str, list[float]] = {name: [] for name in turns}
    gc.collect()
    gc.freeze()  # from here on only what the turns leave is looked through: all that imports made takes 0.3 s each time
    try:
        for number in range(repeats + 1):
            began = time.monotonic()
            for name in list(turns) if number % 2 else reversed(list(turns)):
                value = turns[name]()
                if number:
                    found[name].append(value)
            now = time.monotonic()
            if number and now + (now - began) > until:
                break
    finally:
        gc.unfreeze()
    return found


def in_turn(
    things: Mapping[str, Callable[[], float]],
    repeats: int,
    device: str = "cpu",
    least_s: float = 0.0,
    until: float = math.inf,
) -> dict[str, list[float]]:
    """Units a second of each thing, by `alternate`.

    Args:
        things: name -> does the work once and returns how many units that was.
        repeats: rounds that count.
        device: waited for before each reading of the clock.
        least_s: each thing is repeated within a round until this much time has gone.
        until: as for `alternate`.
    """
    return alternate({name: timed(thing, device, least_s=least_s) for name, thing in things.items()}, repeats, until)


def timed(
    run: Callable[[], float],
    device: str,
    prepare: Callable[[], None] = lambda: None,
    finish: Callable[[], None] = lambda: None,
    least_s: float = 0.0,
) -> Turn:
    """A turn in which `run`, which returns how many units it did, is on the clock, `prepare` and `finish` are off it.

    From the second turn on, `run` is repeated until `least_s` have gone.
    """
    least = iter((0.0,))

    def rate() -> float:
        enough = next(least, least_s)
        prepare()
        gc.collect()
        settle(device)
        began, units = time.perf_counter(), 0.0
        while True:
            units += run()
            settle(device)
            took = time.perf_counter() - began
            if took >= enough:
                break
        finish()
        return units / took

    return rate


def settle(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def rows(group: str, unit: str, found: Mapping[str, list[float]], beside: str = "", note: str = "") -> list[Row]:
    """A row for each thing of `in_turn`, with its ratio to `beside`."""
    base = found.get(beside)
    made = []
    for name, values in found.items():
        ratio = None
        if base is not None and name != beside:
            ratio = Spread.of([mine / other for mine, other in zip(values, base, strict=True)])
        made.append(Row(group, name, unit, Spread.of(values), beside if ratio else "", ratio, note))
    return made
