"""bf16 gives what float32 gives, to its own accuracy, on whatever the processor has."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from dcp.hardware import precision
from dcp.method.backbones import backbone


def gradients(network: nn.Module, x: Tensor, *, bf16: bool) -> list[Tensor]:
    network.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        h = network(x)
    h.float().square().mean().backward()
    return [p.grad for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("side", [1, 2, 3, 4, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)])
def test_gradients_of_a_convolution_in_bf16(kernel: int, stride: int, side: int, channels_last: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(32, 24, kernel, stride=stride, padding=kernel // 2, bias=False)
    if channels_last:
        conv = conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(8, 32, side, side)
    (expected,) = gradients(copy.deepcopy(conv), x, bf16=False)
    precision.convolve_pixels_in_float32([conv])
    for _ in range(5):
        torch.full((2**20,), float("nan"))  # what a gradient that is not written would be made of
        (found,) = gradients(conv, x, bf16=True)
        assert (found - expected).norm() < 0.05 * expected.norm()


def test_a_network_whose_last_stage_sees_one_pixel_has_finite_gradients() -> None:
    torch.manual_seed(0)
    network, _ = backbone("resnet18", stem="imagenet", width=8, norm="batch", image_size=16)
    precision.convolve_pixels_in_float32([network])
    for _ in range(20):
        x = torch.randn(8, 3, 16, 16).contiguous(memory_format=torch.channels_last)
        for gradient in gradients(network, x, bf16=True):
            assert gradient.isfinite().all()
            assert gradient.abs().max() < 1e3


def test_networks_keep_their_keys_and_copies_compute_the_same_way() -> None:
    network, _ = backbone("resnet18", stem="imagenet", width=8, norm="batch", image_size=16)
    keys = list(network.state_dict())
    precision.convolve_pixels_in_float32([network])
    assert list(network.state_dict()) == keys
    spared = [type(module) for module in copy.deepcopy(network).modules() if isinstance(module, nn.Conv2d)]
    assert spared.count(precision.PixelConv2d) == 4  # the stem's, and the first of three stages
    x = torch.randn(2, 32, 5, 5)
    conv = nn.Conv2d(32, 8, 3, stride=2)
    expected = fn.conv2d(x, conv.weight, conv.bias, stride=2)
    conv.__class__ = precision.PixelConv2d
    assert torch.equal(conv(x), expected)
