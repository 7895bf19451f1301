"""What can be wrong with a study besides its arms' recipes, and the mistakes of many arms in few words."""

import contextlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from dcp import catalogue
from dcp.errors import Problems, RequestError
from dcp.recipe import layers, seeds
from dcp.recipe.sections import Study as Section
from dcp.recipe.toml import shown
from dcp.runs.lookup import first
from dcp.studies.layers import Files, nested

ALONE = ("study", "theory")  # sections that no recipe of one run has
NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"  # of an arm
LONGEST = 200  # characters of a run's name, as run.name allows
MOST = 10_000  # arms; more are a mistake in the axes


class Gathered:
    """Mistakes of arms: one that several arms have is told once.

    Args:
        where: the study's file.
        arms: names of all arms.
    """

    def __init__(self, where: str, arms: Sequence[str]) -> None:
        self.where, self.arms = where, arms
        self.found: dict[tuple[str, str, str, str], list[str]] = {}

    @contextlib.contextmanager
    def arm(self, name: str) -> Iterator[None]:
        """Note what is wrong inside of the block as a mistake of the arm `name`."""
        try:
            yield
        except RequestError as error:
            for one in error.problems if isinstance(error, Problems) else [error]:
                names = self.found.setdefault((one.slug, one.message, one.hint, one.where), [])
                names += [name] if name not in names else []

    def tell(self) -> None:
        """Raise what has been noted.

        Raises:
            Problems: everything that has.
        """
        if self.found:
            raise Problems([self._error(*found, names) for found, names in self.found.items()])

    def _error(self, slug: str, message: str, hint: str, place: str, names: list[str]) -> RequestError:
        which = f", {'arm' if len(names) == 1 else 'arms'} {first(names, 3)}" if len(names) < len(self.arms) else ""
        return RequestError(message, slug=slug, where=f"{place}; {self.where}{which}".removeprefix("; "), hint=hint)


def of_section(section: Section, files: Files) -> Iterator[RequestError]:
    """What is wrong in [study] itself."""
    where = str(files.path)
    if not section.arms and not section.axes:
        hint = "e.g. [study.axes] with optimizer.lr = [0.01, 0.03], or [study.arms] with directcopy = {}"
        yield RequestError("the study has neither arms nor axes", slug="missing-key", where=where, hint=hint)
    if isinstance(section.seeds, str):
        try:
            seeds.parse(section.seeds, f"study.seeds; {where}")
        except RequestError as error:
            yield error
    axes = layers.flat(section.axes)
    yield from _of_axes(axes, where)
    yield from _of_size(section, axes, where)
    yield from _of_arms(section, where)
    yield from _of_runs(section.arms, axes, where)
    yield from _of_published(section, axes, where)
    for text in files.sets:
        for key in set(layers.flat(layers.override(text))) & set(axes):
            message, hint = (
                f"{key} is an axis of the study",
                f"give the axis other values: --set 'study.axes.{key}=[...]'",
            )
            yield RequestError(message, slug="bad-override", where="--set", hint=hint)


def _of_axes(axes: Mapping[str, Any], where: str) -> Iterator[RequestError]:
    for key, value in axes.items():
        if not isinstance(value, tuple):
            hint = f"expected a list of values: [{shown(value)}, ...]"
            yield RequestError(f"study.axes.{key} is {shown(value)}", slug="bad-type", where=where, hint=hint)
        elif not value:
            yield RequestError(f"study.axes.{key} is empty", slug="bad-value", where=where, hint="expected some values")


def _of_arms(section: Section, where: str) -> Iterator[RequestError]:
    """Arms whose name cannot be a part of a folder's."""
    for name in section.arms:
        if not re.fullmatch(NAME, name):
            what = f"the arm study.arms.{shown(name)} needs another name"
            hint = "expected letters, digits, dots, dashes and underscores, a letter or digit first"
            yield RequestError(what, slug="bad-value", where=where, hint=hint)


def _of_size(section: Section, axes: Mapping[str, Any], where: str) -> Iterator[RequestError]:
    """More arms than a study may have, counted before the first of them is made."""
    lengths = [len(value) for value in axes.values() if isinstance(value, tuple)]
    size = math.prod(lengths) * max(len(section.arms), 1)
    if size > MOST:
        what, hint = f"the study has {size:,} arms", f"at most {MOST:,}: fewer values on study.axes, or fewer axes"
        yield RequestError(what, slug="bad-value", where=where, hint=hint)


def _of_runs(arms: Mapping[str, Any], axes: Mapping[str, Any], where: str) -> Iterator[RequestError]:
    """Keys that a study gives to its runs itself."""
    alone = [f"study.axes.{key}" for key in axes if key.partition(".")[0] in ALONE]
    settled = {key: f"study.axes.{key}" for key in axes if key in ("run", "run.name", "run.seed")}
    for name, body in arms.items():
        settled |= {key: f"study.arms.{name}.{key}" for key in layers.flat(body) if key in ("run.name", "run.seed")}
        alone += [f"study.arms.{name}.{key}" for key in ALONE if key in body]
    for path in settled.values():
        hint = "runs are named after study and arm, and study.seeds has their seeds"
        yield RequestError(f"{path} cannot be given", slug="bad-combination", where=where, hint=hint)
    for path in alone:
        hint = "an arm is a recipe of one run, without the sections [study] and [theory]"
        yield RequestError(f"{path} cannot be given", slug="bad-combination", where=where, hint=hint)


def _of_published(section: Section, axes: Mapping[str, Any], where: str) -> Iterator[RequestError]:
    for i, one in enumerate(section.published):
        if one.arm not in (section.arms or {"": {}}):
            near = get_close_matches(one.arm, section.arms, n=1)
            hint = f"known: {', '.join(section.arms) or 'none, so leave it out'}" + (
                f". Did you mean {near[0]}?" if near else ""
            )
            what = f'study.published[{i}].arm: there is no arm called "{one.arm}"'
            yield RequestError(what, slug="unknown-name", where=where, hint=hint)
        known = catalogue.names("evaluations")
        if one.score.partition(".")[0] not in known or not one.score.partition(".")[2]:
            what, hint = f'study.published[{i}].score is "{one.score}"', f"EVALUATION.SCORE, of {', '.join(known)}"
            yield RequestError(what, slug="bad-value", where=where, hint=hint)
        for key in layers.flat(nested(one.at)).keys() - axes.keys():
            what, hint = f"study.published[{i}].at.{key} is no axis", f"axes: {', '.join(axes) or 'none'}"
            yield RequestError(what, slug="unknown-name", where=where, hint=hint)


def of_names(names: Sequence[str], section: Section, study: str, where: str) -> Iterator[RequestError]:
    """Names that several arms have or no run can, and patterns of `skip` that fit none or leave nothing."""
    for name, count in Counter(names).items():
        if count > 1:
            hint = "give them names: [study.arms.NAME] with the keys of each"
            what = f'{count} arms would be called "{name}"'
            yield RequestError(what, slug="bad-combination", where=where, hint=hint)
    for name in names:
        if not re.search("[A-Za-z0-9]", name) or len(f"{study}-{name}") > LONGEST:
            what = f"the arm {shown(name)} has a name that no folder of a run can have"
            hint = f"name the arms: [study.arms.NAME]; name of study and arm have at most {LONGEST} characters together"
            yield RequestError(what, slug="bad-value", where=where, hint=hint)
    if all(any(fnmatchcase(name, pattern) for pattern in section.skip) for name in names):
        yield RequestError("no arm is left", slug="bad-value", where=where, hint="study.skip leaves all of them out")
    for pattern in section.skip:
        if not any(fnmatchcase(name, pattern) for name in names):
            what, hint = f'study.skip: no arm is called "{pattern}"', f"there are {first(list(names), 8)}"
            yield RequestError(what, slug="unknown-name", where=where, hint=hint)


def of_twins(recipes: Mapping[str, layers.Table], where: str) -> Iterator[RequestError]:
    """Arms that are the same recipe.

    Args:
        recipes: complete tables without [run], by name of arm.
        where: the study's file.
    """
    seen: dict[str, str] = {}
    for name, table in recipes.items():
        twin = seen.setdefault(repr(table), name)
        if twin != name:
            what = f"the arms {twin} and {name} are the same recipe"
            hint = "an override may have made them so; leave one out with study.skip"
            yield RequestError(what, slug="bad-combination", where=where, hint=hint)
