"""The order of Algorithm 1, and which W a step uses, by hand: a linear branch, W = F, ρ = 0.5.

Facts: 13 no gradient through F      14 W is one step old      18 no gradient into the target
"""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from dcp.method import passes
from dcp.method.algorithm import Method
from dcp.method.moments import Moments
from dcp.method.networks import Branch
from dcp.method.objectives import cosine, euclidean
from dcp.method.predictors.base import SetLinear
from dcp.method.targets.ema import Ema
from dcp.method.targets.online import Online

EYE = torch.eye(3, dtype=torch.float64)


def views(step: int, batch: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    return torch.randn(2, batch, 5, generator=generator, dtype=torch.float64).unbind(0)


def branch(*, norm: bool = False, seed: int = 0) -> Branch:
    torch.manual_seed(seed)
    middle = [nn.BatchNorm1d(3)] if norm else []
    return Branch(nn.Identity(), nn.Sequential(nn.Linear(5, 3), *middle)).double()


def built(*, norm: bool = False, every: int = 1, target=None, objective=cosine, **options) -> Method:
    predictor = SetLinear(3, lambda F, C, v: F, every=every)
    moments = Moments(3, rho=0.5)
    online = branch(norm=norm)
    return Method(online, predictor, target or Online(), moments, objective.loss, **options).double()


def moment(*z: Tensor) -> Tensor:
    return sum(each.T @ each / len(each) for each in z) / len(z)


def losses(z1: Tensor, z2: Tensor, W1: Tensor, W2: Tensor) -> Tensor:
    return cosine.loss(z1 @ W1.T, z1, z2) + cosine.loss(z2 @ W2.T, z2, z1)


def test_iteration_0_uses_the_identity_and_step_t_uses_F_up_to_t_minus_1():
    """Fact 14, with a branch that learns meanwhile."""
    method, W, F = built(), EYE, None
    optimizer = torch.optim.SGD(method.online.parameters(), lr=0.1)
    for index in range(4):
        x1, x2 = views(index)
        z1, z2 = method.online(x1).detach(), method.online(x2).detach()
        outputs = method(x1, x2)
        assert_close(outputs.losses, losses(z1, z2, W, W))
        outputs.losses.mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        method.after_step(outputs, index, 0.0)
        F = moment(z1, z2) if F is None else 0.5 * F + 0.5 * moment(z1, z2)
        W = F
        assert_close(method.moments.F, F)
        assert_close(method.predictor.matrix, W)


def test_immediate_timing_uses_F_of_this_very_batch():
    method, F = built(timing="immediate"), None
    for index in range(3):
        z1, z2 = (method.online(x).detach() for x in views(index))
        F = moment(z1, z2) if F is None else 0.5 * F + 0.5 * moment(z1, z2)
        outputs = method(*views(index))
        assert_close(outputs.losses, losses(z1, z2, F, F))
        method.after_step(outputs, index, 0.0)
        assert_close(method.predictor.matrix, F)


@pytest.mark.parametrize("timing", ["stale", "immediate"])
def test_sequential_moments_are_updated_once_a_view(timing: str):
    """Immediate: view 1 is predicted by F with z₁ in it, view 2 by F with z₁ and then z₂ in it."""
    method, before = built(timing=timing, source="sequential"), None
    for index in range(3):
        z1, z2 = (method.online(x).detach() for x in views(index))
        first = moment(z1) if before is None else 0.5 * before + 0.5 * moment(z1)
        last = 0.5 * first + 0.5 * moment(z2)
        used = (EYE if before is None else before,) * 2 if timing == "stale" else (first, last)
        outputs = method(*views(index))
        assert_close(outputs.losses, losses(z1, z2, *used))
        method.after_step(outputs, index, 0.0)
        assert_close(method.moments.F, last)
        assert_close(method.predictor.matrix, last)
        before = last


def test_after_a_step_come_F_then_W_then_the_target(monkeypatch: pytest.MonkeyPatch):
    method = built(target=Ema(branch(seed=1), tau=0.5, rises=False, copies_buffers=False))
    events: list[str] = []

    def watch(owner: nn.Module, name: str) -> None:
        original = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args: (events.append(name), original(*args))[1])

    for owner, name in ((method.moments, "store"), (method.predictor, "refresh"), (method.target, "update")):
        watch(owner, name)
    outputs = method(*views(0))
    assert events == []
    method.after_step(outputs, 0, 0.0)
    assert events == ["store", "refresh", "update"]


def test_the_target_follows_the_branch_as_the_optimizer_left_it():
    method = built(target=Ema(branch(seed=1), tau=0.25, rises=False, copies_buffers=False))
    before = method.target.branch.projector[0].weight.clone()
    outputs = method(*views(0))
    with torch.no_grad():
        method.online.projector[0].weight.fill_(1.0)  # stands for the optimizer
    method.after_step(outputs, 0, 0.0)
    assert_close(method.target.branch.projector[0].weight, 0.25 * before + 0.75)


@pytest.mark.parametrize("timing", ["stale", "immediate"])
def test_a_forward_pass_changes_nothing_but_batch_statistics(timing: str):
    method = built(norm=True, timing=timing)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    method(*views(0))
    changed = {name for name, value in method.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {f"online.projector.1.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")}


def test_with_every_5_W_is_set_at_0_5_10_and_the_optimizer_steps_on_it_in_between():
    """The momentum of W is not reset when it is set, as in the official release."""
    method = built(every=5)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1, momentum=0.9)
    W, momentum = method.predictor.W, torch.zeros_like(EYE)
    for index in range(11):
        outputs = method(*views(index))
        optimizer.zero_grad()
        outputs.losses.mean().backward()
        momentum = 0.9 * momentum + W.grad
        expected = W.detach() - 0.1 * momentum
        optimizer.step()
        assert_close(W.detach(), expected)
        method.after_step(outputs, index, 0.0)
        assert_close(W.detach(), method.moments.F if index % 5 == 0 else expected)
        assert method.moments.updates == index + 1  # F itself follows at every step
    assert momentum.norm() > 0.01


def test_no_gradient_flows_through_the_making_of_W():
    """Fact 13: W of this very batch, or the same W as a constant."""
    method, constant = built(timing="immediate"), built()
    z1, z2 = (method.online(x).detach() for x in views(0))
    constant.predictor.W.copy_(moment(z1, z2))
    for each in (method, constant):
        each(*views(0)).losses.sum().backward()
    for ours, theirs in zip(method.online.parameters(), constant.online.parameters(), strict=True):
        assert ours.grad.norm() > 1e-3
        assert_close(ours.grad, theirs.grad)


def test_no_gradient_reaches_the_target():
    """Fact 18."""
    method = built(target=Ema(branch(seed=1), tau=0.5, rises=False, copies_buffers=False))
    outputs = method(*views(0))
    outputs.losses.sum().backward()
    assert not outputs.z.requires_grad
    assert all(p.grad is None and not p.requires_grad for p in method.target.parameters())
    assert all(p.grad is not None for p in method.online.parameters())


def test_the_online_branch_as_target_is_a_constant_too():
    """Fact 18: for the euclidean loss the gradient in z₁ is 2 (W z₁ - z₂) W, without the target's share."""
    method = built(objective=euclidean)
    x1, x2 = views(0)
    method(x1, x2).losses.sum().backward()
    z1, z2 = method.online(x1).detach(), method.online(x2).detach()
    assert_close(method.online.projector[0].weight.grad, 2 * (z1 - z2).T @ x1 + 2 * (z2 - z1).T @ x2)


def test_the_views_can_be_exchanged():
    x1, x2 = views(0)
    assert_close(built(norm=True)(x1, x2).losses, built(norm=True)(x2, x1).losses)


def test_joined_views_share_their_batch_statistics_and_separate_ones_do_not():
    x1, x2 = views(0)
    x2 = x2 + 3  # views of different mean: separate statistics hide that, joint ones show it
    apart, joined = built(norm=True), built(norm=True, through=passes.joined)
    assert (apart(x1, x2).losses - joined(x1, x2).losses).abs().max() > 0.1
    assert (apart.online.projector[1].num_batches_tracked, joined.online.projector[1].num_batches_tracked) == (2, 1)
    assert_close(built()(x1, x2).losses, built(through=passes.joined)(x1, x2).losses)


def test_half_precision_networks_are_followed_by_float32():
    target = Ema(branch(seed=1), tau=0.5, rises=False, copies_buffers=False)
    method = built(target=target, amp=torch.bfloat16).float()
    outputs = method(*(x.float() for x in views(0)))
    assert (outputs.z.dtype, outputs.losses.dtype) == (torch.float32, torch.float32)
    assert torch.equal(outputs.z, outputs.z.bfloat16().float())
