"""The training loop: steps, what is noted of them, saving and stopping. The step itself is in `step`."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dcp.data.loader import Batch
from dcp.data.sampler import Plan
from dcp.errors import Interrupted
from dcp.hardware.processes import Process
from dcp.method.algorithm import Method
from dcp.training.diagnostics import Diagnostics
from dcp.training.metrics import Metrics
from dcp.training.saver import Saver
from dcp.training.signals import Signals
from dcp.training.step import Step

LISTEN_EVERY = 10  # steps between two agreements of several processes on whether to stop; each costs a round trip


@dataclass(frozen=True)
class Loop:
    """What training needs besides its images."""

    take: Step  # takes a step: from a batch to updated weights
    method: Method
    metrics: Metrics  # takes the losses
    saver: Saver  # takes checkpoints
    process: Process
    plan: Plan  # for epochs and the fraction done
    signals: Signals  # requests to stop or save
    diagnostics: Diagnostics  # looks closely at some steps

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
        """One training step, and what is noted of it.

        Raises:
            RunError: the loss is not finite.
        """
        self.diagnostics.begin(batch.step)
        outputs = self.take(batch, len(self.metrics.pending))
        self.metrics.add(batch.step, batch.batch_size, batch.waited)
        if self.metrics.due(batch.step):
            self.metrics.write(batch.step, outputs, self.method, self.take.rate)
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
