"""Training of one run: from a recipe to a run folder with an encoder in it."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from dcp import build, checkpoint, dataset, diagnosis, encoder, failures, machine, past
from dcp.batches import Shares, batches
from dcp.distributed import Process, choose_device
from dcp.errors import RequestError
from dcp.journal import Journal, Watch
from dcp.loop import Saver, train
from dcp.method import Method
from dcp.recipe import Recipe
from dcp.run import Run
from dcp.signals import Signals
from dcp.tables import flat


class Training:
    """One run on its way: what is built for it, before anything is written.

    Args:
        recipe: a checked recipe.
        runs: the folder of run folders.
        resume: continue the run if it is there.
        device: "auto", "cpu", "cuda" or "mps".
        watch: is given every line of metrics, and a "start" line.

    Raises:
        RequestError: the data, the device, the batch or the run folder do not allow it. Nothing has been written.
    """

    def __init__(self, recipe: Recipe, *, runs: Path, resume: bool, device: str, watch: Watch) -> None:
        self.recipe, self.watch = recipe, watch
        self.path = runs / f"{recipe.run.name}-s{recipe.run.seed}"
        self.past = past.run_at(self.path, recipe, resume=resume)
        chosen = choose_device(device)
        self.process = Process(chosen, tracker=recipe.run.tracker, folder=str(self.path))
        # refuses a kernel that does not fit, before anything is written
        recipe.views.blur.kernel_at(recipe.data.view_size)
        self.data = self._data()
        self.plan = build.plan(recipe, len(self.data), self.process.count)
        self.arithmetic = build.arithmetic(recipe.train.precision, chosen)
        machine.set_determinism(recipe.train.deterministic)
        method = build.method(recipe, amp=self.arithmetic.amp, total=self.process.total)
        self.method = build.to_device(self._synchronised(method), self.process.device)
        self.optimizer = build.optimizer(recipe, self.method)

    def _data(self) -> dataset.Dataset:
        """The images; where they may have to be fetched, the first process goes first."""
        if self.recipe.data.download and not self.process.first:
            self.process.wait()
        data = dataset.load(self.recipe.data, "pretrain")
        if self.recipe.data.download and self.process.first:
            self.process.wait()
        return data

    def _synchronised(self, method: Method) -> Method:
        if not self.recipe.network.sync_norm or self.process.count == 1:
            return method
        if self.process.device.type != "cuda":
            raise RequestError(
                "network.sync_norm needs GPUs: PyTorch has no synchronised batch norm on CPUs",
                slug="no-sync-norm",
                where="network.sync_norm",
                hint='leave it false (each process normalises by its own images), or take network.norm = "group"',
            )
        return nn.SyncBatchNorm.convert_sync_batchnorm(method)  # type: ignore[no-any-return]

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.past is not None and self.past.record.get("status") == "done"

    def run(self) -> Run:
        """Train to the end.

        Raises:
            RunError: it diverged, the disk is full, an image is broken, memory ran out.
            Interrupted: a signal stopped it; a checkpoint has been saved.
        """
        self.process.wait()  # every process has looked at the folder before the first one makes it
        run = self._open()
        if not self.process.first:
            with failures.noted(self.path, None):
                self._train(None)
            return run or Run.open(self.path)
        assert run is not None
        with run.lock():
            run.update(status="running", why="")
            with failures.noted(self.path, run):
                self._train(run)
                self._finish(run)
        return run

    def _open(self) -> Run | None:
        if not self.process.first:
            return self.past
        if self.past is not None:
            return self.past
        return Run.create(
            self.path.parent, self.recipe.run.name, self.recipe.run.seed, self.recipe.toml(), self._record()
        )

    def _record(self) -> dict[str, Any]:
        return {
            "status": "running",
            "why": "",
            "started": machine.now(),
            "versions": machine.versions(),
            "device": machine.device_name(self.process.device),
            "processes": self.process.count,
            "data": {
                "fingerprint": self.data.fingerprint(),
                "n": len(self.data),
                "source": self.recipe.data.source,
            },
            "precision": self.arithmetic.precision,
            "steps": self.plan.steps,
        }

    def _train(self, run: Run | None) -> None:
        recipe, plan, process = self.recipe, self.plan, self.process
        progress = checkpoint.load(self.path, self.method, self.optimizer) if self.past else None
        start = 0 if progress is None else int(progress["next_step"])
        if run is not None:
            run.keep_metrics_until(start - 1)
        journal = Journal(
            run, process, plan, log_every=recipe.train.log_every, watch=self.watch, progress=progress or {}
        )
        stream = batches(
            self.data.images,
            Shares(plan, process.rank, start),
            recipe.views,
            size=recipe.data.view_size,
            device=process.device,
            workers=machine.decoders(recipe.train.workers, process.count),
        )
        self._say_start(start)
        wrapped = process.wrap(_compiled(self.method, recipe.train.compile))
        saver = Saver(self.path if run else None, self.method, self.optimizer, journal, plan, recipe.train.save_every)
        process.start_tracker("dcp", self.path.name, flat(recipe.table()))
        with Signals() as signals:
            schedule = build.rates(recipe, self.optimizer, plan)
            train(self.method, wrapped, stream, self.optimizer, schedule, journal, saver, process, plan, signals)
        process.end()
        self.journal = journal

    def _say_start(self, start: int) -> None:
        if self.process.first:
            self.watch(
                {
                    "kind": "start",
                    "run": str(self.path),
                    "images": len(self.data),
                    "epochs": self.plan.epochs,
                    "steps": self.plan.steps,
                    "step": start,
                    "device": machine.device_name(self.process.device),
                    "processes": self.process.count,
                    "precision": self.arithmetic.precision,
                    "why": self.arithmetic.why,
                }
            )

    def _finish(self, run: Run) -> None:
        encoder.save(run.path, self.method.online.backbone, self.recipe, step=self.plan.steps)
        name, evidence = diagnosis.state(
            self.journal.health.get("spread", 0.0), self.journal.health.get("effective_rank", 0.0)
        )
        run.update(
            status="done",
            why="",
            ended=machine.now(),
            wall_s=self.journal.wall_s,
            images_per_s=self.plan.images * self.plan.epochs / self.journal.wall_s,
            peak_memory_bytes=machine.peak_memory_bytes(self.process.device),
            epochs_done=self.plan.epochs,
            state={"name": name, "evidence": evidence, **self.journal.health},
        )


def _compiled(method: nn.Module, wanted: bool) -> nn.Module:
    return torch.compile(method) if wanted else method  # type: ignore[return-value]
