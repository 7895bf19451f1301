"""The same checks for every predictor in the tree."""

from typing import get_args

import pytest
import torch
from safetensors.torch import load, save
from small import DTYPES, PREDICTORS, branch, build_predictor, build_target, correlation, cross, normal
from torch.testing import assert_close

from dcp import catalogue
from dcp.catalogue import VariantConfig
from dcp.method import spectra
from dcp.method.algorithm import Method
from dcp.method.moments import Moments
from dcp.method.objectives import cosine
from dcp.method.passes import joined
from dcp.method.predictors.base import ClosedConfig, Predictor, SetLinear

every = pytest.mark.parametrize("name", PREDICTORS)
CONFIGS = {name: catalogue.load("predictors", name).Config for name in PREDICTORS}
CLOSED = [name for name in PREDICTORS if issubclass(CONFIGS[name], ClosedConfig)]
SET = [name for name in CLOSED if isinstance(build_predictor(name), SetLinear)]
NO_W = {*VariantConfig.model_fields, *ClosedConfig.model_fields, "name"}  # keys that are not of the rule


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
    changed = not torch.equal(predictor(normal(5, 6, seed=0)), before)
    if name in CLOSED:
        assert changed, "its Config is a ClosedConfig, but `refresh` does not set it"
    if any(True for _ in predictor.parameters()):
        assert not changed, "it has parameters, which the optimizer steps on, and `refresh` sets them too"
    assert (predictor.weight(correlation(6), cross(6)) is None) == (name not in SET)


def others(name: str, key: str) -> list[object]:
    """Values of a key that differ from its default: every other word, or a number nearby."""
    field = CONFIGS[name].model_fields[key]
    if isinstance(field.default, bool):
        return [not field.default]
    if words := get_args(field.annotation):
        words = [word for word in words if isinstance(word, str) and word != field.default]
    near = [1.5 * field.default + 0.05] if isinstance(field.default, float) else [1]
    return list(words) or near


KEYS = [(name, {}) for name in SET]
KEYS += [
    (name, {key: value})
    for name in SET
    for key in CONFIGS[name].model_fields.keys() - NO_W
    for value in others(name, key)
]
KEYS.sort(key=str)


@pytest.mark.parametrize(("name", "keys"), [case for case in KEYS if case[1]])
def test_each_key_of_a_predictor_that_is_set_changes_W(name: str, keys: dict):
    """A key that is inherited and not used would be a setting that does nothing."""
    context = {"power": {"g": "poly"}}.get(next(iter(keys)), {})
    default, other = (build_predictor(name, **context, **each) for each in ({}, keys))
    refresh(default)
    refresh(other)
    assert not torch.equal(default.matrix, other.matrix), f"{name} makes nothing of {keys}"


@pytest.mark.parametrize(("name", "keys"), KEYS)
def test_what_it_would_set_is_what_it_sets_and_asking_changes_nothing(name: str, keys: dict):
    predictor, F, C = build_predictor(name, **keys), correlation(6), cross(6)
    assert isinstance(predictor, SetLinear)
    before = {key: value.clone() for key, value in predictor.state_dict().items()}
    told = predictor.weight(F, C)
    assert_close(dict(predictor.state_dict()), before, rtol=0, atol=0)
    predictor.refresh(F, C)
    assert torch.equal(predictor.matrix, told)
    if not predictor.needs_cross:
        assert spectra.commutator(F, told) < 1e-6


@every
def test_a_predictor_that_calls_itself_symmetric_is_and_has_no_negative_eigenvalue(name: str):
    predictor = build_predictor(name)
    refresh(predictor)
    if CONFIGS[name].symmetric and predictor.matrix is not None:
        assert_close(predictor.matrix, predictor.matrix.T)
        assert torch.linalg.eigvalsh(predictor.matrix)[0] > -1e-6


@every
def test_a_predictor_that_calls_itself_the_identity_is_and_one_that_learns_has_parameters(name: str):
    predictor, z = build_predictor(name), normal(5, 6, seed=0)
    refresh(predictor)
    assert torch.equal(predictor(z), z) == CONFIGS[name].identity
    assert any(True for _ in predictor.parameters()) == CONFIGS[name]().learns


@every
@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_moments_without_a_signal_leave_finite_predictions(name: str, value: float):
    predictor, bad = build_predictor(name), torch.full((6, 6), value)
    predictor.refresh(bad, bad, torch.full((18, 6), value))
    assert torch.isfinite(predictor(normal(5, 6, seed=0))).all()


@every
def test_its_matrix_is_what_it_multiplies_by(name: str):
    predictor, z = build_predictor(name), normal(5, 6, seed=0)
    refresh(predictor)
    if predictor.matrix is not None:
        assert_close(predictor(z), z @ predictor.matrix.T)
    else:
        assert not predictor.state_dict() or not is_linear(predictor), "a linear map has a `matrix`, for the diagnosis"


def is_linear(predictor: Predictor) -> bool:
    """Whether the prediction of a sum is the sum of the predictions."""
    x, y = normal(5, 6, seed=1), normal(5, 6, seed=2)
    return torch.allclose(predictor(x + y), predictor(x) + predictor(y), atol=1e-5)


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
        outputs = method(normal(8, 3, 4, 4, seed=index), normal(8, 3, 4, 4, seed=100 + index))
        optimizer.zero_grad()
        outputs.losses.mean().backward()
        optimizer.step()
        method.after_step(outputs, index, index / 3)
        assert (outputs.losses.abs() <= 4 + 1e-5).all()
    assert all(torch.isfinite(value).all() for value in method.state_dict().values())
    assert all((p - old).norm() > 1e-4 for p, old in zip(weights, before, strict=True))


OPTIONS = {
    "official": {},
    "immediate": {"timing": "immediate"},
    "sequential": {"source": "sequential"},
    "bf16": {"amp": torch.bfloat16},
    "joined": {"through": joined},
}


@every
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_three_steps_of_training_move_the_branch_and_stay_finite(name: str, options: dict):
    three_steps(build_predictor(name), **options)


@pytest.mark.parametrize("name", SET)
def test_a_weight_that_is_set_at_every_second_step_trains_too(name: str):
    three_steps(build_predictor(name, every=2))
