"""Readers: processes that decode image files ahead of what computes. Whatever becomes of them is told in words.

Not torch's DataLoader, whose workers put batches into /dev/shm: it waits for ever for one that found no room there
(64 MB in many a container), and for a worker that hangs, deaf to signals. Here a reader fills memory that it inherits,
and answers in a few bytes through a pipe of its own, so that nobody waits for half a message or for another's lock.

Shapes: n images of a batch, AHEAD batches that a reader may be ahead.
"""

import atexit
import contextlib
import itertools
import mmap
import multiprocessing.process
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from math import prod
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol
from weakref import WeakSet

import torch
from torch import Tensor

from dcp.data import child
from dcp.errors import DcpError, RunError

AHEAD = 2
POLL_S = 0.2  # between two looks at whether a reader lives, reads, or is to be waited for at all
# In which no image is read: the largest takes some seconds, and a slow disk does not take this long for one file.
STALLED_S = 45.0

Stopped = Callable[[float], bool]  # whether to wait no longer, given the seconds in which no image was read


class Advice(NamedTuple):
    """What helps whoever reads images where a reader is lost."""

    key: str  # of the recipe: how many readers
    again: str  # how to go on
    less: str = ""  # what else saves memory


TRAINING = Advice("train.workers", "Go on with --resume", ", or a smaller train.batch")
PROBES = Advice("probe.workers", "Measure again: dcp probe, with --set probe.workers=N for fewer readers")


class Source(Protocol):
    """What is read."""

    dtype: torch.dtype  # uint8, or uint16
    in_place: dict[int, int]  # images that cannot be read, and those that are in their place, as far as known

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what an image becomes."""

    def read(self, epoch: int, image: int) -> Tensor:
        """An image of `shape` and `dtype`; DcpError where it cannot be read."""

    def place(self, image: int) -> str:
        """What messages call it."""


def decoded(
    source: Source,
    orders: Iterator[Tensor],
    *,
    most: int,
    readers: int,
    pin: bool = False,
    stopped: Stopped = lambda waited: False,
    advice: Advice = TRAINING,
) -> Generator[Tensor, None, None]:
    """Batches [n, *shape], one for each of `orders`; the readers end with the generator.

    Args:
        source: what is read.
        orders: int64 [n, 2], the (epoch, image) of each image of a batch.
        most: the largest n.
        readers: how many processes read; 0: this one does, when a batch is due.
        pin: into page-locked memory, from which a GPU takes them without waiting.
        stopped: asked while a batch is not there; batches end early when it says so.
        advice: what helps where a reader is lost.

    Raises:
        RunError: an image cannot be read, or a reader ended or stalled.
    """
    if readers == 0:
        for order in orders:
            batch = torch.stack([source.read(*key) for key in order.tolist()])
            yield batch.pin_memory() if pin else batch
        return
    with contextlib.ExitStack() as stack:
        pool = [stack.enter_context(contextlib.closing(Reader(source, most, advice))) for _ in range(readers)]
        stack.callback(lambda: [reader.process.kill() for reader in pool])  # all, before the first is waited for
        due: deque[Reader] = deque()  # whose batches come next
        for reader, order in zip(itertools.cycle(pool), itertools.islice(orders, AHEAD * readers), strict=False):
            reader.ask(order)
            due.append(reader)
        while due:
            reader = due.popleft()
            taken = reader.take(pin=pin, stopped=stopped)
            if taken is None:
                return
            for order in itertools.islice(orders, 1):
                reader.ask(order)
                due.append(reader)
            yield taken


class Reader:
    """A process that fills the batches that it is asked for, one after the other.

    Raises:
        RunError: "reader-ended", the system does not let it start.
    """

    def __init__(self, source: Source, most: int, advice: Advice = TRAINING) -> None:
        self.source, self.advice, self.pending = source, advice, deque[tuple[int, int]]()  # (slot, n) asked for
        self.asked = self.read = 0  # batches; images of batches that have been taken
        # forked, as long as that is what the platform does: nothing is imported anew, and memory is inherited
        context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
        try:
            self.memory = Memory(context, most, source.shape, source.dtype)
            self.pipe, theirs = context.Pipe()
            self.process = context.Process(target=_serve, args=(theirs, source, self.memory, os.getpid()), daemon=True)
            self.process.start()
            theirs.close()
        except OSError as error:
            what = f"no process can be started that reads image files: {error.strerror}"
            hint = f"fewer {advice.key}; with {advice.key}=0 no other process is needed"
            raise RunError(what, slug="reader-ended", where=advice.key, hint=hint) from error
        self.progress, self.keys, self.pixels = self.memory.tensors()
        _open.add(self)

    def ask(self, order: Tensor) -> None:
        """Ask for a batch; there must be a slot for it."""
        slot, self.asked = self.asked % AHEAD, self.asked + 1
        self.keys[slot, : len(order)] = order
        self.pending.append((slot, len(order)))
        with contextlib.suppress(OSError):  # it has ended, which `take` will tell
            self.pipe.send(self.pending[-1])

    def take(self, *, pin: bool, stopped: Stopped) -> Tensor | None:
        """The batch that was asked for first, once it is there; None if `stopped` says so before.

        Raises:
            RunError: an image cannot be read; "reader-ended" or "reader-stalled".
        """
        slot, n = self.pending[0]
        waited, before = 0.0, int(self.progress)
        while not self.pipe.poll(POLL_S):
            # not by the clock: a training that was suspended has not waited
            waited, before = (0.0 if int(self.progress) != before else waited + POLL_S), int(self.progress)
            if stopped(waited):
                return None
            if waited >= STALLED_S:
                hint = f"Its disk or network does not answer, or it is no ordinary file. {self.advice.again}."
                what = f"no image could be read for {waited:.0f} s"
                raise RunError(what, slug="reader-stalled", where=self._file(), hint=hint)
        try:
            error, in_place = self.pipe.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        if error is not None:
            raise error
        self.source.in_place.update(in_place)
        self.pending.popleft()
        self.read += n
        return torch.empty_like(self.pixels[slot, :n], pin_memory=pin).copy_(self.pixels[slot, :n])

    def close(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        if not child.has_ended(self.process, within_s=0.5):
            # a disk that hangs lets nobody die, and at exit Python would wait for it
            with contextlib.suppress(AttributeError):
                multiprocessing.process._children.discard(self.process)  # type: ignore[attr-defined]
        self.pipe.close()
        _open.discard(self)

    def _file(self) -> str:
        """The file that it is reading."""
        slot, n = self.pending[0]
        image = int(self.keys[slot, min(int(self.progress) - self.read, n - 1), 1])
        return self.source.place(image).encode(errors="backslashreplace").decode()

    def _ended(self) -> RunError:
        child.has_ended(self.process, within_s=5.0)
        code = self.process.exitcode or 0
        how = f"was ended by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with code {code}"
        hint = "if it ends at this file again, replace the file"
        if -code == getattr(signal, "SIGKILL", 0):
            hint = f"if memory ran out, for which Linux kills: fewer {self.advice.key}{self.advice.less}"
        what = f"a process that reads image files {how}"
        return RunError(what, slug="reader-ended", where=self._file(), hint=f"{self.advice.again}; {hint}.")


_open: "WeakSet[Reader]" = WeakSet()


@atexit.register  # before multiprocessing's own, which would ask them to end and wait for that
def _close_all() -> None:
    for reader in list(_open):
        reader.close()


class Memory:
    """What a reader and its parent share: how many images are read, and for each slot which and their pixels."""

    def __init__(self, context: Any, most: int, shape: tuple[int, ...], dtype: torch.dtype = torch.uint8) -> None:
        self.most, self.shape, self.dtype = most, shape, dtype
        size = 8 + AHEAD * most * (16 + prod(shape) * dtype.itemsize)
        # without a name it needs no room in /dev/shm, but only a forked process has it too
        forked = context.get_start_method() == "fork"
        self.buffer: Any = mmap.mmap(-1, size) if forked else context.RawArray("B", size)

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """The count [] int64, the keys [AHEAD, most, 2] int64, the pixels [AHEAD, most, *shape]."""
        numbers = torch.frombuffer(self.buffer, dtype=torch.int64, count=1 + AHEAD * self.most * 2)
        pixels = torch.frombuffer(self.buffer, dtype=self.dtype, offset=8 * len(numbers))
        return numbers[0], numbers[1:].view(AHEAD, self.most, 2), pixels.view(AHEAD, self.most, *self.shape)


def _serve(pipe: "Connection[Any, Any]", source: Source, memory: Memory, parent: int) -> None:
    """What a reader does until its parent wants no more, or is no more."""
    child.be_deaf()
    child.let_go(besides=pipe.fileno())
    threading.Thread(target=child.end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(1)
    progress, keys, pixels = memory.tensors()
    told = len(source.in_place)  # of those that cannot be read; they only become more
    with contextlib.suppress(EOFError, OSError):
        while True:
            slot, n = pipe.recv()
            answer: Exception | None = None
            try:
                for row, key in enumerate(keys[slot, :n].tolist()):
                    pixels[slot, row] = source.read(*key)
                    progress += 1
            except (DcpError, MemoryError) as error:
                answer = error
            except Exception:  # a bug, which the parent raises with what is known of it
                answer = RuntimeError(f"in a process that reads image files:\n{traceback.format_exc()}")
            new = dict(itertools.islice(source.in_place.items(), told, None))
            told += len(new)
            pipe.send((answer, new))
