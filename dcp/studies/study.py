"""Reading a study: from its files to arms, each a checked recipe with a name. Nothing is trained here.

Everything that is wrong is told at once: first what is wrong in [study] itself, then what is wrong in the arms'
recipes, with the names of the arms.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

import tomli_w
from pydantic import ValidationError

from dcp.catalogue import VariantConfig
from dcp.errors import Problems
from dcp.recipe import layers, messages, seeds
from dcp.recipe.layers import Table
from dcp.recipe.recipe import Recipe, Training
from dcp.recipe.sections import Published
from dcp.recipe.sections import Study as Section
from dcp.studies import validate
from dcp.studies.layers import Files, nested
from dcp.studies.layers import read as read_files
from dcp.studies.names import label


@dataclass(frozen=True)
class Arm:
    """One recipe of a study, that every seed trains.

    Attributes:
        name: e.g. "directpred-weight_decay0.0004".
        recipe: its runs are called `<study>-<name>`.
    """

    name: str
    recipe: Recipe


@dataclass(frozen=True)
class Study:
    """A study that can be run.

    Attributes:
        name: of the study, and the beginning of its runs' names.
        arms: in the order of the file; the first is what the others are compared with.
        seeds: of every arm, ascending.
        published: what others have published, `arm` being the name of the arm beside which it stands.
        sets: overrides that lie over all arms.
        source: its file.
    """

    name: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    published: tuple[Published, ...] = ()
    sets: tuple[str, ...] = field(default=(), compare=False)
    source: str = field(default="", compare=False)

    @property
    def size(self) -> str:
        """How many arms, seeds and runs, in words."""
        arms, seeds = len(self.arms), len(self.seeds)
        counts = (arms, "arm"), (seeds, "seed"), (arms * seeds, "run"), (len(self.published), "published number")
        return ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts)

    def with_seeds(self, seeds: Sequence[int]) -> "Study":
        """The same study with other seeds; without any with its own."""
        return replace(self, seeds=tuple(sorted(set(seeds)))) if seeds else self

    def toml(self) -> str:
        """TOML text of the same study with every arm and every default written out."""
        arms = {arm.name: _body(arm.recipe.table()) for arm in self.arms}
        published = [one.model_dump(exclude={"at"}, exclude_none=True) for one in self.published]
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
    return Study(
        files.name,
        tuple(Arm(name, recipe) for name, (_, recipe) in arms.items()),
        _seeds(section),
        tuple(_beside(section, {name: point for name, (point, _) in arms.items()})),
        files.sets,
        str(files.path),
    )


class _Holder(VariantConfig):
    """A file, of which only [study] is looked at."""

    study: Section


Point = tuple[str, dict[str, Any]]  # key in [study.arms], "" without any, and values of the axes by dotted key


def _section(files: Files) -> Section:
    where, table = str(files.path), {"study": files.study}
    try:
        section = _Holder.model_validate(layers.frozen(table)).study
    except ValidationError as error:
        raise Problems(messages.explain(error, table, Training, where)) from None
    if found := list(validate.of_section(section, files)):
        raise Problems(found)
    return section


def _seeds(section: Section) -> tuple[int, ...]:
    given = section.seeds
    return tuple(seeds.parse(given) if isinstance(given, str) else sorted(set(given)))


def _arms(files: Files, section: Section) -> dict[str, tuple[Point, Recipe]]:
    """Every arm at every point that is not skipped, by name, with its recipe.

    Raises:
        Problems: what is wrong with them.
    """
    where, points = str(files.path), list(_points(section))
    names = [label(*point) for point in points]
    if found := list(validate.of_names(names, section, files.name, where)):
        raise Problems(found)
    kept = {n: p for n, p in zip(names, points, strict=True) if not any(fnmatchcase(n, s) for s in section.skip)}
    checked, recipes = validate.Gathered(where, list(kept)), {}
    for name, (of, at) in kept.items():
        table = _named(files.arm(section.arms.get(of, {}), nested(at)), f"{files.name}-{name}")
        with checked.arm(name):
            recipes[name] = Recipe.check(table, "")
    checked.tell()
    if found := list(validate.of_twins({name: _body(each.table()) for name, each in recipes.items()}, where)):
        raise Problems(found)
    return {name: (kept[name], recipe) for name, recipe in recipes.items()}


def _points(section: Section) -> Iterator[Point]:
    axes = layers.flat(section.axes)
    for of, chosen in product(section.arms or {"": {}}, product(*axes.values())):
        yield of, dict(zip(axes, chosen, strict=True))


def _beside(section: Section, points: Mapping[str, Point]) -> Iterator[Published]:
    """What was published, once for each arm that it is of; what is of no arm of this study is left out."""
    for one in section.published:
        at = layers.flat(nested(one.at))
        for name, point in points.items():
            if point == (one.arm, at):
                yield one.model_copy(update={"arm": name, "at": {}})


def _named(table: Table, name: str) -> Table:
    run = table.get("run", {})
    return {**table, "run": {**run, "name": name}} if isinstance(run, dict) else table


def _body(table: Table) -> Table:
    return {key: part for key, part in table.items() if key != "run"}
