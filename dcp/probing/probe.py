"""Probes: every evaluation on features of the frozen encoder, made once; the untrained encoder goes the same way."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from dcp import catalogue
from dcp.data.datasets import base
from dcp.data.datasets.base import Dataset, Split
from dcp.errors import RequestError
from dcp.hardware.device import choose_device
from dcp.probing import other_data, subjects
from dcp.probing.evaluations.base import Features, Scores, Subject
from dcp.recipe import layers
from dcp.recipe.recipe import Recipe
from dcp.runs import encoder
from dcp.runs.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS: tuple[Split, ...] = ("train", "test")
Say = Callable[[str], None]


def _silent(text: str) -> None:
    """Say nothing."""


def probe(
    run: Run,
    names: tuple[str, ...] = (),
    *,
    sets: tuple[str, ...] = (),
    data: str | None = None,
    device: str = "auto",
    say: Say = _silent,
    forgiving: bool = False,
) -> dict[str, Any]:
    """Evaluate a run's encoder and the untrained one; write `probes/<evaluation>.json` and its predictions.

    With `data` the probes learn from, and are tested on, another data set, at the encoder's own image size: they are
    written as `probes/<evaluation>@<data>.json` beside the others, and never over those of yet other images.

    Args:
        run: a finished run.
        names: evaluations, as files of `dcp/probing/evaluations/`; without any those of the run's recipe.
        sets: overrides of the recipe's [probe], "probe.knn.k=200".
        data: source of other images, "cifar100"; its further keys are overrides, "probe.data.root=...".
        device: where the features are made.
        say: is told what is skipped and why.
        forgiving: an evaluation that these data do not allow is said and skipped instead of raised.

    Returns:
        For each evaluation what was written, by the name of its file.

    Raises:
        RequestError: no such evaluation, no encoder, no data; "probe-differs".
    """
    recipe = _recipe(run, sets if data is None else (*sets, f"probe.data.source={data}"))
    for name in names or recipe.probe.after:
        _check_name(name)
    encoders = [encoder.load(run), encoder.load(run, trained=False)]
    splits = loaded(recipe)
    allowed = _allowed(names or recipe.probe.after, splits, say if forgiving else None)
    if not allowed:
        return {}
    made_of, place = _made_of(recipe, splits), "" if data is None else f"@{other_data.place(recipe.probe.data)}"
    if place:
        other_data.check(run, [name + place for name in allowed], made_of)
    run.probes(besides=[name + place for name in allowed])  # a damaged one is told now, not after an hour
    pair = subjects.pair(run, recipe, encoders, splits, choose_device(device))
    measured = Measured(recipe, *pair, made_of, place)
    return _all(run, allowed, measured, say=say if forgiving else None)


def _made_of(recipe: Recipe, splits: dict[Split, Dataset]) -> dict[str, str]:
    """Source, and the fingerprints of both splits."""
    source = (recipe.probe.data or recipe.data).source
    return {"source": source, **{split: images.fingerprint() for split, images in splits.items()}}


class Measured(NamedTuple):
    """What evaluations are given, and what is written about it."""

    recipe: Recipe
    subject: Subject
    baseline: Subject
    data: dict[str, str]  # source, and the fingerprints of both splits
    place: str  # what the names of the files end in: "@cifar100", or nothing


def loaded(recipe: Recipe, only: tuple[Split, ...] = SPLITS) -> dict[Split, Dataset]:
    """The images that the probes learn from and are tested on.

    Raises:
        RequestError: they are not there; names the key of [probe.data] where that is their table.
    """
    config = recipe.probe.data or recipe.data
    try:
        return {split: base.load(config, split) for split in only}
    except RequestError as error:
        if recipe.probe.data is not None and error.where.startswith("data."):
            error.where = f"probe.{error.where}"
        raise


def _all(run: Run, names: tuple[str, ...], measured: Measured, *, say: Say | None) -> dict[str, Any]:
    """Each evaluation's record; with `say`, one that these data do not allow is said and skipped."""
    found = {}
    for name in names:
        try:
            found[name + measured.place] = _one(run, name, measured)
        except RequestError as error:
            if say is None:
                raise
            say(f"{name} not measured: {error}")
    return found


def _recipe(run: Run, sets: tuple[str, ...]) -> Recipe:
    """The run's recipe with other settings of its probes."""
    for one in sets:
        key = one.partition("=")[0].strip()
        if not key.startswith(("probe.", "data.root", "data.download")):
            what = f"{key} is settled: the run has been trained with it"
            hint = "probe takes probe.*, data.root and data.download"
            raise RequestError(what, slug="bad-override", where="--set", hint=hint)
    return Recipe.check(layers.overridden(run.recipe(), sets), str(run.path / "recipe.toml"))


def _check_name(name: str) -> None:
    known = catalogue.names("evaluations")
    if name not in known:
        raise RequestError(f'there is no evaluation "{name}"', slug="unknown-name", hint=f"known: {', '.join(known)}")


def _allowed(names: tuple[str, ...], splits: dict[Split, Dataset], say: Say | None) -> tuple[str, ...]:
    """Those of `names` that these data allow; without `say`, one that they do not is refused."""
    wanting = [name for name in names if catalogue.load("evaluations", name).labels]
    if not wanting or all(data.labels is not None for data in splits.values()):
        return names
    what = f"{' and '.join(wanting)} need{'s' if len(wanting) == 1 else ''} labels, and these data have none"
    hint = "name labelled images in [probe.data]; image files of your own have labels where they lie in "
    hint += "ROOT/train/CLASS and ROOT/val/CLASS; spectrum needs no labels"
    if say is None:
        raise RequestError(what, slug="no-labels", hint=hint)
    say(f"skipped: {what} ({hint})")
    return tuple(name for name in names if name not in wanting)


def _one(run: Run, name: str, measured: Measured) -> dict[str, Any]:
    recipe, subject, baseline, data, place = measured
    evaluate = catalogue.load("evaluations", name).evaluate
    config = getattr(recipe.probe, name)
    scores: Scores = evaluate(subject, config, seed=recipe.run.seed)
    random: Scores = evaluate(baseline, config, seed=recipe.run.seed)
    record = {
        "data": data,
        "score": scores.score,
        "n": scores.n,
        "interval": {key: list(value) for key, value in scores.interval.items()},
        "random_encoder": {
            "score": random.score,
            "interval": {k: list(v) for k, v in random.interval.items()},
        },
        "settings": dict(scores.settings),
        "extra": dict(scores.extra),
        "step": run.record.steps,
    }
    run.write_probe(name + place, record, _arrays(scores, random, subject.test) or None)
    return record


def _arrays(scores: Scores, random: Scores, test: Features) -> "dict[str, NDArray[Any]]":
    """What is written beside the scores: predictions with their labels, if there are any, and arrays."""
    tensors = {"prediction": scores.predictions, "label": test.y, "random_prediction": random.predictions}
    found = {key: value for key, value in tensors.items() if value is not None and scores.predictions is not None}
    return {key: value.cpu().contiguous().numpy() for key, value in (found | scores.arrays).items()}
