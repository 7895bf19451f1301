"""Probes: features of the frozen encoder, once, and every evaluation on them; the untrained encoder goes the same way.

Shapes: N images, D features.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as MapDataset

from dcp import checkpoint, dataset, encoder, tables, variants, views
from dcp.batches import quiet_worker
from dcp.dataset import Dataset, Split
from dcp.distributed import choose_device
from dcp.encoder import Encoder
from dcp.errors import DcpError, RequestError
from dcp.evaluation import Features, Scores, Subject
from dcp.files import Files
from dcp.recipe import Recipe
from dcp.run import Run

BATCH = 256
SPLITS: tuple[Split, ...] = ("train", "test")
Say = Callable[[str], None]


def probe(
    run: Run,
    names: tuple[str, ...] = (),
    *,
    sets: tuple[str, ...] = (),
    device: str = "auto",
    say: Say = print,
    forgiving: bool = False,
) -> dict[str, Any]:
    """Evaluate a run's encoder and the untrained one; write `probes/<evaluation>.json` and its predictions.

    Args:
        run: a finished run.
        names: evaluations, as files of `dcp/evaluations/`; without any those of the run's recipe.
        sets: overrides of the recipe's [probe], "probe.knn.k=200".
        device: where the features are made.
        say: is told what is skipped and why.
        forgiving: an evaluation that these data do not allow is said and skipped instead of raised.

    Returns:
        For each evaluation what was written.

    Raises:
        RequestError: no such evaluation, no encoder, no data.
    """
    recipe = _recipe(run, sets)
    names = names or recipe.probe.after
    for name in names:
        _check_name(name)
    trained, chosen = encoder.load(run), choose_device(device)
    config = recipe.probe.data or recipe.data
    splits = {split: dataset.load(config, split) for split in SPLITS}
    labelled = all(data.labels is not None for data in splits.values())
    names = tuple(name for name in names if labelled or not _wants_labels(name, say))
    if not names:
        return {}
    tensors = checkpoint.read(run.path / checkpoint.FILE)[0] if (run.path / checkpoint.FILE).exists() else {}
    subject = _subject(trained, splits, chosen, F=tensors.get("moments.second"), W=_matrix(tensors))
    baseline = _subject(encoder.load(run, trained=False), splits, chosen, F=None, W=None)
    found = {}
    for name in names:
        try:
            found[name] = _one(run, name, recipe, subject, baseline)
        except RequestError as error:
            if not forgiving:
                raise
            say(f"{name} not measured: {error}")
    return found


def _recipe(run: Run, sets: tuple[str, ...]) -> Recipe:
    return Recipe.check(tables.overridden(run.recipe(), sets), str(run.path / "recipe.toml"))


def _matrix(tensors: dict[str, Tensor]) -> Tensor | None:
    """W of a checkpoint, where its predictor is one matrix."""
    return next((tensors[name] for name in ("predictor.W", "predictor.layer.weight") if name in tensors), None)


def _check_name(name: str) -> None:
    known = variants.names("evaluations")
    if name not in known:
        raise RequestError(f'there is no evaluation "{name}"', slug="unknown-name", hint=f"known: {', '.join(known)}")


def _wants_labels(name: str, say: Say) -> bool:
    wants = bool(variants.load("evaluations", name).labels)
    if wants:
        say(f"{name} skipped: the data have no labels (probe.data can name labelled images)")
    return wants


def _subject(
    module: Encoder, splits: dict[Split, Dataset], device: str, *, F: Tensor | None, W: Tensor | None
) -> Subject:
    module = module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = {split: features(module, data) for split, data in splits.items()}
    return Subject(found["train"], found["test"], splits["train"].classes, F=F, W=W)


@torch.no_grad()
def features(module: Encoder, data: Dataset) -> Features:
    """Features [N, D] float32 on the CPU of all images, without augmentation; label -1 where there is none."""
    device = encoder.device_of(module)
    parts = [
        module(views.normalize(pixels.to(device), module.config)).float().cpu() for pixels in _pixels(data, module.size)
    ]
    labels = torch.full((len(data),), -1) if data.labels is None else data.labels
    return Features(torch.cat(parts), labels)


def _pixels(data: Dataset, size: int) -> Iterator[Tensor]:
    """uint8 [B, 3, size, size], batch after batch, in order."""
    if isinstance(data.images, Tensor):
        for part in data.images.split(BATCH):
            yield views.resize_center(part, size)
        return
    loader = DataLoader(
        Centres(data.images, size),
        batch_size=BATCH,
        num_workers=1,
        collate_fn=_stack,
        worker_init_fn=quiet_worker,
    )
    for loaded in loader:
        if isinstance(loaded, DcpError):
            raise loaded
        yield loaded


class Centres(MapDataset[Tensor | DcpError]):
    """Image files, resized and centre-cropped, or the error that a file gave."""

    def __init__(self, files: Files, size: int) -> None:
        self.files, self.size = files, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Tensor | DcpError:
        try:
            return views.resize_center(self.files.decode(i), self.size)
        except DcpError as error:
            return error


def _stack(items: list[Tensor | DcpError]) -> Tensor | DcpError:
    return next((item for item in items if isinstance(item, DcpError)), None) or torch.stack(items)  # type: ignore[arg-type]


def _one(run: Run, name: str, recipe: Recipe, subject: Subject, baseline: Subject) -> dict[str, Any]:
    evaluate = variants.load("evaluations", name).evaluate
    config = getattr(recipe.probe, name)
    scores: Scores = evaluate(subject, config, seed=recipe.run.seed)
    random: Scores = evaluate(baseline, config, seed=recipe.run.seed)
    record = {
        "schema": 1,
        "evaluation": name,
        "score": scores.score,
        "n": scores.n,
        "interval": {key: list(value) for key, value in scores.interval.items()},
        "random_encoder": {
            "score": random.score,
            "interval": {k: list(v) for k, v in random.interval.items()},
        },
        "settings": dict(scores.settings),
        "extra": dict(scores.extra),
        "step": run.record.get("steps"),
    }
    tensors = {
        "prediction": scores.predictions,
        "label": subject.test.y,
        "random_prediction": random.predictions,
    }
    arrays = {key: value.cpu().numpy() for key, value in tensors.items() if value is not None}
    run.write_probe(name, record, arrays if scores.predictions is not None else None)
    return record
