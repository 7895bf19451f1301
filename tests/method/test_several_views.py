"""Algorithm 1 for V views, beside loops over the pairs in float64."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from dcp.method import flops, passes
from dcp.method.algorithm import Method
from dcp.method.moments import Moments
from dcp.method.networks import Branch
from dcp.method.objectives import euclidean
from dcp.method.objectives.base import LossOfViews
from dcp.method.positives import fastsiam
from dcp.method.positives.base import Extra, Positives
from dcp.method.predictors.base import SetLinear
from dcp.method.targets.ema import Ema
from dcp.method.targets.online import Online
from dcp.method.targets.shared import Shared
from dcp.recipe import build
from dcp.recipe.recipe import Recipe

V, B, D = 4, 8, 6


def views(count: int = V, size: int = 8, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return list(torch.randn(count, B, 3, size, size, generator=generator, dtype=torch.float64))


def branch(seed: int = 0) -> Branch:
    torch.manual_seed(seed)
    backbone = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Branch(backbone, nn.Sequential(nn.Linear(5, D)))


def built(*, target: nn.Module | None = None, objective=euclidean.loss, cross: bool = True, **options) -> Method:
    predictor = SetLinear(D, lambda F, C, v: F + C, every=1, needs_cross=True)
    moments = Moments(D, rho=0.5, cross=cross)
    return Method(branch(), predictor, target or Online(), moments, objective, **options).double()


def test_every_view_predicts_every_other_and_F_and_C_are_the_means_over_all_pairs():
    method, past = built(), (torch.eye(D, dtype=torch.float64), torch.zeros(D, D, dtype=torch.float64))
    W = torch.eye(D, dtype=torch.float64)
    for step in range(3):
        x = views(seed=step)
        z = [method.online(x_i).detach() for x_i in x]
        outputs = method(*x)
        pairs = [(i, j) for i in range(V) for j in range(V) if i != j]
        expected = 2 / len(pairs) * sum(euclidean.loss(z[i] @ W.T, z[i], z[j]) for i, j in pairs)
        assert_close(outputs.losses, expected)
        method.after_step(outputs, step, 0.5)
        F = sum(z_i.T @ z_i for z_i in z) / (V * B)
        C = sum(z[j].T @ z[i] for i, j in pairs) / (len(pairs) * B)
        rho = 0.5 if step else 0.0
        past = (rho * past[0] + (1 - rho) * F, rho * past[1] + (1 - rho) * C)
        assert_close((method.moments.F, method.moments.cross), past)
        W = sum(past)


def test_immediate_and_sequential_blends_follow_the_views():
    pooled, sequential = built(timing="immediate"), built(timing="immediate", source="sequential")
    z = torch.stack([pooled.online(x_i).detach() for x_i in views()])
    t = torch.stack([(z.sum(0) - z_i) / (V - 1) for z_i in z])
    whole = {blend.second.sum().item() for blend in pooled.blends(z, t)}
    assert len(whole) == 1
    past = z[0].T @ z[0] / B
    for z_i, blend in zip(z, sequential.blends(z, t), strict=True):
        past = (past + z_i.T @ z_i / B) / 2
        assert_close(blend.second, past)
    assert pooled(*views()).losses.isfinite().all()


def test_local_views_predict_the_global_ones_and_are_predicted_by_none():
    teacher = Ema(branch(seed=1), tau=0.9, rises=False, copies_buffers=False)
    seen = list[torch.Size]()
    teacher.branch.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape))
    method = built(target=teacher, local=2)
    x = views(2) + views(2, size=6, seed=1)
    z, t = [method.online(x_i).detach() for x_i in x], [teacher.branch(x_i).detach() for x_i in x[:2]]
    seen.clear()
    outputs = method(*x)
    pairs = [(i, j) for i in range(4) for j in range(2) if i != j]
    assert len(pairs) == 6
    assert_close(outputs.losses, 2 / 6 * sum(euclidean.loss(z[i], z[i], t[j]) for i, j in pairs))
    assert seen == [x[0].shape, x[1].shape]
    assert outputs.t is not None
    assert_close(outputs.t, torch.stack([t[1], t[0], (t[0] + t[1]) / 2, (t[0] + t[1]) / 2]))


def test_the_recipe_says_how_many_views_the_target_does_not_see():
    recipe = Recipe.read("tiny/multicrop")
    method = build.method(recipe)
    assert method.local == recipe.views.local.count == 2


def test_labelled_positives_remember_a_projection_and_not_a_mean_of_several():
    remembered = []

    class Remembers(Positives):
        def forward(self, t, y):
            return Extra(t, torch.ones(len(t)), torch.zeros(len(t)))

        def update(self, t, y):
            remembered.append(t)

    method = built(positives=Remembers())
    t = method.online(views()[0]).detach()
    method.after_step(method(*views(), y=torch.zeros(len(t), dtype=torch.int64)), 0, 0.5)
    assert torch.equal(remembered[0], t)


def test_W_is_made_once_for_all_views_where_the_moments_are_pooled(monkeypatch):
    method = built(timing="immediate")
    asked = []
    weight = method.predictor.weight
    monkeypatch.setattr(method.predictor, "weight", lambda F, C: asked.append(F) or weight(F, C))
    method(*views())
    assert len(asked) == 1


def test_fastsiam_predicts_the_mean_of_the_other_views_and_is_none_with_two():
    method = built(positives=fastsiam.build(fastsiam.Config(), D, lambda x: (x, 0)))
    z = [method.online(x_i).detach() for x_i in views()]
    expected = [euclidean.loss(z_i, z_i, sum(z_j for z_j in z if z_j is not z_i) / (V - 1)) for z_i in z]
    assert_close(method(*views()).losses, 2 / V * sum(expected))
    assert torch.equal(method(*views(2)).losses, built()(*views(2)).losses)


def test_a_loss_of_views_gets_all_of_them_once_with_their_gradient():
    shapes = list[tuple[torch.Size, ...]]()

    def loss(p: Tensor, z: Tensor, t: Tensor) -> Tensor:
        shapes.append((p.shape, z.shape, t.shape))
        return z.square().sum((0, 2)) + t.sum((0, 2))

    method = built(target=Shared(), objective=LossOfViews(loss), local=1)
    outputs = method(*views())
    assert shapes == [((V, B, D), (V, B, D), (V - 1, B, D))]
    z = torch.stack([method.online(x_i) for x_i in views()])
    assert_close(outputs.losses, z.square().sum((0, 2)) + z[:-1].sum((0, 2)))
    outputs.losses.sum().backward()
    assert all(p.grad is not None for p in method.online.parameters())


@pytest.mark.parametrize("local", [0, 2])
def test_views_of_one_size_are_joined_and_sizes_stay_apart(local: int):
    method = built(local=local, through=passes.joined)
    calls = list[int]()
    method.online.backbone.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    x = views(V - local) + views(local, size=6, seed=1)
    joined = method(*x).losses
    assert calls == ([V * B] if not local else [2 * B, 2 * B])
    assert_close(joined, built(local=local)(*x).losses)


def test_the_arithmetic_of_an_image_grows_with_its_views():
    two = flops.per_image(built().float(), (32, 32))
    assert flops.per_image(built().float(), (32,) * 8) == 4 * two
    teacher = Ema(branch(seed=1), tau=0.9, rises=False, copies_buffers=False)
    own = flops.per_image(built(target=teacher).float(), (32, 32))
    local = flops.per_image(built(target=teacher, local=1).float(), (32, 32, 32))
    assert 2 * local == 2 * own + two  # a local view costs no pass of the target
