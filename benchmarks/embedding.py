"""`python -m benchmarks.embedding`: `dcp embed` of image files beside the bare network, its memory, and kill -9.

The network is an untrained ResNet-18 of full width. Pace: files through `dcp embed` and tensors through the network
alone, in turn. Then the whole folder in a process of its own: the resident memory, of it and of the processes that
decode, after a quarter and at the end; once more, killed in the middle and begun again; whether the files are the same.
"""

import argparse
import filecmp
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from dcp.data.datasets.shapes import paint
from dcp.exporting import embed, features, source
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.runs import encoder
from dcp.runs.run import Run

SIDE = 160  # pixels of a file
DIM = 512  # features of a ResNet-18


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embedding", description=__doc__)
    parser.add_argument("--images", type=int, default=20_000, help="files")
    parser.add_argument("--pixels", type=int, default=64, help="side of the encoder's images")
    parser.add_argument("--batch", type=int, default=256, help="images at a time")
    parser.add_argument("--rounds", type=int, default=5, help="of files and tensors in turn")
    parser.add_argument("--threads", type=int, default=1, help="of the network; another core decodes")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as place:
        folder, run = drawn(Path(place) / "images", asked.images), untrained(Path(place), asked.pixels)
        print(f"{asked.images:,} JPEG files of {SIDE} pixels, network {asked.pixels}, threads {asked.threads}")
        pace(run, folder, asked.rounds, asked.batch)
        words = ["embed", str(run.path), str(folder), "--quiet", "--batch", str(asked.batch), "--device", "cpu"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(asked.threads)}
        whole(words, Path(place), asked.images, environment)


def drawn(folder: Path, count: int) -> Path:
    """JPEG files of shapes in ten folders."""
    for start in range(0, count, 256):
        images = paint(torch.arange(start, min(start + 256, count)), key=(0, 0), size=32)
        for i, image in enumerate(images.permute(0, 2, 3, 1).numpy(), start):
            path = folder / str(i % 10) / f"{i:06}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path, quality=90)
    return folder


def untrained(place: Path, pixels: int) -> Run:
    """A run whose encoder is the untrained network."""
    data, run = {"source": "folder", "root": "images", "image_size": pixels}, {"name": "resnet18"}
    recipe = Recipe.of({"run": run, "data": data, "predictor": {"name": "directcopy"}})
    made = Run.create(place / "runs", "resnet18", 0, recipe.toml(), {"status": "done"})
    encoder.save(made, build.at_start(recipe).backbone, recipe, step=0)
    return made


@torch.inference_mode()
def pace(run: Run, folder: Path, rounds: int, batch: int) -> None:
    """Images a second of both, and their ratio round by round."""
    images, network, ratios = source.images(run, folder), encoder.load(run), []
    n = min(len(images), 40 * batch)  # the first batch is waited for, which a few would make much of
    some = source.images(run, [path for path in sorted(folder.rglob("*.jpg"))[:n]])
    network.to(memory_format=torch.channels_last)
    x = torch.randn(batch, 3, network.size, network.size).contiguous(memory_format=torch.channels_last)
    network(x)
    for number in range(rounds):
        started = time.perf_counter()
        for _ in range(n // batch):
            network(x)
        bare = (n // batch) * batch / (time.perf_counter() - started)
        files = embed.in_memory(run, some, features.How(batch, "cpu")).images_per_s or 0.0
        ratios.append(files / bare)
        print(f"  round {number + 1}: files {files:,.0f}/s, bare {bare:,.0f}/s, ratio {ratios[-1]:.3f}", flush=True)
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    print(f"files by bare: median {statistics.median(ratios):.3f} ({spread})")


def whole(words: list[str], place: Path, count: int, environment: dict[str, str]) -> None:
    """Memory of one that is left alone, and the bytes of one that is killed."""
    left_alone, killed = place / "a.npy", place / "b.npy"
    process = subprocess.Popen([sys.executable, "-m", "dcp", *words, "--out", str(left_alone)], env=environment)
    seen: dict[int, float] = {}
    while process.poll() is None:
        done = 100 * rows(left_alone) // count
        if done and (memory := resident(process.pid)):
            seen[done] = memory
        time.sleep(0.1)
    quarter = min((share for share in seen if share >= 25), default=0)
    last = max(seen, default=0)
    print(f"resident: {seen[quarter]:,.0f} MB at {quarter} %, {seen[last]:,.0f} MB at {last} %")
    process = subprocess.Popen([sys.executable, "-m", "dcp", *words, "--out", str(killed)], env=environment)
    while process.poll() is None and rows(killed) < count // 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    print(f"killed at {rows(killed):,} of {count:,}")
    subprocess.run([sys.executable, "-m", "dcp", *words, "--out", str(killed)], env=environment, check=True)
    names = ("npy", "paths.txt", "labels.npy", "json")
    same = all(filecmp.cmp(place / f"a.{name}", place / f"b.{name}", shallow=False) for name in names)
    print("the files are the same" if same else "THE FILES DIFFER")


def rows(out: Path) -> int:
    """About how many images are done."""
    try:
        return out.with_name(f"{out.name}.partial").stat().st_size // (4 * DIM)
    except FileNotFoundError:
        return 0


def resident(parent: int) -> float:
    """MB of a process and its children, a page that several share counted once."""
    total = 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            if parent not in (int(fields["Pid"]), int(fields["PPid"])):
                continue
            shares = status.with_name("smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) / 1000 for line in shares if line.startswith("Pss:"))
    return total


if __name__ == "__main__":
    main()
