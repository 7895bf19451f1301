"""Probes: every evaluation on features of the frozen encoder, made once; the untrained encoder goes the same way."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dcp import checkpoint, dataset, encoder, tables, variants
from dcp.dataset import Dataset, Split
from dcp.distributed import choose_device
from dcp.encoder import Encoder
from dcp.errors import RequestError
from dcp.evaluation import Scores, Subject
from dcp.features import features
from dcp.recipe import Recipe
from dcp.run import Run

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
    F, W = _matrices(run, recipe)
    subject = _subject(trained, splits, chosen, F=F, W=W)
    baseline = _subject(encoder.load(run, trained=False), splits, chosen, F=None, W=None)
    return _all(run, names, recipe, subject, baseline, say=say if forgiving else None)


def _all(
    run: Run, names: tuple[str, ...], recipe: Recipe, subject: Subject, baseline: Subject, *, say: Say | None
) -> dict[str, Any]:
    """Each evaluation's record; with `say`, one that these data do not allow is said and skipped."""
    found = {}
    for name in names:
        try:
            found[name] = _one(run, name, recipe, subject, baseline)
        except RequestError as error:
            if say is None:
                raise
            say(f"{name} not measured: {error}")
    return found


def _recipe(run: Run, sets: tuple[str, ...]) -> Recipe:
    return Recipe.check(tables.overridden(run.recipe(), sets), str(run.path / "recipe.toml"))


def _matrices(run: Run, recipe: Recipe) -> tuple[Tensor | None, Tensor | None]:
    """F at the end of training, centred if the recipe says so, and W where the predictor is one matrix."""
    path = run.path / checkpoint.FILE
    tensors = checkpoint.read(path)[0] if path.exists() else {}
    F, m = tensors.get("moments.second"), tensors.get("moments.first")
    if F is not None and m is not None and recipe.moments.zero_mean:
        F = F - torch.outer(m, m)
    return F, next((tensors[name] for name in ("predictor.W", "predictor.layer.weight") if name in tensors), None)


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
