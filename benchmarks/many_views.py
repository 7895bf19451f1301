"""Training with more than two views, in turn in one process: the arithmetic grows with V, and so should the time."""

from contextlib import ExitStack

import torch

from benchmarks.measure import Row, Scale, alternate, rows
from benchmarks.step import Case, recipe
from benchmarks.tasks import Task
from benchmarks.training import begun

COUNTS = (2, 4, 8)
CASES = (
    Case("ResNet-18/8 at 32", "resnet18", 32, "small", 8, 64, 4),
    Case("ResNet-18 at 32", "resnet18", 32, "small", 64, 64, 2),
)


def tasks(scale: Scale) -> list[Task]:
    """One a network."""
    return [Task(measured, (case,)) for case in (CASES if scale.device == "cuda" else CASES[:1])]


def measured(scale: Scale, case: Case) -> list[Row]:
    """Images a second of DirectCopy with V global views, beside those with two."""
    torch.set_num_threads(scale.threads)
    case = case._replace(steps=100) if scale.device == "cuda" else case
    with ExitStack() as stack:
        turns = {
            f"{count} views": stack.enter_context(begun(recipe(case, f"views.count={count}"), scale.device)).turn
            for count in COUNTS
        }
        found = alternate(turns, scale.repeats, scale.until - 5)
    note = f"batch {case.batch}; with 8 views 2/8 of the rate of two is the same time for a view"
    return rows(f"many views, {case.name}", "images/s", found, beside="2 views", note=note)
