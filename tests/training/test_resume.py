"""A run that was stopped, in whatever way, ends in the same bytes as one that never was."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dcp.runs.run import Run

LONGER = ("train.epochs=12", "probe.after=[]", "train.save_every=3", "train.log_every=2")


def start(runs: Path, *more: str) -> subprocess.Popen[str]:
    """A training in a process of its own."""
    command = [sys.executable, "-m", "dcp", "pretrain", "tiny/directcopy", "--runs", str(runs), *LONGER, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_step(process: subprocess.Popen[str], folder: Path, step: int) -> None:
    """Until the run has logged this step, or has ended."""
    path = folder / "metrics.jsonl"
    while process.poll() is None:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) > 1 and json.loads(lines[-2])["step"] >= step:
            return
        time.sleep(0.01)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nobody stopped."""
    runs = tmp_path_factory.mktemp("unbroken")
    _, err = start(runs).communicate(timeout=120)
    assert (runs / "directcopy-s0" / "encoder.safetensors").exists(), err
    return runs / "directcopy-s0"


def same(unbroken: Path, run: Path) -> None:
    """Both ended alike: weights, and all that was measured on the way there but times."""
    assert (run / "encoder.safetensors").read_bytes() == (unbroken / "encoder.safetensors").read_bytes()
    times = {"images_per_s", "wall_s", "data_wait"}
    mine, theirs = (
        [{key: value for key, value in line.items() if key not in times} for line in Run.open(path).metrics()]
        for path in (run, unbroken)
    )
    assert mine == theirs


@pytest.mark.slow
def test_killed_at_ten_random_moments_and_resumed_ends_in_the_same_bytes(unbroken: Path, tmp_path: Path) -> None:
    moments = random.Random(0)
    for _ in range(10):
        process = start(tmp_path, "--resume")
        begun = tmp_path / "directcopy-s0" / "run.json"
        while not begun.exists() and process.poll() is None:
            time.sleep(0.01)
        # from "while it starts" to "some steps on": at most as long as an unbroken run takes to train
        time.sleep(moments.uniform(0, 3) if moments.random() < 0.7 else moments.uniform(3, 5))
        process.kill()
        process.communicate()
        if begun.exists():
            assert Run.open(begun.parent).record.status in ("running", "done")
            list(Run.open(begun.parent).metrics())
    process = start(tmp_path, "--resume")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    same(unbroken, tmp_path / "directcopy-s0")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_a_signal_saves_then_ends_with_its_code_and_resume_ends_in_the_same_bytes(
    unbroken: Path, tmp_path: Path, number: signal.Signals, code: int, dcp: Callable
) -> None:
    process = start(tmp_path)
    run = tmp_path / "directcopy-s0"
    wait_for_step(process, run, 5)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "checkpoint was saved" in err
    assert Run.open(run).record.status == "interrupted"
    assert not (run / "encoder.safetensors").exists()
    assert dcp("pretrain", "tiny/directcopy", "--runs", tmp_path, *LONGER, "--resume").code == 0
    same(unbroken, run)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="this system has no SIGUSR2")
def test_sigusr2_saves_and_goes_on(tmp_path: Path) -> None:
    process = start(tmp_path, "train.save_every=1000")
    run = tmp_path / "directcopy-s0"
    wait_for_step(process, run, 5)
    assert not (run / "checkpoint").exists()
    os.kill(process.pid, signal.SIGUSR2)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert Run.open(run).record.status == "done"


def test_resuming_a_finished_run_trains_nothing_and_measures_what_is_missing(tmp_path: Path, dcp: Callable) -> None:
    assert dcp("pretrain", "tiny/directcopy", "probe.after=[]", "--runs", tmp_path).code == 0
    before = (tmp_path / "directcopy-s0" / "metrics.jsonl").read_bytes()
    said = dcp("pretrain", "tiny/directcopy", 'probe.after=["knn"]', "--runs", tmp_path, "--resume")
    assert said.code == 0
    assert "done already" in said.out
    assert (tmp_path / "directcopy-s0" / "metrics.jsonl").read_bytes() == before
    assert (tmp_path / "directcopy-s0" / "probes" / "knn.json").exists()


def test_resume_with_another_recipe_is_refused_and_says_what_differs(tmp_path: Path, dcp: Callable) -> None:
    assert dcp("pretrain", "tiny/directcopy", "probe.after=[]", "--runs", tmp_path).code == 0
    said = dcp("pretrain", "tiny/directcopy", "predictor.eps=0.1", "probe.after=[]", "--runs", tmp_path, "--resume")
    assert said.code == 2
    assert "predictor.eps: 0.3 there, 0.1 here" in said.err


def test_a_run_on_image_files_resumes_in_the_middle_of_an_epoch_to_the_same_bytes(
    tmp_path: Path, dcp: Callable
) -> None:
    from PIL import Image

    for i in range(48):
        Image.effect_noise((20 + i % 5, 24), 60).convert("RGB").save(tmp_path / f"{i}.png")
    sets = (
        "tiny/directcopy", "data.source=folder", f'data.root="{tmp_path}"', "data.image_size=16", "train.batch=8",
        "train.workers=1", "train.epochs=3", "probe.after=[]", "train.save_every=4",
    )  # fmt: skip
    command = [sys.executable, "-m", "dcp", "pretrain", *sets, "train.log_every=1", "--runs", str(tmp_path / "a")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_step(process, tmp_path / "a" / "directcopy-s0", 8)
    process.kill()
    process.communicate()
    assert dcp("pretrain", *sets, "--runs", tmp_path / "a", "--resume").code == 0
    assert dcp("pretrain", *sets, "train.workers=0", "--runs", tmp_path / "b").code == 0
    one, two = ((tmp_path / x / "directcopy-s0" / "encoder.safetensors").read_bytes() for x in "ab")
    tensors = [data[8 + int.from_bytes(data[:8], "little") :] for data in (one, two)]  # headers hold the recipes
    assert tensors[0] == tensors[1]


def pictures(folder: Path, count: int) -> None:
    """So many small images."""
    from PIL import Image

    folder.mkdir(exist_ok=True)
    for i in range(count):
        Image.effect_noise((20 + i % 5, 24), 60).convert("RGB").save(folder / f"{i:03}.png")


def of_files(folder: Path) -> tuple[str, ...]:
    """Settings of a short run on image files."""
    return (
        "data.source=folder", f'data.root="{folder}"', "data.image_size=16", "train.batch=8", "train.workers=1",
        "probe.after=[]", "train.log_every=1",
    )  # fmt: skip


def test_sigterm_to_the_whole_group_as_schedulers_send_it_saves_a_checkpoint(tmp_path: Path) -> None:
    pictures(tmp_path / "images", 48)
    command = [sys.executable, "-m", "dcp", "pretrain", "tiny/directcopy", *of_files(tmp_path / "images")]
    process = subprocess.Popen(
        [*command, "train.epochs=200", "--runs", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for_step(process, tmp_path / "directcopy-s0", 3)
    os.killpg(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "checkpoint was saved" in err
    assert Run.open(tmp_path / "directcopy-s0").record.status == "interrupted"


def test_resume_on_other_images_is_refused_and_the_run_stays_as_it_was(tmp_path: Path, dcp: Callable) -> None:
    pictures(tmp_path / "images", 32)
    sets = ("tiny/directcopy", *of_files(tmp_path / "images"), "train.epochs=1", "--runs", tmp_path)
    assert dcp("pretrain", *sets).code == 0
    (tmp_path / "directcopy-s0" / "encoder.safetensors").unlink()
    before = (tmp_path / "directcopy-s0" / "run.json").read_bytes()
    (tmp_path / "images" / "007.png").unlink()
    said = dcp("pretrain", *sets, "--resume")
    assert said.code == 2
    assert "error[data-differ]" in said.err
    assert (tmp_path / "directcopy-s0" / "run.json").read_bytes() == before


def test_an_encoder_that_was_lost_is_written_again_from_the_checkpoint(tmp_path: Path, dcp: Callable) -> None:
    sets = ("tiny/directcopy", "probe.after=[]", "--runs", tmp_path)
    assert dcp("pretrain", *sets).code == 0
    path = tmp_path / "directcopy-s0" / "encoder.safetensors"
    whole = path.read_bytes()
    path.unlink()
    assert dcp("pretrain", *sets, "--resume").code == 0
    assert path.read_bytes() == whole
    assert len(Run.open(path.parent).record.sittings) == 2


def test_free_keys_may_change_on_resume_and_are_noted_in_the_recipe(tmp_path: Path, dcp: Callable) -> None:
    assert dcp("pretrain", "tiny/directcopy", "probe.after=[]", "--runs", tmp_path).code == 0
    more = ('probe.after=["knn"]', "probe.knn.k=3", "--runs", tmp_path, "--resume")
    assert dcp("pretrain", "tiny/directcopy", *more).code == 0
    run = Run.open(tmp_path / "directcopy-s0")
    assert run.recipe()["probe"]["knn"]["k"] == run.probes()["knn"].settings["k"] == 3
