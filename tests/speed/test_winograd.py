"""Winograd's convolutions: torch's values and gradients, in a network's wide layers, and only where they pay."""

import copy
import json
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


def test_a_second_derivative_is_refused() -> None:
    x, weight = layer(1, 1, 1, 4, 4, torch.float64)
    (gradient,) = torch.autograd.grad(winograd.convolution(x, weight).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_the_output_may_be_changed_in_place() -> None:
    x, weight = layer(2, 2, 3, 4, 4, torch.float64)
    fn.relu(winograd.convolution(x, weight), inplace=True).sum().backward()
    found = x.grad
    assert found is not None
    torch.testing.assert_close(found, torch.autograd.grad(fn.conv2d(x, weight, padding=1).relu().sum(), x)[0])


def test_the_gradient_passes_torchs_own_check_and_takes_one_number_for_all_outputs() -> None:
    x, weight = layer(2, 2, 3, 6, 5, torch.float64)
    assert torch.autograd.gradcheck(winograd.convolution, (x, weight))
    found = torch.autograd.grad(winograd.convolution(x, weight).sum(), (x, weight))  # an expanded gradient, of stride 0
    torch.testing.assert_close(found, torch.autograd.grad(fn.conv2d(x, weight, padding=1).sum(), (x, weight)))


@pytest.mark.parametrize(("channels", "side"), [(128, 16), (256, 14), (512, 4)])
def test_errors_in_float32_are_small_beside_the_largest_value(channels: int, side: int) -> None:
    x, weight = (t.detach() for t in layer(8, channels, channels, side, side, torch.float32))
    leaves = [x.relu().requires_grad_(), weight.requires_grad_()]
    doubles = [t.detach().double().requires_grad_() for t in leaves]
    y, exact = winograd.convolution(*leaves), fn.conv2d(*doubles, padding=1)
    gradient = torch.randn_like(y)
    found = (y, *torch.autograd.grad(y, leaves, gradient))
    expected = (exact, *torch.autograd.grad(exact, doubles, gradient.double()))
    for mine, right in zip(found, expected, strict=True):
        assert (mine - right).abs().max() < 2e-5 * right.abs().max()


def wide(channels: int = 128, **options: object) -> nn.Conv2d:
    torch.manual_seed(0)
    settings = {"kernel_size": 3, "padding": 1, "bias": False} | options
    return nn.Conv2d(channels, channels, **settings)  # type: ignore[arg-type]


def adopted(conv: nn.Conv2d) -> nn.Conv2d:
    winograd.adopt(conv, 1)
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
    winograd.adopt(network, 1)
    target = copy.deepcopy(network)
    target(torch.randn(32, 3, 8, 8))
    assert calls == [(32, 128, 8, 8)]
    assert target.state_dict().keys() == own.state_dict().keys()
    assert all(torch.equal(value, own.state_dict()[key]) for key, value in target.state_dict().items())


UNFIT = {
    "narrow": wide(63),
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


# images, channels in and out, side, threads: each negative beside the nearest positive
PAYS = {
    "enough outputs": ((32, 64, 64, 8, 1), True),
    "too few outputs": ((31, 64, 64, 8, 1), False),
    "7 px, rounded up to 8": ((64, 128, 128, 7, 1), True),
    "6 px, rounded up to 8": ((64, 128, 128, 6, 1), False),
    "64 channels, 7 px, rounded up to 8": ((64, 127, 64, 7, 1), False),
    "14 px, rounded up to 16": ((16, 128, 128, 14, 1), True),
    "single pixels": ((4096, 128, 128, 1, 1), False),
    "narrow": ((32, 63, 256, 8, 1), False),
    "narrow going out": ((32, 256, 63, 8, 1), False),
    "two threads": ((32, 256, 256, 8, 2), True),
    "narrow for two threads": ((32, 255, 256, 8, 2), False),
    "three threads": ((32, 512, 512, 8, 3), False),
}


@pytest.mark.parametrize("case", PAYS)
def test_it_is_taken_where_it_was_measured_to_pay(case: str) -> None:
    (images, channels, out, side, threads), pays = PAYS[case]
    torch.set_num_threads(threads)
    assert winograd.pays(torch.empty(images, channels, side, side), out) == pays


def test_elsewhere_torchs_own_is_taken(calls: list[tuple[int, ...]]) -> None:
    own, x = wide(), torch.randn(31, 128, 8, 8)
    conv = adopted(copy.deepcopy(own))
    assert torch.equal(conv(x), own(x))
    assert torch.equal(conv(x[0]), own(x[0]))  # one image without a batch
    assert not calls


def test_a_part_is_as_many_images_as_have_the_blocks_that_each_thread_should_get() -> None:
    assert winograd._part(torch.empty(128, 8, 16, 1)) == winograd.ROWS // 8
    torch.set_num_threads(2)
    assert winograd._part(torch.empty(128, 8, 16, 1)) == winograd.ROWS // 4


@pytest.mark.parametrize(("threads", "channels", "found"), [(2, 255, False), (2, 256, True), (3, 512, False)])
def test_a_network_that_is_too_narrow_for_its_threads_has_none(threads: int, channels: int, found: bool) -> None:
    assert winograd.adopt(wide(channels), threads) == found


class Standardised(nn.Conv2d):
    """As libraries have them: its own forward."""


def test_a_subclass_of_a_convolution_stays_what_it_is() -> None:
    conv = Standardised(128, 128, 3, padding=1, bias=False)
    assert not winograd.adopt(conv, 1)
    assert type(conv) is Standardised


def test_a_compiled_network_is_one_graph_with_torchs_own(calls: list[tuple[int, ...]]) -> None:
    own, x = wide(), torch.randn(32, 128, 8, 8)
    compiled = torch.compile(adopted(copy.deepcopy(own)), fullgraph=True, backend="eager")
    assert torch.equal(compiled(x), own(x))
    assert not calls


def test_bf16_and_float64_are_torchs_own(calls: list[tuple[int, ...]]) -> None:
    conv, x = adopted(wide()), torch.randn(32, 128, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert conv(x).dtype == torch.bfloat16
    conv.double()(x.double())
    assert not calls


def recipe(precision: str) -> Recipe:
    sets = ("data.source=shapes", "data.images=256", "data.image_size=32", "network.width=16", "train.batch=128")
    more = ("train.epochs=1", "train.log_every=1", "probe.after=[]", f"train.precision={precision}")
    return Recipe.read("cifar10_directcopy", (*sets, *more, f"run.name={precision}"))


def test_auto_trains_with_it_on_a_cpu_without_bf16_and_fp32_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[tuple[int, ...]]
) -> None:
    monkeypatch.setattr(arithmetic, "_cpu_has_bf16", lambda: False)
    monkeypatch.setattr(winograd, "measured", lambda: True)
    losses = {}
    for precision in ("fp32", "auto"):
        lines: list[dict[str, float]] = []
        training = Training(recipe(precision), runs=tmp_path, resume=False, device="cpu", watch=lines.append)
        training.run()
        losses[precision] = [line["loss"] for line in lines if line["kind"] == "step"]
        assert bool(calls) == ("Winograd" in training.arithmetic.why) == (precision == "auto")
        recorded = json.loads((training.path / "run.json").read_text())["convolutions"]
        assert recorded == ("winograd" if precision == "auto" else "torch")
    assert len(losses["auto"]) == 2
    assert losses["auto"] == pytest.approx(losses["fp32"], abs=1e-3)
    assert set(calls) == {(128, 64, 8, 8), (128, 128, 4, 4)}


@pytest.mark.parametrize(
    ("device", "bf16", "kind", "winograds"),
    [
        ("cpu", False, "AVX2", True),
        ("cpu", False, "AVX512", False),
        ("cpu", True, "AVX2", False),
        ("mps", False, "AVX2", False),
    ],
)
def test_only_auto_on_a_cpu_of_the_kind_that_was_measured_chooses_it(
    device: str, bf16: bool, kind: str, winograds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arithmetic, "_cpu_has_bf16", lambda: bf16)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: kind)
    assert arithmetic.chosen("auto", device).winograd == winograds
    assert not arithmetic.chosen("fp32", device).winograd
    assert not arithmetic.chosen("bf16", device).winograd


def test_a_network_without_wide_convolutions_does_not_speak_of_it() -> None:
    chosen = arithmetic.chosen("auto", "mps")
    wanted = arithmetic.Arithmetic(None, "because", winograd=True)
    assert arithmetic.lightened([wide(63)], wanted, apart=True) == arithmetic.Arithmetic(None, "because")
    assert arithmetic.lightened([wide()], chosen, apart=True) == chosen
