"""An epoch of stable-pretraining's BYOL: its module, forward, loss, teacher and transforms, with dcp's sizes.

Lightning's trainer drives it, without probes, loggers, checkpoints and the list of installed packages, which only cost,
and with the other callbacks that it adds to every trainer. A trainer and its loader's workers are made anew for each
turn, and the clock starts after the first step, when the workers have filled their queues.
"""

import logging
import time
from typing import Any

from torch import nn

from benchmarks.measure import Turn, settle
from benchmarks.rival import DECAY, HIDDEN, MOMENTUM, OUT, RATE, TAU, backbone, loader, off_the_clock, pictures
from benchmarks.step import Case
from dcp.data.views.config import STATISTICS
from dcp.training.trainer import Trainer


def turn(training: Trainer, case: Case, workers: int) -> Turn:
    """An epoch on a copy of the run's backbone, after a first step that is off the clock."""
    _hushed()
    module = _module(backbone(training), 8 * case.width)
    before = off_the_clock(training, workers)
    data = _data(training, before)
    precision = "bf16-mixed" if training.parts.precision.amp else "32-true"

    def rate() -> float:
        read = _readings(module, loader(data, case.batch, workers), training.process.device.type, precision, before)
        assert len(read) == before + case.steps, f"{len(read)} steps of {before + case.steps}"
        return case.batch * case.steps / (read[-1] - read[before - 1])

    return rate


def _readings(module: Any, batches: Any, device: str, precision: str, before: int) -> list[float]:
    """The clock after each step of an epoch, of which the first `before` don't count."""
    import lightning
    from stable_pretraining.callbacks import TeacherStudentCallback

    clock = _clock(device, before)
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator=device,
        devices=1,
        precision=precision,
        callbacks=[TeacherStudentCallback(), clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, batches)
    return list(clock.read)


def _clock(device: str, before: int) -> Any:
    """A callback that reads the clock after each step."""
    import lightning

    class Clock(lightning.Callback):
        """Read after the update of the teacher."""

        def __init__(self) -> None:
            self.read: list[float] = []

        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, number: int) -> None:
            """After each step; waits for the device only where the reading counts."""
            if number in (before - 1, trainer.num_training_batches - 1):
                settle(device)
            self.read.append(time.perf_counter())

    return Clock()


def _module(backbone: nn.Module, features: int) -> Any:
    import stable_pretraining as spt
    from stable_pretraining.forward import byol

    def taught(student: nn.Module) -> Any:
        return spt.TeacherStudentWrapper(student, warm_init=True, base_ema_coefficient=TAU, final_ema_coefficient=TAU)

    optimizer = {"type": "SGD", "lr": RATE, "momentum": MOMENTUM, "weight_decay": DECAY}
    return spt.Module(
        backbone=taught(backbone),
        projector=taught(_mlp(features)),
        predictor=_mlp(OUT),
        forward=byol,
        byol_loss=spt.losses.BYOLLoss(),
        optim={"optimizer": optimizer, "scheduler": {"type": "ConstantLR", "factor": 1.0}},
    )


def _mlp(width: int) -> nn.Module:
    layers = (nn.Linear(width, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(inplace=True), nn.Linear(HIDDEN, OUT))
    return nn.Sequential(*layers)


def _data(training: Trainer, more: int) -> Any:
    """The run's images with the operations of its views, twice."""
    import stable_pretraining as spt
    from stable_pretraining.data import transforms

    size = training.recipe.data.view_size
    mean, std = STATISTICS["imagenet"]
    view = transforms.Compose(
        transforms.RGB(),
        transforms.RandomResizedCrop((size, size), scale=(0.08, 1.0)),
        transforms.RandomHorizontalFlip(p=0.5),
        transforms.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, p=0.8),
        transforms.RandomGrayscale(p=0.2),
        transforms.ToImage(mean=mean, std=std),
    )
    labelled = [(image, 0) for image in pictures(training, more)]
    return spt.data.FromTorchDataset(
        labelled, names=["image", "label"], transform=transforms.MultiViewTransform([view, view])
    )


def _hushed() -> None:
    """Without the lines that a trainer prints anew for each turn."""
    import stable_pretraining as spt

    spt.set(verbose="ERROR", progress_bar="none", default_callbacks={"env_dump": False})
    logging.disable(logging.INFO)
