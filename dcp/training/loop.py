"""The training loop: steps, what is noted of them, saving and stopping. The step itself is in `step`."""

from collections.abc import Iterator
from dataclasses import dataclass

from dcp.data.loader import Batch
from dcp.data.sampler import Plan
from dcp.errors import DcpError, Interrupted
from dcp.hardware.processes import Process
from dcp.method.algorithm import Method
from dcp.training.agreement import Agreement
from dcp.training.diagnostics import Diagnostics
from dcp.training.metrics import Metrics
from dcp.training.saver import Saver
from dcp.training.step import Step


@dataclass(frozen=True)
class Loop:
    """What training needs besides its images."""

    take: Step  # takes a step: from a batch to updated weights
    method: Method
    metrics: Metrics  # takes the losses
    saver: Saver  # takes checkpoints
    process: Process
    plan: Plan  # for epochs and the fraction done
    agreement: Agreement  # on requests to stop or save
    diagnostics: Diagnostics  # looks closely at some steps

    def train(self, batches: Iterator[Batch], step: int = 0) -> None:
        """Train from `step`, the first that `batches` gives, to the last.

        Raises:
            RunError: the loss is not finite, or images cannot be read; in one process a checkpoint has been saved then.
            Interrupted: asked to stop; a checkpoint has been saved, but where other GPUs had to be left waiting.
        """
        while (batch := self._next(batches, step)) is not None:
            stop, save = self.agreement.before(step)
            if save:
                self._save(step)
            if stop:
                break
            self.step(batch)
            step = batch.step + 1
            if self.saver.due(batch.step):
                self._save(step)
        if (code := self.agreement.signals.stop) and step < self.plan.steps:
            agreed = batch is not None or self.agreement.always  # else it has stopped while images were waited for
            if agreed:
                self._save(step)
            raise Interrupted(code, saved=agreed)

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

    def _next(self, batches: Iterator[Batch], step: int) -> Batch | None:
        """The batch of `step`; None if there is none. If it cannot be read, what was trained before is saved."""
        try:
            return next(batches, None)
        except DcpError:
            if self.process.count == 1:
                self._save(step)
            raise

    def _save(self, next_step: int) -> None:
        self.metrics.read()
        with self.process.saving():
            self.saver.save(next_step)
