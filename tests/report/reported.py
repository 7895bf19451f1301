"""Builds run folders with curves, predictions and pictures, without training; and reads pages back."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from dcp.runs.run import Run

VOID = {"meta", "br", "img", "link"}
CLASSES = ["cat", "dog", "ship"]


class Page(HTMLParser):
    """What a test asks of a page: its elements with their attributes, its text, and whether it is well formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[tuple[str, str]] = []  # innermost element and text
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(words for tag, words in self.words if tag != "style").split())


def curves(run: Run, *, epochs: int = 3, steps: int = 4, seed: int = 0, **more: Any) -> None:
    """Lines as training writes them; `more` goes into the epoch lines."""
    for step in range(epochs * steps):
        place = {"step": step, "epoch": step // steps}
        health = {"spread": 0.9 - 0.01 * step, "effective_rank": 5.0 + seed, "invariance": 0.4}
        run.append({"kind": "step", **place, "loss": -1.0 - 0.1 * step - seed, "lr": 0.1, **health})
        if step % steps == steps - 1:
            end = {"loss": -1.0 - 0.1 * step, "images_per_s": 100.0, "wall_s": 10.0 * (place["epoch"] + 1)}
            run.append({"kind": "epoch", **place, **end, **more})
        eigenvalues = [1.0 / (k + 1) ** 2 for k in range(16)]
        run.append(
            {"kind": "spectrum", **place, "F": eigenvalues, "W": eigenvalues, "alignment": 0.5, "commutator": 0.1}
        )


def pictures(run: Run, *, n: int = 60, shown: int = 30, labels: bool = True, side: int = 8, seed: int = 0) -> None:
    """What the evaluation of this name writes: smooth images, as photographs are."""
    draw = np.random.default_rng(seed)
    rows = np.arange(shown) * (n // shown)

    def images(*shape: int) -> np.ndarray:
        corner, ramp = draw.integers(0, 120, (*shape, 3, 1, 1)), np.linspace(0, 100, side)
        return (corner + ramp + ramp[:, None] / 2).astype(np.uint8)

    def classes(rows: np.ndarray) -> np.ndarray:
        return rows % 3 if labels else np.full(rows.shape, -1)

    near = draw.integers(0, n, (8, 6))
    arrays = {
        "map_xy": draw.normal(size=(shown, 2)).astype(np.float32),
        "map_row": rows,
        "map_label": classes(rows),
        "map_image": images(shown),
        "query_row": rows[:8],
        "query_label": classes(rows[:8]),
        "query_image": images(8),
        "near_row": near,
        "near_label": classes(near),
        "near_similarity": np.sort(draw.random((8, 6)).astype(np.float32))[:, ::-1].copy(),
        "near_image": images(8, 6),
        "viewed_row": rows[:8],
        "viewed_image": images(8),
        "viewed_views": images(8, 4),
    }
    extra = {"classes": CLASSES if labels else [], "map": {"kind": "pca", "variance": [0.5, 0.25]}}
    data = {"source": "shapes", "train": "train", "test": "test"}
    run.write_probe("pictures", {"score": {}, "n": n, "extra": extra, "data": data}, arrays)


def probes(run: Run, *, n: int = 60, wrong: int = 6, **score: float) -> None:
    """A linear probe that takes the first `wrong` images for the next class, and a spectrum."""
    label = np.arange(n) % 3
    prediction = np.where(np.arange(n) < wrong, (label + 1) % 3, label)
    right = 1 - wrong / n
    linear = {
        "score": {"top1": right, **score},
        "n": n,
        "interval": {"top1": [max(0.0, right - 0.1), min(1.0, right + 0.05)]},
        "random_encoder": {"score": {"top1": 0.25}},
        "data": {"source": "shapes", "train": "train", "test": "test"},
    }
    run.write_probe("linear", linear, {"prediction": prediction, "label": label})
    extra = {"feature_covariance_eigenvalues": [2.0, 1.0, 0.5], "F_eigenvalues": [1.0, 0.1, 0.0]}
    run.write_probe("spectrum", {"score": {"rankme": 3.0 + wrong}, "n": n, "extra": extra, "data": linear["data"]})


def bare(root: Path, name: str = "a", seed: int = 0, *, predictor: str = "directcopy", **record: Any) -> Run:
    """A finished run without curves, probes or pictures."""
    recipe = {
        "run": {"name": name, "seed": seed},
        "data": {"source": "shapes"},
        "predictor": {"name": predictor},
        "train": {"epochs": 3},
    }
    done = {"status": "done", "steps": 12, "wall_s": 30.0, "device": "cpu", **record}
    return Run.create(root, name, seed, tomli_w.dumps(recipe), done)


def whole(root: Path, name: str = "a", seed: int = 0, *, wrong: int = 6, **more: Any) -> Run:
    """A run with everything that a report can show."""
    run = bare(root, name, seed, **more)
    curves(run, seed=seed, online_knn=0.5, online_linear=0.6)
    probes(run, wrong=wrong + seed)
    pictures(run, seed=seed)
    return run
