"""The trained encoder: a plain file of weights on the way out, a module with its preprocessing on the way in."""

import hashlib
import json
from importlib.metadata import version

import torch
from torch import Tensor, nn

from dcp.data import given, statistics
from dcp.data.datasets.base import settled
from dcp.data.given import Given
from dcp.data.grey_levels import Range
from dcp.data.layout import RGB, Layout
from dcp.data.views import apply, files
from dcp.data.views.config import Views
from dcp.errors import RequestError
from dcp.method import weights
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.runs import checkpoint, starting
from dcp.runs.run import Run

FILE = "encoder.safetensors"
AT_ONCE = 256  # images of a list


def save(run: Run, backbone: nn.Module, recipe: Recipe, *, step: int) -> None:
    """Write the backbone alone: keys as in torchvision or timm, floating point as float32, a header with its origin.

    The header holds nothing that changes from one repetition to the next, so equal runs give equal bytes.
    """
    tensors = {
        name: (value.float() if value.is_floating_point() else value).detach().contiguous().cpu()
        for name, value in backbone.state_dict().items()
    }
    text = recipe.with_seed(0).toml()
    views = statistics.settled(recipe.views, run.record.data.model_extra)
    metadata = {
        "format": "pt",
        "dcp": version("dcp"),
        "recipe": json.dumps(recipe.table()),
        "recipe_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "seed": str(recipe.run.seed),
        "steps": str(step),
        "backbone": recipe.network.backbone,
        "stem": recipe.network.stem,
        "image_size": str(recipe.data.view_size),
        "mean_std": json.dumps(views.statistics()),
        "channels": str(recipe.data.layout.channels),
    }
    if run.record.weights:  # what it was made of stays with it
        metadata |= {f"start_{key}": str(run.record.weights.get(key, "")) for key in ("licence", "sha256")}
    run.write(FILE, weights.content(tensors, metadata))


class Encoder(nn.Module):
    """A frozen backbone with its preprocessing: `encoder(images)` gives features of images as they come.

    Args:
        backbone: [B, C, S, S] normalised -> [B, D].
        size: S, side of its images in pixels.
        config: of the views it was trained on, for the normalisation.
        layout: channels and bits of its images.
        grey: range of values of more than 8 bits; None for each kind's own.
    """

    def __init__(
        self, backbone: nn.Module, size: int, config: Views, layout: Layout = RGB, grey: Range | None = None
    ) -> None:
        super().__init__()
        self.backbone, self.size, self.config = backbone.eval().requires_grad_(False), size, config
        self.layout, self.grey = layout, grey

    def preprocess(self, images: Given) -> Tensor:
        """Images as people have them, resized, centre-cropped and normalised, on the device of the encoder.

        Args:
            images: a PIL image, a path, a NumPy array [H, W, C], or [H, W] where C is 1 or 3, or a tensor [C, H, W],
                uint8 or uint16, of any size; a list of n of these, of any sizes; or an array [n, H, W, C], a tensor
                [..., C, H, W].

        Returns:
            float32 [C, S, S] of one image, [n, C, S, S] of n.

        Raises:
            RequestError: "bad-image", it is none of these, or a file that cannot be decoded.
        """
        taken = given.tensors(images, self.layout, self.grey)
        parts = [files.resize_center(image, self.size) for image in (taken if isinstance(taken, list) else [taken])]
        if not parts:
            return torch.empty(0, self.layout.channels, self.size, self.size, device=self.device)
        pixels = torch.stack(parts) if isinstance(taken, list) else parts[0]
        return apply.normalize(pixels.to(self.device), self.config)

    def forward(self, x: Given) -> Tensor:
        """Features [..., D] of preprocessed images, float [..., C, S, S], or of images as `preprocess` takes them.

        One image, float [C, S, S] or alone, gives [D]. Of a long list `AT_ONCE` images are in memory at a time.
        """
        if isinstance(x, (list, tuple)) and len(x) > AT_ONCE:
            parts = [x[start : start + AT_ONCE] for start in range(0, len(x), AT_ONCE)]
            return torch.cat([self(part) for part in parts])
        pixels = x if isinstance(x, Tensor) and x.is_floating_point() else self.preprocess(x)
        features: Tensor = self.backbone(pixels.reshape(-1, *pixels.shape[-3:]))
        return features.reshape(*pixels.shape[:-3], features.shape[-1])

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device


def load(run: Run, *, trained: bool = True) -> Encoder:
    """The encoder of a run, or the one that its training started with.

    Raises:
        RequestError: the run has no encoder yet.
    """
    recipe = Recipe.check(run.recipe(), str(run.path / "recipe.toml"))
    began = None if trained else starting.kept(run, recipe)
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers are the caller's
        backbone = build.at_start(recipe, began).backbone
    if trained:
        path = run.path / FILE
        found = checkpoint.read(path, most=weights.size(backbone.state_dict().values()))
        if found is None:
            raise RequestError(
                f"this run has no encoder; its status is {run.status}",
                slug="no-encoder",
                where=str(run.path),
                hint=f"finish it: dcp pretrain {run.path / 'recipe.toml'} --runs {run.path.parent} --resume",
            )
        try:
            backbone.load_state_dict(found[0], strict=True)
        except RuntimeError:
            raise weights.unusable("the encoder is of another network", path) from None
    recorded = run.record.data.model_extra
    views, scale = statistics.settled(recipe.views, recorded), getattr(settled(recipe.data, recorded), "range", None)
    grey = scale if isinstance(scale, tuple) else None
    return Encoder(backbone, recipe.data.view_size, views, recipe.data.layout, grey)
