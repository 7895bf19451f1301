"""What can be wrong with a study besides the form of [study] and the recipes of its arms, told in few words."""

import contextlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from dcp.errors import Problems, RequestError, near_names
from dcp.recipe import layers, overrides
from dcp.recipe.sections import Study as Section
from dcp.recipe.toml import shown
from dcp.runs.lookup import first
from dcp.studies.layers import Files, nested

Point = tuple[str, dict[str, Any]]  # key in [study.arms], "" without any, and values of the axes by dotted key
LONGEST = 200  # characters of a run's name, as run.name allows
MOST = 10_000  # arms; more are a mistake in the axes
MOST_RUNS = 100_000  # at a minute each: seventy days


class ArmProblems:
    """Problems of arms, collected: one that several arms have is told once.

    Args:
        where: the study's file.
        arms: names of all arms.
    """

    def __init__(self, where: str, arms: Sequence[str]) -> None:
        self.where, self.arms = where, arms
        self.looked_at = 0
        self.arms_with: dict[tuple[str, str, str, str], list[str]] = {}  # slug, message, hint, place -> names

    @contextlib.contextmanager
    def noted(self, arm: str) -> Iterator[None]:
        """Note what is refused inside of the block as a problem of an arm."""
        self.looked_at += 1
        try:
            yield
        except RequestError as error:
            for problem in error.problems if isinstance(error, Problems) else [error]:
                names = self.arms_with.setdefault((problem.slug, problem.message, problem.hint, problem.where), [])
                names += [arm] if arm not in names else []

    def raise_all(self) -> None:
        """Raise what has been noted.

        Raises:
            Problems: everything that has.
        """
        problems = []
        for (slug, message, hint, place), names in self.arms_with.items():
            which = f", {'arm' if len(names) == 1 else 'arms'} {first(names, 3)}"
            if self.looked_at < len(self.arms):
                which = f", for example arm {names[0]}"
            every = len(names) == min(self.looked_at, len(self.arms))
            where = f"{place}; {self.where}{'' if every else which}".removeprefix("; ")
            problems.append(RequestError(message, slug=slug, where=where, hint=hint))
        if problems:
            raise Problems(problems)


def telling_first(points: Mapping[str, Point]) -> list[str]:
    """The names of arms in an order in which the first ones have every arm of [study.arms] with every value of an axis.

    What is wrong with a key or a value then shows in few of them.
    """
    seen: set[tuple[str, str]] = set()
    telling = []
    for name, (arm, at) in points.items():
        parts = {(arm, ""), *((arm, f"{key} = {value!r}") for key, value in at.items())}
        if not parts <= seen:
            seen |= parts
            telling.append(name)
    return list(dict.fromkeys([*telling, *points]))


def of_section(section: Section, files: Files) -> Iterator[RequestError]:
    """What in [study] does not go together."""
    where, axes, arms = str(files.path), section.axes, section.arms or {"": {}}
    if not section.arms and not axes:
        hint = "e.g. [study.axes] with optimizer.lr = [0.01, 0.03], or [study.arms] with directcopy = {}"
        yield RequestError("the study has neither arms nor axes", slug="missing-key", where=where, hint=hint)
    size = math.prod(map(len, axes.values())) * len(arms)
    if size > MOST:  # counted before the first of them is made
        what, hint = f"the study has {size:,} arms", f"at most {MOST:,}: fewer values on study.axes, or fewer axes"
        yield RequestError(what, slug="bad-value", where=where, hint=hint)
    for i, number in enumerate(section.published):
        if number.arm not in arms:
            near = near_names(number.arm, section.arms, 1)
            hint = f"known: {', '.join(section.arms) or 'none, so leave it out'}"
            hint += f". Did you mean {near[0]}?" if near else ""
            what = f'study.published[{i}].arm: there is no arm called "{number.arm}"'
            yield RequestError(what, slug="unknown-name", where=where, hint=hint)
        for key in layers.flat(nested(number.at)).keys() - axes.keys():
            what, hint = f"study.published[{i}].at.{key} is no axis", f"axes: {', '.join(axes) or 'none'}"
            yield RequestError(what, slug="unknown-name", where=where, hint=hint)
    for text in files.sets:
        for key in layers.flat(overrides.parse(text)).keys() & axes.keys():
            what, hint = f"{key} is an axis of the study", f"give the axis other values: --set 'study.axes.{key}=[...]'"
            yield RequestError(what, slug="bad-override", where="--set", hint=hint)


def check_count(arms: int, seeds: int, where: str) -> None:
    """Refuse so many arms with so many seeds each.

    Raises:
        RequestError: "bad-value".
    """
    if arms * seeds > MOST_RUNS:
        what = f"the study has {arms * seeds:,} runs: {arms:,} arms with {seeds:,} seeds each"
        hint = f"at most {MOST_RUNS:,}: fewer seeds, or fewer values on study.axes"
        raise RequestError(what, slug="bad-value", where=where, hint=hint)


def check_keys(keys: Iterable[str], place: str) -> None:
    """Refuse what an arm or its point on the axes may not say.

    Args:
        keys: dotted.
        place: where they stand, for the reader.

    Raises:
        RequestError: "bad-combination", a key that the study gives to its runs, or a section that no run has.
    """
    for key in keys:
        if key in ("run", "run.name", "run.seed"):
            hint = "runs are named after study and arm, and study.seeds has their seeds"
        elif key.partition(".")[0] in ("study", "theory"):
            hint = "an arm is a recipe of one run, without the sections [study] and [theory]"
        else:
            continue
        raise RequestError(f"{place}.{key} cannot be given", slug="bad-combination", hint=hint)


def of_names(names: Sequence[str], section: Section, study: str, where: str) -> Iterator[RequestError]:
    """Names that several arms have or no run can, and patterns of `skip` that fit none or leave nothing."""
    if twice := [(name, count) for name, count in Counter(names).items() if count > 1]:
        hint = "give them names: [study.arms.NAME] with the keys of each"
        what = f'{twice[0][1]} arms would be called "{twice[0][0]}"{and_more(twice)}'
        yield RequestError(what, slug="bad-combination", where=where, hint=hint)
    if odd := [n for n in names if not re.search("[A-Za-z0-9]", n) or len(f"{study}-{n}") > LONGEST]:
        what = f"the arm {shown(odd[0])} has a name that no folder of a run can have{and_more(odd)}"
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
    names: dict[str, str] = {}
    twins = [(twin, name) for name, table in recipes.items() if (twin := names.setdefault(repr(table), name)) != name]
    if twins:
        others = ", and others like them" if twins[1:] else ""
        what = f"the arms {twins[0][0]} and {twins[0][1]} are the same recipe{others}"
        hint = "an override may have made them so; leave one out with study.skip"
        yield RequestError(what, slug="bad-combination", where=where, hint=hint)


def and_more(alike: Sequence[object]) -> str:
    """How many there are besides the first, which stands for all."""
    return f", and {len(alike) - 1:,} more like this" if len(alike) > 1 else ""
