"""Distill: the target is the trained encoder of another run (V_kD: Miles, Elezi, Deng 2024).

    t = LN(teacher(x))        LN standardises each image's features over their own dimensions, without weights

The teacher is the encoder of a finished run of dcp, without its projector, in evaluation mode: the run's folder, or its
`encoder.safetensors`, which must still be there when a run is resumed. It takes one forward pass per view. The loss is
`smooth_l1`. The layer in between is `network.projector = { layers = 1, out = WIDTH }`; other widths are refused.

Differs: V_kD keeps the layer in between orthogonal. Its teachers (DeiT and others) and numbers are not reproduced here.
Look at: the teacher's own scores (`dcp compare STUDENT TEACHER`). Both see images normalised by this recipe's
`views.normalize`, which should be the teacher's.
Held to: `dcp.load_encoder` of that run, feature by feature; a stopped run resumes to the same bytes.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from dcp.errors import NotFetched, RequestError, expanded_path, shortened
from dcp.method.moments import Total
from dcp.method.targets.base import Fresh, Target, TargetConfig
from dcp.method.targets.frozen import Frozen
from dcp.method.weights import read

FILE = "encoder.safetensors"
KEY = "target.teacher"


class Config(TargetConfig):
    """Keys of the distilling target."""

    given: ClassVar[bool] = True

    name: Literal["distill"] = "distill"
    teacher: str = Field("", description="the teacher: the folder of a finished run, or its encoder.safetensors")
    standardise: bool = Field(True, description="layer norm without weights on the teacher's features")

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """No teacher. Whether there is one at that place is seen when training begins: a run outlives its teacher."""
        if not self.teacher:
            yield (
                'target.name = "distill" has no teacher: target.teacher is empty',
                "give the folder of a finished run: target.teacher = 'runs/cifar10_directcopy-s0'",
            )


def load(place: str, channels: int = 3) -> tuple[nn.Module, int]:
    """The encoder that lies at a place, and the number of its features; it takes images of so many `channels`.

    Raises:
        RequestError: there is none, it is damaged, it was not written by dcp, or its weights are not finite.
    """
    from dcp.method import backbones  # timm, which takes a second to import, is for those who train

    path = expanded_path(place, slug="no-teacher", where=KEY)
    path = path / FILE if os.path.isdir(path) else path  # noqa: PTH112 - unlike Path's, these never raise
    if not os.path.isfile(path):  # noqa: PTH113
        hint = "the folder of a run of dcp that has ended, or its encoder.safetensors; a path from where you are"
        raise RequestError(f"there is no teacher at {shortened(path)}", slug="no-teacher", where=KEY, hint=hint)
    weights, header = _read(path)
    try:
        network, size = json.loads(header["recipe"])["network"], int(header["image_size"])
        options = {key: network[key] for key in ("stem", "width", "norm")}
        theirs = int(header.get("channels", 3))
        if theirs != channels:
            what = f"the teacher takes images of {theirs} channels, and these have {channels}"
            raise RequestError(what, slug="bad-combination", where=KEY, hint="a teacher of images like these")
        options["channels"] = channels
        teacher, features = backbones.backbone(network["backbone"], image_size=size, **options)
    except (KeyError, TypeError, ValueError):
        raise _no_encoder("its header does not say which network the weights are of", path) from None
    try:
        teacher.load_state_dict(weights, strict=True)
    except RuntimeError:
        raise _no_encoder("it is of another network than its header says", path) from None
    if odd := [name for name, value in weights.items() if not bool(value.isfinite().all())]:
        hint = "Its training went wrong, or the file was changed: train the teacher anew, or give another."
        what = f"the teacher's weights are not finite: {odd[0]}"
        raise RequestError(what, slug="bad-checkpoint", where=str(path), hint=hint)
    return teacher, features


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the header; where they are damaged, the error says how the teacher's run gets them again."""
    try:
        return read(path)
    except NotFetched:
        raise
    except RequestError as error:
        if path.name != FILE:
            raise _no_encoder(error.message, path) from None
        hint, recipe = "Copy it again from the teacher's run, or give that run's folder.", path.parent / "recipe.toml"
        if recipe.is_file():
            hint = (
                "The teacher's run must be mended: restore this file from a copy; or remove it and make it again: "
                f"dcp pretrain {recipe} --runs {path.parent.parent} --resume"
            )
        what = f"the teacher's encoder is damaged: {error.message}"
        raise RequestError(what, slug="bad-checkpoint", where=str(path), hint=hint) from None


def _no_encoder(reason: str, path: Path) -> RequestError:
    hint = f"Give the folder of the teacher's run, or the {FILE} in it. One without image_size is of an older dcp."
    what = f"this is not a teacher's encoder: {reason}"
    return RequestError(what, slug="no-teacher", where=f"{KEY}; {path}", hint=hint)


def build(config: Config, online: nn.Module, fresh: Fresh, total: Total) -> Target:
    """The teacher that the recipe names.

    Raises:
        RequestError: it cannot be read, or its features and the projections differ in width.
    """
    teacher, features = load(config.teacher, getattr(online, "channels", 3))
    width = [layer for layer in online.modules() if isinstance(layer, nn.Linear)][-1].out_features
    if features != width:
        raise RequestError(
            f"the teacher has {features} features and network.projector.out is {width}: they must be equal",
            slug="bad-combination",
            where="network.projector.out",
            hint=f"network.projector.out = {features}",
        )
    return Frozen(teacher, evaluates=True, standardises=config.standardise)
