"""Processes: the only file that knows Accelerate. One process is the special case of many."""

import atexit
import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.distributed.distributed_c10d import _get_default_store

from dcp.errors import RequestError
from dcp.hardware import barrier, rendezvous
from dcp.hardware.environment import without_foreign
from dcp.hardware.lifeline import Lifeline, Lost

with without_foreign():
    from accelerate import Accelerator, DistributedDataParallelKwargs

Module = TypeVar("Module", bound=nn.Module)
_lifelines: list[Lifeline | None] = []  # that of this process, made with torch's group


class Process:
    """This process among those that train together.

    Args:
        device: "cpu", "cuda" or "mps".
        tracker: name of an Accelerate tracker, or "none".
        folder: where a tracker that keeps files keeps them.
        say: is told which processes are waited for, here and in `wait`.

    Attributes:
        rank: number of this process, from 0.
        count: how many there are.
        device: of this process.

    Raises:
        RequestError: the environment says something wrong of the processes; no such tracker, or not on this device.
        RunError: the others do not come.
    """

    def __init__(
        self,
        device: str,
        *,
        tracker: str = "none",
        folder: str | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        if tracker != "none" and find_spec(tracker) is None:
            raise RequestError(
                f'run.tracker = "{tracker}" needs the package {tracker}',
                slug="no-tracker",
                where="run.tracker",
                hint=f"pip install {tracker}",
            )
        options = DistributedDataParallelKwargs(broadcast_buffers=False)
        world = rendezvous.world()
        given = world.variables()
        if world.count > 1:
            given["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")  # or Accelerate would set threads itself
            if not dist.is_initialized():
                _lifelines.append(rendezvous.join(world, device, say))
        with without_foreign(given):
            self._accelerator = Accelerator(
                cpu=device == "cpu",
                mixed_precision="no",  # Method casts the networks alone; statistics, predictor and loss stay float32
                kwargs_handlers=[options],
                log_with=None if tracker == "none" else tracker,
                project_dir=folder,
            )
        self._lifeline = _lifelines[0] if world.count > 1 and _lifelines else None
        self._say = say if world.local_rank == 0 else lambda text: None  # one word a machine
        self.tracker = tracker
        self.rank: int = self._accelerator.process_index
        self.count: int = self._accelerator.num_processes
        self.device: torch.device = self._accelerator.device
        if self.count > 1 and device == "cpu" and "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(max(1, (os.cpu_count() or 1) // self.count))

    @property
    def is_main(self) -> bool:
        """Whether this process, of rank 0, is the one that writes and prints."""
        return self.rank == 0

    @without_foreign()
    def wrap(self, module: nn.Module) -> nn.Module:
        """`module` on this process's device, its gradients averaged over processes."""
        with warnings.catch_warnings():
            # newer versions of torch have another name for this option, which Accelerate does not know yet
            warnings.filterwarnings("ignore", message=".*broadcast_buffers.*", category=FutureWarning)
            return self._accelerator.prepare(module)  # type: ignore[no-any-return]

    def synchronised(self, module: Module, on: bool) -> Module:
        """`module` with batch statistics over all processes, if that is `on` and there are several.

        Raises:
            RequestError: these are CPUs.
        """
        if not on or self.count == 1:
            return module
        if self.device.type != "cuda":
            raise RequestError(
                "network.sync_norm needs GPUs: PyTorch has no synchronised batch norm on CPUs",
                slug="no-sync-norm",
                where="network.sync_norm",
                hint='leave it false (each process normalises by its own images), or take network.norm = "group"',
            )
        return nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-any-return]

    def total(self, values: Tensor) -> Tensor:
        """The sum of `values` over processes; the same tensor when there is one."""
        if self.count == 1:
            return values
        summed = values.clone()
        dist.all_reduce(summed, group=_gloo() if self.device.type == "cpu" else None)
        return summed

    def gather(self, x: Tensor) -> tuple[Tensor, int]:
        """The rows [N, D] of all processes' x [B, D], with gradient, and where this process's rows start among them.

        Shares may differ by one image, and each process has to learn the others': on a GPU the host waits for that.
        """
        if self.count == 1:
            return x, 0
        counts = torch.zeros(self.count, dtype=torch.long, device=x.device)
        counts[self.rank] = len(x)
        shares: list[int] = self.total(counts).tolist()
        start = sum(shares[: self.rank])
        rows: Tensor = _Rows.apply(x, start, sum(shares), self.total)
        return rows, start

    def wait(self) -> None:
        """Until all processes are here, however long that takes: see `barrier`."""
        if self.count > 1:
            barrier.wait(_get_default_store(), self.rank, self.count, self._say)

    @contextlib.contextmanager
    def watched(self, lost: Lost) -> Iterator[None]:
        """Call `lost` in a thread, with what happened, if another machine goes while all are in this block."""
        with contextlib.nullcontext() if self._lifeline is None else self._lifeline.watched(lost):
            yield

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Do not call `lost` before the end of this block."""
        with contextlib.nullcontext() if self._lifeline is None else self._lifeline.saving:
            yield

    @without_foreign()
    def start_tracker(self, project: str, run: str, config: dict[str, Any], step: int) -> None:
        """Open the tracker, where one is asked for; what TensorBoard has been told of `step` and later is void."""
        if self.tracker != "none":
            names = {"wandb": {"name": run}, "trackio": {"name": run}, "tensorboard": {"purge_step": step}}
            plain = {
                key: value if isinstance(value, (bool, int, float, str)) else str(value)
                for key, value in config.items()
            }
            self._accelerator.init_trackers(project, config=plain, init_kwargs=names)  # tensorboard knows no lists

    @without_foreign()
    def track(self, values: dict[str, float], step: int) -> None:
        """Hand numbers to the tracker, where there is one."""
        if self.tracker != "none":
            self._accelerator.log(values, step=step)

    @property
    def takes_back(self) -> bool:
        """Whether what the tracker is told can be made void by `start_tracker` later."""
        return self.tracker in ("none", "tensorboard")

    def flush_tracker(self) -> None:
        """Have on disk what the tracker was told, where its files are written in this process."""
        if self.tracker == "tensorboard" and self.is_main:
            self._accelerator.get_tracker("tensorboard", unwrap=True).flush()

    @without_foreign()
    def end(self) -> None:
        """Close the tracker."""
        if self.tracker != "none":
            self._accelerator.end_training()


@cache
def _gloo() -> dist.ProcessGroup:
    """A group of dcp's own, whose threads end while Python still runs.

    A thread of gloo that frees a tensor of Python's after that aborts the process, whose work is done
    (https://github.com/pytorch/pytorch/issues/190489). DistributedDataParallel never lets go of the default group, and
    gives it no tensor of Python's.
    """
    group = dist.new_group(backend="gloo")
    assert isinstance(group, dist.ProcessGroup)
    atexit.register(_end)
    return group


def _end() -> None:
    if dist.is_initialized():
        dist.destroy_process_group(_gloo())
    _gloo.cache_clear()  # the last reference: with it go the threads


class _Rows(torch.autograd.Function):
    """The rows of all processes: each puts its own into zeros, and these are added up; so are gradients, backwards.

    torch.distributed.nn has a gather with gradient, which newer versions of torch warn of and which wants equal shares.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, start: int, count: int, total: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.own, ctx.total = slice(start, start + len(x)), total  # type: ignore[attr-defined]
        rows = x.new_zeros(count, *x.shape[1:])
        rows[start : start + len(x)] = x
        return total(rows)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        return ctx.total(grads[0].contiguous())[ctx.own], None, None, None
