"""The trainer of one run: from a recipe to a run folder with an encoder in it."""

from collections.abc import Generator
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from dcp.data import statistics
from dcp.data.batch_views import BatchViews
from dcp.data.datasets.base import Dataset
from dcp.data.image_lists import ImageList
from dcp.data.loader import Batch, Shares, batches, worker_count
from dcp.data.readers import Stopped
from dcp.errors import Diverged, Interrupted
from dcp.hardware.device import choose_device, set_determinism
from dcp.hardware.graph import Graph
from dcp.hardware.processes import Process
from dcp.method.algorithm import Outputs
from dcp.probing import layers, online
from dcp.recipe import build
from dcp.recipe.layers import flat
from dcp.recipe.recipe import Recipe
from dcp.runs import checkpoint, encoder, roots, starting
from dcp.runs.json_files import read_bytes
from dcp.runs.run import Run
from dcp.training import failures, record, resume, sources
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
from dcp.training.threads import set_threads


class Trainer:
    """Trains one run. What it needs is built first, before anything is written.

    Args:
        recipe: a checked recipe.
        request: where its folder lies, whether it goes on, on which device, and who watches.

    Attributes:
        path: the run folder.
        existing: the run to go on with; None for a new one.
        start: the weights that a new run begins with, for the process that writes; None for random ones.
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
        recipe.views.check_blur(recipe.data.view_size)  # before images are fetched
        layers.check(recipe)
        with self.process.watched(partial(failures.ends_at_once, self.path, None)):
            begun, found = sources.weights(self.anchored, request, self.existing, self.process)
            self.data = self.images()
        self.start = found if self.process.is_main else None
        self.views = statistics.settled(recipe.views, self.data.facts())
        self.fingerprint = self.data.fingerprint()
        plan = build.plan(recipe, len(self.data), self.process.count)
        if self.existing is not None:
            resume.check(self.existing, fingerprint=self.fingerprint, steps=plan.steps)
        self.parts = build.assemble(self.anchored, plan, self.data.labels, self.process, begun)
        recorded = self.existing and self.existing.record.threads
        self.threads = set_threads(self.process, recipe, recorded, self.parts.method)
        features = self.parts.method.online.features
        self.readout = online.fitting(self.data, features, self.process) if recipe.train.readout else None
        self.why_no_graph = why_no_graph(recipe.train.graph, self.parts.method, self.process)

    def images(self) -> Dataset:
        """The images that are trained on."""
        return sources.images(self.anchored, self.request, self.existing, self.process)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of the images and of the weights that training begins with."""
        return (*self.data.remarks, *(() if self.start is None else self.start.remarks_beside(self.views.statistics())))

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train or to write."""
        done = self.existing is not None and self.existing.record.status == "done"
        return done and (self.path / encoder.FILE).is_file()

    def run(self) -> Run:
        """Train to the end.

        Raises:
            RunError: it diverged, the disk is full, an image is broken, memory ran out.
            Interrupted: a signal stopped it; a checkpoint has been saved.
        """
        parts, process = self.parts, self.process
        with failures.in_words(self.path), process.watched(partial(failures.ends_at_once, self.path, None)):
            process.wait()  # every process has looked at the folder before the first one makes it
        with Signals() as signals:  # from before the folder is made until the record says "done"
            run = self.existing
            if run is None and process.is_main:
                facts = record.beginning(self.data, self.recipe, self.fingerprint, parts.plan, parts.method)
                name, seed, toml, further = self.recipe.run.name, self.recipe.run.seed, self.recipe.toml(), {}
                if self.start is not None:
                    facts["weights"], further = self.start.facts, {starting.FILE: self.start.content()}
                    self.start = replace(self.start, tensors={})  # they are in the folder, and in the network
                facts |= self.sitting()
                run = Run.create(self.path.parent, name, seed, toml, facts, further=further, held=True)
            writes = run if process.is_main else None
            lost = partial(failures.ends_at_once, self.path, writes)
            with writes.lock(self.request.say) if writes else nullcontext(), process.watched(lost):
                with failures.in_words(self.path):
                    progress = self._restore()
                if progress is None:
                    self.request.say(f"{self.path} has been finished by another process in the meantime")
                else:
                    with failures.noted(self.path, writes):
                        self._train(writes, progress, signals)
        if signals.stop:  # after the last step: the run is done, and what follows it is not begun
            raise Interrupted(signals.stop)
        return run or Run.open(self.path)

    def _restore(self) -> dict[str, Any] | None:
        """Load the checkpoint of a run that is held; what it remembers, {} without one; None if the run is done."""
        if self.existing is None:
            return {}
        if self.process.total(torch.tensor(int(self.process.is_main and self.finished), device=self.process.device)):
            return None
        resume.check(self.existing, fingerprint=self.fingerprint, steps=self.parts.plan.steps)
        progress = checkpoint.load(self.path, self.parts.method, self.parts.optimizer, self.readout) or {}
        if self.readout is not None and not self.process.is_main:
            self.readout.forget()
        resume.check_step(self.path, int(progress.get("next_step", 0)), self.parts.plan.steps)
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
            why = {"why": self.parts.precision.why, "threads_why": self.threads.why if self.threads else ""}
            self.request.watch({**line, **sitting, **why})
            for remark in self.remarks:
                self.request.say(remark)
        self.process.start_tracker("dcp", self.path.name, flat(self.recipe.table()), start)
        try:
            with closing(self.batches(start, loop.agreement.waits_no_longer)) as batches:
                loop.train(batches, start)
        except Diverged:  # as it would again: what waited for a checkpoint is told now, or never
            loop.metrics.settle()
            raise
        except RuntimeError as error:
            if signals.stop and failures.is_lost(error):  # another process could not wait until all had agreed to stop
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
        batch_views = BatchViews(self.data.images, self.views, size=size, seed=seed, device=device)
        graph = None if self.why_no_graph else Graph[Inputs, Outputs](partial(self._eager_after_all, run))
        step = Step(parts, self.process.wrap(method), batch_views, self.process, self.readout, metrics.ring, graph)
        return Loop(
            take=step,
            method=parts.method,
            metrics=metrics,
            saver=saver,
            process=self.process,
            plan=parts.plan,
            agreement=Agreement(signals, self.process),
            diagnostics=Diagnostics(parts.plan, parts.method, build.numbers(self.recipe, parts.method)),
        )

    def _eager_after_all(self, run: Run | None, why: str) -> None:
        """A step could not be captured: training goes on without a graph, and says so."""
        self.why_no_graph = why
        self.request.say(f"no CUDA graph, steps are launched one by one: {why}")
        if run is not None:
            *before, now = run.record.sittings
            run.update(graph=why, sittings=[*before, {**now, "graph": why}])
