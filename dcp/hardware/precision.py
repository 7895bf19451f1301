"""How networks compute on a device: precision and memory format."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Precision:
    """In which the networks compute, and why: what `auto` chose."""

    amp: torch.dtype | None  # dtype of autocast, or None
    why: str  # one phrase for the reader

    @property
    def name(self) -> str:
        """Of the precision: "fp32" or "bf16"."""
        return "bf16" if self.amp is not None else "fp32"


def choose(name: str, device: str) -> Precision:
    """The precision for train.precision ("auto", "fp32", "bf16") on a device."""
    if name != "auto":
        return Precision(torch.bfloat16 if name == "bf16" else None, "as the recipe says")
    native = torch.cuda.is_bf16_supported(including_emulation=False) if device == "cuda" else cpu_has_bf16()
    if device == "mps" or not native:
        return Precision(None, f"this {device} has no fast bf16")
    return Precision(torch.bfloat16, f"this {device} has bf16 natively")


def cpu_has_bf16() -> bool:
    """Whether the CPU has instructions for it: without them it is emulated, and a ResNet-18 was 15 times slower.

    Those that torch has been told to leave alone (ATEN_CPU_CAPABILITY=avx2) are not there; oneDNN, which has the
    convolutions, is told by a variable of its own (ONEDNN_MAX_CPU_ISA=AVX2).
    """
    held_back = torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2")
    return not held_back and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def convolve_pixels_in_float32(networks: Iterable[nn.Module]) -> None:
    """Have what a CPU computes wrongly in bf16 computed in float32 (`PixelConv2d`)."""
    for module in (module for network in networks for module in network.modules()):
        if type(module) is nn.Conv2d and max(module.stride) > 1 and max(module.kernel_size) > 1:
            module.__class__ = PixelConv2d


class PixelConv2d(nn.Conv2d):
    """torch's convolution, in float32 on CPUs where the input is a single pixel.

    In bf16 the gradient of the weights of a strided one is then whatever lay in memory: oneDNN 3.13 on AVX-512 with
    bf16, any number of channels (docs/dev/lab-notes.md).
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if input.device.type == "cpu" and input.shape[-2:] == (1, 1):
            with torch.autocast("cpu", enabled=False):
                return super()._conv_forward(input.float(), weight, bias)  # type: ignore[no-any-return, unused-ignore]
        return super()._conv_forward(input, weight, bias)  # type: ignore[no-any-return, unused-ignore]


def to_channels_last(module: Module, device: torch.device) -> Module:
    """The module on the device, convolutions channels-last: 1.2 to 2 times faster on CPUs, and on GPUs with bf16.

    Not where that corrupts memory on CPUs (torch 2.11 to 2.15): the channels-last gradient of a 1x1 convolution with
    stride 2 and fewer than 8 channels, a shortcut of narrow ResNets, writes beyond its memory. The process dies, or
    worse, goes on (docs/dev/lab-notes.md).
    """
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    if device.type == "cpu" and any(
        conv.kernel_size == (1, 1) and max(conv.stride) > 1 and conv.in_channels < 8 for conv in convolutions
    ):
        return module.to(device=device)
    return module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
