"""What the host sets before a step: the limit of the gradient, and ρ."""

import copy
import math
import tempfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dcp.method import optim, schedules
from dcp.method.moments import Moments
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.training.request import Request
from dcp.training.trainer import Trainer

SIZES = pytest.mark.parametrize("size", [1e-6, 0.1, 10.0])


def clip_of(norm: float, size: float) -> tuple[optim.Clip, nn.Module]:
    """Of a network with gradients of a size, but for one parameter, which has none."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3))
    for param in [*net.parameters()][:-1]:
        param.grad = size * torch.randn_like(param)
    return optim.Clip(torch.optim.SGD(net.parameters(), lr=1.0), norm), net


def grads(net: nn.Module) -> list[Tensor]:
    return [param.grad for param in net.parameters() if param.grad is not None]


@SIZES
def test_a_clipped_gradient_has_the_bytes_of_torchs_own(size: float):
    clip, net = clip_of(0.5, size)
    twin = copy.deepcopy(net)
    for mine, other in zip(net.parameters(), twin.parameters(), strict=True):
        other.grad = None if mine.grad is None else mine.grad.clone()
    clip.switch(True)
    clip()
    torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
    assert all(torch.equal(a, b) for a, b in zip(grads(net), grads(twin), strict=True))
    assert math.sqrt(sum(grad.square().sum().item() for grad in grads(net))) <= 0.5 + 1e-6


@SIZES
def test_a_gradient_is_left_alone_until_clipping_begins(size: float):
    clip, net = clip_of(0.5, size)
    before = [grad.clone() for grad in grads(net)]
    for on in (None, False):  # as it is made; switched off
        if on is not None:
            clip.switch(on)
        clip()
        assert all(torch.equal(a, b) for a, b in zip(grads(net), before, strict=True))


def test_a_step_of_training_is_clipped_as_the_recipe_says():
    """The first step of SGD moves the parameters by no more than the rate times the largest length."""
    sets = ("optimizer.name=sgd", "optimizer.weight_decay=0.0", "train.epochs=1", "data.images=32", "train.batch=32")
    moved = []
    for more in ((), ("optimizer.clip=1e-3",)):
        with tempfile.TemporaryDirectory() as runs:
            recipe = Recipe.read("tiny/directcopy", (*sets, "optimizer.warmup_epochs=0", "probe.after=[]", *more))
            at_start = [param.clone() for param in build.at_start(recipe).parameters()]
            trainer = Trainer(recipe, Request(Path(runs), device="cpu"))
            trainer.run()
            trained = trainer.parts.method.online.parameters()
            distance = sum((a - b).square().sum().item() for a, b in zip(at_start, trained, strict=True)) ** 0.5
            moved.append(distance / recipe.optimizer.lr)
    free, clipped = moved
    assert free > 0.01
    assert clipped == pytest.approx(1e-3, rel=0.05)


def test_a_gradient_too_long_for_a_number_is_left_alone_until_clipping_begins():
    clip, net = clip_of(0.5, 1e25)
    before = [grad.clone() for grad in grads(net)]
    clip()
    assert all(torch.equal(a, b) for a, b in zip(grads(net), before, strict=True))


def test_a_gradient_that_is_not_finite_stays_so():
    clip, net = clip_of(0.5, 1.0)
    grads(net)[0][0, 0] = math.inf
    clip.switch(True)
    clip()
    assert not torch.isfinite(grads(net)[0]).all()


def scheduled(*sets: str):
    """A function that sets what differs from step to step; the moments; what clips."""
    recipe = Recipe.read("tiny/directcopy", ("train.epochs=4", *sets))  # 4 steps an epoch
    built = build.method(recipe)
    optimizer = build.optimizer(recipe, built)
    clip = build.clip(recipe, optimizer)
    return build.schedule(recipe, optimizer, built.moments, clip, build.plan(recipe, 256, 1)), built.moments, clip


def test_the_limit_holds_from_the_first_step_of_its_epoch_on():
    schedule, _, clip = scheduled("optimizer.clip=0.5", "optimizer.clip_from=2")
    limits = []
    for step in range(16):
        schedule(step)
        limits.append(clip.limit.item())
    assert limits == [math.inf] * 8 + [0.5] * 8
    schedule(3)  # a function of the step alone, as resuming needs it
    assert clip.limit.item() == math.inf


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_rho_goes_to_its_end_with_the_training_and_is_that_of_the_step(kind: str):
    schedule, moments, _ = scheduled("moments.rho=0.2", "moments.rho_end=0.6", f"moments.rho_schedule={kind}")
    along, place = {"linear": schedules.linear, "cosine": schedules.cosine}[kind], moments.rho.data_ptr()
    for step in (0, 5, 15):
        schedule(step)
        assert moments.rho.item() == pytest.approx(along(0.2, 0.6, (step + 1) / 16), abs=1e-7)
    assert moments.rho.item() == pytest.approx(0.6)
    assert moments.rho.data_ptr() == place
    assert "rho" not in moments.state_dict()


def test_a_scheduled_rho_blends_as_a_constant_one_of_the_same_value():
    constant, changing = Moments(3, rho=0.7), Moments(3, rho=torch.tensor(0.1))
    changing.rho.fill_(0.7)
    for seed in range(3):
        z = torch.randn(8, 3, generator=torch.Generator().manual_seed(seed))
        for moments in (constant, changing):
            moments.store(moments.blend(moments.now, z))
        assert torch.equal(constant.second, changing.second)


def test_without_an_end_rho_stays_a_number():
    schedule, moments, clip = scheduled()
    schedule(7)
    assert moments.rho == 0.5
    assert isinstance(moments.rho, float)
    assert clip is None
