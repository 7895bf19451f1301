"""Two views abreast: each passes a network on a thread of its own, forward and backward, at the same time.

Two threads that share every layer hand its memory from core to core; two with a view each do not (docs/performance.md).
The numbers are those of one view after the other on one thread: running statistics take the first view before the
second, layer by layer, and the gradient of a weight is the first view's plus the second's.

Shapes: B images in the batch, D projection size.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from dcp.networks import Branch

T = TypeVar("T")
Words = tuple[Any, ...]

THREADS = 2  # on more nobody has measured it
# Layers that draw no random numbers and keep nothing from pass to pass but buffers: threads leave their numbers alone.
KNOWN: frozenset[type[nn.Module]] = frozenset(
    {
        *(nn.Conv2d, nn.Linear, nn.ReLU, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm),
        *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Flatten, nn.Identity, nn.Sequential),
    }
)
FIRST, SECOND = "dcp-view-1", "dcp-view-2"  # names of the threads


def fits(network: nn.Module) -> bool:
    """Whether there are two threads, and only layers whose numbers these do not change."""
    leaves = (type(module) for module in network.modules() if not list(module.children()))
    return torch.get_num_threads() == THREADS and KNOWN.issuperset(leaves)


def project(online: Branch, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Features of view 1 [B, features], without gradient, and projections of both [B, D], differentiable once."""
    weights = [p for p in online.parameters() if p.requires_grad]
    return _Projections.apply(online, x1, x2, *weights)  # type: ignore[no-any-return, no-untyped-call, unused-ignore]


def each(network: nn.Module, call: Callable[..., T], first: Words, second: Words) -> tuple[T, T]:
    """What `call`, which passes the network, gives for the first view and for the second.

    Raises:
        Exception: what either of them raises, when both have ended.
    """
    with _in_order(network) as end_of_first:
        return _at_once(call, first, second, end_of_first)


class _Projections(torch.autograd.Function):
    """Each view has a graph of its own, and the backward pass goes through both at once."""

    @staticmethod
    def forward(ctx: Any, online: Branch, x1: Tensor, x2: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.enable_grad():
            (h, z1), (_, z2) = each(online, online.both, (x1,), (x2,))
        ctx.z, ctx.weights, h = (z1, z2), weights, h.detach()
        ctx.mark_non_differentiable(h)
        return h, z1.detach(), z2.detach()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
    def backward(ctx: Any, _: Tensor, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        back = partial(torch.autograd.grad, allow_unused=True)
        first, second = ((z, ctx.weights, gradient) for z, gradient in zip(ctx.z, gradients, strict=True))
        pairs = zip(*_at_once(back, first, second), strict=True)
        return None, None, None, *(None if one is None else one + two for one, two in pairs)


def _at_once(
    call: Callable[..., T], first: Words, second: Words, end_of_first: Callable[[Future[T]], object] = id
) -> tuple[T, T]:
    """Both results, each from a thread of its own."""
    work = partial(_under, torch.is_grad_enabled(), call)
    one, two = (lane.submit(work, *words) for lane, words in zip(_lanes(), (first, second), strict=True))
    one.add_done_callback(end_of_first)
    wait((one, two))
    return one.result(), two.result()


def _under(gradients: bool, call: Callable[..., T], *words: Any) -> T:
    with torch.set_grad_enabled(gradients):  # every thread has its own mode
        return call(*words)


@cache
def _lanes() -> tuple[ThreadPoolExecutor, ThreadPoolExecutor]:
    """Two threads, each of which computes alone."""
    threads = torch.get_num_threads()
    lanes = (ThreadPoolExecutor(1, FIRST, _alone), ThreadPoolExecutor(1, SECOND, _alone))
    wait([lane.submit(int) for lane in lanes])
    torch.set_num_threads(threads)  # for threads that are yet to come: these take the number that was set last
    return lanes


def _alone() -> None:
    torch.get_num_threads()  # asked for the first time, a thread takes the number set last, by whichever: that is over
    torch.set_num_threads(1)


@contextmanager
def _in_order(network: nn.Module) -> Iterator[Callable[[object], object]]:
    """Meanwhile view 2 passes a layer that has buffers only after view 1, or after what is yielded has been called."""
    turns = {layer: _Turn() for layer in network.modules() if list(layer.buffers(recurse=False))}
    hooks = [layer.register_forward_pre_hook(turn.before) for layer, turn in turns.items()]
    hooks += [layer.register_forward_hook(turn.after) for layer, turn in turns.items()]
    try:
        yield lambda _: _free(turns.values())
    finally:
        for hook in hooks:
            hook.remove()


class _Turn:
    """Who may pass one layer."""

    def __init__(self) -> None:
        self.passed, self.over = threading.Semaphore(0), False

    def before(self, *_: object) -> None:
        if _second() and not self.over:
            self.passed.acquire()

    def after(self, *_: object) -> None:
        if not _second():
            self.passed.release()


def _free(turns: Iterable[_Turn]) -> None:
    """View 1 has ended, as it should or not: nobody is to wait for it any more."""
    for turn in turns:
        turn.over = True
        turn.passed.release()


def _second() -> bool:
    return threading.current_thread().name.startswith(SECOND)
