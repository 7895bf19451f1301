"""Simulating: a theory recipe is read, and its experiment run.

    [theory]
    experiment = "threshold"        a file of `dcp/dynamics/experiments/`; the other keys are its own

As strict as a recipe of training: nothing is coerced, every problem is reported at once.
"""

import json
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import Field, ValidationError

from dcp import catalogue
from dcp.catalogue import VariantConfig
from dcp.dynamics import page
from dcp.dynamics.html import theory_html
from dcp.dynamics.result import Result
from dcp.errors import Problems, RequestError, RunError
from dcp.recipe import layers, messages, toml
from dcp.recipe.recipe import AnyExperiment
from dcp.recipe.sections import NAMED
from dcp.runs.disk import create_folder, occupied


class Run(VariantConfig):
    """Who the run is."""

    name: str = Field("", pattern=NAMED, description="name of the output; without it the recipe's file name")
    seed: int = Field(0, ge=0, lt=2**31, description="of random subspaces, starts and samples")


class Theory(VariantConfig):
    """A theory recipe."""

    run: Run = Run()
    theory: AnyExperiment

    @property
    def name(self) -> str:
        """Of the output; where a dict has given none the experiment's."""
        return self.run.name or self.experiment

    @property
    def experiment(self) -> str:
        """The name of its experiment."""
        return self.theory.experiment

    def toml(self) -> str:
        """TOML text with every default written out."""
        return tomli_w.dumps(self.model_dump())


def is_theory(source: str, sets: tuple[str, ...] = ()) -> bool:
    """Whether a recipe has a section [theory].

    Raises:
        RequestError: it cannot be read.
    """
    return "theory" in layers.load(source, sets)[0]


def read(source: str | Path, sets: tuple[str, ...] = ()) -> Theory:
    """The theory recipe in the file `source` (or that ships under this name), with `sets` ("key=value") over it.

    Raises:
        Problems: everything that is wrong with it.
        RequestError: there is no such file, it is no TOML, or no theory recipe.
    """
    table, where = layers.load(str(source), sets)
    run = table.setdefault("run", {})
    if isinstance(run, dict):
        run.setdefault("name", layers.stem(where))
    return check(table, f"{where} with --set" if sets else where)


def check(table: dict[str, Any], where: str = "recipe") -> Theory:
    """The theory recipe that a plain nested dict describes.

    Raises:
        Problems: everything that is wrong with it.
        RequestError: it has no section [theory].
    """
    if "theory" not in table:
        hint = "`dcp pretrain` is for recipes that train; `dcp recipes` lists those for `dcp theory`"
        raise RequestError("this recipe has no section [theory]", slug="wrong-command", where=where, hint=hint)
    try:
        return Theory.model_validate(layers.frozen(table))
    except ValidationError as error:
        raise Problems(messages.explain(error, table, Theory, where)) from None


def perform(theory: Theory, folder: Path | None = None) -> Result:
    """What its experiment comes to, also written into `folder` where one is given.

    Raises:
        RequestError: "run-exists", the folder is not empty.
        RunError: "flow-failed", the flow is too fast to be followed, or the results cannot be written.
    """
    if folder is not None and occupied(folder):
        raise _exists(folder)
    module = catalogue.load("experiments", theory.experiment)
    try:
        result: Result = module.run(theory.theory, theory.run.seed)
    except ArithmeticError as error:
        config = theory.theory
        defaults = {key: field.default for key, field in type(config).model_fields.items()}
        given = {key: getattr(config, key) for key in defaults}
        changed = [f"theory.{key} = {toml.shown(value)}" for key, value in given.items() if value != defaults[key]]
        hint = f"away from the defaults here: {', '.join(changed)}; values nearer to the defaults make it slower"
        raise RunError(str(error), slug="flow-failed", where=theory.name, hint=hint) from None
    if folder is not None:
        write(theory, result, folder)
    return result


def write(theory: Theory, result: Result, folder: Path) -> None:
    """Make `folder` with recipe, tables, plain values and the report in it.

    Raises:
        RequestError: "run-exists" or "bad-folder".
        RunError: "disk-full" or "cannot-write".
    """
    files = {
        "recipe.toml": theory.toml(),
        "theory.json": json.dumps(plain(theory, result), indent=1, allow_nan=False),
        "results.csv": page.results_csv(result),
        "figures.csv": page.figures_csv(result),
        "report.html": theory_html(theory.name, theory.experiment, result),
    }
    try:
        create_folder(folder, {name: text.encode() for name, text in files.items()})
    except FileExistsError:
        raise _exists(folder) from None


def _exists(folder: Path) -> RequestError:
    hint = "give another name: run.name=NAME, or another place: --out DIR"
    return RequestError("there are results already", slug="run-exists", where=str(folder), hint=hint)


def plain(theory: Theory, result: Result) -> dict[str, Any]:
    """What `dcp.theory` returns."""
    head = {"name": theory.name, "experiment": theory.experiment, "seed": theory.run.seed}
    return {**head, **result.to_dict()}
