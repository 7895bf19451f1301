"""Training of one run: from a recipe to a run folder with an encoder in it."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from dcp.data.datasets import base
from dcp.data.loader import Batch, Shares, batches
from dcp.errors import Interrupted, RequestError
from dcp.hardware import device as machine
from dcp.hardware import precision
from dcp.hardware.processes import Process, choose_device
from dcp.probing import online
from dcp.recipe import build
from dcp.recipe.layers import flat
from dcp.recipe.recipe import Recipe
from dcp.runs import checkpoint, encoder
from dcp.runs.disk import atomic_write
from dcp.runs.run import Run
from dcp.training import failures, record
from dcp.training import resume as past
from dcp.training.diagnostics import Examiner
from dcp.training.loop import Loop, Saver
from dcp.training.metrics import Journal
from dcp.training.request import Request
from dcp.training.signals import Signals


class Trainer:
    """One run on its way: what is built for it, before anything is written.

    Args:
        recipe: a checked recipe.
        request: where its folder lies, whether it goes on, on which device, and who watches.

    Raises:
        RequestError: the data, the device, the batch or the run folder do not allow it. Nothing has been written.
    """

    def __init__(self, recipe: Recipe, request: Request) -> None:
        self.recipe, self.watch = recipe, request.watch
        self.path = request.runs / recipe.folder
        self.past = past.run_at(self.path, recipe, resume=request.resume)
        chosen = choose_device(request.device)
        self.process = Process(chosen, tracker=recipe.run.tracker, folder=str(self.path))
        # refuses a kernel that does not fit, before anything is written
        recipe.views.blur.kernel_at(recipe.data.view_size)
        self.data = self._data()
        self.plan = build.plan(recipe, len(self.data), self.process.count)
        self.fingerprint = self.data.fingerprint()
        if self.past is not None:
            past.check(self.past, fingerprint=self.fingerprint, steps=self.plan.steps)
        wanted = precision.chosen(recipe.train.precision, chosen)
        machine.set_determinism(recipe.train.deterministic)
        process = self.process
        method = build.method(recipe, amp=wanted.amp, total=process.total, gather=process.gather)
        self.method = precision.to_device(
            self.process.synchronised(method, recipe.network.sync_norm), self.process.device
        )
        self.arithmetic = wanted
        if wanted.amp is not None:
            precision.spare_pixels((self.method.online, *self.method.target.children()))
        self.optimizer = build.optimizer(recipe, self.method)
        self.readout = online.fitting(self.data, self.method.online.features, process) if recipe.train.readout else None
        self.labels = build.labels_seen(self.data.labels, recipe.positives)

    def _data(self) -> base.Dataset:
        """The images; where they may have to be fetched, the first process goes first."""
        if self.recipe.data.download and not self.process.first:
            self.process.wait()
        data = base.load(self.recipe.data, "pretrain")
        if self.recipe.data.download and self.process.first:
            self.process.wait()
        return data

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train or to write."""
        if self.past is None or not (self.past.path / encoder.FILE).is_file():
            return False
        return self.past.record.get("status") == "done"

    def run(self) -> Run:
        """Train to the end.

        Raises:
            RunError: it diverged, the disk is full, an image is broken, memory ran out.
            Interrupted: a signal stopped it; a checkpoint has been saved.
        """
        self.process.wait()  # every process has looked at the folder before the first one makes it
        with Signals() as signals:  # from before the folder is made until the record says "done"
            run = self._through(signals)
        if signals.stop:  # after the last step: the run is done, and what follows it is not begun
            raise Interrupted(signals.stop)
        return run

    def _through(self, signals: Signals) -> Run:
        """All of it, from the folder to the encoder."""
        run, progress = self._open(), self._restored()
        if not self.process.first:
            with failures.noted(self.path, None):
                self._train(None, progress, signals)
            return run or Run.open(self.path)
        assert run is not None
        with run.lock(), failures.noted(self.path, run):
            self._begin(run, progress)
            self._train(run, progress, signals)
            self._finish(run)
        return run

    def renew(self, run: Run) -> None:
        """Write the recipe again: keys that may change from one sitting to the next take their new values."""
        if self.process.first:
            atomic_write(run.path / "recipe.toml", self.recipe.toml().encode())

    def _restored(self) -> dict[str, Any]:
        """What the checkpoint remembers of the way so far; {} without one."""
        progress = (checkpoint.load(self.path, self.method, self.optimizer, self.readout) if self.past else None) or {}
        if self.readout is not None and not self.process.first:
            self.readout.forget()
        if int(progress.get("next_step", 0)) > self.plan.steps:
            what = f"the checkpoint is of step {progress['next_step']}, and the run has {self.plan.steps}"
            raise RequestError(what, slug="bad-checkpoint", where=str(self.path / checkpoint.FILE),
                               hint="delete the folder checkpoint/ and resume: the run begins anew")  # fmt: skip
        return progress

    def _begin(self, run: Run, progress: dict[str, Any]) -> None:
        """Note this sitting."""
        made = record.sitting(self.process, self.arithmetic)
        sitting = {"started": machine.now(), "step": int(progress.get("next_step", 0)), **made}
        run.update(status="running", why="", sittings=[*run.record.get("sittings", []), sitting])
        self.renew(run)

    def _open(self) -> Run | None:
        if not self.process.first:
            return self.past
        if self.past is not None:
            return self.past
        return Run.create(
            self.path.parent, self.recipe.run.name, self.recipe.run.seed, self.recipe.toml(), self._record()
        )

    def _record(self) -> dict[str, Any]:
        known = record.beginning(self.data, self.recipe, self.fingerprint, self.plan, self.method)
        return {**known, **record.sitting(self.process, self.arithmetic)}

    def _train(self, run: Run | None, progress: dict[str, Any], signals: Signals) -> None:
        start = int(progress.get("next_step", 0))
        if run is not None:
            run.keep_metrics_until(start - 1)
        self.journal = self._journal(run, progress)
        self._say_start(start)
        self.process.start_tracker("dcp", self.path.name, flat(self.recipe.table()))
        self._loop(run, signals).train(self._stream(start))
        self.process.end()

    def _journal(self, run: Run | None, progress: dict[str, Any]) -> Journal:
        return Journal(
            run,
            self.process,
            self.plan,
            log_every=self.recipe.train.log_every,
            watch=self.watch,
            readout=self.readout,
            settings=flat(self.recipe.table()),
            progress=progress,
        )

    def _stream(self, start: int) -> Iterator[Batch]:
        recipe, process = self.recipe, self.process
        return batches(
            self.data.images,
            Shares(self.plan, process.rank, start),
            recipe.views,
            size=recipe.data.view_size,
            device=process.device,
            workers=machine.decoders(recipe.train.workers, process.count),
        )

    def _loop(self, run: Run | None, signals: Signals) -> Loop:
        train, kept = self.recipe.train, self.path if run else None
        return Loop(
            method=self.method,
            wrapped=self.process.wrap(_compiled(self.method, train.compile)),
            optimizer=self.optimizer,
            schedule=build.rates(self.recipe, self.optimizer, self.plan),
            journal=self.journal,
            saver=Saver(kept, self.method, self.optimizer, self.journal, self.plan, self.readout, train.save_every),
            process=self.process,
            plan=self.plan,
            signals=signals,
            examiner=Examiner(self.plan, self.method),
            readout=self.readout,
            labels=self.labels,
        )

    def _say_start(self, start: int) -> None:
        if self.process.first:
            why = {"why": self.arithmetic.why}
            line = record.start_line(str(self.path), self.data, self.plan, start)
            self.watch({**line, **record.sitting(self.process, self.arithmetic), **why})

    def _finish(self, run: Run) -> None:
        encoder.save(run.path, self.method.online.backbone, self.recipe, step=self.plan.steps)
        run.update(**record.ending(self.journal, self.plan, self.process))


def _compiled(method: nn.Module, wanted: bool) -> nn.Module:
    return torch.compile(method) if wanted else method  # type: ignore[return-value]
