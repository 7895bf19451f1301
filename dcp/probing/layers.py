"""Probes by layer: kNN and a linear classifier on the outputs of the backbone's blocks and of the projector's layers.

So Bordes, Balestriero, Garrido, Bardes, Vincent measure "Guillotine regularization" (2022, arXiv:2206.13378): how much
is lost between the features, behind which the network is cut off, and the projections, of which the loss is. The
classifiers are the evaluations `knn` and `linear`, as for the features themselves; how theirs are trained could not be
read.

    layer2, blocks.3  a block of the backbone: maps averaged over their pixels, tokens over all of them
    features          what the backbone gives, as everywhere else
    projector.0       a layer of the projector: linear, with the norm and ReLU behind it; the last are the projections

Blocks of a timm model are those that its `feature_info` lists; elsewhere they are the modules in the outermost sequence
(layer1 to layer4 of a ResNet).

Shapes: B images of C channels and side S, T tokens, D_l values that layer l gives.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from dcp.data.given import Given
from dcp.errors import RequestError, near_names
from dcp.probing.evaluations import knn, linear
from dcp.probing.evaluations.base import Features, Json, Scores, Subject
from dcp.probing.features import features
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.runs.encoder import Encoder

NAME = "layers"  # of the probe, and of the key of [probe]
FEATURES, PROJECTOR = "features", "projector."
CLASSIFIERS: dict[str, Callable[..., Scores]] = {"knn": knn.evaluate, "linear": linear.evaluate}
Asked = Literal["all"] | tuple[str, ...]
GONE = "the run folder has no checkpoint with the projector in it, so its layers cannot be measured"


def pooled(y: Tensor) -> Tensor:
    """What a layer gives, [B, D_l]: maps [B, D_l, S, S] or [B, S, S, D_l] and tokens [B, T, D_l] are averaged.

    >>> pooled(torch.ones(2, 8, 4, 4)).shape, pooled(torch.ones(2, 4, 4, 8)).shape, pooled(torch.ones(2, 5, 8)).shape
    (torch.Size([2, 8]), torch.Size([2, 8]), torch.Size([2, 8]))
    """
    if y.ndim == 4:
        return y.mean((2, 3) if y.shape[2] == y.shape[3] else (1, 2))
    return y.mean(1) if y.ndim == 3 else y


def sequences(net: nn.Module) -> list[str]:
    """The modules of the outermost sequences of a network, by name; of one alone, the modules in it."""
    kinds = (nn.Sequential, nn.ModuleList)
    levels: dict[int, list[str]] = {}
    for name, part in net.named_modules():
        if name and isinstance(part, kinds) and len(part):
            levels.setdefault(name.count("."), []).append(name)
    outermost = levels[min(levels)] if levels else []
    if len(outermost) == 1:
        return [f"{outermost[0]}.{name}" for name, _ in net.get_submodule(outermost[0]).named_children()]
    return outermost


def blocks(net: nn.Module) -> list[str]:
    """The blocks of a backbone [B, C, S, S] -> [B, D], by the names of their modules, in the order of the network."""
    listed = getattr(net, "feature_info", None)
    names = [str(each.get("module")) for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    modules = dict(net.named_modules())
    return [name for name in names if name in modules] or sequences(net)


def ends(projector: nn.Sequential) -> list[str]:
    """The last module of each layer of a projector, by its name in it: what stands before the next linear one.

    >>> ends(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
    ['1', '2']
    """
    starts = [i for i, part in enumerate(projector) if isinstance(part, nn.Linear)]
    return [str(start - 1) for start in [*starts[1:], len(projector)]]


class ByLayer(Encoder):
    """A frozen encoder that gives what each of its layers gives, side by side: [B, C, S, S] -> [B, Σ D_l].

    Args:
        encoder: whose backbone and preprocessing it has.
        projector: that follows; None where it is not known.
        wanted: the layers that are given; None for all.

    Attributes:
        widths: D_l, by the names of the layers from the input on, once images have gone through.
    """

    def __init__(self, encoder: Encoder, projector: nn.Sequential | None, wanted: Sequence[str] | None = None) -> None:
        super().__init__(encoder.backbone, encoder.size, encoder.config, encoder.layout, encoder.grey)
        self.projector, self.wanted, self.widths = projector, wanted, dict[str, int]()
        self.layers = {name: self.backbone.get_submodule(name) for name in blocks(self.backbone)}
        if projector is not None:
            self.layers |= {f"{PROJECTOR}{i}": projector.get_submodule(end) for i, end in enumerate(ends(projector))}

    def forward(self, x: Given) -> Tensor:
        """What the layers give for preprocessed images, float [B, C, S, S]."""
        seen: dict[str, Tensor] = {}

        def keep(name: str, module: nn.Module, inputs: object, y: object) -> None:
            if isinstance(y, Tensor) and 2 <= y.ndim <= 4:
                seen[name] = pooled(y).float()

        hooks = [module.register_forward_hook(partial(keep, name)) for name, module in self.layers.items()]
        try:
            h = super().forward(x)
            seen[FEATURES] = h.float()
            if self.projector is not None:
                self.projector(h)
        finally:
            for hook in hooks:
                hook.remove()
        given = {name: y for name, y in seen.items() if self.wanted is None or name in self.wanted}
        self.widths = {name: y.shape[1] for name, y in given.items()}
        return torch.cat([*given.values()], 1)

    @torch.no_grad()
    def names(self) -> tuple[str, ...]:
        """All layers, from the input on."""
        self(torch.zeros(2, self.layout.channels, self.size, self.size, device=self.device))
        return tuple(self.widths)


def chosen(asked: Asked, known: Sequence[str], *, gone: bool = False) -> tuple[str, ...]:
    """The layers asked for, in the order of the network.

    Args:
        asked: "all", or their names.
        known: all that there are.
        gone: whether the projector is not known.

    Raises:
        RequestError: "unknown-name", with the right names; "no-projector".
    """
    for name in () if asked == "all" else asked:
        if gone and name.startswith(PROJECTOR):
            raise RequestError(GONE, slug="no-projector", where="probe.layers", hint=f"known: {', '.join(known)}")
        if name not in known:
            meant = ", ".join(near_names(name, known, 1))
            hint = f'known: {", ".join(known)}; or "all"' + (f". Did you mean {meant}?" if meant else "")
            raise RequestError(f'there is no layer "{name}"', slug="unknown-name", where="probe.layers", hint=hint)
    return tuple(name for name in known if asked == "all" or name in asked)


def check(recipe: Recipe) -> None:
    """Refuse layers that the network of a recipe does not have.

    Raises:
        RequestError: as `chosen`.
    """
    asked: Asked = recipe.probe.layers
    if asked and asked != "all":
        with torch.random.fork_rng(devices=[]):
            branch = build.at_start(recipe)
        encoder = Encoder(branch.backbone, recipe.data.view_size, recipe.views, recipe.data.layout)
        chosen(asked, ByLayer(encoder, branch.projector.eval()).names())


def columns(x: Features, widths: dict[str, int]) -> Iterator[tuple[str, Features]]:
    """The layers that stand side by side in x [N, Σ D_l], by name."""
    for name, part in zip(widths, x.x.split([*widths.values()], 1), strict=True):
        yield name, Features(part.contiguous(), x.y)


def measured(
    trained: Subject, untrained: Subject, recipe: Recipe, say: Callable[[str], None] = lambda text: None
) -> tuple[Scores, Scores]:
    """Top-1 accuracy of both evaluations at each layer, "layer4.knn" and "layer4.linear", and before training.

    Args:
        trained: the run, with the images that its features are of.
        untrained: the same before training.
        recipe: which layers, all if it names none, and the settings of both evaluations.
        say: is told what is left out and why.

    Raises:
        RequestError: no such layer, or no projector any more.
    """
    asked: Asked = recipe.probe.layers or "all"
    configs = {name: getattr(recipe.probe, name) for name in CLASSIFIERS}
    origins = [subject.origin for subject in (trained, untrained) if subject.origin is not None]
    encoders = [(each.encoder, each.projector) for each in origins if isinstance(each.encoder, Encoder)]
    assert len(encoders) == 2, "a probe says what its features were made from"
    gone = encoders[0][1] is None
    names = chosen(asked, ByLayer(*encoders[0]).names(), gone=gone)
    if gone:
        say(GONE)
    nets = [ByLayer(*each, names) for each in encoders]
    device, workers = str(nets[0].device), origins[0].workers
    learnt, held_out = (features(nets, data, device, workers=workers) for data in (origins[0].train, origins[0].test))
    both = []
    for subject, net, x, x_test in zip((trained, untrained), nets, learnt, held_out, strict=True):
        score: dict[str, float] = {}
        for (name, layer), (_, layer_test) in zip(columns(x, net.widths), columns(x_test, net.widths), strict=True):
            of_layer = replace(subject, train=layer, test=layer_test)
            for classifier, evaluate in CLASSIFIERS.items():
                scores = evaluate(of_layer, configs[classifier], seed=recipe.run.seed)
                score[f"{name}.{classifier}"] = scores.score["top1"]
        settings: dict[str, Json] = {name: config.model_dump(mode="json") for name, config in configs.items()}
        widths: dict[str, Json] = {**net.widths}
        extra: dict[str, Json] = {"layers": names, "widths": widths, **({"projector": GONE} if gone else {})}
        both.append(Scores(score, len(subject.test), settings=settings, extra=extra))
    return both[0], both[1]
