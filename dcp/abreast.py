"""Two views abreast: each passes a network on a thread of its own, forward and backward, at the same time.

Two threads that share every layer hand its memory from core to core; two with a view each do not (docs/performance.md).
The numbers are those of one view after the other on one thread: running statistics take the first view before the
second, layer by layer, and the gradient of a weight is the first view's plus the second's.

Shapes: B images in the batch, D projection size.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from dcp.networks import Branch

T = TypeVar("T")
Arguments: TypeAlias = tuple[Any, ...]
Jobs: TypeAlias = SimpleQueue[Callable[[], None]]
Order: TypeAlias = AbstractContextManager[Callable[[], None] | None]
FIRST, SECOND = "dcp-view-1", "dcp-view-2"  # names of the threads


def project(online: Branch, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Features of view 1 [B, features], without gradient, and projections of both [B, D], for one backward pass."""
    weights = [p for p in online.parameters() if p.requires_grad]
    gradients = torch.is_grad_enabled()  # `forward` below is always without
    return _Projections.apply(gradients, online, x1, x2, *weights)  # type: ignore[no-any-return, no-untyped-call, unused-ignore]


def each(network: nn.Module, call: Callable[..., T], first: Arguments, second: Arguments) -> tuple[T, T]:
    """call(*first) and call(*second), each of which passes the network.

    Raises:
        Exception: what either of them raises, when both have ended.
    """
    return _at_once(_in_order(network), call, first, second)


class _Projections(torch.autograd.Function):
    """Each view has a graph of its own, and the backward pass goes through both at once."""

    @staticmethod
    def forward(
        ctx: Any, gradients: bool, online: Branch, x1: Tensor, x2: Tensor, *weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        with torch.set_grad_enabled(gradients):
            (h, z1), (_, z2) = each(online, online.both, (x1,), (x2,))
        ctx.z, ctx.weights, h = (z1, z2), weights, h.detach()
        ctx.mark_non_differentiable(h)
        return h, z1.detach(), z2.detach()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
    def backward(ctx: Any, _: Tensor, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        back = partial(torch.autograd.grad, allow_unused=True)
        first, second = ((z, ctx.weights, gradient) for z, gradient in zip(ctx.z, gradients, strict=True))
        pairs = zip(*_at_once(nullcontext(), back, first, second), strict=True)
        return None, None, None, None, *(None if one is None else one + two for one, two in pairs)


def _at_once(order: Order, call: Callable[..., T], first: Arguments, second: Arguments) -> tuple[T, T]:
    """Both results, each from a thread of its own.

    These threads see to everything themselves: an interrupt comes to the main one alone, which only waits for a queue.
    """
    one, two = _threads()
    answer: SimpleQueue[tuple[T, T] | BaseException] = SimpleQueue()
    mode = torch.is_grad_enabled()  # every thread has its own
    both = partial(_both, order, two, partial(_in_mode, mode, call), first, second)
    try:
        one.put(lambda: answer.put(_outcome(both)))
        return _value(answer.get())
    except BaseException:
        _rest(one)
        raise


def _rest(jobs: Jobs) -> None:
    """Wait until the thread has done what it was given: unless interrupted again, nobody leaves it at work."""
    done: SimpleQueue[None] = SimpleQueue()
    jobs.put(lambda: done.put(None))
    done.get()


def _both(order: Order, other: Jobs, call: Callable[..., T], first: Arguments, second: Arguments) -> tuple[T, T]:
    """In the first view's thread."""
    answer: SimpleQueue[T | BaseException] = SimpleQueue()
    with order as free:
        other.put(lambda: answer.put(_outcome(partial(call, *second))))
        one = _outcome(partial(call, *first))
        if free is not None:
            free()
        two = answer.get()
    try:
        return _value(one), _value(two)
    finally:
        del one, two  # an error would keep the other view's graph


def _outcome(call: Callable[[], T]) -> T | BaseException:
    try:
        return call()
    except BaseException as error:  # raised again by whoever asked
        return error


def _value(outcome: T | BaseException) -> T:
    try:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome
    finally:
        del outcome  # else an error keeps its frames, and their tensors, until garbage is collected


def _in_mode(gradients: bool, call: Callable[..., T], *arguments: Any) -> T:
    with torch.set_grad_enabled(gradients):
        return call(*arguments)


@cache
def _threads() -> tuple[Jobs, Jobs]:
    """The jobs of two threads, each of which computes alone, for as long as the process lives."""
    before, ready, jobs = torch.get_num_threads(), SimpleQueue[None](), (Jobs(), Jobs())
    for name, mine in zip((FIRST, SECOND), jobs, strict=True):
        threading.Thread(target=_work, args=(mine,), name=name, daemon=True).start()
        mine.put(lambda: ready.put(None))
        ready.get()
    torch.set_num_threads(before)  # for threads that are yet to come: these take the number that was set last
    return jobs


def _work(jobs: Jobs) -> None:
    torch.get_num_threads()  # asked for the first time, a thread takes the number set last, by whichever: that is over
    torch.set_num_threads(1)
    while True:
        jobs.get()()


@contextmanager
def _in_order(network: nn.Module) -> Iterator[Callable[[], None]]:
    """Meanwhile view 2 passes a layer that writes buffers only after view 1 has, until what is yielded is called."""
    layers = [layer for layer in network.modules() if layer.training and list(layer.buffers(recurse=False))]
    turns = [_Turn() for _ in layers]
    hooks = [layer.register_forward_pre_hook(turn.before) for layer, turn in zip(layers, turns, strict=True)]
    hooks += [layer.register_forward_hook(turn.after) for layer, turn in zip(layers, turns, strict=True)]
    try:
        yield lambda: _free(turns)
    finally:
        for hook in hooks:
            hook.remove()


class _Turn:
    """Of one layer: view 2 waits in `before` until view 1 has come to `after`."""

    def __init__(self) -> None:
        self.passed, self.over = threading.Semaphore(0), False

    def before(self, *_: object) -> None:
        if in_second() and not self.over:
            self.passed.acquire()

    def after(self, *_: object) -> None:
        if not in_second():
            self.passed.release()


def _free(turns: list[_Turn]) -> None:
    """A view has ended, as it should or not: nobody is to wait for it."""
    for turn in turns:
        turn.over = True
        turn.passed.release()


def in_second() -> bool:
    """Whether this is the thread of view 2."""
    return threading.current_thread().name.startswith(SECOND)
