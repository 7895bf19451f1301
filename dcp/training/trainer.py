"""The trainer of one run: from a recipe to a run folder with an encoder in it."""

from collections.abc import Generator
from contextlib import closing, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn

from dcp.data import statistics
from dcp.data.datasets import base as datasets
from dcp.data.image_lists import ImageList
from dcp.data.loader import Batch, Shares, batches, worker_count
from dcp.data.pairs import Pairs
from dcp.data.readers import Stopped
from dcp.errors import Interrupted, RequestError
from dcp.hardware.device import choose_device, set_determinism
from dcp.hardware.graph import Graph
from dcp.hardware.processes import Process
from dcp.hardware.threads import Threads
from dcp.method.algorithm import Outputs
from dcp.probing import online
from dcp.recipe import build
from dcp.recipe.layers import flat
from dcp.recipe.recipe import Recipe
from dcp.runs import checkpoint, encoder, roots
from dcp.runs.json_files import read_bytes
from dcp.runs.run import Run
from dcp.training import failures, record, resume
from dcp.training.agreement import Agreement
from dcp.training.broken import Broken
from dcp.training.diagnosis.signs import facts_of
from dcp.training.diagnostics import Diagnostics
from dcp.training.loop import Loop
from dcp.training.metrics import Metrics
from dcp.training.request import Request
from dcp.training.saver import Saver
from dcp.training.signals import Signals
from dcp.training.step import Inputs, Step, why_no_graph
from dcp.training.threads import set_number


class Trainer:
    """Trains one run. What it needs is built first, before anything is written.

    Args:
        recipe: a checked recipe.
        request: where its folder lies, whether it goes on, on which device, and who watches.

    Attributes:
        path: the run folder.
        existing: the run to go on with; None for a new one.
        anchored: the recipe with whole paths, to read what lies there.
        process: this process among those that train together.
        data: the images.
        views: how their views are made, with statistics that were computed.
        parts: sampler, method, optimizer and what else the recipe describes.
        readout: says how good the features are while they are learnt; None without labels, or if not asked for.
        threads: how many threads of a CPU compute, and why; None on a GPU.
        why_no_graph: why a step is not replayed as a CUDA graph; "" if it is.

    Raises:
        RequestError: the data, the device, the batch or the run folder do not allow it. Nothing has been written.
    """

    def __init__(self, recipe: Recipe, request: Request) -> None:
        self.recipe, self.request = recipe, request
        self.path = request.runs / recipe.folder
        looks = request.resume or not request.dry
        self.existing = resume.existing(self.path, recipe, resume=request.resume) if looks else None
        self.anchored = roots.anchored(recipe, self.existing)
        device = choose_device(request.device)
        self.process = Process(device, tracker=recipe.run.tracker, folder=str(self.path), say=request.warn)
        set_determinism(recipe.train.deterministic)
        recipe.views.blur.kernel_at(recipe.data.view_size)  # refuses one that does not fit, before images are fetched
        self.data = self._load()
        self.views = statistics.settled(recipe.views, self.data.facts())
        self.fingerprint = self.data.fingerprint()
        plan = build.plan(recipe, len(self.data), self.process.count)
        if self.existing is not None:
            resume.check(self.existing, fingerprint=self.fingerprint, steps=plan.steps)
        self.parts = build.assemble(self.anchored, plan, self.data.labels, self.process)
        self.threads = self._set_threads()
        features = self.parts.method.online.features
        self.readout = online.fitting(self.data, features, self.process) if recipe.train.readout else None
        self.why_no_graph = why_no_graph(recipe.train.graph, self.parts.method, self.process)

    def _set_threads(self) -> Threads | None:
        """How many threads compute, and why; None on a GPU. Several processes share the cores as `Process` says."""
        if self.process.device.type != "cpu":
            return None
        if self.process.count > 1:
            return Threads(torch.get_num_threads(), "a share of the cores")
        recorded = None if self.existing is None else self.existing.record.threads
        train, size = self.recipe.train, self.recipe.data.view_size
        return set_number(train.threads, recorded, self.parts.method, batch=train.batch, size=size)

    def _load(self) -> datasets.Dataset:
        """The images; where they may have to be fetched, the first process goes first."""
        download = self.recipe.data.download
        if download and not self.process.is_main:
            self.process.wait()
        recorded = self.existing and self.existing.record.data.model_extra
        data = datasets.load(datasets.settled(self.anchored.data, recorded), "pretrain")
        data = statistics.noted(data, self.recipe.views, size=self.recipe.data.view_size, recorded=recorded)
        if download and self.process.is_main:
            self.process.wait()
        return data

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train or to write."""
        if self.existing is None or not (self.path / encoder.FILE).is_file():
            return False
        return self.existing.record.status == "done"

    def run(self) -> Run:
        """Train to the end.

        Raises:
            RunError: it diverged, the disk is full, an image is broken, memory ran out.
            Interrupted: a signal stopped it; a checkpoint has been saved.
        """
        parts, process = self.parts, self.process
        with failures.in_words(self.path):
            process.wait()  # every process has looked at the folder before the first one makes it
        with Signals() as signals:  # from before the folder is made until the record says "done"
            run = self.existing
            if run is None and process.is_main:
                facts = record.beginning(self.data, self.recipe, self.fingerprint, parts.plan, parts.method)
                facts |= self.sitting()
                settings = self.recipe.run
                run = Run.create(self.path.parent, settings.name, settings.seed, self.recipe.toml(), facts, held=True)
            progress = self._restore()
            writes = run if process.is_main else None
            with writes.lock(self.request.say) if writes else nullcontext(), failures.noted(self.path, writes):
                self._train(writes, progress, signals)
        if signals.stop:  # after the last step: the run is done, and what follows it is not begun
            raise Interrupted(signals.stop)
        return run or Run.open(self.path)

    def _restore(self) -> dict[str, Any]:
        """Load the checkpoint; what it remembers of the way so far, {} without one."""
        if self.existing is None:
            return {}
        progress = checkpoint.load(self.path, self.parts.method, self.parts.optimizer, self.readout) or {}
        if self.readout is not None and not self.process.is_main:
            self.readout.forget()
        if int(progress.get("next_step", 0)) > self.parts.plan.steps:
            what = f"the checkpoint is of step {progress['next_step']}, and the run has {self.parts.plan.steps}"
            raise RequestError(what, slug="bad-checkpoint", where=str(self.path / checkpoint.FILE),
                               hint="delete the folder checkpoint/ and resume: the run begins anew")  # fmt: skip
        return progress

    def _train(self, run: Run | None, progress: dict[str, Any], signals: Signals) -> None:
        """All steps that are left, and the encoder at the end; `run` is that of the process that writes."""
        start = int(progress.get("next_step", 0))
        sitting = self.sitting()
        if run is not None:
            now = {"started": record.now(), "step": start, **sitting}
            facts, sittings = facts_of(self.recipe), [*run.record.sittings, now]
            run.keep_metrics_until(start - 1)  # first: it may refuse what is there
            run.update(status="running", why="", error="", facts=facts, sittings=sittings)
            self.write_recipe(run)
        loop = self.loop(run, progress, signals)
        if self.process.is_main:
            line = record.start_line(str(self.path), self.data, self.parts.plan, start)
            threads = "" if self.threads is None else self.threads.why
            self.request.watch({**line, **sitting, "why": self.parts.precision.why, "threads_why": threads})
            for remark in self.data.remarks:
                self.request.say(remark)
        self.process.start_tracker("dcp", self.path.name, flat(self.recipe.table()), start)
        try:
            with closing(self.batches(start, loop.agreement.waits_no_longer)) as batches:
                loop.train(batches, start)
        except RuntimeError:
            if signals.stop and self.process.count > 1:  # another process could not wait until all had agreed to stop
                raise Interrupted(signals.stop, saved=False) from None
            raise
        finally:
            self.process.flush_tracker()
        self.process.end()
        if run is not None:
            encoder.save(run, self.parts.method.online.backbone, self.recipe, step=self.parts.plan.steps)
            run.update(**record.ending(loop.metrics, self.parts.plan, self.process))

    def sitting(self) -> dict[str, Any]:
        """What run.json says of how this sitting computes."""
        threads = None if self.threads is None else self.threads.count
        return record.sitting(self.process, self.parts.precision, threads, self.why_no_graph)

    def write_recipe(self, run: Run) -> None:
        """Write the recipe again: keys that may change from one sitting to the next take their new values."""
        if self.process.is_main:
            paths = roots.whole(self.recipe.table(), self.existing)
            if paths != run.record.roots:
                run.update(roots=paths)
            text = self.recipe.toml().encode()
            if read_bytes(run.path / "recipe.toml") != text:
                run.write("recipe.toml", text)

    def batches(self, start: int, stopped: Stopped = lambda waited: False) -> Generator[Batch, None, None]:
        """The batches of this process from step `start` on; they end early when `stopped` says so while it waits."""
        return batches(
            self.data.images,
            Shares(self.parts.plan, self.process.rank, start),
            self.views,
            size=self.recipe.data.view_size,
            pin=self.process.device.type == "cuda",
            workers=worker_count(self.recipe.train.workers, self.process.count),
            stopped=stopped,
        )

    def loop(self, run: Run | None, progress: dict[str, Any], signals: Signals) -> Loop:
        """The training loop, which writes into `run` if there is one."""
        parts, train = self.parts, self.recipe.train
        method: nn.Module = torch.compile(parts.method) if train.compile else parts.method  # type: ignore[assignment]
        metrics = Metrics(
            run,
            self.process,
            parts.plan,
            log_every=train.log_every,
            watch=self.request.watch,
            readout=self.readout,
            settings=flat(self.recipe.table()),
            progress=progress,
        )
        images, broken = self.data.images, None
        if isinstance(images, ImageList) and images.skips:
            broken = Broken(images, run, self.process, self.request.say)
        saver = Saver(run, parts.method, parts.optimizer, metrics, parts.plan, self.readout, train.save_every, broken)
        device, size, seed = self.process.device, self.recipe.data.view_size, self.recipe.run.seed
        pairs = Pairs(self.data.images, self.views, size=size, seed=seed, device=device)
        graph = None if self.why_no_graph else Graph[Inputs, Outputs](partial(self._eager_after_all, run))
        step = Step(parts, self.process.wrap(method), pairs, self.process, self.readout, metrics.ring, graph)
        return Loop(
            take=step,
            method=parts.method,
            metrics=metrics,
            saver=saver,
            process=self.process,
            plan=parts.plan,
            agreement=Agreement(signals, self.process),
            diagnostics=Diagnostics(parts.plan, parts.method),
        )

    def _eager_after_all(self, run: Run | None, why: str) -> None:
        """A step could not be captured: training goes on without a graph, and says so."""
        self.why_no_graph = why
        self.request.say(f"no CUDA graph, steps are launched one by one: {why}")
        if run is not None:
            *before, now = run.record.sittings
            run.update(graph=why, sittings=[*before, {**now, "graph": why}])
