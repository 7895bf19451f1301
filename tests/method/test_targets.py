"""The target: a moving average of the online branch, or the online branch itself.

Fact 18: m = 1 freezes it, m = 0 copies the parameters; no gradient reaches it.
"""

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from dcp.method.moments import own
from dcp.method.targets import ema, online, shared


def branch(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    nn.init.normal_(net[1].weight)
    return net


def built(source: nn.Module, **keys: object) -> ema.Ema:
    return ema.build(ema.Config(**keys), source, lambda: branch(seed=7), own)


def moved(source: nn.Module) -> nn.Module:
    """Another branch of the same shapes: different weights, different running statistics."""
    other = branch(seed=3)
    other(torch.randn(16, 4, generator=torch.Generator().manual_seed(0)) + 5)
    return other


def parameters(net: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in net.parameters()]


@pytest.mark.parametrize(("tau", "exact"), [(0.996, {}), (1.0, {"rtol": 0, "atol": 0}), (0.0, {"rtol": 0, "atol": 0})])
def test_the_weights_are_blended_by_the_weight_of_the_past_which_freezes_them_at_1_and_copies_at_0(tau: float, exact):
    """Fact 18."""
    target, other = built(branch(), tau=tau), moved(branch())
    expected = [tau * a + (1 - tau) * b for a, b in zip(parameters(branch()), parameters(other), strict=True)]
    target.update(other, 0.5)
    assert_close(parameters(target.branch), expected, **exact)


def test_cosine_raises_tau_to_1():
    """BYOL: τ = 1 - (1 - τ₀)(cos(πk/K) + 1)/2."""
    target = built(branch(), tau=0.99, schedule="cosine")
    for fraction in (0.0, 0.25, 0.5, 1.0):
        expected = 1 - 0.01 * (math.cos(math.pi * fraction) + 1) / 2
        assert target.weight_of_past(fraction) == pytest.approx(expected)
    assert target.weight_of_past(1.0) == 1.0
    assert built(branch(), tau=0.99).weight_of_past(1.0) == 0.99


def test_a_copy_starts_equal_and_apart():
    source = branch()
    target = built(source)
    assert_close(parameters(target.branch), parameters(source), rtol=0, atol=0)
    with torch.no_grad():
        source[0].weight.add_(1)
    assert_close(parameters(target.branch), parameters(branch()), rtol=0, atol=0)


def test_an_independent_start_has_weights_of_its_own():
    target = built(branch(), start="independent")
    assert not torch.equal(target.branch[0].weight, branch()[0].weight)
    assert_close(parameters(target.branch), parameters(branch(seed=7)), rtol=0, atol=0)


@pytest.mark.parametrize("buffers", ["own", "copied"])
def test_running_statistics_are_the_targets_own_or_copied(buffers: str):
    target, other = built(branch(), buffers=buffers), moved(branch())
    before = copy.deepcopy(dict(target.branch.named_buffers()))
    target.update(other, 0.5)
    expected = before if buffers == "own" else dict(other.named_buffers())
    assert_close(dict(target.branch.named_buffers()), expected, rtol=0, atol=0)


def test_the_target_uses_the_statistics_of_its_own_batch():
    target = built(branch())
    target.branch[1].running_mean.fill_(1e3)
    t = target(torch.randn(32, 4, generator=torch.Generator().manual_seed(0)), torch.empty(32, 3))
    assert_close(t.mean(0), target.branch[1].bias.detach(), rtol=1e-4, atol=1e-5)


def test_the_target_takes_no_gradient():
    """Fact 18."""
    source = branch()
    target = built(source)
    assert not any(p.requires_grad for p in target.parameters())
    assert all(p.requires_grad for p in source.parameters())
    assert not target(torch.ones(4, 4, requires_grad=True), torch.empty(4, 3)).requires_grad


def test_the_online_target_is_z_without_gradient_and_has_no_weights():
    target = online.build(online.Config(), branch(), branch, own)
    z = torch.arange(12.0).view(4, 3).requires_grad_()
    t = target(torch.empty(0), z)
    assert torch.equal(t, z)
    assert not t.requires_grad
    assert not target.state_dict()
    assert target.weight_of_past(0.5) is None
    target.update(branch(), 0.5)


def test_the_shared_target_is_z_with_its_gradient():
    z = torch.arange(12.0).view(4, 3).requires_grad_()
    target = shared.build(shared.Config(), branch(), branch, own)
    (gradient,) = torch.autograd.grad(target(torch.empty(0), z).sum(), z)
    assert torch.equal(gradient, torch.ones(4, 3))
    assert not target.state_dict()
    assert target.weight_of_past(0.5) is None
