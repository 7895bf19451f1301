"""Winograd's 3x3 convolutions beside torch's: forward and backward through single layers, and how exact they are."""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from benchmarks.measure import Row, Scale, Spread, in_turn, rows
from benchmarks.training import abreast_branches, branches
from dcp import arithmetic, heap, winograd
from dcp.backbones import backbone
from dcp.networks import Branch

LAYERS = {  # images, channels, side: the stages of ResNet-18 at 32 px, then of ResNet-50 at 224 px
    "ResNet-18 at 32, batch 128": ((128, 64, 32), (128, 128, 16), (128, 256, 8), (128, 512, 4)),
    "ResNet-18 at 56, batch 64": ((64, 64, 14), (64, 128, 7)),  # sides that are rounded up
    "ResNet-50 at 224, batch 16": ((16, 64, 56), (16, 128, 28), (16, 256, 14), (64, 512, 7)),
}
QUICK = {"small": ((8, 128, 16),)}
Convolution = Callable[[Tensor, Tensor], Tensor]
KINDS: dict[str, Convolution] = {"torch": partial(fn.conv2d, padding=1), "Winograd": winograd.convolution}


def tasks(scale: Scale) -> list[partial[list[Row]]]:
    """All layers, on one thread and on all; only CPUs, since GPU libraries choose the algorithm themselves."""
    if scale.device == "cuda":
        return []
    layers = [
        partial(measured, scale, threads, network, *shape)
        for threads in dict.fromkeys((1, scale.threads))
        for network, shapes in (QUICK if scale.quick else LAYERS).items()
        for shape in shapes
    ]
    networks = [partial(stepped, scale, threads) for threads in dict.fromkeys((1, scale.threads))]
    return layers if scale.quick else [*layers, *networks, partial(gradients, scale)]


def measured(scale: Scale, threads: int, network: str, images: int, channels: int, side: int) -> list[Row]:
    """Passes a second, forward and backward, whether dcp would choose it here or not; and the errors of both."""
    torch.set_num_threads(threads)
    x, weight, gradient = _layer(images, channels, side)
    things = {name: partial(_pass, kind, x, weight, gradient) for name, kind in KINDS.items()}
    with heap.kept("cpu"):
        found = in_turn(things, scale.repeats, least_s=2 * scale.least_s)
    chosen = "chosen" if winograd.pays(x, channels) else "not chosen"
    group = f"convolution {channels} x {side} x {side}, {network}, {threads} thread{'s' if threads > 1 else ''}"
    return [*rows(group, "passes/s", found, beside="torch", note=chosen), *_errors(group, x, weight, gradient)]


def stepped(scale: Scale, threads: int) -> list[Row]:
    """Two views through both branches of a ResNet-18, and back through the online one; a view a thread too."""
    torch.set_num_threads(threads)
    networks, x, direction = _networks()
    ways = {name: (networks[name], branches) for name in ("torch", "Winograd")}
    if threads == arithmetic.VIEWS:
        alone = copy.deepcopy(networks["torch"])
        winograd.adopt(alone, 1)
        ways["Winograd, a view a thread"] = alone, abreast_branches
        ways["torch, a view a thread"] = networks["torch"], abreast_branches
    things = {name: partial(_step, *way, x, direction) for name, way in ways.items()}
    with heap.kept("cpu"):
        found = in_turn(things, scale.repeats)
    group = (
        f"two views through both branches of a ResNet-18 at 32, batch 128, {threads} thread{'s' if threads > 1 else ''}"
    )
    return rows(group, "images/s", found, beside="torch")


def _step(network: nn.Module, way: Callable[..., tuple[Tensor, ...]], x: Tensor, direction: Tensor) -> float:
    """The target is the network itself: its arithmetic is the same."""
    network.zero_grad()
    branch = Branch(network, nn.Sequential())
    z1, z2, *_ = way(branch, branch, x, x.flip(0))
    (fn.cosine_similarity(z1, direction) + fn.cosine_similarity(z2, direction)).mean().backward()
    return float(len(x))


def _networks() -> tuple[dict[str, nn.Module], Tensor, Tensor]:
    """The CIFAR network as three ways of computing have it; images; directions for its features."""
    torch.manual_seed(0)
    network, features = backbone("resnet18", stem="small", width=64, norm="batch", image_size=32)
    laid = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    networks = {"torch's default layout": network, "torch": laid, "Winograd": copy.deepcopy(laid)}
    winograd.adopt(networks["Winograd"], torch.get_num_threads())
    return networks, torch.rand(128, 3, 32, 32), torch.randn(128, features)


def gradients(scale: Scale) -> list[Row]:
    """How far the gradient of a whole ResNet-18 lies from that in float64, for torch's two memory formats and ours."""
    torch.set_num_threads(scale.threads)
    things, x, direction = _networks()
    exact = _gradient(copy.deepcopy(things["torch"]).double(), x.double(), direction.double())
    far = {name: (_gradient(thing, x, direction) - exact).norm() / exact.norm() for name, thing in things.items()}
    group = "gradient of a ResNet-18, batch 128, from that in float64"
    return [Row(group, name, "of its length", Spread.of([float(value)])) for name, value in far.items()]


def _gradient(network: nn.Module, x: Tensor, direction: Tensor) -> Tensor:
    """Of a cosine between features and fixed directions, all weights in a row, in float64."""
    network.zero_grad()
    fn.cosine_similarity(network(x), direction).mean().backward()
    return torch.cat([p.grad.flatten().double() for p in network.parameters() if p.grad is not None])


def _layer(images: int, channels: int, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """What comes after a ReLU, weights as He et al. (2015) begin, a gradient of the output."""
    torch.manual_seed(0)
    shape = (images, channels, side, side)
    x, gradient = torch.randn(shape).relu(), torch.randn(shape)
    weight = torch.randn(channels, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
    laid = [t.contiguous(memory_format=torch.channels_last) for t in (x, weight, gradient)]
    return laid[0].requires_grad_(), laid[1].requires_grad_(), laid[2]


def _pass(kind: Convolution, x: Tensor, weight: Tensor, gradient: Tensor) -> float:
    torch.autograd.grad(kind(x, weight), (x, weight), gradient)
    return 1.0


def _errors(group: str, x: Tensor, weight: Tensor, gradient: Tensor) -> list[Row]:
    """Largest error of the output and both gradients against float64, by the largest value of each, on eight images."""
    some = x.detach()[:8], weight.detach(), gradient[:8]
    exact = _values(KINDS["torch"], *(t.double() for t in some))
    found = []
    for name, kind in KINDS.items():
        pairs = zip(_values(kind, *some), exact, strict=True)
        worst = max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
        found.append(Row(group, f"error of {name}", "of the largest", Spread.of([worst])))
    return found


def _values(kind: Convolution, x: Tensor, weight: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
    x, weight = x.requires_grad_(), weight.requires_grad_()
    y = kind(x, weight)
    return (y.detach(), *torch.autograd.grad(y, (x, weight), gradient))
