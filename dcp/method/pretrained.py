"""Pretrained: the weights that timm and torchvision offer for their models, with their licence and where they are from.

The libraries fetch them into their own caches. A cached file needs no network; without either, the error says what to
fetch and where to put it.
"""

import contextlib
import io
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

import timm
import torch
import torchvision
from torch import Tensor

from dcp.errors import RequestError
from dcp.method.backbones import RESNETS

KEY = "network.weights"
NOT_STATED = "not stated"
HUB_FILES = ("model.safetensors", "pytorch_model.bin")  # of a model, as timm looks for them


class Pretrained(NamedTuple):
    """Weights of a library."""

    tensors: dict[str, Tensor]  # maybe with those of a classifier
    name: str  # of the weights: "resnet18.a1_in1k", "ResNet18_Weights.IMAGENET1K_V1"
    origin: str  # where the library has them from, a repository of the Hugging Face hub or an address
    licence: str  # as the library states it
    left_out: tuple[str, ...]  # what the library has left out itself, "fc.*"
    mean_std: tuple[tuple[float, ...], tuple[float, ...]] | None  # of the channels it normalises with, if it says so


def load(library: str, backbone: str, image_size: int) -> Pretrained:
    """The pretrained weights of a backbone, from the library's cache or fetched by it.

    Args:
        library: "timm" or "torchvision".
        backbone: a recipe's name for it; a timm name may end in a tag, "resnet18.a1_in1k".
        image_size: side of the views in pixels, to which timm fits position embeddings.

    Raises:
        RequestError: "no-weights", the library has none for it, or cannot fetch them.
    """
    own, _, model = backbone.rpartition("/")
    is_shared = not own and model in RESNETS and model != "resnet10"  # the same network in both
    if not is_shared and library != (own or "timm"):
        other = own or "timm"
        hint = f'{KEY} = "{other}" for a model of {other}; resnet18 to resnet152 take either'
        raise _none(f'"{backbone}" is no model of {library}', hint)
    return _of_timm(model, image_size) if library == "timm" else _of_torchvision(model)


def _of_torchvision(model: str) -> Pretrained:
    try:
        weights: Any = torchvision.models.get_model_weights(model)["DEFAULT"]
    except (ValueError, KeyError):
        raise _none(f"torchvision has no pretrained weights for {model}", "take another backbone") from None
    cache = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(weights.url).path).name
    try:
        with _fetching(weights.url, cache.is_file()):
            tensors = weights.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds: no network, no room, a server's answer, a file that is damaged
        hint = f"fetch {weights.url}\nand put it at {cache}"
        if cache.is_file():
            hint = f"if the file is damaged, delete it: {cache}"
        raise _none(f"the weights {weights} cannot be loaded: {_reason(error)}", hint) from None
    preset = weights.transforms()
    mean_std = (tuple(preset.mean), tuple(preset.std)) if hasattr(preset, "mean") else None
    return Pretrained(tensors, str(weights), weights.url, weights.meta.get("license", NOT_STATED), (), mean_std)


def _of_timm(model: str, image_size: int) -> Pretrained:
    try:
        config: Any = timm.models.get_pretrained_cfg(model, allow_unregistered=False)
    except RuntimeError:  # no such model, or no such tag
        config = None
    if config is None or not (config.hf_hub_id or config.url):
        near = timm.list_pretrained(f"{model.partition('.')[0]}*")[:3]
        hint = f"it has them for {', '.join(near)}" if near else "timm.list_pretrained() has all names"
        raise _none(f"timm has no pretrained weights for {model}", hint)
    name = f"{config.architecture}.{config.tag}" if config.tag else config.architecture
    repository, _, revision = (config.hf_hub_id or "").partition("@")
    files = [config.hf_hub_filename] if config.hf_hub_filename else [*HUB_FILES]
    place = _cached(repository, files, revision or None)
    options: dict[str, Any] = {"num_classes": 0, "pretrained_cfg_overlay": {"file": place} if place else None}
    origin = repository or config.url
    try:
        with _fetching(_endpoint() if repository else config.url, place is not None):
            try:
                net = timm.create_model(model, pretrained=True, img_size=image_size, **options)
            except TypeError:  # convolutional models have no image size
                net = timm.create_model(model, pretrained=True, **options)
    except Exception as error:  # as above
        hint = f"fetch {config.url}, and give its path"
        if repository:
            address = f"{_endpoint()}/{repository}/resolve/{revision or 'main'}/{files[0]}"
            hint = f'fetch {address}\nand give its path: {KEY} = "FILE.safetensors"'
            hint += f"\nor put it into the hub's cache, {_hub_cache()}: hf download {repository} {files[0]}"
        raise _none(f"the weights {name} cannot be loaded: {_reason(error)}", hint) from None
    heads = (config.classifier,) if isinstance(config.classifier, str) else tuple(config.classifier or ())
    return Pretrained(
        dict(net.state_dict()),
        name,
        origin,
        config.license or NOT_STATED,
        tuple(f"{head}.*" for head in heads),
        (tuple(config.mean), tuple(config.std)),
    )


def _cached(repository: str, files: list[str], revision: str | None) -> str | None:
    """The file of a repository that is in the cache of the Hugging Face hub already."""
    from huggingface_hub import try_to_load_from_cache  # which timm needs anyway

    found = (try_to_load_from_cache(repository, file, revision=revision) for file in files if repository)
    return next((place for place in found if isinstance(place, str)), None)


def _endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _hub_cache() -> str:
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


@contextlib.contextmanager
def _fetching(address: str, is_cached: bool) -> Iterator[None]:
    """Keep the libraries quiet while they fetch, and ask first whether there is a network: they try for a minute.

    Raises:
        OSError: the host of the address is not known here.
    """
    from huggingface_hub.utils import logging as hub

    host = urlsplit(address).hostname
    if not is_cached and host and not getproxies():  # a proxy knows hosts that this machine does not
        socket.getaddrinfo(host, 443)
    before = hub.get_verbosity()
    hub.set_verbosity(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        hub.set_verbosity(before)


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "there is no network here, and they are not in the cache"
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _none(what: str, hint: str) -> RequestError:
    return RequestError(what, slug="no-weights", where=KEY, hint=hint)
