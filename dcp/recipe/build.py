"""From a recipe to objects: the one place that knows both. What it builds never sees a recipe."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from dcp import catalogue
from dcp.catalogue import VariantConfig
from dcp.data import splits
from dcp.data.sampler import Plan
from dcp.errors import RequestError
from dcp.hardware.precision import Precision, choose, convolve_pixels_in_float32, to_channels_last
from dcp.hardware.processes import Process
from dcp.method import backbones, networks, optim, passes, schedules
from dcp.method.algorithm import Method
from dcp.method.moments import Moments, Total, own
from dcp.method.objectives.base import Gather, Loss, LossOfViews, Setting, alone
from dcp.method.positives.base import LabelledConfig
from dcp.recipe.recipe import Recipe


def branch(recipe: Recipe) -> networks.Branch:
    """Backbone and projector with new random weights from torch's generator."""
    network, local = recipe.network, recipe.views.local
    backbone, features = backbones.backbone(
        network.backbone,
        stem=network.stem,
        width=network.width,
        norm=network.norm,
        image_size=recipe.data.view_size,
        channels=recipe.data.layout.channels,
        local_size=local.size if local.count else None,
    )
    head = networks.projector(features, **dict(network.projector))
    return networks.Branch(backbone, head, recipe.data.layout.channels)


def at_start(recipe: Recipe, start: Mapping[str, Tensor] | None = None) -> networks.Branch:
    """The online branch as training starts it: a function of the recipe, its seed, and weights of the backbone.

    Args:
        recipe: a checked recipe.
        start: weights that fit the backbone; without them they are random. The projector's are random in any case, and
            the same as without them.
    """
    torch.manual_seed(recipe.run.seed)
    begun = branch(recipe)
    if start is not None:
        begun.backbone.load_state_dict(start, strict=True)
    return begun


def method(
    recipe: Recipe,
    *,
    amp: torch.dtype | None = None,
    total: Total = own,
    gather: Gather = alone,
    start: Mapping[str, Tensor] | None = None,
) -> Method:
    """The whole method with its first weights, a function of the recipe and its seed.

    Args:
        recipe: a checked recipe.
        amp: dtype of the networks' arithmetic, or None for float32.
        total: adds a tensor up over processes.
        gather: puts rows of all processes together.
        start: weights of the backbone, instead of random ones.
    """
    online = at_start(recipe, start)
    dim = recipe.network.projector.out
    predictor = catalogue.load("predictors", recipe.predictor.name).build(recipe.predictor, dim, total)
    target = catalogue.load("targets", recipe.target.name).build(recipe.target, online, lambda: branch(recipe), total)
    m = recipe.moments
    moments = Moments(
        dim,
        rho=m.rho if m.rho_end is None else torch.tensor(m.rho),
        start=m.start,
        zero_mean=m.zero_mean,
        cross=predictor.needs_cross or getattr(recipe.objective, "needs_cross", False),
        total=total,
    )
    return Method(
        online,
        predictor,
        target,
        moments,
        objective(recipe, Setting(predictor, moments, gather)),
        positives=catalogue.load("positives", recipe.positives.name).build(recipe.positives, dim, gather),
        timing=m.timing,
        source=m.source,
        local=recipe.views.local.count,
        through=passes.joined if recipe.train.join_views else passes.one_after_the_other,
        amp=amp,
    )


def objective(recipe: Recipe, setting: Setting) -> Loss | LossOfViews:
    """ℓ(p, z, t) -> [B], or a loss of all views, scaled as the recipe says."""
    module = catalogue.load("objectives", recipe.objective.name)
    of_views = getattr(module, "loss_of_views", None)
    within = of_views or getattr(module, "loss_in", None)
    unscaled: Loss = partial(within, setting, recipe.objective) if within else module.loss
    scale: float = getattr(recipe.objective, "scale", 1.0)
    loss = unscaled if scale == 1.0 else lambda p, z, t: scale * unscaled(p, z, t)
    return LossOfViews(loss, recipe.objective.facts().get("waits", False)) if of_views else loss


def numbers(recipe: Recipe, built: Method) -> Callable[[], dict[str, Tensor]]:
    """What the objective has to show of F and C, scalars by name; nothing for most."""
    own = getattr(catalogue.load("objectives", recipe.objective.name), "numbers", None)
    return partial(own, recipe.objective, built.moments) if own else dict


def optimizer(recipe: Recipe, built: Method) -> Optimizer:
    """The optimizer over the online branch and the predictor."""
    o = recipe.optimizer
    groups = optim.groups(
        built.online,
        built.predictor,
        weight_decay=o.weight_decay,
        excludes=o.exclude == "norm_and_bias",
        predictor_decay=getattr(recipe.predictor, "weight_decay", None),
        lr_factor=getattr(recipe.predictor, "lr_factor", 1.0),
        constant_lr=getattr(recipe.predictor, "lr_schedule", "same") == "constant",
    )
    return optim.build(
        o.name, groups, lr=peak_rate(recipe), momentum=o.momentum, weight_decay=o.weight_decay, eta=o.eta
    )


def peak_rate(recipe: Recipe) -> float:
    """The learning rate of a step at its highest, scaled to the batch where the recipe says so."""
    o = recipe.optimizer
    return o.lr if o.lr_batch is None else o.lr * recipe.train.batch / o.lr_batch


def clip(recipe: Recipe, built: Optimizer) -> optim.Clip | None:
    """What clips the gradients, if anything does."""
    norm = recipe.optimizer.clip
    return None if norm is None else optim.Clip(built, norm)


def schedule(
    recipe: Recipe, built: Optimizer, moments: Moments, clipped: optim.Clip | None, plan: Plan
) -> Callable[[int], float]:
    """A function that sets what differs from step to step (rates, ρ, the limit of the gradient).

    It takes the number of the step and returns the learning rate of the branch.
    """
    o, m, peak = recipe.optimizer, recipe.moments, peak_rate(recipe)
    along = schedules.cosine if m.rho_schedule == "cosine" else schedules.linear
    warmup_steps = round(o.warmup_epochs * plan.steps_per_epoch)

    def scheduled(step: int) -> float:
        if m.rho_end is not None:
            torch.as_tensor(moments.rho).fill_(along(m.rho, m.rho_end, (step + 1) / plan.steps))
        if clipped is not None:
            clipped.switch(plan.epoch_of(step) >= o.clip_from)
        return optim.set_rates(built, step, peak=peak, kind=o.schedule, steps=plan.steps, warmup_steps=warmup_steps)

    return scheduled


def plan(recipe: Recipe, images: int, processes: int) -> Plan:
    """Which images every step sees.

    Raises:
        RequestError: the batch does not fit the data or the processes.
    """
    batch = recipe.train.batch
    if batch > images:
        raise RequestError(
            f"train.batch is {batch}, but there are only {images} images",
            slug="batch-too-large",
            where="train.batch",
            hint=f"at most {images}; each epoch needs one whole batch",
        )
    if batch < 2 * processes:
        raise RequestError(
            f"train.batch is {batch} over {processes} processes; batch norm needs two images in each",
            slug="batch-too-small",
            where="train.batch",
            hint=f"at least {2 * processes}",
        )
    return Plan(images, batch, recipe.train.epochs, recipe.run.seed, processes)


class Parts(NamedTuple):
    """What a training is made of, on its device."""

    plan: Plan  # which images every step sees
    precision: Precision
    method: Method
    optimizer: Optimizer
    schedule: Callable[[int], float]  # sets what differs from step to step, and returns the rate of the branch
    labels: Tensor | None  # [images] classes that training sees, -1 elsewhere; None where it sees none
    clip: optim.Clip | None = None  # shortens gradients


def assemble(
    recipe: Recipe, sampler: Plan, labels: Tensor | None, process: Process, start: Mapping[str, Tensor] | None = None
) -> Parts:
    """Everything that a recipe describes but the images and their views.

    Args:
        recipe: a checked recipe.
        sampler: which images every step sees.
        labels: classes of the images, where they have some.
        process: on whose device it is.
        start: weights of the backbone, instead of random ones.

    Raises:
        RequestError: the positives do not fit the images, or the device has no such norm.
    """
    precision = choose(recipe.train.precision, process.device.type)
    built = method(recipe, amp=precision.amp, total=process.total, gather=process.gather, start=start)
    built = to_channels_last(process.synchronised(built, recipe.network.sync_norm), process.device)
    if precision.amp is not None:
        convolve_pixels_in_float32((built.online, *built.target.children()))
    stepped = optimizer(recipe, built)
    clipped = clip(recipe, stepped)
    seen = labels_seen(labels, recipe.positives)
    scheduled = schedule(recipe, stepped, built.moments, clipped, sampler)
    return Parts(sampler, precision, built, stepped, scheduled, seen, clipped)


def labels_seen(y: Tensor | None, config: VariantConfig) -> Tensor | None:
    """The classes [images] that training sees, -1 elsewhere; None where the positives need none.

    They are those of the same images whatever the seed, and as many of each class.

    >>> labels_seen(torch.tensor([0, 0, 1, 1]), LabelledConfig(labelled=0.5)).ge(0).sum()
    tensor(2)

    Raises:
        RequestError: they need some, and the images have none.
    """
    if not isinstance(config, LabelledConfig):
        return None
    if y is None:
        name = getattr(config, "name", "")
        what = f'positives.name = "{name}" needs labels, and these images have none'
        hint = 'take images with labels, or positives.name = "none"'
        raise RequestError(what, slug="no-labels", where="positives.name", hint=hint)
    chosen = splits.evenly(y, max(1, round(config.labelled * len(y))), seed=0)
    return torch.full_like(y, -1).index_copy(0, chosen, y[chosen])
