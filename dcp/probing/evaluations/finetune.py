"""Fine-tuning: the whole network learns on from the encoder's weights, with labels; every other probe leaves it frozen.

A linear layer is put on the encoder, and both are trained with cross-entropy by SGD with Nesterov momentum 0.9 (as by
Chen et al. 2020, arXiv:2002.05709, and Grill et al. 2020, arXiv:2006.07733); the rate falls to 0 along half a cosine.
Views are crops and flips alone, as the recipe has them; an epoch shows two of each image, in one batch. The rate is the
one of `lr` that is most accurate on a held-out part of the training images, each trained as long; then all images are
trained on. The test images are classified once, without augmentation, after the last epoch.

The untrained encoder goes the same way: that is training from scratch, with the same labels, budget and grid.

Equal seeds give equal bytes on a CPU. Arithmetic is bf16 on a GPU that has it, float32 elsewhere.

Shapes: B images of a batch, S side in pixels, D features, K classes.
"""

from copy import deepcopy
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as fn

from dcp.catalogue import VariantConfig
from dcp.data import center_crops, splits
from dcp.data.batch_views import BatchViews
from dcp.data.datasets.base import Dataset
from dcp.data.loader import Shares, batches, worker_count
from dcp.data.readers import PROBES
from dcp.data.sampler import Plan
from dcp.data.views import apply
from dcp.data.views.config import Views
from dcp.method import schedules
from dcp.probing.evaluations import base
from dcp.probing.evaluations.base import Json, Origin, Scores, Subject

labels = True


class Config(VariantConfig):
    """Settings of fine-tuning."""

    name: Literal["finetune"] = "finetune"
    share: float = Field(1.0, gt=0, le=1, description="fraction of the training labels to use")
    epochs: int = Field(20, ge=1, le=10**5, description="passes over these images, with two views of each")
    batch: int = Field(128, ge=2, le=2**20, description="images per step, two views of each")
    lr: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (0.01, 0.03, 0.1), min_length=1, description="peak learning rates to choose from on held-out images"
    )
    weight_decay: float = Field(1e-4, ge=0, description="L2 weight decay")
    holdout: float = Field(0.1, gt=0, lt=1, description="fraction held out to choose the learning rate")


def plain(config: Views) -> Views:
    """Two views with the crops and flips of `config`, without anything that changes colours."""
    none = {"jitter_p": 0.0, "grayscale": 0.0, "solarize": 0.0, "blur": Views().blur}
    return config.model_copy(update={**none, "count": 2, "local": Views().local})


class Classifier(nn.Module):
    """A copy of an encoder that may learn, with a linear layer of zeros on it: [B, C, S, S] -> [B, K].

    On a CPU it is laid out in torch's plain order: the gradient of narrow ResNets writes beyond its memory in the
    other one (docs/dev/lab-notes.md).
    """

    def __init__(self, encoder: nn.Module, dim: int, classes: int) -> None:
        super().__init__()
        self.encoder = deepcopy(encoder).requires_grad_(True)
        device = next(self.encoder.parameters()).device
        if device.type == "cpu":
            self.encoder.to(memory_format=torch.contiguous_format)
        self.head = nn.Linear(dim, classes, device=device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, in float32."""
        fast = x.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=fast):
            features = self.encoder(x)
        return self.head(features.float())  # type: ignore[no-any-return]


def trained(origin: Origin, data: Dataset, y: Tensor, classes: int, config: Config, lr: float, seed: int) -> Classifier:
    """The classifier after all epochs on images with classes y [N]; `seed` decides their order and views.

    Of a single image its two views are enough for batch norm.
    """
    device = next(origin.encoder.parameters()).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.enable_grad():
        torch.manual_seed(seed)  # for networks with dropout
        with torch.no_grad():
            image = torch.zeros(1, origin.train.channels, origin.size, origin.size, device=device)
            dim = origin.encoder(image).shape[1]
        model = Classifier(origin.encoder, dim, classes).train()
        plan = Plan(len(data), min(config.batch, len(data)), config.epochs, seed)
        optimizer = torch.optim.SGD(
            model.parameters(), lr=lr, momentum=0.9, nesterov=True, weight_decay=config.weight_decay
        )
        shares, views, workers = Shares(plan, 0, 0), plain(origin.config), worker_count(origin.workers, 1)
        pairs = BatchViews(data.images, views, size=origin.size, seed=seed, device=device)
        pin = device.type == "cuda"
        for batch in batches(data.images, shares, views, size=origin.size, pin=pin, workers=workers, advice=PROBES):
            x1, x2 = pairs.of(*pairs.inputs(batch))
            optimizer.param_groups[0]["lr"] = schedules.cosine(lr, 0.0, batch.step / plan.steps)
            loss = fn.cross_entropy(model(torch.cat([x1, x2])), y[batch.index].to(device).repeat(2))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return model.eval()


@torch.no_grad()
def logits(model: Classifier, data: Dataset, origin: Origin) -> Tensor:
    """What the classifier says of every image [N, K], on the CPU."""
    device = model.head.weight.device
    parts = [
        model(apply.normalize(pixels.to(device, non_blocking=True), origin.config)).cpu()
        for pixels in center_crops.pixels(data, origin.size, origin.workers)
    ]
    return torch.cat(parts)


def chosen(
    origin: Origin, data: Dataset, y: Tensor, classes: int, config: Config, seed: int
) -> tuple[float, list[Json]]:
    """The learning rate that is most accurate on held-out images, the smallest of equals, and the accuracy of each."""
    rates = sorted(set(config.lr))
    if len(rates) == 1 or len(y) < 2:
        return rates[0], []
    fitted, held = splits.hold_out(y, config.holdout, seed)
    accuracy = []
    for lr in rates:
        model = trained(origin, data.subset(fitted), y[fitted], classes, config, lr, seed)
        accuracy.append(float((logits(model, data.subset(held), origin).argmax(1) == y[held]).double().mean()))
    by_rate: list[Json] = [{"lr": lr, "top1": value} for lr, value in zip(rates, accuracy, strict=True)]
    return rates[accuracy.index(max(accuracy))], by_rate


def evaluate(subject: Subject, config: Config, *, seed: int) -> Scores:
    """Top-1 (and, from 6 classes on, top-5) accuracy on the test images after fine-tuning a copy of the encoder.

    `seed` decides which labels are used, which images are held out, their order and views.

    Raises:
        RunError: an image file is broken.
        ValueError: the subject has features only.
    """
    base.check(subject, labels=True)
    origin, classes = subject.origin, base.class_count(subject)
    if origin is None:
        raise ValueError("fine-tuning needs the images behind the features")
    y = subject.train.y.cpu()
    each = max(1, round(config.share * len(y) / len(y.unique())))
    few = torch.arange(len(y)) if config.share == 1 else splits.few(y, each, seed)
    data, y = origin.train.subset(few), y[few]
    lr, held_out = chosen(origin, data, y, classes, config, seed)
    predicted = logits(trained(origin, data, y, classes, config, lr, seed), origin.test, origin)
    ranking = predicted.sort(dim=1, descending=True, stable=True).indices[:, :5]
    extra: dict[str, Json] = {"lr": lr, "held_out": held_out, "labelled_images": len(y), "seed": seed}
    return base.ranked(ranking, subject, config.model_dump(mode="json"), extra)
