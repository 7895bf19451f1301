"""An epoch of BYOL beside lightly's: same images, network, batch, augmentation, optimizer; both fp32 or as `auto` says.

lightly: its documented loop (BYOL modules, NegativeCosineSimilarity, update_momentum), its transform in two loader
workers, as its examples have it. Its workers are started anew for each of its turns and closed after it, and its
clock starts when they have filled their queues, so that they neither slow dcp down nor work ahead meanwhile.
"""

import copy
import multiprocessing
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measure import Row, Scale, rows
from benchmarks.step import Case, recipe
from benchmarks.training import Turn, epochs_in_turn
from dcp import arithmetic
from dcp.dataset import load
from dcp.recipe import Recipe
from dcp.training import Training
from dcp.winograd import WinogradConv2d

CPU = Case("ResNet-18 at 32", "resnet18", 32, "small", 64, 128, 4)
QUICK = Case("ResNet-18/8 at 32", "resnet18", 32, "small", 8, 64, 4)
GPU = Case("ResNet-18 at 32", "resnet18", 32, "small", 64, 128, 200)
HIDDEN, OUT, TAU = 512, 128, 0.996
# how a user's loader starts workers: a spawned process, as a task has, would spawn its own, which import torch anew
START = multiprocessing.get_all_start_methods()[0]


def tasks(scale: Scale) -> list[partial[list[Row]]]:
    """Torch's own fp32 beside the same; and what `auto` chooses, where that is another arithmetic."""
    case = GPU if scale.device == "cuda" else QUICK if scale.quick else CPU
    auto = arithmetic.chosen("auto", scale.device)
    # the quick network is too narrow for Winograd's algorithm
    another = auto.amp or (auto.winograd and not scale.quick)
    wishes = ("fp32", "auto") if another else ("fp32",)
    return [partial(measured, scale, case, wish) for wish in wishes]


def measured(scale: Scale, case: Case, wish: str) -> list[Row]:
    """Dcp's epochs with train.precision as wished, and lightly's, in turn."""
    torch.set_num_threads(scale.threads)
    repeats = 1 if scale.quick else scale.repeats  # starting lightly's workers takes longer than a quick epoch
    wanted = _recipe(case, repeats + 1, wish)
    workers = 8 if scale.device == "cuda" else 2
    ours, theirs, training = epochs_in_turn(wanted, scale.device, partial(lightly, case=case, workers=workers))
    chosen = training.arithmetic
    group = f"BYOL, {case.name}, batch {case.batch}, precision {wish}"
    note = f"dcp in {chosen.precision}: {chosen.why}; lightly in fp32, {workers} workers"
    return rows(group, "images/s", {"lightly": theirs, "dcp": ours}, beside="lightly", note=note)


def _recipe(case: Case, epochs: int, wish: str) -> Recipe:
    sets = ("predictor.name=mlp", f"predictor.hidden={HIDDEN}", "network.projector.affine=true")
    return recipe(case, epochs, *sets, f"train.precision={wish}", "views.normalize=imagenet")


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


def lightly(training: Training, case: Case, workers: int) -> Turn:
    """An epoch of lightly's, on copies of the run's weights in torch's default memory format and convolutions."""
    from lightly.loss import NegativeCosineSimilarity
    from lightly.models.utils import update_momentum

    device = training.process.device
    backbone = _as_torch_has_it(training.method.online.backbone)
    model = Byol(backbone, 8 * case.width).to(device)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.03, momentum=0.9, weight_decay=4e-4)
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
    return Turn(epoch.run, epoch.prepare)


def _as_torch_has_it(backbone: nn.Module) -> nn.Module:
    """A copy in the default memory format, with torch's own convolutions."""
    plain = copy.deepcopy(backbone).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for module in plain.modules():
        if isinstance(module, WinogradConv2d):
            module.__class__ = nn.Conv2d
    return plain  # type: ignore[no-any-return]


class _Epoch:
    """One epoch after the loader's queues have been filled; only that epoch is on the clock."""

    def __init__(self, case: Case, workers: int, training: Training, step: Callable[[list[Tensor]], None]) -> None:
        self.case, self.workers, self.step = case, workers, step
        self.dataset = _dataset(training)
        self.waiting: Iterator[Any] | None = None

    def prepare(self) -> None:
        """Start the workers and take a first step; not on the clock."""
        loader = torch.utils.data.DataLoader(
            self.dataset,
            batch_size=self.case.batch,
            shuffle=True,
            drop_last=True,
            num_workers=self.workers,
            pin_memory=torch.cuda.is_available(),
            multiprocessing_context=START,
        )
        self.waiting = iter(loader)
        self.step(next(self.waiting)[0])

    def run(self) -> float:
        """The epoch."""
        assert self.waiting is not None
        for views, _ in islice(self.waiting, self.case.steps):
            self.step(views)
        self.waiting = None  # closes the workers
        return float(self.case.steps * self.case.batch)


def _dataset(training: Training) -> Any:
    """The run's images, once more as often as the first step needs, with lightly's transform for both views."""
    from lightly.transforms import BYOLTransform, BYOLView1Transform
    from torchvision.transforms.functional import to_pil_image

    pixels = load(training.recipe.data, "pretrain").images
    assert isinstance(pixels, Tensor)
    one = BYOLView1Transform(input_size=training.recipe.data.view_size, cj_sat=0.4, gaussian_blur=0.0)
    transform = BYOLTransform(one, one)
    images = [to_pil_image(x) for x in torch.cat([pixels, pixels[: training.recipe.train.batch]])]
    return _Transformed(images, transform)


class _Transformed(torch.utils.data.Dataset[Any]):
    """PIL images and a transform."""

    def __init__(self, images: list[Any], transform: Callable[[Any], Any]) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Any:
        return self.transform(self.images[i]), 0
