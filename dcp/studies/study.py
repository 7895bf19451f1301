"""Reading a study: from its files to arms, each a checked recipe with a name. Nothing is trained here.

Everything that is wrong is told at once: first what is wrong in [study] itself, then what is wrong in the arms'
recipes, with the names of the arms.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import product

import tomli_w
from pydantic import ValidationError

from dcp.catalogue import Strict
from dcp.errors import Problems
from dcp.recipe import layers, messages
from dcp.recipe.layers import Table
from dcp.recipe.recipe import Recipe, Training
from dcp.recipe.sections import Published
from dcp.recipe.sections import Study as Section
from dcp.studies import validate
from dcp.studies.layers import Files, nested
from dcp.studies.layers import read as read_files
from dcp.studies.names import label
from dcp.studies.validate import Point

TELLING = 200  # arms that are looked at before the others: a mistake in a key or a value shows in these


@dataclass(frozen=True)
class Arm:
    """One recipe of a study, that every seed trains."""

    name: str  # e.g. "directpred-weight_decay0.0004"
    recipe: Recipe  # its runs are called `<study>-<name>`


@dataclass(frozen=True)
class Study:
    """A study that can be run."""

    name: str  # of the study, and the beginning of its runs' names
    arms: tuple[Arm, ...]  # in the order of the file; the first is what the others are compared with
    seeds: tuple[int, ...]  # of every arm, ascending
    published: tuple[Published, ...] = ()  # numbers of others, `arm` being the name of the arm beside them
    sets: tuple[str, ...] = field(default=(), compare=False)  # overrides that lie over all arms
    source: str = field(default="", compare=False)  # its file

    @property
    def size(self) -> str:
        """How many arms, seeds and runs, in words."""
        arms, seeds = len(self.arms), len(self.seeds)
        counts = (arms, "arm"), (seeds, "seed"), (arms * seeds, "run"), (len(self.published), "published number")
        return ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts)

    def with_seeds(self, seeds: Sequence[int]) -> "Study":
        """The same study with other seeds; without any with its own.

        Raises:
            RequestError: these are too many runs.
        """
        validate.check_count(len(self.arms), len(set(seeds) or self.seeds), "--seeds")
        return replace(self, seeds=tuple(sorted(set(seeds)))) if seeds else self

    def toml(self) -> str:
        """TOML text of the same study with every arm and every default written out."""
        arms = {arm.name: _body(arm.recipe.table()) for arm in self.arms}
        published = [number.model_dump(exclude={"at"}, exclude_none=True) for number in self.published]
        study = {"seeds": list(self.seeds), "arms": arms, "published": published}
        run = {"name": self.name, "tracker": self.arms[0].recipe.run.tracker}
        return tomli_w.dumps({"run": run, "study": study})


def is_study(source: str, sets: Sequence[str] = ()) -> bool:
    """Whether a recipe has a section [study].

    Raises:
        RequestError: it cannot be read.
    """
    return "study" in layers.load(source, tuple(sets))[0]


def read(source: str, sets: Sequence[str] = ()) -> Study:
    """The study in the file `source` (or that ships under this name), with `sets` ("key=value") over all arms.

    Raises:
        Problems: everything that is wrong with it.
        RequestError: there is no such file, it is no TOML, or an arm extends what is not there.
    """
    files = read_files(source, tuple(sets))
    section = _section(files)
    arms = _arms(files, section)
    published = [  # once for each arm that it is of; what is of no arm of this study is left out
        number.model_copy(update={"arm": name, "at": {}})
        for number in section.published
        for name, (point, _) in arms.items()
        if point == (number.arm, layers.flat(nested(number.at)))
    ]
    return Study(
        files.name,
        tuple(Arm(name, recipe) for name, (_, recipe) in arms.items()),
        section.seeds,
        tuple(published),
        files.sets,
        str(files.path),
    )


class _Holder(Strict):
    """A file, of which only [study] is looked at."""

    study: Section


def _section(files: Files) -> Section:
    """The section [study], checked."""
    where, study = str(files.path), files.study
    if isinstance(study, dict) and isinstance(study.get("axes"), dict):
        study = {**study, "axes": layers.flat(study["axes"])}
    table = {"study": study}
    try:
        section = _Holder.model_validate(layers.frozen(table)).study
    except ValidationError as error:
        raise Problems(messages.explain(error, table, Training, where)) from None
    if problems := list(validate.of_section(section, files)):
        raise Problems(problems)
    return section


def _arms(files: Files, section: Section) -> dict[str, tuple[Point, Recipe]]:
    """Every arm at every point that is not skipped, by name, with its recipe.

    Raises:
        Problems: what is wrong with them.
    """
    where, study = str(files.path), files.name
    points: list[Point] = [
        (arm, dict(zip(section.axes, values, strict=True)))
        for arm, values in product(section.arms or {"": {}}, product(*section.axes.values()))
    ]
    names = [label(*point) for point in points]
    if problems := list(validate.of_names(names, section, study, where)):
        raise Problems(problems)
    kept = {n: p for n, p in zip(names, points, strict=True) if not any(fnmatchcase(n, s) for s in section.skip)}
    of_arms, recipes = validate.ArmProblems(where, list(kept)), {}
    bodies = {arm: layers.flat(body) for arm, body in section.arms.items()}
    order = validate.telling_first(kept) if len(kept) > TELLING else list(kept)
    for some in (order[:TELLING], order[TELLING:]):
        for name in some:
            arm, at = kept[name]
            with of_arms.noted(name):
                validate.check_keys(bodies.get(arm, ()), f"study.arms.{arm}")
                validate.check_keys(at, "study.axes")
                table = files.arm(section.arms.get(arm, {}), nested(at))
                run = table.get("run", {})
                if isinstance(run, dict):
                    table = {**table, "run": {**run, "name": f"{study}-{name}"}}
                recipes[name] = Recipe.check(table, "")
        of_arms.raise_all()
        dumps = {name: recipe.model_dump(exclude={"run"}) for name, recipe in recipes.items()}
        if problems := list(validate.of_twins(dumps, where)):
            raise Problems(problems)
    return {name: (point, recipes[name]) for name, point in kept.items()}


def _body(table: Table) -> Table:
    return {key: part for key, part in table.items() if key != "run"}
