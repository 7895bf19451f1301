"""`python -m benchmarks`: all rows, or those of some groups, as a table and as JSON."""

import argparse
import importlib
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Row, Scale, Spread
from dcp.hardware.device import device_name
from dcp.training.record import versions

GROUPS = (
    "views",
    "step",
    "epoch",
    "profile",
    "byol",
    "malloc",
    "predictors",
    "objectives",
    "probes",
    "growth",
    "startup",
)
BENCH = "pip install 'dcp[bench]'"
RIVALS = {"lightly": BENCH, "kornia": BENCH, "stable-pretraining": "pip install stable-pretraining"}


def main() -> None:
    """Measure, print, write."""
    asked = _asked()
    scale = Scale(asked.quick, asked.device, asked.threads)
    started, found = time.monotonic(), []
    for row in _measured(asked.groups or GROUPS, scale):
        found.append(row)
        print(_line(row), flush=True)
        _write(asked.json, scale, found, time.monotonic() - started)
    console = Console() if sys.stdout.isatty() else Console(width=150)
    console.print(_table(found))
    console.print(f"{time.monotonic() - started:.0f} s; written to {asked.json}", highlight=False)


def _write(path: Path, scale: Scale, found: list[Row], wall_s: float) -> None:
    """All that is known so far: who stops a long benchmark keeps its rows."""
    about = {"versions": {**versions(), **_rivals()}, "machine": _machine(scale), "wall_s": wall_s}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, "rows": [row.plain() for row in found]}, indent=1) + "\n")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="which to measure; all without any")
    parser.add_argument("--quick", action="store_true", help="small networks, few repeats: under two minutes")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch, where not one core is measured")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"))
    return parser.parse_args()


def _measured(groups: Sequence[str], scale: Scale) -> Iterator[Row]:
    """The rows of all groups: each task in a process of its own, or all in one where it must be quick."""
    tasks = [task for group in groups for task in importlib.import_module(f"benchmarks.{group}").tasks(scale)]
    for some in [tasks] if scale.quick else [[task] for task in tasks]:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            for task in some:
                yield from _rows(pool.submit(task).result, task.func)


def _rows(result: Callable[[], list[Row]], work: Callable[..., Any]) -> list[Row]:
    """The task's rows, or one that says why there are none: a rival that is not installed, or memory."""
    try:
        return result()
    except Exception as error:  # a row that fails must not cost the others
        nothing = Spread(float("nan"), float("nan"), float("nan"), 0)
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        return [Row("not measured", f"{work.__module__}.{work.__name__}", "", nothing, note=why)]


def _line(row: Row) -> str:
    ratio = f"  {row.ratio.median:.2f}x {row.beside}" if row.ratio else ""
    return f"{row.group}: {row.name} {row.value.median:,.4g} {row.unit}{ratio}  {row.note}".rstrip()


def _table(found: list[Row]) -> Table:
    table = Table("group", "what", "median", "lowest to highest", "unit", "ratio", "to", box=None, pad_edge=False)
    for row in found:
        ratio = f"{row.ratio.median:.2f} ({row.ratio.low:.2f} to {row.ratio.high:.2f})" if row.ratio else ""
        spread = f"{row.value.low:,.4g} to {row.value.high:,.4g}" if row.value.repeats > 1 else ""
        table.add_row(row.group, row.name, f"{row.value.median:,.4g}", spread, row.unit, ratio, row.beside)
    return table


def _rivals() -> dict[str, str]:
    """Versions of what dcp is measured beside."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name, how in RIVALS.items():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = f"not installed: {how}"
    return found


def _machine(scale: Scale) -> dict[str, Any]:
    return {
        "device": device_name(torch.device(scale.device)),
        "cores": os.cpu_count(),
        "threads": scale.threads,
        "processor": platform.processor() or platform.machine(),
    }


if __name__ == "__main__":
    main()
