"""Provenance: what run.json says about how a run was made."""

import platform
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

from dcp.data.datasets.base import Dataset
from dcp.data.sampler import Plan
from dcp.errors import printable
from dcp.hardware import environment
from dcp.hardware.device import device_name, peak_memory_bytes
from dcp.hardware.precision import Precision
from dcp.hardware.processes import Process
from dcp.method import flops
from dcp.method.algorithm import Method
from dcp.recipe.recipe import Recipe
from dcp.training.metrics import Metrics


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """What computed: dcp, Python, torch and the libraries that shape numbers."""
    libraries = ("dcp", "torch", "torchvision", "timm", "accelerate", "safetensors", "numpy")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in libraries}}


def sitting(process: Process, precision: Precision, threads: int | None, why_no_graph: str) -> dict[str, Any]:
    """What may change from one sitting of a run to the next."""
    return {
        "versions": versions(),
        "device": device_name(process.device),
        "processes": process.count,
        "precision": precision.name,
        "threads": threads,
        "graph": why_no_graph or True,
        "environment": environment.deciding(),
        "environment_ignored": [printable(name) for name in environment.ignored()],
    }


def beginning(data: Dataset, recipe: Recipe, fingerprint: str, plan: Plan, method: Method) -> dict[str, Any]:
    """What is known before the first step."""
    return {
        "status": "running",
        "why": "",
        "started": now(),
        "data": {"fingerprint": fingerprint, "n": len(data), "source": recipe.data.source} | data.facts(),
        "steps": plan.steps,
        "flops_per_image": flops.per_image(method, recipe.view_sizes),
    }


def ending(metrics: Metrics, plan: Plan, process: Process) -> dict[str, Any]:
    """What is known after the last one."""
    return {
        "status": "done",
        "why": "",
        "ended": now(),
        "wall_s": metrics.wall_s,
        "images_seen": plan.seen,
        "images_per_s": plan.seen / metrics.wall_s,
        "peak_memory_bytes": peak_memory_bytes(process.device),
        "epochs_done": plan.epochs,
        "state": {**metrics.diagnosis.plain(), **metrics.health},
    }


def start_line(path: str, data: Dataset, plan: Plan, step: int) -> dict[str, Any]:
    """What whoever watches is told first."""
    return {
        "kind": "start",
        "run": path,
        "images": len(data),
        "epochs": plan.epochs,
        "steps": plan.steps,
        "step": step,
    }
