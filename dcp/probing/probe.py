"""Probes: every evaluation on features of the frozen encoder, made once, and of the encoder before training."""

from collections.abc import Callable, Sequence
from functools import partial
from shlex import join
from typing import TYPE_CHECKING, Any

from torch import Tensor

from dcp import catalogue
from dcp.data import center_crops
from dcp.data.datasets import base
from dcp.data.datasets.base import Dataset, Split
from dcp.errors import RequestError, near_names
from dcp.hardware.device import choose_device
from dcp.probing import images_list, layers, other_data
from dcp.probing.evaluations.base import Scores, Subject
from dcp.probing.features import subjects
from dcp.recipe import other_names
from dcp.recipe.layers import overridden
from dcp.recipe.recipe import Recipe
from dcp.runs import encoder, roots
from dcp.runs.records import BEFORE, UNTRAINED
from dcp.runs.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS: tuple[Split, ...] = ("train", "test")
Say = Callable[[str], None]
Watch = Callable[[dict[str, Any]], None]


def probe(
    run: Run,
    names: tuple[str, ...] = (),
    *,
    sets: tuple[str, ...] = (),
    data: str | None = None,
    device: str = "auto",
    say: Say = lambda text: None,
    watch: Watch = lambda line: None,
    forgiving: bool = False,
) -> dict[str, Any]:
    """Evaluate a run's encoder and the untrained one; write `probes/<evaluation>.json` and its predictions.

    With `data` the probes learn from, and are tested on, another data set, at the encoder's own image size: they are
    written as `probes/<evaluation>@<data>.json` beside the others. Probes that stand together are of the same images.

    Args:
        run: a finished run.
        names: evaluations, as files of `dcp/probing/evaluations/`, and "layers"; without any those of the run's recipe.
            Layers that `sets` name are probed too.
        sets: overrides of the recipe's [probe], "probe.knn.k=200".
        data: source of other images, "cifar100"; its further keys are overrides, "probe.data.root=...".
        device: where the features are made.
        say: is told what is skipped and why.
        watch: is told how far it is: {"kind": "probe", "name", "number", "of", "share"}, the name "" at the end; the
            share that is done is None where nobody knows it.
        forgiving: an evaluation that these data do not allow is said and skipped instead of raised.

    Returns:
        For each evaluation what was written, by the name of its file.

    Raises:
        RequestError: no such evaluation, no encoder, no data; "probe-differs" or "data-differ", other images.
    """
    recipe = _recipe(run, sets if data is None else (*sets, f"probe.data.source={data}"))
    recipe = recipe.model_copy(update={"data": base.settled(recipe.data, run.record.data.model_extra)})
    named = bool(recipe.probe.layers) and any(override.strip().startswith("probe.layers") for override in sets)
    names = tuple(dict.fromkeys((*(names or recipe.probe.wanted), *((layers.NAME,) if named else ()))))
    _check_names(names)
    encoders = [encoder.load(run), encoder.load(run, trained=False)]
    splits = loaded(recipe)
    decodable = center_crops.decodable(splits["test"], recipe.probe.workers)
    if left_out := len(splits["test"]) - len(decodable):
        say(f"{left_out:,} of {len(splits['test']):,} test images cannot be decoded, and are left out")
    splits["test"] = decodable
    names = _allowed(names, splits, say if forgiving else None)
    if not names:
        return {}
    config = recipe.probe.data or recipe.data
    images: dict[str, Any] = {"source": config.source}
    for split, dataset in splits.items():
        images |= {split: dataset.fingerprint(), f"{split}_images": len(dataset)}
    ending = "" if data is None else f"@{other_data.short_name(config)}"
    if recipe.probe.data is None and not config.train_is_part:
        other_data.check_trained(run, images)
    other_data.check(run, ending, images)
    run.probes(besides=[name + ending for name in names])  # a damaged one is told now, not after an hour
    written: dict[str, Any] = {}
    total = sum(map(len, splits.values()))

    def tell(name: str, number: int, share: float | None) -> None:
        watch({"kind": "probe", "name": name, "number": number, "of": len(names), "share": share})

    try:
        made = partial(tell, f"features of {total:,} images", 0)
        trained, untrained = subjects(run, recipe, encoders, splits, choose_device(device), made)
        for number, name in enumerate(names, 1):
            try:
                tell(name, number, None)
                if name == layers.NAME:
                    both = layers.measured(trained, untrained, recipe, say)
                else:
                    both = _measured(name, recipe, trained), _measured(name, recipe, untrained)
                scores, arrays = _written(*both, recipe, trained.test.y)
            except RequestError as error:
                if not forgiving:
                    raise
                say(f"{name} not measured: {error}")
            else:
                record = {"data": images, "classes": list(trained.classes), **scores, "step": run.record.steps}
                images_list.write(run, splits["test"], images["test"])  # first: scores without it would stay so
                run.write_probe(name + ending, record, arrays or None)
                written[name + ending] = record
    except KeyboardInterrupt:
        rest = _command(run, [name for name in names if name + ending not in written], sets, data)
        raise KeyboardInterrupt(f"stopped; what was measured is kept. The rest: {rest}") from None
    finally:
        tell("", 0, 1.0)
    return written


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


def _recipe(run: Run, sets: tuple[str, ...]) -> Recipe:
    """The run's recipe with other settings of its probes."""
    for override in sets:
        key = override.partition("=")[0].strip()
        if not key.startswith(("probe.", "data.root", "data.download")):
            what = f"{key} is settled: the run has been trained with it"
            hint = "probe takes probe.*, data.root and data.download"
            raise RequestError(what, slug="bad-override", where="--set", hint=hint)
    table = run.recipe()
    table = roots.laid_over(table, roots.whole(table, run))  # and what is given now begins here
    return Recipe.check(overridden(table, sets), str(run.path / "recipe.toml"))


def _check_names(names: tuple[str, ...]) -> None:
    """Refuse an evaluation that there is not, and say which one may be meant."""
    known = [*catalogue.names("evaluations"), layers.NAME]
    for name in names:
        if name not in known:
            meant = other_names.variant("evaluation", name) or ", ".join(near_names(name, known, 1))
            hint = f"known: {', '.join(known)}" + (f". Did you mean {meant}?" if meant else "")
            raise RequestError(f'there is no evaluation "{name}"', slug="unknown-name", hint=hint)


def _command(run: Run, names: Sequence[str], sets: tuple[str, ...], data: str | None) -> str:
    """What to type in a shell to probe a run in the same way."""
    words = ["dcp", "probe", str(run.path), *(word for name in names for word in ("-e", name))]
    words += [] if data is None else ["--data", data]
    words += [word for override in sets for word in ("--set", override)]
    return join(words)


def _allowed(names: tuple[str, ...], splits: dict[Split, Dataset], say: Say | None) -> tuple[str, ...]:
    """Those of `names` that these data allow; without `say`, one that they do not is refused."""
    wanting = [name for name in names if name == layers.NAME or catalogue.load("evaluations", name).labels]
    if not wanting or all(data.labels is not None for data in splits.values()):
        return names
    what = f"{' and '.join(wanting)} need{'s' if len(wanting) == 1 else ''} labels, and these data have none"
    what += next((f" ({data.why_unlabelled})" for data in splits.values() if data.why_unlabelled), "")
    hint = "name labelled images in [probe.data]; image files of your own have labels where they lie in "
    hint += "ROOT/train/CLASS and ROOT/val/CLASS; spectrum needs no labels"
    if say is None:
        raise RequestError(what, slug="no-labels", hint=hint)
    say(f"skipped: {what} ({hint})")
    return tuple(name for name in names if name not in wanting)


def _measured(name: str, recipe: Recipe, subject: Subject) -> Scores:
    evaluate, config = catalogue.load("evaluations", name).evaluate, getattr(recipe.probe, name)
    scores: Scores = evaluate(subject, config, seed=recipe.run.seed)
    return scores


def _written(
    scores: Scores, random: Scores, recipe: Recipe, label: Tensor
) -> "tuple[dict[str, Any], dict[str, NDArray[Any]]]":
    """Keys of a ProbeRecord; and what is written beside it: predictions with their labels, if any, and arrays."""
    record = {
        "score": scores.score,
        "n": scores.n,
        "interval": {key: list(ends) for key, ends in scores.interval.items()},
        "random_encoder": {  # by the name that it has had since all training began with random weights
            "what": BEFORE if recipe.network.weights else UNTRAINED,
            "score": random.score,
            "interval": {key: list(ends) for key, ends in random.interval.items()},
        },
        "settings": dict(scores.settings),
        "extra": dict(scores.extra),
    }
    tensors = dict(scores.arrays)
    if scores.predictions is not None:
        tensors |= {"prediction": scores.predictions, "label": label}
        tensors |= {} if random.predictions is None else {"random_prediction": random.predictions}
    return record, {key: value.cpu().contiguous().numpy() for key, value in tensors.items()}
