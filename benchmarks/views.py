"""Views a second: dcp beside the pipelines that people use today, with the same distribution of parameters."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import count
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.captured import captured_or_noted
from benchmarks.measure import Row, Scale, in_turn, rows
from benchmarks.tasks import Task
from benchmarks.training import times
from dcp.data.batch_views import BatchViews
from dcp.data.loader import Batch
from dcp.data.views import apply, files, parameters
from dcp.data.views.config import Views
from dcp.data.views.crop_boxes import draw_boxes

JITTER = (0.4, 0.4, 0.4, 0.1)
BATCH = 64
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Case(NamedTuple):
    """One kind of view: crop (area 0.08 to 1), flip, jitter (p 0.8), grey (p 0.2), blur (p 0 or 0.5), normalise."""

    size: int  # pixels of the view
    height: int  # of the source
    width: int
    blur: float  # probability

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.size} px"


CASES = (Case(32, 32, 32, 0.0), Case(96, 96, 96, 0.5), Case(224, 375, 500, 0.5))
ON_GPU = {32: 1024, 96: 1024, 224: 256}  # images of a batch, by the size of the view


def tasks(scale: Scale) -> list[Task]:
    """One for each size."""
    if scale.device == "cuda":
        return [Task(measured, (case,), 15, 6, "views") for case in CASES]
    return [Task(measured, (case,)) for case in CASES]


def measured(scale: Scale, case: Case) -> list[Row]:
    """One core against one core, or the whole GPU against kornia on it."""
    torch.manual_seed(0)
    images = _images(case)
    if scale.device == "cuda":
        many = images.repeat(ON_GPU[case.size] // len(images), 1, 1, 1)
        return on_device(scale, case, many)
    torch.set_num_threads(1)
    found = in_turn(_on_cpu(case, images), scale.repeats, least_s=0.1 if scale.quick else 2.0, until=scale.until)
    note = f"from decoded {case.width} x {case.height} images" + (f", blur p = {case.blur}" if case.blur else "")
    return rows(f"views {case.size} px, one core", "views/s", found, beside="lightly", note=note)


def _images(case: Case) -> Tensor:
    """uint8 [BATCH, 3, H, W]; what is in them does not matter to the time."""
    return torch.randint(0, 256, (BATCH, 3, case.height, case.width), dtype=torch.uint8)


def config(case: Case) -> Views:
    """The [views] table of this kind."""
    brightness, contrast, saturation, hue = JITTER
    return Views.model_validate(
        {
            "crop_scale": (0.08, 1.0),
            "jitter": {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue},
            "jitter_p": 0.8,
            "grayscale": 0.2,
            "blur": {"p": case.blur, "sigma": (0.1, 2.0)},
            "normalize": "imagenet",
        }
    )


def _on_cpu(case: Case, images: Tensor) -> dict[str, Callable[[], float]]:
    return {"lightly": _lightly(case, images), "torchvision v2": _v2(case, images), "dcp": _dcp(case, images)}


def _dcp(case: Case, images: Tensor) -> Callable[[], float]:
    """Small images as one batch; large ones cropped singly, as the workers that decode them do."""
    epochs = iter(range(1_000_000))
    made = partial(apply.random_views, images, torch.arange(len(images)), config(case), seed=0, size=case.size)

    def small() -> float:
        made(epoch=next(epochs))
        return 2.0 * len(images)

    interleaved = images.to(memory_format=torch.channels_last)  # as they come out of a decoder

    def large() -> float:
        epoch = next(epochs)
        for view in (0, 1):
            _cropped(case, interleaved, epoch, view)
        return 2.0 * len(images)

    return small if case.height == case.size else large


def _cropped(case: Case, images: Tensor, epoch: int, view: int) -> Tensor:
    index, shape = torch.arange(len(images)), {"height": case.height, "width": case.width}
    drawn = {"seed": 0, "epoch": epoch, "view": view}
    crops = []
    for i, image in enumerate(images):
        box = draw_boxes(config(case), index[i : i + 1], **drawn, **shape)[0].tolist()
        crops.append(files.crop_file(image, tuple(box), case.size))
    return apply.finish(torch.stack(crops), parameters.draw(config(case), index, **drawn), config(case))


def _lightly(case: Case, images: Tensor) -> Callable[[], float]:
    """PIL throughout, image by image, as its data loaders do it."""
    from lightly.transforms import BYOLView1Transform
    from torchvision.transforms.functional import to_pil_image

    brightness, contrast, saturation, hue = JITTER
    transform = BYOLView1Transform(
        input_size=case.size,
        cj_bright=brightness,
        cj_contrast=contrast,
        cj_sat=saturation,
        cj_hue=hue,
        gaussian_blur=case.blur,
    )
    return _singly(transform, [to_pil_image(image) for image in images])


def _v2(case: Case, images: Tensor) -> Callable[[], float]:
    """Torchvision's newer transforms on uint8 tensors, image by image."""
    from torchvision.transforms import v2

    size = config(case).blur.kernel_at(case.size)
    parts: list[Any] = [
        v2.RandomResizedCrop(case.size, antialias=True),
        v2.RandomHorizontalFlip(),
        v2.RandomApply([v2.ColorJitter(*JITTER)], p=0.8),
        v2.RandomGrayscale(0.2),
        v2.RandomApply([v2.GaussianBlur(size, (0.1, 2.0))], p=case.blur),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(*IMAGENET),
    ]
    return _singly(v2.Compose(parts), list(images))


def _singly(transform: Callable[[Any], Any], images: list[Any]) -> Callable[[], float]:
    some = _cycled(images)

    def run() -> float:
        for _ in range(16):
            transform(next(some))
        return 16.0

    return run


def _cycled(images: list[Any]) -> Iterator[Any]:
    while True:
        yield from images


def on_device(scale: Scale, case: Case, images: Tensor) -> list[Row]:
    """Views a second of dcp, eager and as a CUDA graph, and of kornia, all in float32 from images on the device."""
    device = torch.device(scale.device)
    pairs = BatchViews(images, config(case), size=case.size, seed=0, device=device)
    index, epochs = torch.arange(len(images)), count()

    def inputs() -> tuple[Tensor, Tensor | None]:
        return pairs.inputs(Batch(0, next(epochs), len(images), index))

    numbers, crops = inputs()
    numbers = numbers.clone()
    notes = [f"batch {len(images)} from {case.width} x {case.height} images, blur p = {case.blur}"]
    made = captured_or_noted(lambda: pairs.of(numbers, crops), device.type, "dcp", notes)

    def eager() -> None:
        pairs.of(*inputs())

    def replayed() -> None:
        numbers.copy_(inputs()[0], non_blocking=True)
        assert made is not None
        made()

    ways: dict[str, Callable[[], object]] = {"dcp, eager": eager}
    if made is not None:
        ways["dcp"] = replayed
    if find_spec("kornia") is not None:
        ways["kornia"] = _kornia(case, images.to(device))
    else:
        notes.append("kornia is not installed")
    together = 10 if device.type == "cuda" else 1  # batches, before the GPU is waited for
    things = {name: times(way, together, together * 2 * len(images)) for name, way in ways.items()}
    found = in_turn(things, scale.repeats, device.type, 0.1 if scale.quick else 0.5, scale.until)
    return rows(f"views {case.size} px, {device.type}", "views/s", found, beside="kornia", note="; ".join(notes))


def _kornia(case: Case, images: Tensor) -> Callable[[], None]:
    import kornia.augmentation as K

    size = config(case).blur.kernel_at(case.size)
    transform = K.AugmentationSequential(
        K.RandomResizedCrop((case.size, case.size), scale=(0.08, 1.0), cropping_mode="resample"),
        K.RandomHorizontalFlip(p=0.5),
        K.ColorJitter(*JITTER, p=0.8),
        K.RandomGrayscale(p=0.2),
        K.RandomGaussianBlur((size, size), (0.1, 2.0), p=case.blur),
        K.Normalize(torch.tensor(IMAGENET[0]), torch.tensor(IMAGENET[1])),
        data_keys=["input"],
    ).to(images.device)

    def two_views() -> None:
        for _ in (0, 1):
            transform(images.float() / 255)

    return two_views
