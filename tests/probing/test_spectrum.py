import dataclasses
from pathlib import Path

import pytest
import torch
from subjects import of, subject

from dcp.errors import RunError
from dcp.probing.evaluations import spectrum
from dcp.probing.evaluations.base import Features
from dcp.recipe.recipe import Recipe
from dcp.training.pretrain import pretrain
from dcp.training.request import Request


def features(x):
    return of(x, [0] * len(x), x, [0] * len(x), 1)


def measure(x, F=None, W=None):
    return spectrum.evaluate(dataclasses.replace(features(x), F=F, W=W), spectrum.Config(), seed=0)


def columns(n, d, seed=0):
    """[n, d] with orthonormal columns, all of mean zero."""
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(x - x.mean(0)).Q


def test_d_orthonormal_columns_have_every_rank_d_and_one_direction_every_rank_1():
    direction = torch.outer(torch.linspace(-1, 1, 50), torch.arange(1.0, 7.0))
    for x, rank in ((columns(50, 6), 6), (direction, 1)):
        score = measure(x).score
        for name in ("rankme", "stable_rank", "nesum", "participation_ratio"):
            assert score[name] == pytest.approx(rank, abs=1e-4)


def test_ranks_of_the_singular_values_2_1_1_by_hand():
    score = measure(columns(40, 3) * torch.tensor([2.0, 1.0, 1.0])).score
    # p = (1/2, 1/4, 1/4): entropy 1.5 ln 2; squares 4, 1, 1
    assert score["rankme"] == pytest.approx(2**1.5, abs=1e-4)
    assert (score["stable_rank"], score["nesum"]) == pytest.approx((6 / 4, 6 / 4), abs=1e-4)
    assert score["participation_ratio"] == pytest.approx(36 / 18, abs=1e-4)


def test_rankme_is_that_of_the_singular_values_of_the_features_not_centred():
    x = subject().test.x
    s = torch.linalg.svdvals(x.double())
    p = s / s.sum()
    assert measure(x).score["rankme"] == pytest.approx(float((-(p * p.log()).sum()).exp()), rel=1e-6)
    assert measure(x).score["stable_rank"] == pytest.approx(float(s.square().sum() / s[0] ** 2), rel=1e-6)


def test_nesum_and_participation_ratio_are_those_of_the_covariance():
    x = subject().test.x
    s = torch.linalg.eigvalsh(torch.cov(x.double().T))
    assert measure(x).score["nesum"] == pytest.approx(float(s.sum() / s[-1]), rel=1e-6)
    assert measure(x).score["participation_ratio"] == pytest.approx(float(s.sum() ** 2 / s.square().sum()), rel=1e-6)
    eigenvalues = measure(x).extra["feature_covariance_eigenvalues"]
    assert eigenvalues == sorted(eigenvalues, reverse=True)
    assert sum(eigenvalues) == pytest.approx(float(x.double().var(0, correction=0).sum()), rel=1e-6)


def test_pieces_give_what_the_whole_gives(monkeypatch):
    x = subject().test.x
    whole = measure(x).score
    monkeypatch.setattr(spectrum, "ROWS_AT_A_TIME", 33)
    assert measure(x).score == pytest.approx(whole, rel=1e-9)


def test_directions_spread_evenly_reach_the_greatest_normalized_std():
    found = measure(torch.randn(5000, 16, generator=torch.Generator().manual_seed(1)))
    assert found.score["normalized_std"] == pytest.approx(found.extra["normalized_std_at_most"], rel=0.01)
    assert found.extra["normalized_std_at_most"] == 0.25
    assert len(found.extra["normalized_std"]) == 16


@pytest.mark.parametrize("value", [3.3, 1e-4, 2e6])
def test_constant_features_have_no_spread_and_no_rank_of_covariance(value):
    x = torch.full((500, 8), value) * torch.linspace(0.1, 1, 8)
    # kernels leave a constant uncertain in its last bit: a spread in all directions that means nothing
    last_bit = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    score = measure(torch.where(last_bit, x, x.nextafter(torch.tensor(torch.inf)))).score
    assert (score["nesum"], score["participation_ratio"]) == (0, 0)
    assert score["normalized_std"] < 1e-6
    assert score["rankme"] == pytest.approx(1, abs=1e-4)


def test_features_of_zero_have_rank_0_throughout():
    assert set(measure(torch.zeros(10, 4)).score.values()) == {0.0}


@pytest.mark.parametrize(("n", "biased"), [(7, True), (8, True), (9, False)])
def test_rankme_says_when_there_are_too_few_images(n, biased):
    found = measure(torch.randn(n, 8, generator=torch.Generator().manual_seed(1)))
    assert found.extra["rankme"] == {"n": n, "dim": 8, "biased": biased}


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_found(alpha):
    x = columns(400, 100) * torch.arange(1.0, 101) ** (-alpha / 2)
    found = measure(x)
    assert found.score["powerlaw_alpha"] == pytest.approx(alpha, abs=1e-3)
    assert found.extra["powerlaw"]["ranks"] == [11, 100]
    assert found.extra["powerlaw"]["explained"] == pytest.approx(1, abs=1e-5)


def test_only_the_ranks_asked_for_are_fitted():
    rank = torch.arange(1.0, 61)
    broken = torch.where(rank < 20, rank**-1.0, 20.0 * rank**-2.0)
    x = columns(300, 60) * broken.sqrt()
    low, high = (
        spectrum.evaluate(features(x), spectrum.Config(fit=fit), seed=0).score["powerlaw_alpha"]
        for fit in ((1, 19), (20, 60))
    )
    assert (low, high) == (pytest.approx(1, abs=1e-3), pytest.approx(2, abs=1e-3))


def test_a_law_of_fewer_than_three_ranks_is_left_out():
    assert "powerlaw_alpha" in measure(columns(50, 13)).score
    assert "powerlaw_alpha" not in measure(columns(50, 12)).score


def test_too_few_images_do_lower_the_ranks_that_are_called_biased():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 64, generator=draw) * torch.arange(1.0, 65) ** -0.5
    many, few = measure(x), measure(x[:48])
    assert many.extra["biased"] == []
    assert few.extra["biased"] == list(spectrum.BIASED)
    for name in ("rankme", "participation_ratio", "nesum", "stable_rank"):
        assert few.score[name] < 0.9 * many.score[name]
    assert few.score["powerlaw_alpha"] > 1.1 * many.score["powerlaw_alpha"]


def test_a_function_of_F_is_aligned_with_F():
    U = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64)).Q
    F, W = (U * torch.tensor([5.0, 4, 3, 2, 1])) @ U.T, (U * torch.tensor([2.5, 2, 1.5, 1, 0.5]).sqrt()) @ U.T
    found = measure(torch.eye(4), F.float(), W.float())
    assert found.score["commutator"] == pytest.approx(0, abs=1e-6)
    assert found.score["alignment"] == pytest.approx(1, abs=1e-6)
    assert found.extra["alignment_by_eigenvector"] == pytest.approx([1] * 5, abs=1e-6)
    assert found.extra["F_eigenvalues"] == pytest.approx([5, 4, 3, 2, 1], rel=1e-5)
    assert found.score["F_effective_rank"] == pytest.approx(225 / 55, rel=1e-5)


def test_alignment_of_a_matrix_turned_by_45_degrees_by_hand():
    F, W = torch.diag(torch.tensor([2.0, 1.0])), torch.tensor([[2.0, 1.0], [1.0, 2.0]])
    found = measure(torch.eye(2), F, W)
    # FW - WF = [[0, 1], [-1, 0]]; |diag W| = √8, |W| = √10; u = e1: 2 / |(2, 1)|
    assert found.score["commutator"] == pytest.approx(2**0.5 / (2 * 5**0.5 * 10**0.5), rel=1e-6)
    assert found.score["alignment"] == pytest.approx(0.8**0.5, rel=1e-6)
    assert found.extra["alignment_by_eigenvector"] == pytest.approx([2 / 5**0.5] * 2, rel=1e-6)
    assert found.extra["W_eigenvalues"] == pytest.approx([3, 1], rel=1e-6)
    assert found.score["W_asymmetry"] == 0


def test_a_learnt_matrix_may_be_asymmetric_and_a_dead_one_zero():
    F, turn = torch.diag(torch.tensor([2.0, 1.0])), torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    assert measure(torch.eye(2), F, turn).score["W_asymmetry"] == pytest.approx(1)
    dead = measure(torch.eye(2), F, torch.zeros(2, 2))
    assert (dead.score["alignment"], dead.score["commutator"]) == (0, 0)


def test_matrices_that_the_run_has_not_are_left_out():
    assert not {"commutator", "alignment", "F_effective_rank", "W_asymmetry"} & set(measure(torch.eye(3)).score)
    assert "alignment" not in measure(torch.eye(3), F=torch.eye(2)).score


@pytest.mark.parametrize("symbol", ["F", "W"])
def test_a_matrix_that_is_not_finite_is_refused(symbol):
    with pytest.raises(RunError, match=f"{symbol} of the run is not finite"):
        measure(torch.eye(3), **{symbol: torch.full((2, 2), torch.nan)})


def test_the_training_features_are_not_looked_at():
    it = features(torch.randn(20, 4, generator=torch.Generator().manual_seed(2)))
    none = dataclasses.replace(it, train=Features(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)))
    assert spectrum.evaluate(none, spectrum.Config(), seed=0) == spectrum.evaluate(it, spectrum.Config(), seed=0)


@pytest.mark.parametrize("name", ["directcopy", "linear", "orthogonal", "symmetric", "identity"])
def test_W_is_found_however_the_predictor_stores_it(name: str, tmp_path: Path) -> None:
    recipe = Recipe.read(f"tiny/{name}", ("train.epochs=1", "data.images=128", "probe.after=['spectrum']"))
    run = pretrain(recipe, Request(tmp_path, device="cpu"))
    score = run.probes()["spectrum"].score
    assert ("alignment" in score) == (name != "identity")
    if name == "symmetric":
        assert score["W_asymmetry"] == 0
