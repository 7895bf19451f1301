"""From the key press to an answer: each command, and opening a large folder."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Row, Scale, Spread
from benchmarks.tasks import Task

COMMANDS = {
    "dcp --help": ("--help",),
    "dcp recipes list": ("recipes", "list"),
    "dcp recipes check": ("recipes", "check", "quickstart"),
    "dcp pretrain, refused": ("pretrain", "quickstart", "predictor.eps=-1"),
    "dcp compare, two runs": ("compare", "directcopy", "linear"),
    "dcp probe, kNN": ("probe", "directcopy", "-e", "knn"),
    "dcp pretrain tiny": ("pretrain", "tiny/mlp", "probe.after=[]"),
}
SLOW = ("dcp recipes check", "dcp probe, kNN", "dcp pretrain tiny")  # left out where all must be quick
IMAGES = 100_000


def tasks(scale: Scale) -> list[Task]:
    """Commands, then the folder."""
    return [Task(commands, seconds=120), Task(opening)]


def commands(scale: Scale) -> list[Row]:
    """Seconds of each command in a process of its own, all commands once a round."""
    commands = {name: words for name, words in COMMANDS.items() if not (scale.quick and name in SLOW)}
    found: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as runs:
        for name in ("directcopy", "linear"):  # one after the other: two that share two cores take four times as long
            _started(("pretrain", f"tiny/{name}", "--quiet", "probe.after=['knn']"), runs).communicate()
        for number in range(1 if scale.quick else scale.repeats):
            for name, words in commands.items():
                own = (f"run.name=t{number}",) if words[0] == "pretrain" else ()
                found[name].append(_timed((*words, *own), runs))
    return [Row("start-up", name, "s", Spread.of(values)) for name, values in found.items()]


def _timed(words: tuple[str, ...], runs: str) -> float:
    started = time.perf_counter()
    _started(words, runs).communicate()
    return time.perf_counter() - started


def _started(words: tuple[str, ...], runs: str) -> subprocess.Popen[bytes]:
    asks = () if words[0] in ("recipes", "--help") else ("--runs", runs)
    return subprocess.Popen(
        [sys.executable, "-m", "dcp", *words, *asks], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def opening(scale: Scale) -> list[Row]:
    """Seconds to list a folder of 100,000 images in 100 folders, and to fingerprint it."""
    from dcp.data import image_folders
    from dcp.data.datasets.base import Dataset

    listing, prints = [], []
    with tempfile.TemporaryDirectory() as root:
        _fill(Path(root))
        for _ in range(1 if scale.quick else scale.repeats):
            started = time.perf_counter()
            files = image_folders.images(Path(root))
            listed = time.perf_counter()
            Dataset(files).fingerprint()
            listing.append(listed - started)
            prints.append(time.perf_counter() - listed)
    note = f"{files.nbytes / IMAGES:.0f} bytes an image in memory"
    return [
        Row("start-up", f"list {IMAGES:,} image files", "s", Spread.of(listing), note=note),
        Row("start-up", f"fingerprint of {IMAGES:,} image files", "s", Spread.of(prints)),
    ]


def _fill(root: Path) -> None:
    """Links to one small file a folder (a file may have some 65,000): names and sizes are all that is read."""
    for number in range(100):
        folder = root / f"{number:02}"
        folder.mkdir()
        first = folder / "image-0000.jpg"
        first.write_bytes(b"\0" * 1000)
        for i in range(1, IMAGES // 100):
            os.link(first, folder / f"image-{i:04}.jpg")
