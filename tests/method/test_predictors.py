"""Predictors that are set from F, redone by hand with F = diag(4, 1, 1/4).

Facts (numbered as in the list of facts that the maths tests cover):
1 DirectCopy's weight      2 DirectPred's, code and paper        5 whole exponents
6 no signal, one direction    8 the floor of the official release
"""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dcp import catalogue
from dcp.method.moments import own
from dcp.method.predictors import directcopy, directpred, directset
from dcp.method.predictors.base import SetLinear


def diag(*values: float) -> Tensor:
    return torch.diag(torch.tensor(values, dtype=torch.float64))


F = diag(4, 1, 0.25)
close = dict(rtol=1e-6, atol=1e-9)  # the numbers below have seven digits


def random_F(dim: int, seed: int) -> Tensor:
    z = torch.randn(3 * dim, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return z.T @ z / len(z)


def set_by(name: str, F: Tensor, **keys: object) -> Tensor:
    """W after a refresh of the predictor that a recipe builds."""
    module = catalogue.load("predictors", name)
    predictor = module.build(module.Config(**keys), len(F), own).double()
    for _ in range(20):  # power iteration goes on from one refresh to the next
        predictor.refresh(F)
    return predictor.matrix


def test_directcopy_is_F_over_its_largest_eigenvalue_plus_eps():
    """Fact 1."""
    assert_close(directcopy.weight(F, eps=0.3), diag(1.3, 0.55, 0.3625), **close)
    assert_close(set_by("directcopy", F), diag(1.3, 0.55, 0.3625), **close)


def test_directcopy_with_the_frobenius_norm_divides_by_4_1306779():
    """Fact 1."""
    assert_close(directcopy.weight(F, eps=0.3, norm="fro"), diag(1.268364, 0.542091, 0.360523), **close)
    assert_close(set_by("directcopy", F, norm="fro"), diag(1.268364, 0.542091, 0.360523), **close)


def test_directcopy_without_norm_and_eps_is_F_itself():
    """Fact 1: so it grows with F, where others ignore its scale (`test_weights_from_any_F.py`)."""
    assert_close(directcopy.weight(F, eps=0.0, norm="none"), F)
    assert_close(set_by("directcopy", F, eps=0.0, norm="none"), F)


def test_directpred_is_the_root_of_normalised_F_plus_eps_as_the_release_codes_it():
    """Fact 2."""
    assert_close(directset.weight(F, alpha=0.5, eps=0.1), diag(1.1, 0.6, 0.35), **close)
    assert_close(set_by("directpred", F), diag(1.1, 0.6, 0.35), **close)


def test_directpred_with_eps_inside_takes_the_root_of_the_sum():
    """Fact 2."""
    expected = diag(1.0488088, 0.5916080, 0.4031129)
    assert_close(set_by("directpred", F, eps_place="inside"), expected, **close)
    assert_close(set_by("directset", F, eps_place="inside"), expected, **close)


def test_the_printed_directpred_is_no_multiple_of_the_coded_one_unless_eps_scales_with_the_root():
    """Fact 2: eq. 18 adds ε max(s), here 0.1 · 4; with ε √max(s) = 0.2 it is the coded form times √4."""
    coded = directset.weight(F, alpha=0.5, eps=0.1)
    printed = directset.weight(F, alpha=0.5, eps=0.1 * 4, norm="none")
    assert_close(printed, diag(2.4, 1.4, 0.9), **close)
    ratio = printed.diag() / coded.diag()
    assert ratio.max() / ratio.min() > 1.1
    assert_close(directset.weight(F, alpha=0.5, eps=0.1 * 2, norm="none"), 2 * coded)


@pytest.mark.parametrize("norm", ["spectral", "fro", "none"])
@pytest.mark.parametrize("alpha", [1, 2, 3])
def test_whole_exponents_agree_with_products_of_F(alpha: int, norm: str):
    """Fact 5."""
    F = random_F(5, seed=1)
    power = torch.linalg.matrix_power(F, alpha)
    size = {"spectral": torch.linalg.matrix_norm(power, 2), "fro": power.norm(), "none": 1.0}[norm]
    expected = power / size + 0.1 * torch.eye(5, dtype=F.dtype)
    assert_close(directset.weight(F, alpha=float(alpha), eps=0.1, norm=norm), expected)


@pytest.mark.parametrize("bad", [0.0, float("nan"), float("inf")])
def test_without_a_signal_the_weight_is_eps_times_the_identity(bad: float):
    """Fact 6."""
    F = torch.full((3, 3), bad, dtype=torch.float64)
    eye = torch.eye(3, dtype=torch.float64)
    for norm in ("spectral", "fro", "none"):
        assert_close(directcopy.weight(F, eps=0.3, norm=norm), 0.3 * eye)
        assert_close(directset.weight(F, alpha=0.5, eps=0.1, norm=norm), 0.1 * eye)
    assert_close(directset.weight(F, alpha=0.5, eps=0.09, eps_place="inside"), 0.3 * eye)
    for name in ("directcopy", "directset", "directpred"):
        assert_close(set_by(name, F, eps=0.2), 0.2 * eye)


def test_one_direction_keeps_1_plus_eps_and_the_rest_get_eps():
    """Fact 6."""
    u = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    expected = torch.outer(u, u) + 0.3 * torch.eye(3, dtype=torch.float64)
    assert_close(directcopy.weight(5 * torch.outer(u, u), eps=0.3), expected)
    assert_close(directset.weight(5 * torch.outer(u, u), alpha=0.5, eps=0.3), expected, rtol=0, atol=1e-7)


def test_a_negative_eps_ends_at_the_floor_of_the_release():
    """Fact 8: (1, 0.5, 0.25) - 0.5 = (0.5, 0, -0.25), floored at 1e-4."""
    floored = directset.weight(F, alpha=0.5, eps=-0.5, floor=directpred.FLOOR)
    assert_close(floored, diag(0.5, 1e-4, 1e-4), **close)


def test_directpred_without_eps_keeps_the_floor_in_dead_directions_on_the_sum_in_which_eps_stands():
    """Fact 8: outside 1e-4, inside √1e-4."""
    assert_close(set_by("directpred", diag(4, 1, 0), eps=0.0), diag(1, 0.5, 1e-4), **close)
    assert_close(set_by("directpred", diag(4, 1, 0), eps=0.0, eps_place="inside"), diag(1, 0.5, 1e-2), **close)
    assert_close(set_by("directset", diag(4, 1, 0), eps=0.0), diag(1, 0.5, 0), **close)


def test_a_high_exponent_survives_the_range_of_float32():
    small, large = (k * F.float() for k in (1e-6, 1e6))
    expected = directset.weight(F, alpha=16.0, eps=0.1).float()
    assert_close(directset.weight(small, alpha=16.0, eps=0.1), expected)
    assert_close(directset.weight(large, alpha=16.0, eps=0.1), expected)


def test_a_matrix_that_is_not_square_is_refused_with_its_shape():
    with pytest.raises(ValueError, match=r"\[2, 3\]"):
        directcopy.weight(torch.ones(2, 3), eps=0.3)


def test_a_set_predictor_starts_as_the_identity_and_multiplies_rows_by_W_transposed():
    predictor = SetLinear(2, lambda F, C, v: F)
    z = torch.tensor([[1.0, 2.0]])
    assert_close(predictor(z), z)
    predictor.refresh(torch.tensor([[1.0, 3.0], [0.0, 1.0]]))
    assert_close(predictor(z), torch.tensor([[7.0, 2.0]]))


def test_the_weight_is_a_parameter_only_where_the_optimizer_steps_on_it():
    assert not list(SetLinear(4, lambda F, C, v: F).parameters())
    assert [name for name, _ in SetLinear(4, lambda F, C, v: F, 5).named_parameters()] == ["W"]
