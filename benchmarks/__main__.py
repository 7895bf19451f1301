"""`python -m benchmarks`: all rows, or those of some groups, as a table and as JSON."""

import argparse
import importlib
import json
import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import STARTED
from benchmarks.measure import Row, Scale
from benchmarks.tasks import Processes, all_rows, rows_within
from dcp.hardware.device import device_name
from dcp.training.record import versions

GROUPS = (
    "views",
    "step",
    "host",
    "memory",
    "epoch",
    "profile",
    "byol",
    "several",
    "many_views",
    "methods",
    "malloc",
    "predictors",
    "objectives",
    "probes",
    "growth",
    "startup",
    "shards",
)
BENCH = "pip install 'dcp[bench]'"
RIVALS = {"lightly": BENCH, "kornia": BENCH, "stable-pretraining": "pip install stable-pretraining"}


def main() -> None:
    """Measure, print, write."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception ends the processes that measure
    asked = _asked()
    scale = Scale(asked.quick, asked.device, asked.threads)
    groups = [importlib.import_module(f"benchmarks.{group}") for group in asked.groups or GROUPS]
    tasks = [task for group in groups for task in group.tasks(scale)]
    found: list[Row] = []
    with Processes(shared="quick" if asked.quick else None) as processes:
        if asked.minutes is None:
            rows = all_rows(tasks, scale, processes.run)
        else:
            left = 60 * asked.minutes - (time.monotonic() - STARTED)
            rows = rows_within(left, tasks, scale, processes.run)
        for row in rows:
            found.append(row)
            print(_line(row), flush=True)
            _write(asked.json, scale, found)
    console = Console() if sys.stdout.isatty() else Console(width=150)
    console.print(_table(found))
    console.print(f"{time.monotonic() - STARTED:.0f} s; written to {asked.json}", highlight=False)


def _write(path: Path, scale: Scale, found: list[Row]) -> None:
    """All that is known so far: who stops a long benchmark keeps its rows."""
    wall_s = time.monotonic() - STARTED
    about = {"versions": {**versions(), **_rivals()}, "machine": _machine(scale), "wall_s": wall_s}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, "rows": [row.plain() for row in found]}, indent=1) + "\n")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="which to measure; all without any")
    parser.add_argument("--quick", action="store_true", help="small networks, few repeats: under two minutes")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch, where not one core is measured")
    parser.add_argument("--minutes", type=float, help="measure what matters most, and stop by then")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"))
    return parser.parse_args()


def _line(row: Row) -> str:
    if not row.value.repeats:
        return f"{row.group}: {row.name}  {row.note}"
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
    found: dict[str, Any] = {
        "device": device_name(torch.device(scale.device)),
        "cores": os.cpu_count(),
        "threads": scale.threads,
        "processor": platform.processor() or platform.machine(),
    }
    if scale.device == "cuda":
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        found |= {"memory_gib": memory, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return found


if __name__ == "__main__":
    main()
