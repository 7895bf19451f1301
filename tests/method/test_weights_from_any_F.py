"""What holds for W of every predictor that is set from F, whatever F."""

from collections.abc import Callable

import hypothesis.strategies as st
import torch
from correlations import alphas, correlations, epsilons, norms, rotation, seeds, thorough
from hypothesis import given
from torch import Tensor
from torch.testing import assert_close

from dcp.method import spectra
from dcp.method.moments import own
from dcp.method.predictors import directcopy, directpred, directset

Rule = Callable[[Tensor], Tensor]
close = dict(rtol=1e-7, atol=1e-7)  # W is of the order of 1: its norm is at most 1 + ε


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """F -> W of DirectCopy or DirectSet with any keys under which the scale of F does not matter."""
    eps, norm = draw(epsilons), draw(norms)
    if draw(st.booleans()):
        return lambda F: directcopy.weight(F, eps=eps, norm=norm, v=top_vector(F))
    alpha, place = draw(alphas), draw(st.sampled_from(["outside", "inside"]))
    return lambda F: directset.weight(F, alpha=alpha, eps=eps, norm=norm, eps_place=place)


def top_vector(F: Tensor) -> Tensor:
    """The exact eigenvector: the convergence of power iteration is another matter."""
    return torch.linalg.eigh(F)[1][:, -1]


@thorough
@given(F=correlations(), rule=rules())
def test_W_commutes_with_F(F: Tensor, rule: Rule):
    W = rule(F)
    assert_close(F @ W / F.norm(), W @ F / F.norm(), **close)
    assert spectra.commutator(F, W) < 1e-7


@thorough
@given(F=correlations(), rule=rules(), seed=seeds)
def test_W_turns_with_F(F: Tensor, rule: Rule, seed: int):
    """W(Q F Qᵀ) = Q W(F) Qᵀ; roots of rounding errors at zero eigenvalues are left out by a little ridge."""
    F = F + 1e-3 * F.trace() * torch.eye(len(F), dtype=F.dtype)
    Q = rotation(len(F), seed)
    assert_close(rule(Q @ F @ Q.T), Q @ rule(F) @ Q.T, **close)


@thorough
@given(F=correlations(), rule=rules())
def test_W_keeps_the_order_of_the_eigenvalues(F: Tensor, rule: Rule):
    U = torch.linalg.eigh(F)[1]
    w = (U.T @ rule(F) @ U).diagonal()
    assert (w.diff() >= -1e-7).all()


@thorough
@given(F=correlations(), eps=epsilons, norm=norms, alpha=alphas)
def test_W_is_symmetric_and_its_eigenvalues_lie_between_eps_and_1_plus_eps(F, eps, norm, alpha):
    """Fact 3; so its condition is at most (1 + ε) / ε."""
    for W in (
        directcopy.weight(F, eps=eps, norm=norm, v=top_vector(F)),
        directset.weight(F, alpha=alpha, eps=eps, norm=norm),
    ):
        assert_close(W, W.T, **close)
        w = torch.linalg.eigvalsh(W)
        assert w[0] >= eps - 1e-7
        assert w[-1] <= 1 + eps + 1e-7
        if norm == "spectral":
            assert_close(w[-1].item(), 1 + eps, **close)


@thorough
@given(F=correlations(), rule=rules(), exponent=st.floats(-8, 8))
def test_normalised_weights_ignore_the_scale_of_F(F: Tensor, rule: Rule, exponent: float):
    """Fact 4."""
    F = F + 1e-3 * F.trace() * torch.eye(len(F), dtype=F.dtype)
    assert_close(rule(10.0**exponent * F), rule(F), **close)


@thorough
@given(F=correlations(), eps=epsilons, norm=st.sampled_from(["spectral", "fro", "none"]))
def test_directset_of_1_is_directcopy(F: Tensor, eps: float, norm: str):
    copied = directcopy.weight(F, eps=eps, norm=norm, v=top_vector(F))
    assert_close(directset.weight(F, alpha=1.0, eps=eps, norm=norm), copied, **close)


@thorough
@given(
    F=correlations(least=2),
    eps=epsilons,
    norm=st.sampled_from(["spectral", "fro", "none"]),
    place=st.sampled_from(["outside", "inside"]),
)
def test_directset_of_a_half_is_directpred(F: Tensor, eps: float, norm: str, place: str):
    """For ε ≥ 1e-4, below which only DirectPred has the floor of the official release."""
    pred = directpred.build(directpred.Config(eps=eps, norm=norm, eps_place=place), len(F), own).double()
    set_ = directset.build(directset.Config(alpha=0.5, eps=eps, norm=norm, eps_place=place), len(F), own).double()
    pred.refresh(F)
    set_.refresh(F)
    assert_close(pred.matrix, set_.matrix)


@thorough
@given(
    F=correlations(),
    value=st.sampled_from([float("nan"), float("inf"), -float("inf")]),
    eps=epsilons,
    norm=norms,
    alpha=alphas,
)
def test_one_entry_that_is_not_finite_makes_W_a_multiple_of_the_identity(F, value, eps, norm, alpha):
    F[0, -1] = value
    eye = torch.eye(len(F), dtype=F.dtype)
    assert_close(directcopy.weight(F, eps=eps, norm=norm), eps * eye)
    assert_close(directset.weight(F, alpha=alpha, eps=eps, norm=norm), eps * eye)


@thorough
@given(F=correlations(), exponent=st.floats(-300, 30), rule=rules())
def test_W_is_finite_for_the_smallest_and_the_largest_F(F: Tensor, exponent: float, rule: Rule):
    assert torch.isfinite(rule(10.0**exponent * F)).all()
