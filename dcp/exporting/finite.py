"""Nothing leaves dcp that is not finite: neither an encoder nor its features.

Legend: B images, D features.
"""

from collections.abc import Callable

import numpy as np

from dcp.errors import RequestError, RunError
from dcp.exporting.feature_files.base import Features
from dcp.method import weights
from dcp.runs import encoder as encoders
from dcp.runs.encoder import Encoder
from dcp.runs.run import Run


def encoder(run: Run) -> Encoder:
    """The encoder of a run, whose weights are finite and whose variances are not negative.

    Raises:
        RequestError: "no-encoder"; "bad-checkpoint".
    """
    loaded = encoders.load(run)
    state = loaded.backbone.state_dict()
    try:
        weights.fitted(state, state)
    except RequestError as error:
        hint = "Its training went wrong, or the file was changed: train again, or take another run."
        raise RequestError(error.message, slug=error.slug, where=str(run.path / encoders.FILE), hint=hint) from None
    return loaded


def check(features: Features, run: Run, name: Callable[[int], str]) -> None:
    """Refuse features [B, D] that are not finite; `name` says of which image a row is.

    Raises:
        RunError: "bad-features".
    """
    if not np.isfinite(features).all():
        row = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
        what = f"the features of {name(row)} are not finite"
        hint = "The weights are finite, but the network's numbers overflow: its training went wrong."
        raise RunError(what, slug="bad-features", where=str(run.path), hint=hint)
