"""Shares of a study: every N-th of its runs, so that N commands train all of them without knowing of each other."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dcp.errors import RequestError

MOST = 1_000_000
SLURM, KUBERNETES, SKYPILOT = "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "SKYPILOT_NODE_RANK"
HINT = (
    "--share 0/3, 1/3 and 2/3 are the three thirds of a study. --share auto takes the numbers from a Slurm array or\n"
    "from SkyPilot's nodes; --share auto/N takes the first of them from there, or from a Kubernetes indexed job."
)
Item = TypeVar("Item")


@dataclass(frozen=True)
class Share:
    """Which runs of a study a command trains: run k where k mod `count` is `number`."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"share {self.number}/{self.count}"

    def of(self, items: Sequence[Item]) -> list[Item]:
        """Those of this share.

        >>> Share(1, 3).of("abcdefgh")
        ['b', 'e', 'h']
        """
        return list(items[self.number :: self.count])


def parse(text: str, environment: Mapping[str, str] = os.environ) -> Share:
    """The share that is written as "I/N", or that "auto" or "auto/N" finds in the environment.

    Raises:
        RequestError: "bad-option", it is none; "bad-environment", the environment does not say which.

    >>> parse("auto", {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "1"})
    Share(number=2, count=4)
    """
    first, slash, second = text.partition("/")
    if not slash and first == "auto":
        return _found(environment)
    if not (re.fullmatch("auto|[0-9]{1,7}", first) and re.fullmatch("[0-9]{1,7}", second)):
        raise RequestError(f'--share is "{text}"', slug="bad-option", where="--share", hint=HINT)
    count = int(second)
    number = _number(_which(environment), environment) if first == "auto" else int(first)
    if not number < count <= MOST:
        what = f"--share {text}: there is no share {number} of {count}; they count from 0"
        if first == "auto":
            what += f", and {_which(environment)} is {number}"
        raise RequestError(what, slug="bad-option", where="--share", hint=HINT)
    return Share(number, count)


def _found(environment: Mapping[str, str]) -> Share:
    """Number and count as the environment has them."""
    which = _which(environment)
    if which == KUBERNETES:
        hint = "--share auto/8, with the number of .spec.completions"
        what = "Kubernetes does not tell a pod how many completions its job has"
        raise RequestError(what, slug="bad-environment", where="--share auto", hint=hint)
    number = _number(which, environment)
    if which == SKYPILOT:
        count = _number("SKYPILOT_NUM_NODES", environment)
    else:
        count = _number("SLURM_ARRAY_TASK_COUNT", environment)
        step = _number("SLURM_ARRAY_TASK_STEP", environment, 1) or 1
        number = (number - _number("SLURM_ARRAY_TASK_MIN", environment, 0)) // step
    if not 0 <= number < count <= MOST:
        what = f"--share auto: {which} is {environment[which]}, in a range with gaps or of {count}"
        hint = "sbatch --array=0-7 with --share auto; with any part of it, --share auto/8"
        raise RequestError(what, slug="bad-environment", where="--share auto", hint=hint)
    return Share(number, count)


def _which(environment: Mapping[str, str]) -> str:
    """The variable that tells the number."""
    for name in (SLURM, KUBERNETES, SKYPILOT):
        if environment.get(name):
            return name
    what = f"none of {SLURM}, {KUBERNETES} and {SKYPILOT} is set, so nothing says which share this is"
    raise RequestError(what, slug="bad-environment", where="--share auto", hint=HINT)


def _number(name: str, environment: Mapping[str, str], default: int | None = None) -> int:
    text = environment.get(name, "" if default is None else str(default))
    if not re.fullmatch("[0-9]{1,9}", text):
        what = f'{name} is "{text}", expected a whole number'
        raise RequestError(what, slug="bad-environment", where=name, hint=HINT)
    return int(text)
