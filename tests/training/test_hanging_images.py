"""Training and probing on image files whose readers end or hang: in words, with a checkpoint, and on with --resume."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from dcp.data import readers
from dcp.data.center_crops import Centres
from dcp.data.loader import Crops
from dcp.runs import checkpoint
from dcp.runs.run import Run


@pytest.fixture
def words(tmp_path: Path) -> tuple[str, ...]:
    """The command for a short run on image files: 4 steps an epoch, read by one process."""
    for i in range(48):
        path = tmp_path / f"images/{'train' if i < 24 else 'val'}/{i // 12 % 2}/{i:02}.png"  # the 7th is 07.png
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((20, 20), 60).convert("RGB").save(path)
    return (
        "pretrain", "tiny/directcopy", "data.source=folder", f'data.root="{tmp_path}/images"', "data.image_size=16",
        "train.batch=6", "train.workers=1", "train.epochs=2", "train.log_every=1", "train.readout=false",
        "probe.after=[]", "--runs", str(tmp_path),
    )  # fmt: skip


def doing(kind: type, patch: pytest.MonkeyPatch, what: Callable[[], None], epoch: int) -> None:
    """What the readers do with one image of an epoch, before they read it."""
    read = kind.read

    def odd(source: object, at: int, image: int) -> Tensor:
        if at == epoch and image == 7:
            what()
        return read(source, at, image)

    patch.setattr(kind, "read", odd)


def signalling(name: str) -> Callable[[], None]:
    """Hang, and send a signal to the training that waits by then."""

    def hang() -> None:
        time.sleep(0.7)
        os.kill(os.getppid(), getattr(signal, name))
        time.sleep(600)

    return hang


MAIN = os.getpid()


def die() -> None:
    if os.getpid() != MAIN:
        os.kill(os.getpid(), signal.SIGKILL)


def saved(run: Run) -> int:
    """The step that comes after the checkpoint."""
    with safe_open(run.path / checkpoint.FILE, "numpy") as file:
        return json.loads(file.metadata()["progress"])["next_step"]


def same(run: Run, other: Run) -> None:
    for key in ("loss", "spread"):
        assert [line[key] for line in run.metrics("step")] == [line[key] for line in other.metrics("step")]


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_while_a_reader_hangs_saves_what_was_trained(
    name: str, code: int, words: tuple[str, ...], tmp_path: Path, dcp: Callable
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        doing(Crops, patch, signalling(name), epoch=1)
        began = time.monotonic()
        said = dcp(*words)
    assert said.code == code, said
    assert time.monotonic() - began < readers.STALLED_S / 2
    assert said.err == "stopped; a checkpoint was saved: go on with --resume\n"
    run = Run.open(tmp_path / "directcopy-s0")
    assert run.record.status == "interrupted"
    assert 4 <= saved(run) < 8
    assert dcp(*words, "--resume").code == 0


@pytest.mark.parametrize(("what", "slug"), [(die, "reader-ended"), (lambda: time.sleep(600), "reader-stalled")])
def test_a_reader_that_is_lost_ends_the_run_in_words_after_a_checkpoint_and_it_resumes_to_the_same_losses(
    what: Callable, slug: str, words: tuple[str, ...], tmp_path: Path, dcp: Callable
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "STALLED_S", 1.0)
        doing(Crops, patch, what, epoch=1)
        said = dcp(*words)
    assert said.code == 1, said
    assert said.err.count("error[") == said.err.count(f"error[{slug}]") == 1
    for word in ("/07.png", "--resume"):
        assert word in said.err
    run = Run.open(tmp_path / "directcopy-s0")
    assert (run.record.status, run.record.error) == ("failed", slug)
    assert 4 <= saved(run) < 8
    assert dcp(*words, "--resume").code == 0
    assert dcp(*words, "train.workers=0", "run.name=whole").code == 0
    same(Run.open(run.path), Run.open(tmp_path / "whole-s0"))


def test_a_probe_whose_reader_is_lost_says_what_helps_a_probe(
    words: tuple[str, ...], tmp_path: Path, dcp: Callable
) -> None:
    assert dcp(*words, "train.epochs=1").code == 0
    with pytest.MonkeyPatch.context() as patch:
        doing(Centres, patch, die, epoch=0)
        said = dcp("probe", tmp_path / "directcopy-s0", "-e", "knn")
        for words in ((), ("-e", "finetune", "--set", "probe.finetune.epochs=1")):  # read by this process then
            alone = dcp("probe", tmp_path / "directcopy-s0", "-e", "knn", *words, "--set", "probe.workers=0")
            assert alone.code == 0, alone.err
    assert said.code == 1
    assert said.err.startswith("error[reader-ended]: a process that reads image files was ended by signal 9")
    assert "probe.workers" in said.err
    assert "train." not in said.err
    assert "--resume" not in said.err
