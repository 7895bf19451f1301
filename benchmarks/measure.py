"""Measuring: rows, and things done in turn."""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch


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
    """

    quick: bool
    device: str
    threads: int

    @property
    def repeats(self) -> int:
        """Of each thing that is compared."""
        return 2 if self.quick else 5

    @property
    def least_s(self) -> float:
        """A short thing is repeated within its turn until so many seconds have gone."""
        return 0.02 if self.quick else 0.2


def in_turn(
    things: Mapping[str, Callable[[], float]], repeats: int, device: str = "cpu", least_s: float = 0.0
) -> dict[str, list[float]]:
    """Units a second of each thing, all things once a round, in an order that alternates.

    Args:
        things: name -> does the work once and returns how many units that was.
        repeats: rounds that count; one before them warms up.
        device: waited for before each reading of the clock.
        least_s: each thing is repeated within a round until this much time has gone.
    """
    found: dict[str, list[float]] = {name: [] for name in things}
    gc.collect()
    gc.freeze()  # from here on only what the turns leave is looked through: all that imports made takes 0.3 s each time
    try:
        for number in range(repeats + 1):
            for name in list(things) if number % 2 else reversed(list(things)):
                rate = _rate(things[name], device, least_s if number else 0.0)
                if number:
                    found[name].append(rate)
    finally:
        gc.unfreeze()
    return found


def _rate(thing: Callable[[], float], device: str, least_s: float) -> float:
    gc.collect()
    settle(device)
    started, units = time.perf_counter(), 0.0
    while True:
        units += thing()
        settle(device)
        took = time.perf_counter() - started
        if took >= least_s:
            return units / took


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
