"""Winograd's convolutions: torch's values and gradients, in a network's wide layers, and only where they pay."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from dcp import arithmetic, winograd
from dcp.recipe import Recipe
from dcp.training import Training


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def layer(images: int, channels: int, out: int, height: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(images, channels, height, width, dtype=dtype, requires_grad=True)
    return x, torch.randn(out, channels, 3, 3, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 4), (5, 8), (7, 10), (16, 13)])
def test_values_and_gradients_are_those_of_the_direct_sum(
    height: int, width: int, memory_format: torch.memory_format, threads: int
) -> None:
    torch.set_num_threads(threads)
    x, weight = layer(13, 3, 5, height, width, torch.float64)  # 13 images of 16 x 16 are two parts
    y = winograd.convolution(x.contiguous(memory_format=memory_format), weight.contiguous(memory_format=memory_format))
    expected = fn.conv2d(x, weight, padding=1)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-11)
    gradient = torch.randn_like(expected).contiguous(memory_format=memory_format)
    found = torch.autograd.grad(y, (x, weight), gradient)
    torch.testing.assert_close(found, torch.autograd.grad(expected, (x, weight), gradient), rtol=0, atol=1e-10)


def test_the_gradient_passes_torchs_own_check_and_takes_one_number_for_all_outputs() -> None:
    x, weight = layer(2, 2, 3, 6, 5, torch.float64)
    assert torch.autograd.gradcheck(winograd.convolution, (x, weight))
    found = torch.autograd.grad(winograd.convolution(x, weight).sum(), (x, weight))  # an expanded gradient, of stride 0
    torch.testing.assert_close(found, torch.autograd.grad(fn.conv2d(x, weight, padding=1).sum(), (x, weight)))


@pytest.mark.parametrize(("channels", "side"), [(128, 16), (256, 14), (512, 4)])
def test_errors_in_float32_are_small_beside_the_largest_value(channels: int, side: int) -> None:
    x, weight = (t.detach() for t in layer(8, channels, channels, side, side, torch.float32))
    x = x.relu()
    exact = fn.conv2d(x.double(), weight.double(), padding=1)
    error = (winograd.convolution(x, weight) - exact).abs().max() / exact.abs().max()
    assert error < 2e-5


def wide(channels: int = 128, **options: object) -> nn.Conv2d:
    torch.manual_seed(0)
    settings = {"kernel_size": 3, "padding": 1, "bias": False} | options
    return nn.Conv2d(channels, channels, **settings)  # type: ignore[arg-type]


def adopted(conv: nn.Conv2d) -> nn.Conv2d:
    winograd.adopt(conv)
    return conv


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes that went through the algorithm."""
    seen: list[tuple[int, ...]] = []
    real = winograd.convolution

    def watched(x: Tensor, weight: Tensor) -> Tensor:
        seen.append(tuple(x.shape))
        return real(x, weight)

    monkeypatch.setattr(winograd, "convolution", watched)
    return seen


def test_a_wide_layer_takes_it_in_training_and_torchs_own_in_evaluation(calls: list[tuple[int, ...]]) -> None:
    own, x = wide(), torch.randn(32, 128, 8, 8)
    conv = adopted(copy.deepcopy(own))
    assert (conv(x) - own(x)).abs().max() < 2e-5 * own(x).abs().max()
    assert calls == [(32, 128, 8, 8)]
    assert torch.equal(conv.eval()(x), own(x))
    assert len(calls) == 1


def test_a_copy_of_the_network_takes_it_too_and_its_keys_and_weights_stay(calls: list[tuple[int, ...]]) -> None:
    own = nn.Sequential(nn.Conv2d(3, 128, 3, padding=1, bias=False), wide())
    network = copy.deepcopy(own)
    winograd.adopt(network)
    target = copy.deepcopy(network)
    target(torch.randn(32, 3, 8, 8))
    assert calls == [(32, 128, 8, 8)]
    assert target.state_dict().keys() == own.state_dict().keys()
    assert all(torch.equal(value, own.state_dict()[key]) for key, value in target.state_dict().items())


UNFIT = {
    "narrow": wide(127),
    "5x5": wide(kernel_size=5, padding=2),
    "strided": wide(stride=2),
    "unpadded": wide(padding=0),
    "dilated": wide(padding=2, dilation=2),
    "grouped": wide(groups=128),
    "with bias": wide(bias=True),
    "reflecting": wide(padding_mode="reflect"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_other_convolutions_stay_as_they_are(kind: str) -> None:
    assert type(adopted(copy.deepcopy(UNFIT[kind]))) is nn.Conv2d


@pytest.mark.parametrize(
    ("images", "side", "threads"),
    [(31, 8, 1), (1024, 1, 1), (512, 2, 1), (256, 6, 1), (32, 8, 2)],
    ids=["few images", "single pixels", "two by two", "six by six", "128 channels on two threads"],
)
def test_where_it_does_not_pay_torchs_own_is_taken(
    images: int, side: int, threads: int, calls: list[tuple[int, ...]]
) -> None:
    torch.set_num_threads(threads)
    own, x = wide(), torch.randn(images, 128, side, side)
    assert torch.equal(adopted(copy.deepcopy(own))(x), own(x))
    assert not calls


def test_bf16_and_float64_are_torchs_own(calls: list[tuple[int, ...]]) -> None:
    conv, x = adopted(wide()), torch.randn(32, 128, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert conv(x).dtype == torch.bfloat16
    conv.double()(x.double())
    assert not calls


def recipe(precision: str) -> Recipe:
    sets = ("data.source=shapes", "data.images=512", "data.image_size=32", "network.width=16", "train.batch=128")
    more = ("train.epochs=1", "train.log_every=1", "probe.after=[]", f"train.precision={precision}")
    return Recipe.read("cifar10_directcopy", (*sets, *more, f"run.name={precision}"))


def test_auto_trains_with_it_on_a_cpu_without_bf16_and_fp32_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[tuple[int, ...]]
) -> None:
    monkeypatch.setattr(arithmetic, "_cpu_has_bf16", lambda: False)
    losses = {}
    for precision in ("fp32", "auto"):
        lines: list[dict[str, float]] = []
        training = Training(recipe(precision), runs=tmp_path, resume=False, device="cpu", watch=lines.append)
        training.run()
        losses[precision] = [line["loss"] for line in lines if line["kind"] == "step"]
        assert bool(calls) == ("Winograd" in training.arithmetic.why) == (precision == "auto")
    assert len(losses["auto"]) == 4
    assert losses["auto"] == pytest.approx(losses["fp32"], abs=1e-3)
    assert set(calls) == {(128, 128, 4, 4)}


@pytest.mark.parametrize(
    ("device", "bf16", "winograds"), [("cpu", False, True), ("cpu", True, False), ("mps", False, False)]
)
def test_only_auto_on_a_cpu_without_bf16_chooses_it(
    device: str, bf16: bool, winograds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arithmetic, "_cpu_has_bf16", lambda: bf16)
    assert arithmetic.chosen("auto", device).winograd == winograds
    assert not arithmetic.chosen("fp32", device).winograd
    assert not arithmetic.chosen("bf16", device).winograd


def test_a_network_without_wide_convolutions_does_not_speak_of_it() -> None:
    chosen = arithmetic.chosen("auto", "mps")
    assert arithmetic.lightened(wide(64), arithmetic.Arithmetic(None, "because", winograd=True)).why == "because"
    assert arithmetic.lightened(wide(), chosen) == chosen
