"""When a checkpoint is taken, and what goes into it."""

import time

from torch.optim import Optimizer

from dcp.data.sampler import Plan
from dcp.method.algorithm import Method
from dcp.probing.online import Readout
from dcp.runs import checkpoint
from dcp.runs.run import Run
from dcp.training.broken import Broken
from dcp.training.metrics import Metrics

SAVE_AFTER_S = 30.0  # an epoch's end saves if the last checkpoint is older than this and save_every is not given


class Saver:
    """Takes checkpoints: every `every` steps, or at the end of an epoch when the last one is old.

    Args:
        run: to write into; None in a process that does not write.
        method, optimizer, metrics, plan, readout: what is saved.
        every: steps, or None.
        broken: notes the images whose place others took; None where none may.
    """

    def __init__(
        self,
        run: Run | None,
        method: Method,
        optimizer: Optimizer,
        metrics: Metrics,
        plan: Plan,
        readout: Readout | None,
        every: int | None,
        broken: Broken | None,
    ) -> None:
        self.run, self.method, self.optimizer, self.readout = run, method, optimizer, readout
        self.metrics, self.plan, self.every, self.broken = metrics, plan, every, broken
        self.last = time.monotonic()

    def due(self, step: int) -> bool:
        """Whether a checkpoint is to be taken after this step."""
        if step + 1 == self.plan.steps:
            return True
        if self.every is not None:
            return (step + 1) % self.every == 0
        return self.plan.ends_epoch(step) and time.monotonic() - self.last >= SAVE_AFTER_S

    def save(self, next_step: int) -> None:
        """Take a checkpoint after which `next_step` comes."""
        self.last = time.monotonic()
        self.metrics.settle()
        if self.readout is not None:
            self.readout.gather(first=self.run is not None)
        if self.run is not None:
            progress = {"next_step": next_step, **self.metrics.progress()}
            run, parts = self.run, (self.method, self.optimizer, self.readout)
            checkpoint.save(run.path, *parts, progress, verify=run.verify)
        if self.broken is not None:  # last: it may have to read an image, which a disk may refuse
            self.broken.note()
