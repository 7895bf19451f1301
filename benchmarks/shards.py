"""Images in tar files: the index, the start, random access beside a folder of files, and how long a training waits.

The tars are made first, in the temporary folder: 2.6 GB for a million images of about 1 KB. They are in memory when
they are read: what a disk or a network adds, it adds to both sides.
"""

import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tarfile import TarInfo

import numpy as np
import torch
from PIL import Image

from benchmarks.measure import Row, Scale, Spread, alternate, rows
from benchmarks.tasks import Task
from dcp.data import shard_index
from dcp.data.datasets import base, folder, shards
from dcp.data.image_lists import ImageList
from dcp.runs.run import Run

IN_A_TAR = 1000
FILES = 20_000  # in a folder of files, to compare with
CLASSES = 100
DRAWN = 1000  # images read in a turn
WORKERS = (1, 8)


def tasks(scale: Scale) -> list[Task]:
    """All on the same tars."""
    return [Task(measured, (20_000 if scale.quick else 1_000_000,), seconds=120)]


def measured(scale: Scale, count: int) -> list[Row]:
    """Every row."""
    with made(count) as root:
        return [*indexed(root, scale), *accessed(root, scale), *waited(root, scale)]


@contextmanager
def made(count: int) -> Iterator[Path]:
    """A folder with so many images in train/, a few of them also as files, and some in val/; it goes at the end."""
    root = Path(tempfile.mkdtemp(prefix="dcp-shards-"))
    try:
        contents = [_jpeg(i) for i in range(100)]
        for split, images in (("train", count), ("val", IN_A_TAR)):
            (root / "shards" / split).mkdir(parents=True)
            for start in range(0, images, IN_A_TAR):
                _pack(
                    root / "shards" / split / f"{start // IN_A_TAR:06}.tar",
                    start,
                    min(IN_A_TAR, images - start),
                    contents,
                )
        for i in range(min(FILES, count)):
            path = root / "files" / f"{i // IN_A_TAR:06}" / f"{i:09}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[i % len(contents)])
        yield root
    finally:
        shutil.rmtree(root)


def indexed(root: Path, scale: Scale) -> list[Row]:
    """Making the index, loading it again, and a dry run of the command after that."""
    config, found = shards.Config(root=str(root / "shards")), list[Row]()
    repeats = 1 if scale.quick else 3
    making, loading, marking = list[float](), list[float](), list[float]()
    for _ in range(repeats):
        (root / "shards/train" / shard_index.FILE).unlink(missing_ok=True)
        started = time.perf_counter()
        data = base.load(config, "pretrain")
        making.append(time.perf_counter() - started)
    for _ in range(repeats):
        started = time.perf_counter()
        data = base.load(config, "pretrain")
        loading.append(time.perf_counter() - started)
        data.fingerprint()
        marking.append(time.perf_counter() - started - loading[-1])
    n, size = len(data), (root / "shards/train" / shard_index.FILE).stat().st_size
    assert isinstance(data.images, shards.Shards)
    names = data.images.names.nbytes / n
    found.append(_row(f"index of {n:,} images on disk", "bytes/image", [size / n], f"names of {names:.0f} bytes"))
    found.append(_row("index in memory", "bytes/image", [data.images.nbytes / n]))
    found.append(_row("making the index", "s", making))
    found.append(_row("opening the data set again", "s", loading))
    found.append(_row("its fingerprint", "s", marking))
    command = [sys.executable, "-m", "dcp", "pretrain", *_keys(root, 1), "--dry-run", "--device", "cpu"]
    dry, shown = list[float](), list[float]()
    for _ in range(repeats):
        for words, took in ((command, dry), ([sys.executable, "-m", "dcp", "pretrain", *SMALL, "--dry-run"], shown)):
            started = time.perf_counter()
            subprocess.run(words, check=True, capture_output=True)
            took.append(time.perf_counter() - started)
    found.append(_row("dcp pretrain --dry-run, shapes in its place", "s", shown))
    return [*found, _row(f"dcp pretrain --dry-run, {n:,} images in tars", "s", dry)]


def accessed(root: Path, scale: Scale) -> list[Row]:
    """Images a second, drawn at random: their bytes, and decoded; beside a folder of files."""
    sides: dict[str, ImageList] = {}
    for name, config in (
        ("files", folder.Config(root=str(root / "files"))),
        ("tars", shards.Config(root=str(root / "shards"))),
    ):
        images = base.load(config, "pretrain").images
        assert isinstance(images, ImageList)
        sides[f"{name}, {len(images):,} images"] = images
    generator = torch.Generator().manual_seed(0)

    def reading(images: ImageList, decodes: bool) -> float:
        drawn = torch.randint(len(images), (DRAWN,), generator=generator).tolist()
        started = time.perf_counter()
        for i in drawn:
            if decodes:
                images.decode(i)
            else:
                with images.open(i) as file:
                    file.read()
        return DRAWN / (time.perf_counter() - started)

    found, first = list[Row](), next(iter(sides))
    for what, decodes in (("bytes, one process", False), ("decoded, one process", True)):
        turns = {name: lambda images=images, d=decodes: reading(images, d) for name, images in sides.items()}
        found += rows(f"random access: {what}", "images/s", alternate(turns, scale.repeats), beside=first)
    return found


def waited(root: Path, scale: Scale) -> list[Row]:
    """The share of a training in which it waits for images, with a small network; apart while the readers start."""
    found = []
    for workers in WORKERS:
        with tempfile.TemporaryDirectory() as runs:
            command = [sys.executable, "-m", "dcp", "pretrain", *_keys(root, workers), "--runs", runs, "--quiet"]
            subprocess.run([*command, "--device", scale.device], check=True, capture_output=True)
            first, *later = Run.open(next(Path(runs).iterdir())).metrics("epoch")
        for when, lines in (("first epoch", [first]), ("later epochs", later)):
            note = f"{max(line['images_per_s'] for line in lines):.0f} images/s"
            shares = [100 * line["data_wait"] for line in lines]
            found.append(_row(f"data_wait, {workers} workers, {when}", "%", shares, note))
    return found


SMALL = ("quickstart", "probe.after=[]", "run.name=small", "train.readout=false")


def _keys(root: Path, workers: int) -> tuple[str, ...]:
    return (
        *SMALL, "train.epochs=4", "data.source=shards", f'data.root="{root / "shards"}"', "data.image_size=32",
        "train.batch=256", f"train.workers={workers}", "data.limit=6400",
    )  # fmt: skip


def _jpeg(seed: int) -> bytes:
    """A smooth picture of 40 x 40 pixels, of about 1 KB."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(small).resize((40, 40), Image.Resampling.BICUBIC).save(content, "JPEG", quality=85)
    return content.getvalue()


def _pack(path: Path, start: int, count: int, contents: list[bytes]) -> None:
    with path.open("wb") as file:
        for i in range(start, start + count):
            for ending, content in (("cls", b"%d" % (i % CLASSES)), ("jpg", contents[i % len(contents)])):
                file.write(_header(f"{i:09}.{ending}".encode(), len(content)))
                file.write(content + bytes(-len(content) % 512))
        file.write(bytes(1024))


def _header(name: bytes, size: int) -> bytes:
    """As TarInfo.tobuf, ten times as fast."""
    header = bytearray(_EMPTY)
    header[: len(name)], header[124:135] = name, b"%011o" % size
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 256)
    return bytes(header)


_EMPTY = TarInfo("").tobuf()


def _row(what: str, unit: str, values: list[float], note: str = "") -> Row:
    return Row("shards", what, unit, Spread.of(values), note=note)
