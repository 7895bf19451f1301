"""The journal: what a run says about itself while it trains, without stopping the device to ask.

Losses stay on the device in a ring; the host reads them every `log_every` steps, and before anything is saved, so
that a checkpoint never holds a state that has already diverged.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import torch

from dcp import diagnosis
from dcp.distributed import Process
from dcp.errors import RunError
from dcp.method import Method, Step
from dcp.plan import Plan
from dcp.run import Run

Watch = Callable[[dict[str, Any]], None]


class Journal:
    """Losses, rates and health of a run, to metrics.jsonl, to the tracker and to whoever watches.

    Args:
        run: the run folder of the first process, None in the others.
        process: this process.
        plan: for epochs.
        log_every: steps between two lines.
        watch: is given every line.
        progress: what a checkpoint remembered of the journal.
    """

    def __init__(
        self,
        run: Run | None,
        process: Process,
        plan: Plan,
        *,
        log_every: int,
        watch: Watch,
        progress: dict[str, Any],
    ) -> None:
        self.run, self.process, self.plan, self.log_every, self.watch = run, process, plan, log_every, watch
        self.ring = torch.zeros(log_every, device=process.device)
        self.pending: list[tuple[int, int]] = []  # (step, images of all processes) of the losses in the ring
        self.loss_sum: float = progress.get("loss_sum", 0.0)
        self.images: int = progress.get("images", 0)
        self.wall_before: float = progress.get("wall_s", 0.0)
        self.started = time.monotonic()
        self.seen = 0
        self.health: dict[str, float] = progress.get("health", {})

    def add(self, step: int, total: int, loss: torch.Tensor) -> None:
        """Note the loss of a step: this process's sum over its images."""
        self.ring[len(self.pending)] = loss.detach()
        self.pending.append((step, total))

    def due(self, step: int) -> bool:
        """Whether this step writes a line."""
        return len(self.pending) == self.log_every or self.plan.ends_epoch(step)

    def read(self) -> float:
        """The mean loss of the steps since the last reading; called by all processes at the same step.

        Raises:
            RunError: a loss is not finite; names the step.
        """
        if not self.pending:
            return math.nan
        sums = self.process.total(self.ring.clone())[: len(self.pending)].tolist()
        images = sum(total for _, total in self.pending)
        for (step, _), loss in zip(self.pending, sums, strict=True):
            if not math.isfinite(loss):
                raise _diverged(step)
        self.loss_sum += sum(sums)
        self.images += images
        self.seen += images
        self.pending.clear()
        return float(sum(sums)) / images

    def write(self, batch_step: int, step: Step, method: Method, rate: float, fraction: float) -> None:
        """A "step" line, and an "epoch" line at the end of one."""
        loss = self.read()
        self.health = {name: float(value) for name, value in diagnosis.health(step.z).items()}
        if not all(math.isfinite(value) for value in self.health.values()):
            raise _diverged(batch_step)
        epoch = self.plan.epoch_of(batch_step)
        tau = method.target.weight_of_past(fraction)
        place = {"step": batch_step, "epoch": epoch}
        speed = {"images_per_s": self.images_per_s}
        extra = {} if tau is None else {"tau": tau}
        self._tell({"kind": "step", **place, "loss": loss, "lr": rate, **extra, **self.health, **speed})
        if self.plan.ends_epoch(batch_step):
            mean = self.loss_sum / self.images
            self._tell(
                {
                    "kind": "epoch",
                    **place,
                    "loss": mean,
                    "lr": rate,
                    **self.health,
                    **speed,
                    "wall_s": self.wall_s,
                }
            )
            self.loss_sum, self.images = 0.0, 0

    @property
    def wall_s(self) -> float:
        """Seconds of training so far, all sittings together."""
        return self.wall_before + time.monotonic() - self.started

    @property
    def images_per_s(self) -> float:
        """Images a second since this sitting began."""
        return self.seen / max(1e-9, time.monotonic() - self.started)

    def progress(self) -> dict[str, Any]:
        """What a checkpoint must remember."""
        return {
            "loss_sum": self.loss_sum,
            "images": self.images,
            "wall_s": self.wall_s,
            "health": self.health,
        }

    def _tell(self, line: dict[str, Any]) -> None:
        if self.run is not None:
            self.run.append(line)
            self.watch(line)
        numbers = {f"{line['kind']}/{k}": v for k, v in line.items() if isinstance(v, float)}
        self.process.track(numbers, line["step"])


def _diverged(step: int) -> RunError:
    return RunError(
        f"the loss is not finite at step {step}",
        slug="diverged",
        hint='try a smaller optimizer.lr, a warm-up (optimizer.warmup_epochs), or train.precision = "fp32"',
    )
