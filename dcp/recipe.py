"""A recipe: everything that decides what a run is, as one frozen and strictly typed tree.

`Recipe.read` takes a TOML file and overrides, checks all of it and reports every problem at once. Nothing is coerced: "0.1" is no
number. `toml()` writes every default out; reading that again gives an equal recipe.
"""

from typing import TYPE_CHECKING, Annotated, Any

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from dcp import problems, tables, variants
from dcp.errors import Problems, RequestError
from dcp.sections import Moments, Network, Optimizer, Run, Train
from dcp.views import Config as Views

def _probe() -> Any:
    """The model of [probe]: `after`, and one table an evaluation found in `dcp/evaluations/`."""
    names = variants.names("evaluations")
    configs = {name: variants.load("evaluations", name).Config for name in names}
    fields: dict[str, Any] = {
        name: (config, Field(config(), description=f"settings of the {name} evaluation"))
        for name, config in configs.items()
    }
    after = (
        tuple[Annotated[str, Field(json_schema_extra={"enum": names})], ...],
        Field(("knn", "linear", "spectrum"), description="evaluations that run when training ends"),
    )
    data = (variants.union("datasets", "source") | None, Field(None, description="labelled images for the probes, where they are not those of [data]"))
    return create_model("Probe", __base__=variants.VariantConfig, after=after, data=data, **fields)


if TYPE_CHECKING:
    from dcp.dataset import DataConfig as AnyData

    class Named(variants.VariantConfig):
        """What a type checker may know of a variant that is chosen by name."""

        name: str

    AnyPredictor = AnyObjective = AnyTarget = Named

    class Probe(variants.VariantConfig):
        """What a type checker may know of [probe]."""

        after: tuple[str, ...]
        data: AnyData | None
else:
    AnyData = variants.union("datasets", "source")
    AnyPredictor = variants.union("predictors")
    AnyObjective = variants.union("objectives")
    AnyTarget = variants.union("targets")
    Probe = _probe()


class Recipe(BaseModel):
    """The whole recipe, one field a table."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    run: Run = Field(Run(), description="who the run is")
    data: AnyData = Field(description="the images")
    views: Views = Field(Views(), description="the two random views of an image")
    network: Network = Field(Network(), description="backbone and projector")
    predictor: AnyPredictor = Field(description="from projections to predictions of the target's")
    moments: Moments = Field(Moments(), description="the moving average F")
    target: AnyTarget = Field(
        default_factory=lambda: variants.load("targets", "ema").Config(), description="what is predicted"
    )
    objective: AnyObjective = Field(
        default_factory=lambda: variants.load("objectives", "cosine").Config(), description="the loss"
    )
    optimizer: Optimizer = Field(Optimizer(), description="how the encoder learns")
    train: Train = Field(Train(), description="the loop")
    probe: Probe = Field(default_factory=Probe, description="what is measured afterwards")

    @classmethod
    def read(cls, source: str, sets: tuple[str, ...] = ()) -> "Recipe":
        """The recipe in the file `source` (or that ships under this name), with `sets` ("key=value") laid over it.

        Raises:
            Problems: everything that is wrong with it.
        """
        table, where = tables.load(source, sets)
        table.setdefault("run", {}).setdefault("name", tables.stem(where))
        return cls.check(table, where)

    @classmethod
    def check(cls, table: dict[str, Any], where: str = "recipe") -> "Recipe":
        """The recipe that a plain nested dict describes.

        Raises:
            Problems: everything that is wrong with it.
        """
        found: list[RequestError] = []
        recipe = None
        try:
            recipe = cls.model_validate(tables.frozen(table))
        except ValidationError as error:
            found += problems.explain(error, cls, where)
        found += [RequestError(text, slug=slug, where=where, hint=hint) for slug, text, hint in _clashes(table, recipe)]
        if found:
            raise Problems(found)
        assert recipe is not None
        return recipe

    def with_seed(self, seed: int) -> "Recipe":
        """The same recipe for another seed."""
        return self.model_copy(update={"run": self.run.model_copy(update={"seed": seed})})

    def table(self) -> dict[str, Any]:
        """A plain nested dict with every default; keys that are not set are left out, as TOML has no null."""
        return self.model_dump(exclude_none=True)

    def toml(self) -> str:
        """TOML text with every default written out."""
        return tomli_w.dumps(self.table())


def _clashes(table: dict[str, Any], recipe: Recipe | None) -> list[tuple[str, str, str]]:
    """Keys that are right alone and wrong together: (slug, message, hint)."""
    if recipe is None:
        return []
    found = []
    if recipe.objective.name.startswith("iso_") and recipe.predictor.name in ("linear", "mlp"):
        found.append((
            "bad-combination",
            f'objective "{recipe.objective.name}" needs a symmetric positive predictor, "{recipe.predictor.name}" is none',
            "take a predictor that is set from F (directcopy, directpred, directset), or objective cosine",
        ))
    every = getattr(recipe.predictor, "every", 1)
    if every > 1 and recipe.moments.timing == "immediate":
        found.append((
            "bad-combination",
            'moments.timing = "immediate" sets W at every step, predictor.every asks for less',
            'take timing = "stale" with every > 1',
        ))
    if recipe.optimizer.warmup_epochs > recipe.train.epochs:
        found.append((
            "bad-combination",
            f"optimizer.warmup_epochs ({recipe.optimizer.warmup_epochs}) is longer than train.epochs ({recipe.train.epochs})",
            "warm up for a part of the training",
        ))
    for name in recipe.probe.after:
        if name not in variants.names("evaluations"):
            error = problems.unknown_key(name, variants.names("evaluations"), "")
            found.append(("unknown-name", f'probe.after: there is no evaluation called "{name}"', error.hint))
    return found

