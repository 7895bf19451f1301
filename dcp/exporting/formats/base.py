"""What a format of the encoder is: a module that is called as the format.

    PACKAGES, EXTRA                 what must be installed, and the extra of dcp that brings it
    LIBRARY                         what Hugging Face calls the library that loads it
    write(subject) -> Exported      the files, tried: what loads them gives the features of the encoder

Legend: B images, C channels, S side of the encoder's images in pixels, D features.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

import torch
from torch import Tensor

from dcp.data.datasets.base import FilesConfig
from dcp.data.grey_levels import Range
from dcp.data.layout import RGB
from dcp.errors import RequestError, RunError
from dcp.exporting import finite
from dcp.method import weights
from dcp.recipe import layers
from dcp.recipe.recipe import Recipe
from dcp.runs import encoder as encoders
from dcp.runs import roots
from dcp.runs.encoder import Encoder
from dcp.runs.run import Run

KIND = "formats"
KEPT = 0.875  # of the short side, as `resize_center` has it
TRIED = 4  # images
WEIGHTS = "network.weights"
ONNX = "ONNX"  # what messages call the format that carries every network


@dataclass(frozen=True, eq=False)
class Subject:
    """An encoder to be given to others."""

    run: Run
    recipe: Recipe
    encoder: Encoder
    features: int  # D

    @classmethod
    def of(cls, run: Run) -> "Subject":
        """The encoder of a run, on the CPU.

        Raises:
            RequestError: it has none; "bad-checkpoint", it is not finite.
            RunError: "bad-features", its features are not.
        """
        encoder = finite.encoder(run)
        recipe = Recipe.check(run.recipe(), str(run.path / "recipe.toml"))
        subject = cls(run, recipe, encoder, 0)
        features = subject.wanted(subject.images(TRIED))
        finite.check(features.numpy(), run, lambda row: "random pixels")
        return cls(run, recipe, encoder, int(features.shape[1]))

    @property
    def channels(self) -> int:
        """C."""
        return int(getattr(self.recipe.data, "channels", 3))

    @property
    def kind(self) -> str:
        """Of image that the `transform` of a card takes."""
        if self.is_plain:
            return "PIL, RGB"
        pillow = {1: "PIL (L or I;16), ", 3: "PIL (RGB, L or I;16), "}.get(self.channels, "")
        alone = " or [H, W]" if pillow else ""
        return f"{pillow}array [H, W, {self.channels}]{alone} of uint8 or uint16"

    @property
    def is_plain(self) -> bool:
        """Whether images are of RGB bytes, each value by 255: all that transforms of other libraries scale alike."""
        return self.encoder.layout == RGB and self.values is None

    def by_hand(self) -> list[str]:
        """Python of a `transform` for the images that are not plain; it needs numpy as np, torch and v2."""
        p, (low, high), white = self.preprocessing(), self.values or (0, 65535), self.encoder.layout.white
        alike = ["    x = np.repeat(x, 3, axis=2) if x.shape[2] == 1 else x"] if self.channels == 3 else []
        return [
            "def transform(image):",
            "    x = np.atleast_3d(np.asarray(image))",
            *alike,
            f"    low, high = (0, 255) if x.dtype == np.uint8 else ({low!r}, {high!r})",
            f"    x = np.rint(np.clip((x.astype(np.float64) - low) / (high - low), 0, 1) * {white}) / {white}",
            "    x = torch.from_numpy(x.transpose(2, 0, 1)).float()",
            f"    if min(x.shape[1:]) != {self.size}:",
            f"        x = v2.functional.resize(x, [{p['resize_short_side']}], antialias=True)",
            f"    x = v2.functional.center_crop(x, [{self.size}])",
            f"    return v2.functional.normalize(x, mean={short(self.mean)}, std={short(self.std)})",
        ]

    @property
    def values(self) -> Range | None:
        """Those of more than 8 bits that become 0 and 1; None for the range of each type."""
        return self.encoder.grey

    @property
    def size(self) -> int:
        """S."""
        return self.encoder.size

    @property
    def mean(self) -> list[float]:
        """Of the channels, that is subtracted from pixels in [0, 1]."""
        statistics = self.encoder.config.statistics()
        return [0.0] * self.channels if statistics is None else list(statistics[0])

    @property
    def std(self) -> list[float]:
        """Of the channels, by which the difference is divided."""
        statistics = self.encoder.config.statistics()
        return [1.0] * self.channels if statistics is None else list(statistics[1])

    @property
    def kept(self) -> float:
        """S by the short side that an image is resized to: 1 where the images of the data set have S pixels anyway."""
        data = self.recipe.data
        return KEPT if isinstance(data, FilesConfig) or data.view_size != data.own_size else 1.0

    @property
    def unless(self) -> str:
        """Which images are not resized, in words that follow "resize"."""
        return f", unless it has {self.size} already" if self.kept < 1 else ""

    def preprocessing(self) -> dict[str, Any]:
        """What happens to an image before the network sees it, in the words of most libraries."""
        return {
            "channels": self.channels,
            "data_range": "dtype" if self.values is None else list(self.values),
            "data_depth": self.encoder.layout.bits,
            "range": [0.0, 1.0],
            "resize_short_side": round(self.size / self.kept),
            "not_resized_short_side": self.size,
            "interpolation": "bilinear, antialiased",
            "center_crop": self.size,
            "mean": self.mean,
            "std": self.std,
        }

    def images(self, count: int) -> Tensor:
        """Random pixels float32 [count, C, S, S] as they are after normalisation; the same every time."""
        generator = torch.Generator().manual_seed(0)
        return torch.randn(count, self.channels, self.size, self.size, generator=generator)

    @torch.inference_mode()
    def wanted(self, x: Tensor) -> Tensor:
        """The features [B, D] of the encoder."""
        y: Tensor = self.encoder.backbone(x)
        return y

    @property
    def start(self) -> dict[str, str]:
        """The weights that training began with: name and licence, and no path of this machine; {} if random."""
        noted, word = self.run.record.weights, self.recipe.network.weights
        if not (noted or word):
            return {}
        name = str(noted.get("source") or word)
        if noted.get("kind", word) not in weights.LIBRARIES:
            name = PureWindowsPath(name).name or name  # it takes both kinds of slashes
        return {"name": name, "licence": str(noted.get("licence") or "not stated")}

    @property
    def left_out(self) -> tuple[str, ...]:
        """Keys of the recipe whose values are paths of this machine, which `recipe_for_others` has not."""
        given = layers.flat(self.recipe.table())
        keys = [key for key in (*roots.KEYS, WEIGHTS) if given.get(key)]
        return tuple(key for key in keys if key != WEIGHTS or given[key] not in weights.LIBRARIES)

    def recipe_for_others(self) -> dict[str, Any]:
        """The recipe without the paths of this machine, and with the range of values that was measured."""
        table = self.recipe.table()
        if self.values is not None:
            table["data"]["range"] = list(self.values)
        for key in roots.KEYS:
            *sections, name = key.split(".")
            place: Any = table
            for section in sections:
                place = place.get(section) or {}
            place.pop(name, None)
        if WEIGHTS in self.left_out:
            del table["network"]["weights"]
        return table

    def weights(self) -> bytes:
        """`encoder.safetensors`, with a header that has no paths of this machine."""
        data = (self.run.path / encoders.FILE).read_bytes()
        end = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:end])
        about = {**header.get("__metadata__", {}), "recipe": json.dumps(self.recipe_for_others())}
        tensors, _ = weights.read(self.run.path / encoders.FILE)
        about[weights.CHECKSUM] = weights.checksum(tensors, about)
        header["__metadata__"] = dict(sorted(about.items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text + data[end:]


@dataclass(frozen=True)
class Exported:
    """A format, written and tried."""

    files: Mapping[str, bytes]  # by name
    load: str  # Python that loads them as `encoder`; DIR is the folder
    limits: tuple[str, ...] = ()  # what its user should know, a sentence each


def cannot(form: str, why: str, subject: Subject) -> RequestError:
    """The error for an encoder that a format cannot carry."""
    name = subject.recipe.network.backbone
    hint = "--to onnx carries every network; dcp.load_encoder(RUN) loads it in Python"
    return RequestError(f"{form} cannot carry this {name}: {why}", slug="cannot-export", where="--to", hint=hint)


@torch.inference_mode()
def difference(subject: Subject, load: Callable[[Tensor], Tensor], count: int = TRIED) -> float:
    """How far features of what was exported are from those of the encoder, beside the largest; nan if not alike."""
    x = subject.images(count)
    wanted, found = subject.wanted(x), load(x)
    if found.shape != wanted.shape:
        return float("nan")
    return float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1.0))


def check(form: str, off: float, most: float, subject: Subject) -> None:
    """Make sure that what was exported is the encoder.

    Raises:
        RunError: "export-differs".
    """
    if not off <= most:
        what = (
            f"what {form} loads is not this encoder: its features are off by {off:.1e}, and at most {most:.0e} is right"
        )
        other = "another format" if form == ONNX else "--to onnx, or another format,"
        hint = f"Nothing was written. This is a bug of dcp or of the library; {other} may do."
        raise RunError(what, slug="export-differs", where=str(subject.run.path), hint=hint)


def short(numbers: list[float]) -> list[float]:
    """Numbers as a person reads them."""
    return [round(number, 6) for number in numbers]
