"""Relative paths in a recipe begin where its run began, from wherever the run is resumed or probed later.

recipe.toml keeps them as they were given; run.json has the whole path of each, as "roots".
"""

import os
from collections.abc import Mapping
from pathlib import Path

from dcp.recipe import layers
from dcp.recipe.layers import Table
from dcp.recipe.recipe import Recipe
from dcp.runs.run import Run

KEYS = ("data.root", "probe.data.root", "target.teacher")


def whole(table: Table, run: Run | None = None) -> dict[str, str]:
    """The whole path of each key of a recipe that names a relative one.

    It is the one that the run recorded, where its own recipe says the same and something is still there; where nothing
    is, as on another machine, and for a new run, it begins at the current folder.

    Args:
        table: the recipe as nested dicts.
        run: of the recipe, if there is one.
    """
    given = layers.flat(table)
    own = layers.flat(run.recipe()) if run is not None else {}
    paths = {}
    for key in KEYS:
        text = given.get(key)
        if isinstance(text, str) and not text.startswith(("~", "$")) and not Path(text).is_absolute():
            before = run.record.roots.get(key) if run is not None and own.get(key) == text else None
            is_there = isinstance(before, str) and os.path.exists(before)  # noqa: PTH110 - unlike Path's, never raises
            paths[key] = str(before) if is_there else str(Path(text).absolute())
    return paths


def laid_over(table: Table, paths: Mapping[str, str]) -> Table:
    """A recipe as nested dicts, with whole paths for its relative ones."""
    for key, path in paths.items():
        section, _, name = key.rpartition(".")
        place: Table = {name: path}
        for part in reversed(section.split(".")):
            place = {part: place}
        table = layers.merge(table, place)
    return table


def anchored(recipe: Recipe, run: Run | None = None) -> Recipe:
    """The same recipe with whole paths: for reading what lies there, and never for writing."""
    paths = whole(recipe.table(), run)
    return Recipe.check(laid_over(recipe.table(), paths)) if paths else recipe
