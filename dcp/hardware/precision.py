"""How networks compute on a device: precision and memory format."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

Built = TypeVar("Built", bound=nn.Module)


@dataclass(frozen=True)
class Arithmetic:
    """How the networks compute, and why: what `auto` chose.

    Args:
        amp: dtype of autocast, or None.
        why: one phrase for the reader.
    """

    amp: torch.dtype | None
    why: str

    @property
    def precision(self) -> str:
        """The name of it: "fp32" or "bf16"."""
        return "bf16" if self.amp is not None else "fp32"


def chosen(wish: str, device: str) -> Arithmetic:
    """The arithmetic for train.precision ("auto", "fp32", "bf16") on a device."""
    if wish != "auto":
        return Arithmetic(torch.bfloat16 if wish == "bf16" else None, "as the recipe says")
    native = torch.cuda.is_bf16_supported(including_emulation=False) if device == "cuda" else _cpu_has_bf16()
    if device == "mps" or not native:
        return Arithmetic(None, f"this {device} has no fast bf16")
    return Arithmetic(torch.bfloat16, f"this {device} has bf16 natively")


def _cpu_has_bf16() -> bool:
    """Without these instructions bf16 is emulated, and was 15 times slower than fp32 for a ResNet-18.

    Those that torch has been told to leave alone (ATEN_CPU_CAPABILITY=avx2) are not there; oneDNN, which has the
    convolutions, is told by a variable of its own (ONEDNN_MAX_CPU_ISA=AVX2).
    """
    held_back = torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2")
    return not held_back and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def spare_pixels(networks: Iterable[nn.Module]) -> None:
    """Have what a CPU computes wrongly in bf16 computed in float32 (`PixelConv2d`)."""
    for module in (module for network in networks for module in network.modules()):
        if type(module) is nn.Conv2d and max(module.stride) > 1 and max(module.kernel_size) > 1:
            module.__class__ = PixelConv2d


class PixelConv2d(nn.Conv2d):
    """torch's convolution, in float32 on CPUs where the input is a single pixel.

    In bf16 the gradient of the weights of a strided one is then whatever lay in memory: oneDNN 3.13 on AVX-512 with
    bf16, any number of channels (docs/lab-notes.md).
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if input.device.type == "cpu" and input.shape[-2:] == (1, 1):
            with torch.autocast("cpu", enabled=False):
                return super()._conv_forward(input.float(), weight, bias)  # type: ignore[no-any-return, unused-ignore]
        return super()._conv_forward(input, weight, bias)  # type: ignore[no-any-return, unused-ignore]


def to_device(module: Built, device: torch.device) -> Built:
    """The module on the device, convolutions channels-last: 1.2 to 2 times faster on CPUs, and on GPUs with bf16."""
    if device.type == "cpu" and any(map(_corrupts_memory, module.modules())):
        return module.to(device=device)
    return module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _corrupts_memory(module: nn.Module) -> bool:
    """Whether it is a convolution whose channels-last gradient writes beyond its memory on CPUs (torch 2.11 to 2.15).

    Found in narrow ResNets, whose shortcuts are 1x1 with stride 2: with fewer than 8 channels the process dies, or
    worse, goes on (docs/lab-notes.md).
    """
    if not isinstance(module, nn.Conv2d):
        return False
    return module.kernel_size == (1, 1) and max(module.stride) > 1 and module.in_channels < 8
