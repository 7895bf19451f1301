"""A recipe: everything that decides what a run is, as one frozen and strictly typed tree.

`Recipe.read` takes a TOML file and overrides, checks all of it and reports every problem at once. Nothing is
coerced: "0.1" is no number; but 1 may be written for 1.0. `toml()` writes every default out; reading that
again gives an equal recipe.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import tomli_w
from pydantic import Field, ValidationError

from dcp import catalogue
from dcp.catalogue import Strict, VariantConfig, variant
from dcp.data.datasets.base import DataConfig
from dcp.data.views.config import Views
from dcp.errors import Problems, RequestError
from dcp.recipe import layers, messages
from dcp.recipe.probes import Probe, ProbeSection
from dcp.recipe.schema import bound
from dcp.recipe.sections import Moments, Network, Optimizer, Run, Study, Train


class Named(VariantConfig):
    """What is known of a variant before its name is."""

    name: str


class Experiment(VariantConfig):
    """What is known of [theory] before its experiment is."""

    experiment: str


AnyExperiment = Annotated[Experiment, variant("experiments", "experiment")]


def _chosen(folder: str, section: str, meaning: str) -> Any:
    """A section that may be left out: then it is the variant that `layers.DEFAULTS` names."""
    return Field(default_factory=lambda: catalogue.load(folder, layers.DEFAULTS[section]).Config(), description=meaning)


class Recipe(Strict):
    """The whole recipe, one field a table."""

    run: Run = Field(Run(), description="name, seed and tracker of the run")
    data: Annotated[DataConfig, variant("datasets", "source")] = Field(description="the data set")
    views: Views = Field(Views(), description="the random views of an image")
    network: Network = Field(Network(), description="backbone and projector")
    predictor: Annotated[Named, variant("predictors")] = Field(
        description="maps the online projections to predictions of the target's"
    )
    moments: Moments = Field(Moments(), description="F, the moving average of the projections' correlation matrix")
    target: Annotated[Named, variant("targets")] = _chosen(
        "targets", "target", "the target branch, whose projections are predicted"
    )
    objective: Annotated[Named, variant("objectives")] = _chosen("objectives", "objective", "the loss")
    positives: Annotated[Named, variant("positives")] = _chosen(
        "positives", "positives", "what a view predicts besides the other views, or in their place"
    )
    optimizer: Optimizer = Field(Optimizer(), description="the optimizer and the learning rate")
    train: Train = Field(Train(), description="the training loop")
    probe: Annotated[ProbeSection, catalogue.checked_as(Probe)] = Field(
        default_factory=Probe, description="evaluations of the frozen encoder"
    )

    @classmethod
    def read(cls, source: str, sets: tuple[str, ...] = ()) -> "Recipe":
        """The recipe in the file `source` (or that ships under this name), with `sets` ("key=value") over it.

        Raises:
            Problems: everything that is wrong with it.
            RequestError: there is no such file, it is no TOML, or one of `sets` is no KEY=VALUE.
        """
        table, where = layers.load(source, sets)
        run = table.setdefault("run", {})
        if isinstance(run, dict):
            run.setdefault("name", layers.stem(where))
        return cls.check(table, f"{where} with --set" if sets else where)

    @classmethod
    def check(cls, table: dict[str, Any], where: str = "recipe") -> "Recipe":
        """The recipe that a plain nested dict describes.

        Raises:
            Problems: everything that is wrong with it.
            RequestError: it is a study, so many recipes, or a theory recipe.
        """
        if "theory" in table:
            hint = "`dcp theory` runs it, and dcp.theory() from a program"
            raise RequestError("this recipe has a section [theory]", slug="wrong-command", where=where, hint=hint)
        if "study" in table:
            hint = "`dcp pretrain` runs it, and dcp.study() from a program; without the section it is a recipe"
            raise RequestError("this is a study: it has a section [study]", slug="is-a-study", where=where, hint=hint)
        table = layers.named(table)
        try:
            recipe = cls.model_validate(layers.frozen(table))
        except ValidationError as error:
            raise Problems(messages.explain(error, table, Training, where)) from None
        clashes = [RequestError(text, slug="bad-combination", where=where, hint=h) for text, h in _clashes(recipe)]
        if clashes:
            raise Problems(clashes)
        return recipe

    @classmethod
    def of(cls, table: dict[str, Any], sets: tuple[str, ...] = ()) -> "Recipe":
        """The recipe that a plain nested dict describes, with `sets` over it; without run.name it gets one.

        Raises:
            Problems, RequestError: as `check` and `read`.
        """
        table = layers.overridden(table, sets)
        run, data, predictor = (table.get(section, {}) for section in ("run", "data", "predictor"))
        if all(isinstance(section, dict) for section in (run, data, predictor)) and not run.get("name"):
            words = (data.get("source"), predictor.get("name"))
            table = {**table, "run": {**run, "name": "_".join(str(word) for word in words if word) or "recipe"}}
        return cls.check(table)

    @property
    def folder(self) -> str:
        """Name of its run folder."""
        return f"{self.run.name}-s{self.run.seed}"

    @property
    def view_sizes(self) -> tuple[int, ...]:
        """Sides of the views in pixels: of the global ones, then of the local ones."""
        views = self.views
        return (self.data.view_size,) * views.count + (views.local.size,) * views.local.count

    def with_seed(self, seed: int) -> "Recipe":
        """The same recipe for another seed."""
        return self.model_copy(update={"run": self.run.model_copy(update={"seed": seed})})

    def table(self) -> dict[str, Any]:
        """A plain nested dict with every default; keys that are not set are left out, as TOML has no null."""
        return _choice_first(self.model_dump(exclude_none=True))

    def toml(self) -> str:
        """TOML text with every default written out."""
        return tomli_w.dumps(self.table())


class Training(Recipe):
    """What the file of a recipe for training may hold: a recipe, or a study of several."""

    study: Study | None = Field(None, description="many runs as one: arms, axes and seeds; see studies.md")


class File(Training):
    """What any recipe's file may hold; [theory] stands without the other sections."""

    theory: AnyExperiment | None = Field(None, description="an experiment of `dcp theory`; see theory.md")


def editor_schema() -> dict[str, Any]:
    """JSON Schema of a recipe's file: with `extends`, beside which no section must be there."""
    schema = File.model_json_schema()
    parent = {"type": "string", "description": "recipe under this one: a file beside it, or one that ships"}
    schema["properties"] = {"extends": parent, **schema["properties"]}
    schema["anyOf"] = [{"required": each} for each in (schema.pop("required"), ["extends"], ["theory"])]
    return schema


def _choice_first(table: dict[str, Any]) -> dict[str, Any]:
    """The same with the keys that choose a variant in front, where a reader looks for them."""
    ordered = sorted(table.items(), key=lambda item: item[0] not in layers.CHOICES.values())
    return {key: _choice_first(value) if isinstance(value, dict) else value for key, value in ordered}


def _clashes(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """What is right alone and wrong together: (message, hint)."""
    for config in (recipe.data, recipe.predictor, recipe.target, recipe.objective, recipe.positives):
        yield from config.clashes(recipe)
    probe = recipe.probe
    if probe.primary is not None and (evaluation := probe.primary.partition(".")[0]) not in probe.after:
        asked = ", ".join(f'"{name}"' for name in (*probe.after, evaluation))
        yield f'probe.primary = "{probe.primary}" is not measured', f"probe.after = [{asked}]"
    warmup, epochs = recipe.optimizer.warmup_epochs, recipe.train.epochs
    clip_from, local = recipe.optimizer.clip_from, recipe.views.local
    if recipe.optimizer.clip is None and clip_from:
        yield f"optimizer.clip_from = {clip_from} has no effect without optimizer.clip", "set clip too"
    if recipe.moments.rho_end is None and recipe.moments.rho_schedule == "cosine":
        yield 'moments.rho_schedule = "cosine" has no effect without moments.rho_end', "set rho_end too"
    if local.count and local.size > recipe.data.view_size:
        yield (
            f"views.local.size = {local.size} is more than the global views have, {recipe.data.view_size} pixels: "
            "local views are small ones",
            f"say {max(8, recipe.data.view_size // 2)}",
        )
    if warmup > epochs:
        yield (
            f"optimizer.warmup_epochs = {bound(warmup)} is more than train.epochs = {epochs}",
            f"at most {epochs}: the rate rises during a part of the training",
        )
