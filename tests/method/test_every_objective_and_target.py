"""The same checks for every objective, and for every target, in the tree."""

import pytest
import torch
from safetensors.torch import load, save
from small import (
    ALONE,
    DTYPES,
    OBJECTIVES,
    TARGETS,
    TOGETHER,
    branch,
    build_objective,
    build_target,
    correlation,
    normal,
)
from torch import Tensor
from torch.testing import assert_close

from dcp import catalogue

objectives = pytest.mark.parametrize("name", OBJECTIVES)
targets = pytest.mark.parametrize("name", TARGETS)


def three(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """p = z W, z and t for five samples."""
    z, t = (normal(5, 6, seed=seed, dtype=dtype).requires_grad_() for seed in (0, 1))
    return z @ correlation(6).to(dtype), z, t


@objectives
@pytest.mark.parametrize("dtype", [torch.float32, *DTYPES])
def test_it_gives_one_finite_loss_a_sample(name: str, dtype: torch.dtype):
    inputs = three(dtype)
    losses = build_objective(name, dtype)(*inputs)
    assert losses.shape == (5,)
    assert losses.dtype == dtype
    assert torch.isfinite(losses).all()


@objectives
def test_half_precision_agrees_with_double_to_its_own_rounding(name: str):
    p, z, t = (x.detach().bfloat16() for x in three())
    exact = build_objective(name, torch.float64)(p.double(), z.double(), t.double())
    rounded = build_objective(name, torch.bfloat16)(p, z, t).double()
    assert_close(rounded, exact, rtol=0.05, atol=0.05 * exact.abs().max().item())


@objectives
def test_the_gradient_reaches_the_projection(name: str):
    p, z, t = three()
    build_objective(name)(p, z, t).sum().backward()
    assert z.grad.norm() > 0


@pytest.mark.parametrize("name", ALONE)
def test_samples_do_not_see_each_other(name: str):
    loss, (p, z, t) = build_objective(name), three()
    assert_close(loss(p, z, t)[2:3], loss(p[2:3], z[2:3], t[2:3]))


@pytest.mark.parametrize("name", TOGETHER)
def test_or_they_do_and_the_order_of_the_batch_does_not_matter(name: str):
    loss, (p, z, t), order = build_objective(name), three(), torch.tensor([3, 0, 4, 2, 1])
    assert not torch.allclose(loss(p, z, t)[2:4], loss(p[2:4], z[2:4], t[2:4]))
    assert_close(loss(p, z, t)[order], loss(p[order], z[order], t[order]))


@objectives
def test_it_is_deterministic_and_leaves_its_inputs_alone(name: str):
    loss, inputs = build_objective(name), three()
    before = [x.detach().clone() for x in inputs]
    assert torch.equal(loss(*inputs), loss(*inputs))
    assert all(torch.equal(x, old) for x, old in zip(inputs, before, strict=True))


@objectives
def test_its_scale_can_be_set_and_must_be_positive(name: str):
    config = catalogue.load("objectives", name).Config
    assert config().scale == 1.0
    assert config(scale=0.25).scale == 0.25
    with pytest.raises(ValueError, match="greater than 0"):
        config(scale=0.0)


@targets
def test_it_projects_images_without_gradient_unless_its_config_says_otherwise(name: str):
    online, x = branch(), normal(5, 3, 4, 4, seed=0)
    z = online(x)
    t = build_target(name, online)(x, z)
    assert t.shape == z.shape
    assert z.requires_grad
    assert t.requires_grad == catalogue.load("targets", name).Config.gradient


@targets
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_works_in_double_and_in_half_precision_too(name: str, dtype: torch.dtype):
    online, x = branch().to(dtype), normal(5, 3, 4, 4, seed=0, dtype=dtype)
    target = build_target(name, online)
    target.update(online, 0.5)
    t = target(x, online(x))
    assert t.dtype == dtype
    assert torch.isfinite(t).all()


@targets
def test_its_state_survives_a_file_also_if_it_has_none(name: str):
    online, x = branch(), normal(5, 3, 4, 4, seed=0)
    first, second = build_target(name, branch(seed=5)), build_target(name, online)
    first(x, online(x))
    second.load_state_dict(load(save({key: value.contiguous() for key, value in first.state_dict().items()})))
    assert torch.equal(first(x, online(x)), second(x, online(x)))
    for each in (first, second):
        each.update(online, 0.5)
    assert_close(dict(first.state_dict()), dict(second.state_dict()), rtol=0, atol=0)


@targets
def test_its_weight_of_the_past_is_a_share_or_none(name: str):
    target = build_target(name, branch())
    assert all(tau is None or 0 <= tau <= 1 for tau in map(target.weight_of_past, (0.0, 0.5, 1.0)))


@targets
def test_a_target_that_calls_itself_given_does_not_follow(name: str):
    online, x = branch(), normal(5, 3, 4, 4, seed=0)
    target, other = build_target(name, branch(seed=5)), branch(seed=6)
    before = target(x, online(x))
    target.update(other, 0.5)
    followed = not torch.equal(target(x, other(x)), before)
    assert followed != catalogue.load("targets", name).Config.given


@targets
def test_following_the_branch_leaves_the_branch_alone(name: str):
    online = branch()
    before = {key: value.clone() for key, value in online.state_dict().items()}
    build_target(name, branch(seed=5)).update(online, 0.5)
    assert_close(dict(online.state_dict()), before, rtol=0, atol=0)
