"""Two views abreast: the numbers of one view after the other, whichever thread is the faster one."""

import gc
import json
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from dcp import abreast, arithmetic, build, winograd
from dcp.method import Method, Step
from dcp.networks import Branch
from dcp.recipe import Recipe
from dcp.training import Training


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def recipe(*sets: str) -> Recipe:
    small = ("data.source=shapes", "data.images=256", "data.image_size=16", "network.width=32", "train.batch=128")
    return Recipe.read("cifar10_directcopy", (*small, "train.epochs=2", "train.log_every=1", "probe.after=[]", *sets))


def views(seed: int = 0) -> tuple[Tensor, Tensor]:
    x1, x2 = torch.randn(2, 128, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return x1, x2 * 3 + 1  # of another scale: running statistics tell in which order they came


def method(*sets: str, is_abreast: bool) -> Method:
    made = arithmetic.to_device(build.method(recipe(*sets)), torch.device("cpu"))
    for network in (made.online, *made.target.children()):
        winograd.adopt(network, 1)
    made.abreast = is_abreast
    return made


def step(made: Method) -> Step:
    """A step without an optimizer, both ways on one thread wherever a view passes."""
    torch.set_num_threads(2 if made.abreast else 1)
    found = made(*views())
    torch.set_num_threads(1)
    found.losses.sum().backward()
    return found


def holding(second: bool, hold: Callable[[], object]) -> Callable[..., None]:
    """A hook that holds one of the views up."""

    def hook(*_: object) -> None:
        if threading.current_thread().name.startswith("dcp-view") and abreast.in_second() == second:
            hold()

    return hook


KINDS = {
    "ema": (),
    "ema with the online buffers": ("target.buffers=copied",),
    "online": ("target.name=online",),
    "frozen": ("target.name=frozen",),
    "frozen, of its batch": ("target.name=frozen", "target.norm=batch"),
    "group norm": ("network.norm=group",),
    "immediate": ("moments.timing=immediate",),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("slow", [False, True])
def test_numbers_gradients_and_buffers_are_bitwise_those_of_one_view_after_the_other(kind: str, slow: bool) -> None:
    apart, both = method(*KINDS[kind], is_abreast=False), method(*KINDS[kind], is_abreast=True)
    for layer in [m for m in both.modules() if isinstance(m, nn.BatchNorm2d)][::5]:
        layer.register_forward_pre_hook(holding(slow, lambda: time.sleep(0.02)))
    expected, found = step(apart), step(both)
    for name in ("losses", "z", "h"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    for (name, one), (_, two) in zip(apart.named_parameters(), both.named_parameters(), strict=True):
        assert (one.grad is None) == (two.grad is None), name
        assert one.grad is None or torch.equal(one.grad, two.grad), name  # type: ignore[arg-type]
    apart.after_step(expected, 0, 0.1)
    both.after_step(found, 0, 0.1)
    for name, value in apart.state_dict().items():
        assert torch.equal(both.state_dict()[name], value), name


def test_without_turns_the_order_would_be_another() -> None:
    """So that the test above can fail: nobody waits for a late first view, whose statistics come second."""
    both, passed = method(is_abreast=True), threading.Event()
    layer = both.online.backbone.bn1
    layer.register_forward_pre_hook(holding(False, lambda: passed.wait(60)))
    layer.register_forward_hook(holding(True, passed.set))
    before = layer.running_mean.clone()
    abreast._at_once(nullcontext(), both.online.both, *((x,) for x in views()))
    first, second = (fn.conv2d(x, both.online.backbone.conv1.weight, padding=1).mean((0, 2, 3)) for x in views())
    wrong = 0.9 * (0.9 * before + 0.1 * second) + 0.1 * first
    torch.testing.assert_close(layer.running_mean, wrong, rtol=0, atol=1e-5)
    assert not torch.allclose(layer.running_mean, 0.9 * (0.9 * before + 0.1 * first) + 0.1 * second, atol=1e-3)


class Failing(nn.Module):
    """Fails for one of the views, after a while in which the other comes to its norm."""

    def __init__(self, second: bool) -> None:
        super().__init__()
        self.second, self.norm = second, nn.BatchNorm1d(2)

    def forward(self, x: Tensor) -> Tensor:
        if abreast.in_second() == self.second:
            time.sleep(0.1)
            raise ValueError("this one")
        return self.norm(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize("second", [False, True])
def test_an_error_of_one_view_is_raised_and_the_other_is_not_left_waiting(second: bool) -> None:
    network, x = Failing(second), torch.ones(4, 2)
    with pytest.raises(ValueError, match="this one"):
        abreast.each(network, network, (x,), (x,))
    assert not network.norm._forward_hooks
    assert not network.norm._forward_pre_hooks
    assert int(network.norm.num_batches_tracked) == 1


@pytest.fixture(params=[KeyboardInterrupt, TimeoutError, SystemExit])
def interrupt_after(request: pytest.FixtureRequest) -> Iterator[Callable[[float], object]]:
    """A real signal, as Ctrl-C's is one; and again, should it have come where Python ignores errors."""

    if not hasattr(signal, "SIGALRM"):
        pytest.skip("this system has no SIGALRM")

    def interrupt(*_: object) -> None:
        raise request.param

    before = signal.signal(signal.SIGALRM, interrupt)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_who_is_interrupted_finds_both_threads_at_rest(interrupt_after: Callable[[float], object]) -> None:
    network, x = nn.BatchNorm1d(2), torch.ones(4, 2)
    network.register_forward_pre_hook(lambda *_: time.sleep(0.2))
    abreast.each(network, network, (x,), (x,))
    interrupt_after(0.1)
    with pytest.raises((KeyboardInterrupt, TimeoutError, SystemExit)):
        abreast.each(network, network, (x,), (x,))
    interrupt_after(0)
    assert int(network.num_batches_tracked) == 4
    assert len(network._forward_pre_hooks) == 1


def test_no_interrupt_leaves_anything_that_the_next_step_would_wait_for(
    interrupt_after: Callable[[float], object],
) -> None:
    branch, x = Branch(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), nn.Sequential()), torch.ones(4, 3)
    interrupted = 0
    for number in range(200):
        try:
            interrupt_after(1e-4 + number * 1e-5)
            while True:
                _, z1, z2 = abreast.project(branch, x, x)
                (z1 + z2).sum().backward()
        except (KeyboardInterrupt, TimeoutError, SystemExit):
            interrupt_after(0)
            interrupted += 1
    assert interrupted == 200
    abreast.project(branch, x, x)
    assert not branch.backbone[1]._forward_hooks


def test_an_error_in_one_view_lets_go_of_what_the_other_made() -> None:
    made = []

    def call(number: int) -> Tensor:
        if number == 2:
            raise RuntimeError("memory ran out")
        y = torch.ones(1)
        made.append(weakref.ref(y))
        return y

    gc.disable()  # an error in a circle would keep it until garbage is collected
    with suppress(RuntimeError):
        abreast.each(nn.Identity(), call, (1,), (2,))
    found = made[0]()
    gc.enable()
    assert found is None


def test_weights_that_take_no_part_or_learn_nothing_have_no_gradient() -> None:
    branch = Branch(nn.Linear(3, 4), nn.Sequential(nn.Linear(4, 2)))
    branch.unused = nn.Linear(1, 1)
    branch.backbone.requires_grad_(False)
    _, z1, z2 = abreast.project(branch, torch.ones(5, 3), torch.ones(5, 3))
    (z1 + 2 * z2).sum().backward()
    assert [p.grad is None for p in branch.parameters()] == [True, True, False, False, True, True]
    assert branch.projector[0].bias.grad.tolist() == [15, 15]


def test_without_gradients_nothing_is_kept_for_them() -> None:
    layer, x = nn.Linear(2, 2), torch.ones(1, 2)
    branch = Branch(layer, nn.Sequential())
    with torch.no_grad():
        assert not any(y.requires_grad for y in abreast.each(layer, layer, (x,), (x,)))
        assert not any(y.requires_grad for y in abreast.project(branch, x, x))
    assert all(y.requires_grad for y in abreast.each(layer, layer, (x,), (x,)))
    assert [y.requires_grad for y in abreast.project(branch, x, x)] == [False, True, True]


def test_each_thread_computes_alone_and_others_as_before() -> None:
    def threads() -> int:
        return torch.get_num_threads()

    abreast._threads.cache_clear()
    layer = nn.Identity()
    assert abreast.each(layer, threads, (), ()) == (1, 1)
    assert threads() == 2
    found: list[int] = []
    later = threading.Thread(target=lambda: found.append(threads()))
    later.start()
    later.join()
    assert found == [2]


class Noisy(nn.ReLU):
    """As libraries have them: a class of their own, with who knows what in it."""


WANTED = arithmetic.Arithmetic(None, "because", winograd=True)


def online(layer: nn.Module | None = None, *sets: str) -> Branch:
    made = build.method(recipe(*sets)).online
    made.backbone.relu = layer or made.backbone.relu
    return made


@pytest.mark.parametrize("layer", [nn.Dropout(), nn.RReLU(), Noisy()])
def test_it_is_for_layers_that_threads_leave_alone(layer: nn.Module) -> None:
    assert arithmetic.lightened([online()], WANTED, apart=True).abreast
    found = arithmetic.lightened([online(layer)], WANTED, apart=True)
    assert (found.winograd, found.abreast) == (True, False)
    assert not arithmetic.lightened([online(), online(layer)], WANTED, apart=True).abreast


@pytest.mark.parametrize(("threads", "winograds"), [(1, True), (3, False)])
def test_it_is_for_two_threads(threads: int, winograds: bool) -> None:
    torch.set_num_threads(threads)
    found = arithmetic.lightened([online()], WANTED, apart=True)
    assert (found.winograd, found.abreast) == (winograds, False)


def test_a_wide_teacher_of_a_narrow_network_does_not_ask_for_it() -> None:
    narrow = online(None, "network.width=16")
    assert arithmetic.lightened([narrow, online()], WANTED, apart=True) == arithmetic.Arithmetic(None, "because")


def test_on_a_thread_alone_narrower_layers_take_fewer_multiplications() -> None:
    def widths(apart: bool) -> set[int]:
        branch = online()
        arithmetic.lightened([branch], WANTED, apart=apart)
        return {m.in_channels for m in branch.modules() if isinstance(m, winograd.WinogradConv2d)}

    assert widths(apart=False) == {256}
    assert widths(apart=True) == {64, 128, 256}


def trained(runs: Path, *sets: str) -> tuple[Training, list[float]]:
    lines: list[dict[str, Any]] = []
    training = Training(recipe(*sets), runs=runs, resume=False, device="cpu", watch=lines.append)
    training.run()
    return training, [line["loss"] for line in lines if line["kind"] == "step"]


@pytest.fixture
def fit_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "_cpu_has_bf16", lambda: False)
    monkeypatch.setattr(winograd, "measured", lambda: True)


def test_auto_trains_so_where_the_network_is_wide_and_a_run_repeats_bitwise(tmp_path: Path, fit_machine: None) -> None:
    training, losses = trained(tmp_path / "one")
    again, same = trained(tmp_path / "two")
    assert training.method.abreast
    assert "each view on a thread of its own" in training.arithmetic.why
    assert json.loads((training.path / "run.json").read_text())["abreast"] is True
    assert losses == same
    encoders = [(run.path / "encoder.safetensors").read_bytes() for run in (training, again)]
    assert encoders[0] == encoders[1]
    _, plain = trained(tmp_path / "three", "train.precision=fp32")
    assert losses == pytest.approx(plain, abs=1e-2)


@pytest.mark.parametrize("sets", [("train.compile=true",), ("train.join_views=true",), ("network.width=16",)])
def test_not_with_one_pass_or_a_graph_or_where_no_layer_is_wide_enough_for_two_threads(
    sets: tuple[str, ...], tmp_path: Path, fit_machine: None
) -> None:
    training = Training(recipe(*sets), runs=tmp_path, resume=False, device="cpu", watch=lambda line: None)
    assert not training.method.abreast
    assert "thread" not in training.arithmetic.why


def test_not_with_several_processes(tmp_path: Path, fit_machine: None) -> None:
    training = Training(recipe(), runs=tmp_path, resume=False, device="cpu", watch=lambda line: None)
    assert training.method.abreast
    training.process.count = 2
    assert not training._lightened(WANTED).abreast
    assert not training.method.abreast
