"""The root of F by products alone, and DirectPred with it: beside the eigen-decomposition in float64."""

import re

import pytest
import torch
from correlations import normal, rotation
from small import branch, build_target
from small import normal as images
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dcp.method import spectra
from dcp.method.algorithm import Method
from dcp.method.moments import Moments, own
from dcp.method.objectives import cosine
from dcp.method.predictors import directpred, directset

EPS = 0.1
# eigenvalues, of which the largest is 1, that fall to 1e-3 of it at most
MILD = {
    "flat": torch.ones,
    "1/k": lambda d: 1 / ranks(d),
    "root of k": lambda d: ranks(d) ** -0.5,
    "exponential": lambda d: 10 ** (-3 * (ranks(d) - 1) / max(d - 1, 1)),
    "one direction": lambda d: torch.where(ranks(d) == 1, 1.0, 1e-3),
    "two clusters": lambda d: torch.where(ranks(d) <= max(d // 2, 1), 1.0, 2e-3),
}
# to 1e-6 of it, or to zero
WIDE = {
    "1/k²": lambda d: 1 / ranks(d) ** 2,
    "exponential to 1e-6": lambda d: 10 ** (-6 * (ranks(d) - 1) / max(d - 1, 1)),
    "one direction": lambda d: torch.where(ranks(d) == 1, 1.0, 1e-6),
    "half and 3e-6": lambda d: torch.where(ranks(d) <= max(d // 2, 1), 1.0, 3e-6),
    "half and 1e-6": lambda d: torch.where(ranks(d) <= max(d // 2, 1), 1.0, 1e-6),
    "five clusters": lambda d: torch.tensor([1.0, 0.1, 1e-2, 1e-4, 1e-6])[torch.arange(d) * 5 // d],
    "half and nothing": lambda d: torch.where(ranks(d) <= max(d // 2, 1), 1.0, 0.0),
    "an eighth of 1/k": lambda d: torch.where(ranks(d) <= max(d // 8, 1), 1 / ranks(d), 0.0),
    "one direction and nothing": lambda d: torch.where(ranks(d) == 1, 1.0, 0.0),
}
SPECTRA = {**{f"mild, {name}": (s, 1e-4) for name, s in MILD.items()}, **{name: (s, 2e-3) for name, s in WIDE.items()}}
DIMS = [1, 2, 16, 128, 512]


def ranks(dim: int) -> Tensor:
    return torch.arange(1, dim + 1, dtype=torch.float64)


def rotated(s: Tensor, seed: int = 0) -> Tensor:
    """F [D, D] in float32 with eigenvalues s, but for rounding."""
    Q = rotation(len(s), seed)
    F = ((Q * s.double()) @ Q.T).float()
    return (F + F.T) / 2


def off(W: Tensor, F: Tensor, norm: str = "spectral", eps: float = EPS) -> float:
    """Spectral norm of what W differs by from that of the eigen-decomposition of F, both in float64."""
    exact = directset.weight(F.double(), alpha=0.5, eps=eps, norm=norm)
    return float(torch.linalg.matrix_norm(W.double() - exact, 2))


def warm(F: Tensor, norm: str = "spectral") -> Tensor:
    """W by a vector that has followed F for a while."""
    v = spectra.power_iteration(F, spectra.start_vector(len(F)), 1000)
    return directpred.weight(F, eps=EPS, norm=norm, v=v)


def built(F: Tensor, **keys: object) -> Tensor:
    """W of the predictor after twenty settings by the same F."""
    predictor = directpred.build(directpred.Config(root="newton_schulz", eps=EPS, **keys), len(F), own)
    for _ in range(20):
        predictor.refresh(F)
    return predictor.matrix


def test_the_scalar_iteration_keeps_the_bounds_that_its_page_states():
    a = torch.cat([torch.linspace(0, 1, 20_001), torch.logspace(-9, 0, 20_001)]).double()
    y, z = a, torch.ones_like(a)
    for row in spectra.QUADRATICS:
        t = y * z
        assert t.min() >= 0
        assert t.max() < 1.001
        q = row[0] + row[1] * t + row[2] * t**2
        y, z = y * q, z * q
    error = (y - a.sqrt()).abs()
    assert error.max() < 8.2e-4
    assert error[a >= 1e-4].max() < 2.0e-5


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("kind", SPECTRA)
def test_W_by_products_in_float32_is_that_of_the_eigen_decomposition_in_float64(kind: str, dim: int):
    s, bound = SPECTRA[kind]
    F = rotated(s(dim))
    assert off(warm(F), F) < bound


@pytest.mark.parametrize("dim", DIMS)
def test_the_error_grows_with_the_eighth_root_of_the_dimension_at_most(dim: int):
    """The worst spectrum: half of the directions are equal, and the others where the polynomial errs most."""
    s = torch.where(ranks(dim) <= max(dim // 2, 1), 1.0, 0.0)
    for low in torch.logspace(-7, -4, 13):
        F = rotated(torch.where(s == 0, low, s))
        assert off(spectra.square_root(F) + EPS * torch.eye(dim), F, "none") < 8.2e-4 * dim**0.125 + 2e-5


@pytest.mark.parametrize("norm", ["spectral", "fro", "none"])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_norms_mean_what_they_mean_for_directset_whatever_the_scale(norm: str, scale: float):
    F = rotated(1 / ranks(32)) * scale
    size = scale**0.5 if norm == "none" else 1.0
    assert off(built(F, norm=norm), F, norm) < 1e-4 * max(size, 1)
    if norm == "none":  # of a small F ε hides the root
        assert off(directpred.weight(F, eps=0.0, norm="none"), F, "none", eps=0.0) < 1e-4 * size


def test_without_a_vector_power_iteration_starts_cold():
    F = rotated(1 / ranks(32))
    assert off(directpred.weight(F, eps=EPS), F) < 1e-4


def test_where_the_vector_falls_short_of_the_top_only_the_size_of_the_root_differs():
    F = rotated(torch.cat([torch.tensor([1.0]), torch.full((31,), 0.5)]))
    v = spectra.power_iteration(F, spectra.start_vector(32), 1)
    short = spectra.rayleigh(F, v)
    assert 0.5 < short < 0.9
    W = directpred.weight(F, eps=EPS, v=v)
    assert_close((W - EPS * torch.eye(32)) * short.sqrt(), spectra.square_root(F), rtol=0, atol=1e-6)


@pytest.mark.parametrize("norm", ["spectral", "fro", "none"])
@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dim", [1, 5])
def test_without_a_signal_W_is_eps_times_the_identity(norm: str, value: float, dim: int):
    F = rotated(ranks(dim))
    for bad in (torch.full_like(F, value), F.clone().index_fill_(0, torch.tensor([0]), value) if value else F * 0):
        assert torch.equal(built(bad, norm=norm), EPS * torch.eye(dim))


def test_rounding_below_zero_stays_small_and_a_matrix_far_from_positive_has_no_root():
    for below, bound in ((1e-7, 1e-4), (1e-6, 1e-3)):
        F = rotated(torch.cat([1 / ranks(63), torch.tensor([-below])]))
        assert off(spectra.square_root(F), F, "none", eps=0.0) < bound
    noise = normal(32, 32, seed=0).float()
    far = [rotated(torch.cat([1 / ranks(63), torch.tensor([-below])])) for below in (1e-3, 1e-2, 1.0)]
    for F in (noise + noise.T, -torch.eye(8), *far):
        assert not spectra.square_root(F).any()


def test_the_root_is_symmetric_and_turns_with_F():
    F, Q = rotated(1 / ranks(16)), rotation(16, 1).float()
    root = spectra.square_root(F)
    assert torch.equal(root, root.T)
    assert_close(spectra.square_root(Q @ F @ Q.T), Q @ root @ Q.T, rtol=0, atol=1e-5)


def test_a_matrix_that_is_not_square_is_refused_with_its_shape():
    with pytest.raises(ValueError, match=r"\[2, 3\]"):
        spectra.square_root(torch.ones(2, 3))


class Watch(TorchDispatchMode):
    """Counts operators; fails at a decomposition, at a value that is asked for, and where two devices meet."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.overloadpacket.__name__)
        assert not re.search("eig|svd|linalg_qr|cholesky|local_scalar|nonzero", self.names[-1])
        assert len({x.device for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}) <= 1
        return func(*args, **(kwargs or {}))


def test_seventeen_products_are_all_it_takes():
    F = rotated(ranks(4))
    with Watch() as watch:
        spectra.square_root(F)
    assert sum(name in ("mm", "addmm") for name in watch.names) == 17


@pytest.mark.parametrize("norm", ["spectral", "fro", "none"])
def test_setting_W_on_a_gpu_asks_for_no_value_and_stays_there(norm: str):
    """As a CUDA graph needs it; tensors that have everything but numbers."""
    predictor = directpred.build(directpred.Config(root="newton_schulz", norm=norm), 6, own)
    assert not predictor.refresh_waits
    with FakeTensorMode():
        F, v = torch.empty(6, 6, device="cuda"), torch.empty(6, device="cuda")
        with Watch() as watch:
            v = spectra.power_iteration(F, v, predictor.iterations)
            W = predictor.rule(F, F, v)
    assert (W.device.type, W.shape) == ("cuda", (6, 6))
    assert watch.names.count("mv") >= 8 * (norm == "spectral")


def test_a_training_with_either_root_sets_nearly_the_same_W():
    """Thirty steps of the small branch from the same weights."""
    found = {root: trained(root) for root in ("eigh", "newton_schulz")}
    W, F = zip(*found.values(), strict=True)
    assert_close(W[1], W[0], rtol=0, atol=1e-3)
    assert_close(F[1], F[0], rtol=0, atol=1e-3 * float(F[0].abs().max()))
    assert torch.linalg.matrix_norm(W[0] - torch.eye(6)) > 0.5  # it has been set


def trained(root: str) -> tuple[Tensor, Tensor]:
    online = branch()
    predictor = directpred.build(directpred.Config(root=root), 6, own)
    method = Method(online, predictor, build_target("ema", online), Moments(6, rho=0.3), cosine.loss)
    optimizer = torch.optim.SGD(online.parameters(), lr=0.03, momentum=0.9)
    for step in range(30):
        outputs = method(images(16, 3, 4, 4, seed=step), images(16, 3, 4, 4, seed=100 + step))
        optimizer.zero_grad()
        outputs.losses.mean().backward()
        optimizer.step()
        method.after_step(outputs, step, step / 30)
    return predictor.matrix, method.moments.F
