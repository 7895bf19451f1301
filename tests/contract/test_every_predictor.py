"""The same checks for every predictor in the tree."""

import pytest
import torch
from safetensors.torch import load, save
from small import DTYPES, PREDICTORS, branch, build_predictor, build_target, correlation, cross, normal
from torch.testing import assert_close

from dcp import spectra, variants
from dcp.method import Method
from dcp.moments import Moments
from dcp.objectives import cosine
from dcp.predictor import Predictor, SetLinear

every = pytest.mark.parametrize("name", PREDICTORS)
BY_F = [name for name in PREDICTORS if name.startswith("direct")]
SET = [*BY_F, "minimal_space", "newton_schulz", "procrustes", "projector", "regression", "spectral_filter"]
CHANGED = [*SET, "partition"]  # which sets many matrices from moments of its own
NO_MATRIX = ["identity", "mlp", "offdiagonal", "partition", "symmetric_mlp"]


def refresh(predictor: Predictor, seed: int = 0) -> None:
    """With everything that a method hands over, which is float32 whatever the dtype of the predictor."""
    predictor.refresh(correlation(6, seed), cross(6, seed), normal(18, 6, seed=seed))


@every
def test_it_maps_projections_to_predictions_of_the_same_shape(name: str):
    predictor = build_predictor(name)
    assert isinstance(predictor, Predictor)
    assert predictor(normal(5, 6, seed=0)).shape == (5, 6)


@every
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_works_in_double_and_in_half_precision(name: str, dtype: torch.dtype):
    predictor, z = build_predictor(name).to(dtype), normal(5, 6, seed=0, dtype=dtype)
    refresh(predictor)
    p = predictor(z)
    assert p.dtype == dtype
    assert torch.isfinite(p).all()


@every
def test_the_gradient_reaches_the_projections(name: str):
    predictor, z = build_predictor(name), normal(5, 6, seed=0).requires_grad_()
    refresh(predictor)
    (predictor(z) * normal(5, 6, seed=1)).sum().backward()  # not their norm, which batch norm fixes
    assert z.grad.norm() > 0


@every
def test_its_state_survives_a_file(name: str):
    first, second = build_predictor(name), build_predictor(name)
    refresh(first)
    with torch.no_grad():
        for p in first.parameters():
            p.add_(0.1)
    second.load_state_dict(load(save({key: value.contiguous() for key, value in first.state_dict().items()})))
    z = normal(5, 6, seed=0)
    assert torch.equal(first(z), second(z))
    for each in (first, second):
        refresh(each, seed=1)
    assert torch.equal(first(z), second(z))


@every
def test_it_is_deterministic(name: str):
    predictions = []
    for _ in range(2):
        predictor = build_predictor(name)
        refresh(predictor)
        predictions.append(predictor(normal(5, 6, seed=0)))
    assert torch.equal(*predictions)


@every
def test_only_predictors_that_are_set_change_by_a_refresh(name: str):
    predictor = build_predictor(name)
    before = predictor(normal(5, 6, seed=0))
    refresh(predictor)
    assert torch.equal(predictor(normal(5, 6, seed=0)), before) == (name not in CHANGED)
    assert (predictor.set_by(correlation(6), cross(6)) is None) == (name not in SET)


KEYS = [(name, {"norm": norm}) for name in BY_F for norm in ("spectral", "fro", "none")]
KEYS += [(name, {}) for name in SET if name not in BY_F]
KEYS += [("projector", {"of": "C"}), *(("spectral_filter", {"g": g}) for g in ("log", "log1", "log2"))]
KEYS += [("regression", {"order": "left"}), ("regression", {"symmetrise": True, "ridge_unit": "one"})]


@pytest.mark.parametrize(("name", "keys"), KEYS)
def test_what_it_would_set_is_what_it_sets_and_asking_changes_nothing(name: str, keys: dict):
    predictor, F, C = build_predictor(name, **keys), correlation(6), cross(6)
    assert isinstance(predictor, SetLinear)
    before = {key: value.clone() for key, value in predictor.state_dict().items()}
    told = predictor.set_by(F, C)
    assert_close(dict(predictor.state_dict()), before, rtol=0, atol=0)
    predictor.refresh(F, C)
    assert torch.equal(predictor.matrix, told)
    if not predictor.needs_cross:
        assert spectra.commutator(F, told) < 1e-6


@every
def test_a_predictor_that_calls_itself_symmetric_is_and_has_no_negative_eigenvalue(name: str):
    predictor = build_predictor(name)
    refresh(predictor)
    if getattr(variants.load("predictors", name).Config, "symmetric", True) and predictor.matrix is not None:
        assert_close(predictor.matrix, predictor.matrix.T)
        assert torch.linalg.eigvalsh(predictor.matrix)[0] > -1e-6


@pytest.mark.parametrize("name", CHANGED)
@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_moments_without_a_signal_leave_finite_predictions(name: str, value: float):
    predictor, bad = build_predictor(name), torch.full((6, 6), value)
    predictor.refresh(bad, bad, torch.full((18, 6), value))
    assert torch.isfinite(predictor(normal(5, 6, seed=0))).all()


@every
def test_its_matrix_is_what_it_multiplies_by(name: str):
    predictor, z = build_predictor(name), normal(5, 6, seed=0)
    refresh(predictor)
    assert (predictor.matrix is None) == (name in NO_MATRIX)
    if predictor.matrix is not None:
        assert_close(predictor(z), z @ predictor.matrix.T)


def test_the_two_layer_predictor_is_that_of_the_small_data_baseline():
    """Linear(128, 512) with bias, batch norm without affine weights, ReLU, Linear(512, 128) with bias."""
    found = {name: tuple(p.shape) for name, p in build_predictor("mlp", 128).named_parameters()}
    shapes = [(512, 128), (512,), (128, 512), (128,)]
    assert found == dict(
        zip(["layers.0.weight", "layers.0.bias", "layers.3.weight", "layers.3.bias"], shapes, strict=True)
    )


def three_steps(predictor: Predictor, **options: object) -> None:
    """Train, and check that numbers stay finite and the weights of the branch move."""
    online = branch()
    target = build_target("ema", online)
    method = Method(online, predictor, target, Moments(6, rho=0.5, cross=predictor.needs_cross), cosine.loss, **options)
    # not the biases: batch norm takes back what the one in front of it adds
    weights = [p for p in online.parameters() if p.ndim > 1]
    before = [p.detach().clone() for p in weights]
    optimizer = torch.optim.SGD(method.parameters(), lr=0.03, momentum=0.9)
    for index in range(3):
        step = method(normal(8, 3, 4, 4, seed=index), normal(8, 3, 4, 4, seed=100 + index))
        optimizer.zero_grad()
        step.losses.mean().backward()
        optimizer.step()
        method.after_step(step, index, index / 3)
        assert (step.losses.abs() <= 4 + 1e-5).all()
    assert all(torch.isfinite(value).all() for value in method.state_dict().values())
    assert all((p - old).norm() > 1e-4 for p, old in zip(weights, before, strict=True))


OPTIONS = {
    "official": {},
    "immediate": {"timing": "immediate"},
    "sequential": {"source": "sequential"},
    "bf16": {"amp": torch.bfloat16},
    "joined": {"join_views": True},
}


@every
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_three_steps_of_training_move_the_branch_and_stay_finite(name: str, options: dict):
    three_steps(build_predictor(name), **options)


@pytest.mark.parametrize("name", SET)
def test_a_weight_that_is_set_at_every_second_step_trains_too(name: str):
    three_steps(build_predictor(name, every=2))
