"""The training loop. It reads like Algorithm 1 of the papers, plus saving and stopping."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dcp.data.loader import Batch
from dcp.data.sampler import Plan
from dcp.errors import Interrupted
from dcp.hardware.processes import Process
from dcp.method.algorithm import Method
from dcp.probing.online import Readout
from dcp.training.diagnostics import Diagnostics
from dcp.training.metrics import Metrics
from dcp.training.saver import Saver
from dcp.training.signals import Signals

LISTEN_EVERY = 10  # steps between two agreements of several processes on whether to stop; each costs a round trip


@dataclass(frozen=True)
class Loop:
    """What a training step needs besides its images."""

    method: Method
    wrapped: nn.Module  # the method, as several processes must call it
    optimizer: Optimizer  # of the online branch and the predictor
    schedule: Callable[[int], float]  # gives the optimizer its rates for a step
    metrics: Metrics  # takes the losses
    saver: Saver  # takes checkpoints
    process: Process
    plan: Plan  # for epochs and the fraction done
    signals: Signals  # requests to stop or save
    diagnostics: Diagnostics  # looks closely at some steps
    readout: Readout | None  # says how good the features are; None without labels
    labels: Tensor | None = None  # [images] on the CPU, classes that training may see, -1 elsewhere; None for none

    def train(self, batches: Iterator[Batch]) -> None:
        """Train from the first batch that `batches` gives to the last.

        Raises:
            RunError: the loss is not finite.
            Interrupted: asked to stop; a checkpoint has been saved.
        """
        for batch in batches:
            self.step(batch)
            stop, save = self._listen(batch.step)
            if stop or save or self.saver.due(batch.step):
                self.metrics.read()
                self.saver.save(batch.step + 1)
            if stop:
                raise Interrupted(stop)

    def step(self, batch: Batch) -> None:
        """One training step: Algorithm 1, and what is noted of it.

        Raises:
            RunError: the loss is not finite.
        """
        count, labels = self.process.count, self.labels
        # dropout of any backbone repeats on resume, and differs between processes
        torch.manual_seed((self.plan.seed << 32) + batch.step * count + self.process.rank)
        rate = self.schedule(batch.step)
        self.diagnostics.begin(batch.step)
        y = () if labels is None else (labels[batch.index].to(self.process.device, non_blocking=True),)
        outputs = self.wrapped(batch.x1, batch.x2, *y)
        loss = outputs.losses.sum()
        # gradients are averaged over processes, whose shares may differ by one image: this makes them the batch's own
        (loss * (count / batch.batch_size)).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        fraction = (batch.step + 1) / self.plan.steps
        self.method.after_step(outputs, batch.step, fraction)
        if self.readout is not None:
            self.readout.add(outputs.h, batch.index)
        self.metrics.add(batch.step, batch.batch_size, loss, batch.waited)
        if self.metrics.due(batch.step):
            self.metrics.write(batch.step, outputs, self.method, rate, fraction)
        if self.diagnostics.due(batch.step):
            self.metrics.write_spectrum(batch.step, self.diagnostics.end(outputs))

    def _listen(self, step: int) -> tuple[int, bool]:
        """(exit code or 0, whether to save), agreed upon by all processes."""
        signals, process = self.signals, self.process
        if process.count > 1:
            if step % LISTEN_EVERY:
                return 0, False
            asked = torch.tensor([signals.stop, int(signals.save)], device=process.device)
            stop, save = process.total(asked).tolist()
            stop = 0 if stop == 0 else max(signals.stop, 130)
            signals.save = False
            return stop, bool(save)
        save, signals.save = signals.save, False
        return signals.stop, save
