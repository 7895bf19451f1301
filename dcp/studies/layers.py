"""The files of a study, before anything is checked: what it says of all arms, of each, and of the recipe below.

    layers, the lowest first          of studies/mine.toml
    the recipe that the arm extends   [study.arms.directpred] extends = "cifar10_directpred"
      or, where it extends none, the one that the study extends
    the study's own sections          those of every file that stands above or is the lowest one with [study]
    the arm's own keys
    the point on the axes
    --set

So `train.epochs = 10` in a study holds for all its arms, whatever recipes they extend.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dcp.errors import RequestError
from dcp.recipe import layers, overrides, shipped
from dcp.recipe.layers import Table


class Files(NamedTuple):
    """What was read."""

    path: Path  # of the uppermost file
    base: Table  # the recipe below the study; {} without one
    own: Table  # the study's own sections
    study: Any  # the table [study], with dotted keys as nested layers
    sets: tuple[str, ...]  # overrides of the arms, "key=value"; those of [study] are in it already

    def arm(self, body: Table, point: Table) -> Table:
        """The recipe of one arm, before it is checked.

        Args:
            body: its table in [study.arms].
            point: keys of the axes.
        """
        body = dict(body)
        below = recipe_below(Path(body.pop("extends"))) if "extends" in body else self.base
        return layers.overridden(layers.merged([point, body, self.own, below]), self.sets)

    @property
    def name(self) -> str:
        """Of the study: `run.name`, without it the file's name."""
        table = layers.overridden(layers.merged([self.own, self.base]), self.sets)
        run = table.get("run")
        return str((run.get("name") if isinstance(run, dict) else "") or layers.stem(str(self.path)))


def read(source: str, sets: Sequence[str] = ()) -> Files:
    """The files of the study `source`: a path, or the name of one that ships.

    Raises:
        RequestError: as `layers.load`.
    """
    path = shipped.find(source)
    files = layers.layers(path)
    lowest = max((i for i, (_, table) in enumerate(files) if "study" in table), default=0)
    own = layers.merged(_normalised(file, table) for file, table in files[: lowest + 1])
    of_study = [text for text in sets if text.partition("=")[0].strip().partition(".")[0] == "study"]
    for text in of_study:
        own = layers.merge(own, overrides.parse(text))
    base = layers.merged(table for _, table in files[lowest + 1 :]) if files[lowest + 1 :] else {}
    return Files(path, base, own, own.pop("study", {}), tuple(text for text in sets if text not in of_study))


def recipe_below(path: Path) -> Table:
    """The recipe that an arm extends.

    Raises:
        RequestError: "bad-extends", it is a study itself.
    """
    table = layers.merged(table for _, table in layers.layers(path))
    if "study" in table:
        hint = "an arm extends a recipe of one run; a study may extend a study: extends above the first section"
        raise RequestError("an arm extends a study", slug="bad-extends", where=str(path), hint=hint)
    return table


def nested(table: Table) -> Table:
    """The same with dotted keys as tables within each other, so that both ways to write them are one.

    >>> nested({"predictor.eps": 0.1, "predictor": {"name": "directcopy"}})
    {'predictor': {'eps': 0.1, 'name': 'directcopy'}}
    """
    tree: Table = {}
    for key, value in table.items():
        branch: Any = nested(value) if isinstance(value, dict) else value
        for name in reversed(key.split(".")):
            branch = {name: branch}
        tree = layers.merge(tree, branch)
    return tree


def _normalised(path: Path, table: Table) -> Table:
    """The same with [study] ready to be merged: dotted keys nested, and what arms extend as whole paths."""
    study = table.get("study")
    if not isinstance(study, dict):
        return table
    study = dict(study)
    if isinstance(study.get("axes"), dict):
        study["axes"] = nested(study["axes"])
    if isinstance(study.get("arms"), dict):
        study["arms"] = {name: nested(arm) if isinstance(arm, dict) else arm for name, arm in study["arms"].items()}
        for arm in study["arms"].values():
            if isinstance(arm, dict) and "extends" in arm:
                arm["extends"] = str(layers.parent(path, arm["extends"]))
    return {**table, "study": study}
