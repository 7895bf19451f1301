"""Builds run folders as training and probing leave them, without either."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from dcp.runs.run import Run

RECIPE: dict[str, Any] = {
    "data": {"source": "stl10", "root": "/data", "limit": 5000},
    "predictor": {"name": "directcopy", "eps": 0.3},
    "train": {"epochs": 100, "batch": 128},
}
DONE: dict[str, Any] = {
    "status": "done",
    "versions": {"dcp": "0.1.0", "torch": "2.11.0"},
    "device": "cuda (NVIDIA H200)",
    "processes": 1,
    "data": {"fingerprint": "0123456789abcdef", "n": 5000},
    "wall_s": 3723.0,
    "images_per_s": 1234.5,
    "peak_memory_bytes": 3 * 2**30,
    "steps": 3900,
    "state": {"name": "healthy", "evidence": "effective rank 45.2 of 128"},
}
Build = Callable[..., Run]


def changed(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`table` with some values changed, tables inside of it too."""
    result = dict(table)
    for key, value in changes.items():
        result[key] = changed(result.get(key, {}), value) if isinstance(value, Mapping) else value
    return result


def wilson(share: float, n: int) -> tuple[float, float]:
    middle, z2 = share, 1.959963984540054**2
    centre = (middle + z2 / (2 * n)) / (1 + z2 / n)
    reach = (z2 * (share * (1 - share) / n + z2 / (4 * n * n))) ** 0.5 / (1 + z2 / n)
    return centre - reach, centre + reach


def probe(top1: float, n: int, **more: Any) -> dict[str, Any]:
    """Scores of a linear probe."""
    return {
        "score": {"top1": top1},
        "n": n,
        "interval": {"top1": wilson(top1, n)},
        "random_encoder": {"score": {"top1": 0.25}, "interval": {"top1": wilson(0.25, n)}},
        "settings": {"epochs": 100},
        "step": 3900,
        **more,
    }


def answers(right: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """Predictions that are right where `right` says so."""
    return {"prediction": np.where(right, label, (label + 1) % 10).astype(np.int64), "label": label}


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """build(name, seed, recipe={...}, record={...}, right=[n] bool): a finished run with a linear probe.

    Its probe names its images; data=None makes it one of the older ones, which do not.
    """

    def make(
        name: str = "stl10_directcopy",
        seed: int = 0,
        *,
        root: Path | None = None,
        recipe: Mapping[str, Any] | None = None,
        record: Mapping[str, Any] | None = None,
        top1: float | None = None,
        right: np.ndarray | None = None,
        label: np.ndarray | None = None,
        n: int = 8000,
        **more: Any,
    ) -> Run:
        full = changed(changed(RECIPE, {"run": {"name": name, "seed": seed}}), recipe or {})
        run = Run.create(root or tmp_path / "runs", name, seed, tomli_w.dumps(full), changed(DONE, record or {}))
        source = full["data"]["source"]
        images = {"source": source, "train": f"train of {source}", "test": f"test of {source}"}
        more = {"data": images, **more}
        if right is not None:
            label = np.arange(len(right), dtype=np.int64) % 10 if label is None else label
            run.write_probe("linear", probe(float(right.mean()), len(right), **more), answers(right, label))
        elif top1 is not None:
            run.write_probe("linear", probe(top1, n, **more))
        return run

    return make


def one_of_nine(build: Build) -> list[Run]:
    """Runs of nine arms with four seeds; alone, the second would be better than the first (paired t test, p = 0.01)."""
    runs = []
    for name in "abcdefghi":
        for seed in range(4):
            noise = np.random.default_rng((ord(name), seed)).normal() / 100
            sure = (seed + (2 + 2 * (seed % 2)) * (name == "b")) / 100
            runs.append(build(name, seed, top1=0.5 + (sure if name in "ab" else float(noise)), n=1000))
    return runs
