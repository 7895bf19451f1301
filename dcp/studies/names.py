"""Names of arms, short enough for a table and a folder."""

import re
from collections.abc import Mapping
from typing import Any

from dcp.recipe.layers import CHOICES


def label(of: str, at: Mapping[str, Any]) -> str:
    """The name of an arm at a point on the axes.

    >>> label("directpred", {"optimizer.weight_decay": 4e-4, "views.solarize": (0.0, 0.2)})
    'directpred-weight_decay0.0004-solarize0.0_0.2'
    >>> label("", {"predictor.name": "linear", "train.join_views": True})
    'linear-join_viewstrue'
    >>> label("", {"network.weights": ""}), label("", {"network.weights": "runs/A-s0"})
    ('no-weights', 'runs-A-s0')
    """
    return "-".join([*([of] if of else []), *(_part(key, value) for key, value in at.items())])


def _part(key: str, value: Any) -> str:
    last = key.rpartition(".")[2]
    if isinstance(value, Mapping):
        chosen = value.get(CHOICES.get(last, ""))
        return _plain(str(chosen)) if chosen else "-".join(_part(inner, one) for inner, one in value.items())
    if value == "":
        return f"no-{last}"
    return _plain(value) if isinstance(value, str) else last + _plain(value)


def _plain(value: Any) -> str:
    """A value of letters, digits, dots, dashes and underscores: those of a folder's name.

    >>> _plain(1e30), _plain((0.08, 1.0)), _plain("timm/vit_tiny")
    ('1e30', '0.08_1.0', 'timm-vit_tiny')
    """
    if isinstance(value, tuple | list):
        return "_".join(map(_plain, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text.replace("e+", "e") if isinstance(value, float) else text)
