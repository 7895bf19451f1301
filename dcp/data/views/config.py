"""The recipe's [views] table: how many views, which random operations make one, how strong and how often.

The defaults are the CIFAR-10 settings of the DirectPred release (Tian, Chen, Ganguli 2021), except for `normalize`.
Those of local views are multi-crop's (Caron, Misra, Mairal, Goyal, Bojanowski, Joulin 2020, SwAV, arXiv:2006.09882)
with the crops' area as in DINO (Caron et al. 2021, arXiv:2104.14294).
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from dcp.catalogue import Strict
from dcp.data.layout import MOST
from dcp.errors import RequestError

STATISTICS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    # the release's deviations for CIFAR (torchvision examples print others), used by it for CIFAR-100 too
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def _shape(value: Any) -> str:
    return "several" if isinstance(value, (tuple, list, dict, BaseModel)) else "one"


Probability = Annotated[float, Field(ge=0, le=1)]
# a tagged union, so that a wrong value is reported once and not once for every form it does not have
Chance = Annotated[
    Annotated[Probability, Tag("one")] | Annotated[tuple[Probability, Probability], Tag("several")],
    Discriminator(_shape),
]
Positive = Annotated[float, Field(gt=0)]


def of_view(chance: float | tuple[float, float], view: int) -> float:
    """The probability for a view, from 0: a single number holds for all, of a pair the second for all but view 0.

    >>> [of_view((1.0, 0.1), view) for view in range(3)]
    [1.0, 0.1, 0.1]
    """
    return chance[min(view, 1)] if isinstance(chance, tuple) else chance


class Jitter(Strict):
    """Strengths of the colour operations, in torchvision's meaning; 0 leaves an operation out."""

    brightness: float = Field(0.4, ge=0, description="factor uniform in [max(0, 1 - x), 1 + x]")
    contrast: float = Field(0.4, ge=0, description="factor uniform in [max(0, 1 - x), 1 + x]")
    saturation: float = Field(0.4, ge=0, description="factor uniform in [max(0, 1 - x), 1 + x]")
    hue: float = Field(0.1, ge=0, le=0.5, description="shift uniform in [-x, x], in turns of the circle")


class Blur(Strict):
    """Gaussian blur: how often, how wide."""

    p: Chance = Field(0.0, description="probability; a number, or a pair (view 1, all others)")
    kernel: int | None = Field(
        None, ge=1, le=8191, description="kernel size in pixels, odd; default: a tenth of the view's side"
    )
    sigma: tuple[Positive, Positive] = Field((0.1, 2.0), description="std in pixels, drawn uniformly from [min, max]")

    @model_validator(mode="after")
    def _check(self) -> "Blur":
        if self.kernel is not None and self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, not {self.kernel}")
        if self.sigma[0] > self.sigma[1]:
            raise ValueError(f"sigma must go up: {self.sigma}")
        return self

    def kernel_at(self, size: int, views: str = "views") -> int:
        """Kernel length in pixels for `views` of `size` pixels; RequestError where they are too small."""
        kernel = int(0.1 * size) | 1 if self.kernel is None else self.kernel
        if kernel // 2 >= size:
            raise RequestError(
                f"a blur kernel of {kernel} pixels needs {views} larger than {kernel // 2} pixels, not {size}",
                slug="blur-kernel",
                where="views.blur.kernel",
                hint=f"at most {2 * size - 1}",
            )
        return kernel


class Statistics(Strict):
    """What each channel is normalised with, for pixels in [0, 1]."""

    mean: tuple[float, ...] = Field(
        min_length=1, max_length=MOST, description="mean of each channel (red, green and blue), in [0, 1]"
    )
    std: tuple[Positive, ...] = Field(min_length=1, max_length=MOST, description="std of each channel")


Normalize = Annotated[
    Annotated[Literal["none", "computed", "cifar10", "imagenet"], Tag("one")] | Annotated[Statistics, Tag("several")],
    Discriminator(_shape),
]


def _check_scale(scale: tuple[float, float]) -> None:
    if scale[0] > scale[1]:
        raise ValueError(f"crop_scale must go up: ({scale[0]}, {scale[1]})")
    if scale[1] == 0:
        raise ValueError("crop_scale must leave something of the image: (0, 0)")


class Local(Strict):
    """Small views of small parts, which multi-crop adds: the online branch sees them, the target does not."""

    count: int = Field(0, ge=0, le=16, description="number of local views of an image; 0: no multi-crop")
    size: int = Field(96, ge=8, le=4096, description="side of the local views in pixels")
    crop_scale: tuple[Probability, Probability] = Field(
        (0.05, 0.4), description="area of a local view's crop as a fraction of the image: [min, max]"
    )

    @model_validator(mode="after")
    def _check(self) -> "Local":
        _check_scale(self.crop_scale)
        return self


class Views(Strict):
    """How the views of an image are made: the operations in the order of the keys."""

    count: int = Field(
        2, ge=2, le=16, description="number of views of an image, without local ones; each predicts every other one"
    )
    crop_scale: tuple[Probability, Probability] = Field(
        (0.08, 1.0), description="area of the crop as a fraction of the image: [min, max]"
    )
    crop_ratio: tuple[Positive, Positive] = Field(
        (3 / 4, 4 / 3), description="aspect ratio (width / height) of the crop: [min, max], log-uniform"
    )
    flip: Chance = Field(0.5, description="probability of a horizontal flip; a number, or a pair (view 1, all others)")
    jitter: Jitter = Field(
        Jitter(), description="colour jitter: brightness, contrast, saturation and hue, in random order"
    )
    jitter_p: Chance = Field(
        0.8, description="probability of the colour jitter; a number, or a pair (view 1, all others)"
    )
    grayscale: Chance = Field(0.2, description="probability of turning grey; a number, or a pair (view 1, all others)")
    blur: Blur = Field(Blur(), description="Gaussian blur: p, kernel, sigma")
    solarize: Chance = Field(0.0, description="probability of solarization; a number, or a pair (view 1, all others)")
    solarize_threshold: Probability = Field(
        0.5, description="solarization inverts pixels from this value up; pixels are in [0, 1]"
    )
    normalize: Normalize = Field(
        "none",
        description='statistics of the channels: "none", "computed" on the training images, "cifar10", "imagenet", or '
        "{ mean, std }",
    )

    local: Local = Field(Local(), description="local views, as in multi-crop: count, size, crop_scale")

    @model_validator(mode="after")
    def _check(self) -> "Views":
        _check_scale(self.crop_scale)
        least, most = self.crop_ratio
        if least > most:
            raise ValueError(f"crop_ratio must go up: ({least}, {most})")
        return self

    def groups(self, size: int) -> tuple["Group", ...]:
        """The global views, of `size` pixels; and then the local ones, if there are any.

        >>> views = Views(count=2, local={"count": 3, "size": 16})
        >>> [(group.size, list(group.numbers)) for group in views.groups(32)]
        [(32, [0, 1]), (16, [2, 3, 4])]
        """
        whole = Group(self, size, range(self.count))
        if self.local.count == 0:
            return (whole,)
        config = self.model_copy(update={"crop_scale": self.local.crop_scale})
        return whole, Group(config, self.local.size, range(self.count, self.count + self.local.count))

    def check_blur(self, size: int) -> None:
        """Refuse a blur kernel that doesn't fit views of `size` pixels, or the local ones: RequestError."""
        for group, views in zip(self.groups(size), ("views", "local views"), strict=False):
            self.blur.kernel_at(group.size, views)

    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and deviation of the channels, or None where pixels stay in [0, 1].

        Those that are to be computed have been by then (`dcp.data.statistics.settled`).
        """
        if isinstance(self.normalize, Statistics):
            return self.normalize.mean, self.normalize.std
        assert self.normalize != "computed", "statistics are settled before views are made"
        return STATISTICS.get(self.normalize)

    def clashes(self, channels: int) -> Iterator[tuple[str, str]]:
        """What cannot be done with images of so many channels: (one sentence that says why, a way out)."""
        for name in ("mean", "std") if isinstance(self.normalize, Statistics) else ():
            if (given := len(getattr(self.normalize, name))) != channels:
                numbers = f"{given} number{'' if given == 1 else 's'}"
                yield (
                    f"views.normalize.{name} has {numbers}, and the images have {_counted(channels)}",
                    'a number for each channel, or views.normalize = "computed"',
                )
        if channels == 3:
            return
        if isinstance(self.normalize, str) and self.normalize in STATISTICS:
            what = f'views.normalize = "{self.normalize}" is for 3 channels, and the images have {_counted(channels)}'
            yield what, 'views.normalize = "computed", or { mean, std } with a number for each channel'
        off = {name: _happens(getattr(self, name)) for name in ("jitter_p", "grayscale", "solarize")}
        strengths = [name for name in ("saturation", "hue") if getattr(self.jitter, name) > 0]
        if channels == 1 and off["jitter_p"]:  # brightness and contrast need no colours
            off |= {"jitter_p": False} | {f"jitter.{name}": True for name in strengths}
        if keys := [f"views.{name}" for name, happens in off.items() if happens]:
            ways = ", ".join(f"{key} = 0" for key in keys)
            others = "; or views.jitter_p = 0" if any("jitter." in key for key in keys) else ""
            what = f"{', '.join(keys)}: for images of 3 channels, and these have {_counted(channels)}"
            yield what, f"{ways}{others}"


class Group(NamedTuple):
    """Views of one size: the global ones of an image, or the local ones."""

    config: Views  # with the crops' area of these
    size: int  # S, their side in pixels
    numbers: range  # V of them; global ones from 0, so that local ones change nothing about them

    def shape(self, channels: int) -> tuple[int, int, int, int]:
        """Of those of an image: [V, C, S, S]."""
        return len(self.numbers), channels, self.size, self.size


def _happens(chance: float | tuple[float, float]) -> bool:
    return any(of_view(chance, view) > 0 for view in (0, 1))


def _counted(channels: int) -> str:
    return f"{channels} channel{'' if channels == 1 else 's'}"
