"""Metrics: what a run says about itself while it trains, without stopping the device to ask.

Losses stay on the device in a ring; the host reads them every `log_every` steps, and before anything is saved, so
that a checkpoint never holds a state that has already diverged.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from dcp.data.sampler import Plan
from dcp.errors import Diverged
from dcp.hardware.processes import Process
from dcp.method.algorithm import Method, Outputs
from dcp.probing.online import Readout
from dcp.runs.run import Run
from dcp.training import diagnostics
from dcp.training.diagnosis.diagnose import diagnose
from dcp.training.diagnosis.signs import Diagnosis, Facts, History
from dcp.training.request import Watch


class Mean(NamedTuple):
    """A mean loss in the making."""

    loss: float = 0.0  # the sum
    images: int = 0

    def plus(self, sums: list[float], images: int) -> "Mean":
        """With the losses of a few steps, added one after the other so that any grouping gives the same bits."""
        loss = self.loss
        for summand in sums:
            loss += summand
        return Mean(loss, self.images + images)

    @property
    def value(self) -> float:
        """Per image."""
        return self.loss / max(1, self.images)


@dataclass
class Wait:
    """How long training stood still for want of decoded images since some moment."""

    since: float
    seconds: float = 0.0

    def share(self) -> float:
        """Of the time since then, in [0, 1]; begins anew."""
        now = time.monotonic()
        share = min(1.0, self.seconds / max(1e-9, now - self.since))
        self.since, self.seconds = now, 0.0
        return share


class Metrics:
    """Losses, rates and health of a run, to metrics.jsonl, to the tracker and to whoever watches.

    Args:
        run: the run folder in the main process, None in the others.
        process: this process.
        plan: for epochs.
        log_every: steps between two lines.
        watch: is given every line.
        readout: says how good the features are; None without labels.
        settings: the recipe by dotted key, for the diagnosis.
        progress: what a checkpoint remembered of it.
    """

    def __init__(
        self,
        run: Run | None,
        process: Process,
        plan: Plan,
        *,
        log_every: int,
        watch: Watch,
        readout: Readout | None,
        settings: Mapping[str, Any],
        progress: dict[str, Any],
    ) -> None:
        self.run, self.process, self.plan, self.log_every, self.watch = run, process, plan, log_every, watch
        self.readout, self.settings = readout, settings
        self.facts: Facts = run.record.facts if run is not None else {}
        self.history = History(run.metrics() if run is not None else ())
        self.diagnosis: Diagnosis = diagnose(self.history, settings, self.facts)
        self.ring = torch.zeros(log_every, device=process.device)  # this process's sums, one a step, filled by `Step`
        self.pending: list[tuple[int, int]] = []  # (step, images of all processes) of the losses in the ring
        self.line = Mean(*progress.get("line", (0.0, 0)))  # since the last line
        self.epoch = Mean(*progress.get("epoch", (0.0, 0)))  # since the epoch began
        self.wall_before: float = progress.get("wall_s", 0.0)
        self.started = time.monotonic()
        self.waits = {"step": Wait(self.started), "epoch": Wait(self.started)}
        self.seen = 0
        self.held: list[tuple[dict[str, float], int]] = []  # of steps that are done again if the process dies now
        self.health: dict[str, float] = progress.get("health", {})

    def add(self, step: int, batch_size: int, waited: float) -> None:
        """Note a step whose loss lies in the ring at `len(pending)`, and the seconds for which it waited for images."""
        for wait in self.waits.values():
            wait.seconds += waited
        self.pending.append((step, batch_size))

    def due(self, step: int) -> bool:
        """Whether this step writes a line: a function of the step alone, whatever was saved or resumed in between."""
        return (step + 1) % self.log_every == 0 or self.plan.ends_epoch(step)

    def read(self) -> None:
        """Take the losses off the device; called by all processes at the same step.

        Raises:
            RunError: a loss is not finite; names the step.
        """
        if not self.pending:
            return
        sums = self.process.total(self.ring.clone())[: len(self.pending)].tolist()
        images = sum(batch_size for _, batch_size in self.pending)
        for (step, _), loss in zip(self.pending, sums, strict=True):
            if not math.isfinite(loss):
                raise _diverged(step)
        self.line, self.epoch = self.line.plus(sums, images), self.epoch.plus(sums, images)
        self.seen += images
        self.pending.clear()

    def write(self, step: int, outputs: Outputs, method: Method, rate: float) -> None:
        """A "step" line, and an "epoch" line at the end of one."""
        self.read()
        loss, self.line = self.line.value, Mean()
        if not (self.health and self.plan.is_remainder(step)):  # too few images: the signs of the step before
            self.health = {name: float(value) for name, value in diagnostics.health(outputs.z).items()}
        if not all(math.isfinite(value) for value in self.health.values()):
            raise _diverged(step)
        epoch = self.plan.epoch_of(step)
        tau = method.target.weight_of_past((step + 1) / self.plan.steps)
        place = {"step": step, "epoch": epoch}
        speed = {"images_per_s": self.images_per_s}
        extra = {} if tau is None else {"tau": tau}
        if isinstance(method.moments.rho, torch.Tensor):
            extra["rho"] = float(method.moments.rho)
        self._tell({"kind": "step", **place, "loss": loss, "lr": rate, **extra, **self.health, **speed})
        if self.plan.ends_epoch(step):
            mean, self.epoch = self.epoch.value, Mean()
            read_out = self.readout.read() if self.readout is not None else {}
            whole = {"loss": mean, "lr": rate, **self.health, **read_out, **speed, "wall_s": self.wall_s}
            self._tell({"kind": "epoch", **place, **whole})

    def write_spectrum(self, step: int, values: dict[str, Any]) -> None:
        """A "spectrum" line, with the state that the run is in."""
        if not all(math.isfinite(value) for value in values.values() if isinstance(value, float)):
            raise _diverged(step)
        line = {"kind": "spectrum", "step": step, "epoch": self.plan.epoch_of(step), **values}
        line["done"] = (step + 1) / self.plan.steps
        self.history.add(line)
        self.diagnosis = diagnose(self.history, self.settings, self.facts)
        if self.run is not None:
            self.run.update(state={**self.diagnosis.plain(), **self.health})
        self._tell({**line, "state": self.diagnosis.name, "evidence": self.diagnosis.evidence})

    @property
    def wall_s(self) -> float:
        """Seconds of training so far, all sittings together."""
        return self.wall_before + time.monotonic() - self.started

    @property
    def images_per_s(self) -> float:
        """Images a second since this sitting began."""
        return self.seen / max(1e-9, time.monotonic() - self.started)

    def settle(self) -> None:
        """Before a checkpoint: let the tracker have all lines so far, so that each step is told it once.

        A run that died repeats the steps since its last checkpoint. They are void in TensorBoard then
        (`Process.start_tracker`), and other trackers, which take nothing back, have not been told of them.
        """
        self._track()
        self.process.flush_tracker()

    def progress(self) -> dict[str, Any]:
        """What a checkpoint must remember."""
        return {
            "line": tuple(self.line),
            "epoch": tuple(self.epoch),
            "wall_s": self.wall_s,
            "health": self.health,
        }

    def _tell(self, line: dict[str, Any]) -> None:
        if line["kind"] in self.waits:
            line["data_wait"] = self.waits[line["kind"]].share()
            self.history.add(line)
        if self.run is not None:
            self.run.append(line)
            self.watch(line)
        numbers = {f"{line['kind']}/{k}": v for k, v in line.items() if isinstance(v, float)}
        self.held.append((numbers, line["step"]))
        if self.process.takes_back:
            self._track()

    def _track(self) -> None:
        for numbers, step in self.held:
            self.process.track(numbers, step)
        self.held.clear()


def _diverged(step: int) -> Diverged:
    rates = 'try a smaller optimizer.lr, a warm-up (optimizer.warmup_epochs), or train.precision = "fp32"'
    before = "nothing was updated yet: look at the keys of [objective], [predictor] and [network.projector]"
    return Diverged(f"the loss is not finite at step {step}", slug="diverged", hint=rates if step else before)
