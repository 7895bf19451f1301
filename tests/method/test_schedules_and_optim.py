"""Learning rates as functions of the step, parameter groups, and LARS against its formula in NumPy."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dcp.method import optim, schedules


def test_a_cosine_goes_from_start_to_end_and_stays_there():
    values = [schedules.cosine(2.0, 1.0, fraction) for fraction in (-1.0, 0.0, 0.5, 1.0, 2.0)]
    assert values == pytest.approx([2.0, 2.0, 1.5, 1.0, 1.0])


def test_a_constant_rate_without_warm_up_is_the_same_at_every_step():
    rates = [schedules.warmed_up(i, peak=0.03, kind="constant", steps=5, warmup_steps=0) for i in range(5)]
    assert rates == [0.03] * 5


def test_warm_up_is_linear_and_the_cosine_begins_where_it_ends():
    rates = [schedules.warmed_up(i, peak=1.0, kind="cosine", steps=8, warmup_steps=4) for i in range(9)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[6] == pytest.approx(0.5)
    assert rates[7] > rates[8] == pytest.approx(0.0)


def lars_by_formula(w, gradients, rates, *, momentum, decay, eta, scaled):
    """Weights after each step: v ← m v + lr · trust · (g + λ w), w ← w - v."""
    v, path = np.zeros_like(w), []
    for g, lr in zip(gradients, rates, strict=True):
        u = g + decay * w
        if scaled:
            u = u * eta * np.linalg.norm(w) / np.linalg.norm(u)
        v = momentum * v + lr * u
        w = w - v
        path.append(w)
    return path


@pytest.mark.parametrize("scaled", [True, False])
def test_lars_follows_its_formula(scaled: bool):
    """The rate changes on the way: momentum keeps the steps that were made, as in the BYOL release."""
    random = np.random.default_rng(0)
    w, gradients, rates = (random.normal(size=(4, 3)), random.normal(size=(6, 4, 3)), [0.1, 0.2, 0.4, 0.4, 0.2, 0.1])
    param = nn.Parameter(torch.tensor(w))
    group = {"params": [param], "weight_decay": 0.01, "scaled": scaled}
    lars = optim.Lars([group], lr=0.1, momentum=0.9, weight_decay=0.5, eta=0.02)
    path = lars_by_formula(w, gradients, rates, momentum=0.9, decay=0.01, eta=0.02, scaled=scaled)
    for g, lr, expected in zip(gradients, rates, path, strict=True):
        param.grad, lars.param_groups[0]["lr"] = torch.tensor(g), lr
        lars.step()
        np.testing.assert_allclose(param.detach().numpy(), expected, rtol=1e-12)


def test_lars_does_not_scale_where_weight_or_gradient_is_zero():
    weights = [nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.ones(2, 2))]
    lars = optim.Lars([{"params": weights}], lr=0.1, momentum=0.9, weight_decay=0.0, eta=0.001)
    weights[0].grad, weights[1].grad = torch.ones(2, 2), torch.zeros(2, 2)
    lars.step()
    assert torch.equal(weights[0].detach(), torch.full((2, 2), -0.1))
    assert torch.equal(weights[1].detach(), torch.ones(2, 2))


def test_lars_leaves_a_parameter_without_gradient_alone():
    still = nn.Parameter(torch.ones(2, 2))
    lars = optim.Lars([{"params": [still]}], lr=0.1, momentum=0.9, weight_decay=0.1, eta=0.001)
    lars.step()
    assert torch.equal(still.detach(), torch.ones(2, 2))


class OneByOne:
    """LARS tensor by tensor, as the formula stands there."""

    def __init__(self, groups: list[dict], *, lr: float, momentum: float, eta: float) -> None:
        self.groups, self.lr, self.momentum, self.eta, self.buffers = groups, lr, momentum, eta, {}

    def step(self) -> None:
        for group in self.groups:
            for param in (p for p in group["params"] if p.grad is not None):
                update = param.grad.add(param.detach(), alpha=group["weight_decay"])
                if group["scaled"]:
                    p, u = param.detach().norm(), update.norm()
                    update = update * torch.where((p > 0) & (u > 0), self.eta * p / u, torch.ones_like(p))
                buffer = self.buffers.setdefault(param, torch.zeros_like(param.detach()))
                buffer.mul_(self.momentum).add_(update, alpha=self.lr)
                param.data.sub_(buffer)


def odd_groups(dtype: torch.dtype = torch.float32) -> list[dict]:
    """Scaled or not, with decay or without: odd shapes, channels last, a zero weight, a zero gradient, and none."""
    made = torch.Generator().manual_seed(0)
    shapes = [(7, 5), (1, 1), (3,), (16, 3, 3, 3), (8, 16, 1, 1), (33, 65), (4, 4)]
    found = []
    for decay, scaled in ((0.01, True), (0.0, True), (0.0, False), (0.3, False)):
        params = [nn.Parameter(torch.randn(shape, generator=made, dtype=dtype)) for shape in shapes]
        for i in (3, 4):
            params[i] = nn.Parameter(params[i].detach().contiguous(memory_format=torch.channels_last))
        params[0].data.zero_()
        found.append({"params": params, "weight_decay": decay, "scaled": scaled})
    return found


def gradients(groups: list[dict], step: int) -> None:
    """Random ones, but none for the last tensor of a group and zero for the one before it."""
    made = torch.Generator().manual_seed(100 + step)
    for group in groups:
        for param in group["params"][:-1]:
            param.grad = torch.empty_like(param).copy_(torch.randn(param.shape, generator=made))
        group["params"][-2].grad.zero_()


def weights_of(groups: list[dict]) -> list[Tensor]:
    return [param.detach() for group in groups for param in group["params"]]


def test_lars_takes_all_tensors_of_a_group_at_once_and_gives_the_bytes_of_one_after_the_other():
    ours, theirs = odd_groups(), odd_groups()
    lars = optim.Lars(ours, lr=0.2, momentum=0.9, weight_decay=0.5, eta=0.02)
    one_by_one = OneByOne(theirs, lr=0.2, momentum=0.9, eta=0.02)
    for step in range(6):
        gradients(ours, step)
        gradients(theirs, step)
        rate = 0.2 / (step + 1)
        for group in lars.param_groups:
            group["lr"] = rate
        one_by_one.lr = rate
        lars.step()
        one_by_one.step()
        for mine, other in zip(weights_of(ours), weights_of(theirs), strict=True):
            assert torch.equal(mine, other)
            assert mine.stride() == other.stride()


def test_a_rate_of_lars_may_be_a_tensor_that_changes_between_steps():
    """float64 weights, as float32 ones would differ by rounding; the rates of a tensor are float32 all the same."""
    paths = []
    for kind in (float, torch.tensor):
        odd = odd_groups(torch.float64)
        lars = optim.Lars(odd, lr=0.2, momentum=0.9, weight_decay=0.5, eta=0.02)
        for group in lars.param_groups:
            group["lr"] = kind(0.2)
        for step, rate in enumerate((0.2, 0.1, 0.4)):
            gradients(odd, step)
            for group in lars.param_groups:
                group["lr"] = group["lr"].fill_(rate) if kind is torch.tensor else rate
            lars.step()
        paths.append(weights_of(odd))
    for mine, other in zip(*paths, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-7, atol=1e-7)


def groups(**options: object) -> list[dict[str, object]]:
    online = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    defaults = dict(weight_decay=4e-4, excludes=False, predictor_decay=None, lr_factor=1.0, constant_lr=False)
    return optim.groups(online, options.pop("predictor", nn.Linear(3, 3)), **{**defaults, **options})


def test_all_parameters_of_the_small_data_recipe_decay():
    branch, predictor = groups()
    assert (len(branch["params"]), len(predictor["params"])) == (4, 2)
    assert branch["weight_decay"] == predictor["weight_decay"] == 4e-4


def test_norms_and_biases_can_be_left_out_of_decay_and_scaling():
    found = groups(excludes=True)
    assert [(len(g["params"]), g["weight_decay"], g["scaled"]) for g in found] == [
        (1, 4e-4, True),
        (3, 0.0, False),
        (1, 4e-4, True),
        (1, 0.0, False),
    ]


def test_the_predictor_can_have_its_own_decay_even_none():
    assert [g["weight_decay"] for g in groups(predictor_decay=0.1)] == [4e-4, 0.1]
    assert [g["weight_decay"] for g in groups(predictor_decay=0.0)] == [4e-4, 0.0]


def test_a_predictor_without_parameters_has_no_group():
    assert len(groups(predictor=nn.Identity())) == 1


def test_parameters_without_gradient_are_in_no_group():
    assert len(groups(predictor=nn.Linear(3, 3).requires_grad_(False))) == 1


def rates_at(step: int, **options: object) -> tuple[float, list[float]]:
    optimizer = optim.build("sgd", groups(**options), lr=1.0, momentum=0.9, weight_decay=0.0, eta=0.1)
    told = optim.set_rates(optimizer, step, peak=2.0, kind="cosine", steps=100, warmup_steps=0)
    return told, [group["lr"] for group in optimizer.param_groups]


def test_the_predictors_rate_is_a_multiple_of_the_branchs():
    told, rates = rates_at(50, lr_factor=10.0)
    assert told == pytest.approx(1.0)
    assert rates == pytest.approx([1.0, 10.0])


def test_a_constant_predictor_keeps_its_rate_while_the_branchs_falls():
    told, rates = rates_at(99, constant_lr=True)
    assert told < 0.001
    assert rates == [told, 2.0]


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", torch.optim.SGD), ("lars", optim.Lars), ("adamw", torch.optim.AdamW)]
)
def test_every_optimizer_keeps_the_groups_own_decay(name: str, kind: type):
    found = groups(excludes=True)
    optimizer = optim.build(name, found, lr=0.1, momentum=0.8, weight_decay=0.3, eta=0.1)
    assert isinstance(optimizer, kind)
    assert [g["weight_decay"] for g in optimizer.param_groups] == [4e-4, 0.0, 4e-4, 0.0]


def test_weight_decay_of_sgd_is_coupled():
    """One step: w - lr (g + λ w)."""
    param = nn.Parameter(torch.tensor([2.0]))
    sgd = optim.build("sgd", [{"params": [param]}], lr=0.1, momentum=0.9, weight_decay=0.5, eta=0.0)
    param.grad = torch.tensor([1.0])
    sgd.step()
    assert param.item() == pytest.approx(2 - 0.1 * (1 + 0.5 * 2))


class OneDevice(TorchDispatchMode):
    """Fails where an operation takes tensors of two devices, or asks for a value; keeps the names of all.

    torch has no fake kernels for its fused steps, so these are looked at and left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.name())
        devices = {str(x.device) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        assert devices <= {"cuda:0"}, f"{func.name()} takes tensors on {devices}"
        assert "_local_scalar_dense" not in func.name()
        return None if "_fused_" in func.name() else func(*args, **(kwargs or {}))


@pytest.fixture
def no_gpu() -> Iterator[None]:
    """Tensors on "cuda:0" that have everything but numbers."""
    with FakeTensorMode():
        yield


def on_cuda(name: str) -> tuple[list[nn.Parameter], torch.optim.Optimizer]:
    """An optimizer over a matrix, and over a vector in a group of its own without scaling."""
    params = [nn.Parameter(torch.empty(4, 3, device="cuda")), nn.Parameter(torch.empty(5, device="cuda"))]
    keys = {"weight_decay": 0.1, "lr_factor": 2.0, "constant": False}
    made = [{"params": [param], **keys, "scaled": param.ndim > 1} for param in params]
    return params, optim.build(name, made, lr=0.1, momentum=0.9, weight_decay=0.3, eta=0.1)


@pytest.mark.parametrize("name", ["sgd", "lars", "adamw"])
@pytest.mark.usefixtures("no_gpu")
def test_a_step_on_a_gpu_stays_there_and_asks_for_no_value(name: str):
    """With a rate that is a tensor of the device, so that a CUDA graph can hold the step."""
    params, optimizer = on_cuda(name)
    for _ in range(2):
        for param in params:
            param.grad = torch.empty_like(param)
        with OneDevice() as watch:
            optimizer.step()
    assert watch.names
    if name != "lars":
        assert {n for n in watch.names if "_fused_" in n} == {f"aten::_fused_{name}_.tensor_lr"}
        assert all(group["fused"] for group in optimizer.param_groups)
    states = [state for param in params for state in optimizer.state[param].values() if state is not None]
    assert {state.device.type for state in states} == {"cuda"}


@pytest.mark.usefixtures("no_gpu")
def test_adamw_on_a_gpu_says_that_it_can_be_captured():
    assert all(group["capturable"] for group in on_cuda("adamw")[1].param_groups)


@pytest.mark.parametrize("name", ["sgd", "lars", "adamw"])
@pytest.mark.usefixtures("no_gpu")
def test_the_rates_on_a_gpu_are_float32_scalars_that_keep_their_place(name: str):
    """A captured graph reads the memory that it has seen: a new tensor would change nothing."""
    optimizer = on_cuda(name)[1]
    before = [group["lr"] for group in optimizer.param_groups]
    told = optim.set_rates(optimizer, 50, peak=2.0, kind="cosine", steps=100, warmup_steps=0)
    after = [group["lr"] for group in optimizer.param_groups]
    assert told == pytest.approx(1.0)
    assert all(rate is old for rate, old in zip(after, before, strict=True))
    assert len({id(rate) for rate in after}) == len(after)
    assert all((rate.device.type, rate.dtype, rate.shape) == ("cuda", torch.float32, ()) for rate in after)


def test_rates_that_are_tensors_take_the_values_that_numbers_would():
    found = []
    for kind in (float, torch.tensor):
        optimizer = optim.build("sgd", groups(lr_factor=10.0), lr=1.0, momentum=0.9, weight_decay=0.0, eta=0.1)
        for group in optimizer.param_groups:
            group["lr"] = kind(group["lr"])
        told = optim.set_rates(optimizer, 50, peak=2.0, kind="cosine", steps=100, warmup_steps=0)
        assert type(told) is float
        found.append([float(group["lr"]) for group in optimizer.param_groups])
    assert found[1] == pytest.approx(found[0], rel=1e-7)


def test_on_a_cpu_rates_are_numbers_and_torch_chooses_how_it_steps():
    for name in ("sgd", "lars", "adamw"):
        for group in optim.build(name, groups(), lr=0.1, momentum=0.9, weight_decay=0.0, eta=0.1).param_groups:
            assert type(group["lr"]) is float
            assert group.get("fused") is None
            assert not group.get("capturable")
