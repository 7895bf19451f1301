"""The cosine loss in the linear model: scale, isotropy, the share that noise keeps, no threshold."""

import pytest
import torch
from torch import Tensor, nn

from dcp.dynamics import closed_forms, flow, modes, rules
from dcp.dynamics.gaussian import gaussian
from dcp.method.algorithm import Method
from dcp.method.moments import Moments, own
from dcp.method.networks import Branch
from dcp.method.objectives import cosine
from dcp.method.predictors import directcopy, directset
from dcp.method.targets.online import Online


def end(alpha: float, eta: float, time: float) -> Tensor:
    lambda_s = torch.tensor([[1.0, 1.0, 2.0, 2.0, 2.0]], dtype=torch.float64)
    of = modes.Modes(lambda_s, torch.ones_like(lambda_s), torch.full((1, 1), eta).double(), lambda_s)
    start = torch.tensor([[0.6, 1.4, 0.5, 1.0, 1.3]], dtype=torch.float64)
    return flow.advance(modes.cosine(of, rules.rule(torch.tensor([alpha]).double())), start, time, tol=1e-8)[0]


@pytest.mark.parametrize(("alpha", "ratio"), [(1.0, 1 / 4), (0.5, 1 / 8), (2.0, 2**-1.5)])
def test_noise_keeps_its_share(alpha: float, ratio: float) -> None:
    w = end(alpha, 0.0, 400.0) ** 2
    assert float(w[2:].mean() / w[:2].mean()) == pytest.approx(ratio, rel=1e-4)
    assert float(closed_forms.cosine_ratio(torch.tensor(1.0), torch.tensor(alpha))) == pytest.approx(ratio)
    assert float(w[0] / w[1]) == pytest.approx(1, abs=1e-4)


def test_without_decay_the_length_stays_and_with_decay_it_falls_at_twice_the_rate() -> None:
    first = float((torch.tensor([0.6, 1.4, 0.5, 1.0, 1.3], dtype=torch.float64) ** 2).sum())
    assert float((end(1.0, 0.0, 20.0) ** 2).sum()) == pytest.approx(first, rel=1e-6)
    assert float((end(1.0, 0.1, 10.0) ** 2).sum()) == pytest.approx(first * float(torch.tensor(-2.0).exp()), rel=1e-6)


def test_a_mode_grows_while_its_weight_is_below_the_common_share() -> None:
    """w_p < (λ_d/λ_s) N_p/C, without decay: small modes grow at the cost of large ones."""
    lambda_s = torch.tensor([[1.0, 1.0, 1.5, 2.0, 2.0]], dtype=torch.float64)
    lambda_d = torch.tensor([[1.0, 0.7, 1.0, 1.0, 0.4]], dtype=torch.float64)
    for alpha in (0.5, 1.0, 2.0):
        by = rules.rule(torch.tensor([alpha]).double())
        w = torch.rand(200, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.1
        speed = modes.cosine(modes.Modes(lambda_s, lambda_d, torch.zeros(1, 1).double(), lambda_s), by)(w)
        w_p = (lambda_s * w**2) ** alpha
        N_p, C = ((x * w**2).sum(1, keepdim=True) for x in (w_p**2 * lambda_s, w_p * lambda_d))
        grows = speed > 0
        assert torch.equal(grows, w_p < lambda_d / lambda_s * N_p / C)
        assert 0.2 < grows.double().mean() < 0.9


def test_there_is_no_threshold() -> None:
    """η = 1 is four times what the squared loss lets live."""
    w = end(1.0, 1.0, 4.0) ** 2
    assert float(w[2:].mean() / w[:2].mean()) == pytest.approx(1 / 4, rel=1e-2)


def train(alpha: float, dim: int, kept: int, *, batch: int, lr: float, steps: int, norm: str) -> Tensor:
    """W [D, D] after SGD on samples, by the Method of training under the cosine loss."""
    data, generator = gaussian(dim, kept, 1.0), torch.Generator().manual_seed(0)
    layer = nn.Linear(dim, dim, bias=False)
    nn.init.eye_(layer.weight)
    config = dict(eps=0.0, norm=norm)
    predictor = (
        directcopy.build(directcopy.Config(**config), dim, own)
        if alpha == 1
        else directset.build(directset.Config(alpha=alpha, **config), dim, own)
    )
    method = Method(
        Branch(nn.Identity(), nn.Sequential(layer)),
        predictor,
        Online(),
        Moments(dim, rho=0.9),
        lambda p, z, t: cosine.loss(p, z, t) / 4,
    )
    optimizer = torch.optim.SGD(method.online.parameters(), lr=lr)
    for index in range(steps):
        x1, x2 = data.views(batch, generator)
        outputs = method(x1.float(), x2.float())
        outputs.losses.mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        method.after_step(outputs, index, (index + 1) / steps)
    return layer.weight.detach()


@pytest.mark.byhand
@pytest.mark.parametrize(("alpha", "steps", "off"), [(1.0, 6000, 0.05), (0.5, 9000, 0.10)])
def test_a_normalised_W_under_the_cosine_loss_keeps_S_isotropic_and_noise_at_its_share(
    alpha: float, steps: int, off: float
) -> None:
    W = train(alpha, 64, 16, batch=1000, lr=0.5, steps=steps, norm="spectral")
    size = (W**2).sum(0)
    on, noise = size[:16], size[16:]
    print(f"alpha {alpha}: w^2 outside S over that on S {float(noise.mean() / on.mean()):.4f}")
    assert float(noise.mean() / on.mean()) == pytest.approx(2 ** (-1 / alpha - 1), rel=off)
    assert float(on.min() / on.max()) > 0.8
