"""`dcp recipes`: groups that fit a screen, and a list for programs."""

from collections.abc import Callable

import pytest

from dcp.cli.recipes import grouped
from dcp.recipe import shipped


def said_of(width: int) -> list[str]:
    return list(grouped([name for name in shipped.every() if not name.startswith("tiny/")], width))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_groups_fit_a_screen_of_any_width(width: int) -> None:
    lines = said_of(width)
    assert len(lines) <= 35
    assert max(map(len, lines)) <= width


def test_each_recipe_stands_in_one_group() -> None:
    groups = "\n".join(said_of(10_000)).split("\n\n")
    titles = [group.split(":")[0] for group in groups[:-1]]
    assert titles == ["Start here", "Papers", "Catalogue", "Studies", "Theory"]
    start, papers, catalogue, studies, theory = (group.splitlines()[1:] for group in groups[:-1])
    found = [line.split()[0] for line in start]
    for line in papers:
        data, _, variants = line.partition(":")
        found += [f"{each.strip()}_{variant}" for each in data.split(",") for variant in variants.split()]
    for head, (line,) in (("cifar10_", catalogue), ("studies/", studies), ("theory/", theory)):
        found += [f"{head}{name}" for name in line.split()]
    assert sorted(found) == [name for name in shipped.every() if not name.startswith("tiny/")]


def test_in_a_pipe_there_is_one_name_a_line_and_tiny_ones_come_with_all(dcp: Callable) -> None:
    some = [line.split()[0] for line in dcp("recipes").out.splitlines()]
    every = [line.split()[0] for line in dcp("recipes", "--all").out.splitlines()]
    assert sorted(every) == shipped.every()
    assert set(every) - set(some) == {name for name in every if name.startswith("tiny/")}
    assert dcp("recipes", "list", "--all").out == dcp("recipes", "--all").out
    for command in (("list",), ("show", "quickstart")):
        said = dcp("recipes", "--all", *command)
        assert (said.code, said.out) == (2, "")
        assert "error[bad-option]: --all stands behind its command" in said.err
