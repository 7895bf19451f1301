"""An epoch of lightly's BYOL: its documented loop, its transform in loader workers, as its examples have it.

BYOL modules, NegativeCosineSimilarity, update_momentum, all in fp32. Workers are started anew for each turn and closed
after it, and the clock starts when they have filled their queues, on a GPU when these are used up, so that they neither
slow dcp down nor work ahead meanwhile.
"""

import copy
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measure import Turn, timed
from benchmarks.rival import DECAY, HIDDEN, MOMENTUM, OUT, RATE, TAU, backbone, loader, off_the_clock, pictures
from benchmarks.step import Case
from dcp.training.trainer import Trainer


def turn(training: Trainer, case: Case, workers: int) -> Turn:
    """An epoch on a copy of the run's backbone, after a first step that is off the clock."""
    from lightly.loss import NegativeCosineSimilarity
    from lightly.models.utils import update_momentum

    device = training.process.device
    model = Byol(backbone(training), 8 * case.width).to(device)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    criterion = NegativeCosineSimilarity()

    def step(views: list[Tensor]) -> None:
        update_momentum(model.backbone, model.backbone_momentum, m=TAU)
        update_momentum(model.projection_head, model.projection_head_momentum, m=TAU)
        x0, x1 = (x.to(device, non_blocking=True) for x in views)
        p0, p1 = model(x0), model(x1)
        z0, z1 = model.forward_momentum(x0), model.forward_momentum(x1)
        loss = 0.5 * (criterion(p0, z1) + criterion(p1, z0))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()  # as in lightly's example, which adds the losses up

    epoch = _Epoch(case, workers, training, step)
    return timed(epoch.run, device.type, epoch.prepare, epoch.finish)


class Byol(nn.Module):
    """lightly's documented BYOL, on the backbone that dcp trains."""

    def __init__(self, backbone: nn.Module, features: int) -> None:
        from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead

        super().__init__()
        self.backbone = backbone
        self.projection_head = BYOLProjectionHead(features, HIDDEN, OUT)
        self.prediction_head = BYOLPredictionHead(OUT, HIDDEN, OUT)
        self.backbone_momentum = copy.deepcopy(backbone).requires_grad_(False)
        self.projection_head_momentum = copy.deepcopy(self.projection_head).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Prediction."""
        return self.prediction_head(self.projection_head(self.backbone(x).flatten(start_dim=1)))  # type: ignore[no-any-return]

    def forward_momentum(self, x: Tensor) -> Tensor:
        """Target projection."""
        y = self.backbone_momentum(x).flatten(start_dim=1)
        return self.projection_head_momentum(y).detach()  # type: ignore[no-any-return]


class _Epoch:
    """One epoch after the loader's queues have been filled; only that epoch is on the clock."""

    def __init__(self, case: Case, workers: int, training: Trainer, step: Callable[[list[Tensor]], None]) -> None:
        self.case, self.workers, self.step = case, workers, step
        self.before = off_the_clock(training, workers)
        self.dataset = _Transformed(pictures(training, self.before), _transform(training.recipe.data.view_size))
        self.waiting: Iterator[Any] | None = None

    def prepare(self) -> None:
        """Start the workers and take the first steps; not on the clock."""
        self.waiting = iter(loader(self.dataset, self.case.batch, self.workers))
        for views, _ in islice(self.waiting, self.before):
            self.step(views)

    def run(self) -> float:
        """The epoch."""
        assert self.waiting is not None
        for views, _ in islice(self.waiting, self.case.steps):
            self.step(views)
        return float(self.case.steps * self.case.batch)

    def finish(self) -> None:
        """Close the workers; not on the clock."""
        self.waiting = None


def _transform(size: int) -> Callable[[Any], Any]:
    from lightly.transforms import BYOLTransform, BYOLView1Transform

    one = BYOLView1Transform(input_size=size, cj_sat=0.4, gaussian_blur=0.0)
    return BYOLTransform(one, one)  # type: ignore[no-any-return]


class _Transformed(torch.utils.data.Dataset[Any]):
    """PIL images and a transform."""

    def __init__(self, images: list[Any], transform: Callable[[Any], Any]) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Any:
        return self.transform(self.images[i]), 0
