"""LiDAR, alignment and uniformity: against loops in float64, and at sizes where they cannot be right."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import nn

from dcp.data.datasets.base import Dataset
from dcp.data.views import apply
from dcp.data.views.config import Views
from dcp.probing.evaluations import _of_views, spectrum
from dcp.probing.evaluations.base import Features, Origin, Subject
from dcp.probing.probe import probe
from dcp.recipe.recipe import Recipe
from dcp.training.pretrain import pretrain
from dcp.training.request import Request

QUICK = ("probe.spectrum.images=20", "probe.spectrum.views=4")


def draws(n: int, q: int, dim: int, noise: float = 0.5, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    centre = torch.randn(n, 1, dim, generator=draw) * torch.arange(1.0, dim + 1) ** -0.7
    return 0.3 + centre + noise * torch.randn(n, q, dim, generator=draw)


def lidar_by_loops(h: np.ndarray) -> float:
    n, q, dim = h.shape
    mean = h.reshape(-1, dim).mean(0)
    between, within = np.zeros((dim, dim)), 1e-4 * np.eye(dim)
    for views in h:
        centre = views.mean(0)
        between += np.outer(centre - mean, centre - mean) / n
        for view in views:
            within += np.outer(view - centre, view - centre) / (n * q)
    root = linalg.inv(linalg.sqrtm(within).real)
    eigenvalues = np.clip(linalg.eigvalsh(root @ between @ root), 0, None)
    p = eigenvalues / eigenvalues.sum() + 1e-7
    return math.exp(-sum(x * math.log(x) for x in p))


@pytest.mark.parametrize(("n", "q", "dim"), [(60, 5, 8), (7, 4, 12), (2, 2, 3)])
def test_lidar_is_that_of_loops_with_fewer_and_more_images_than_dimensions(n: int, q: int, dim: int) -> None:
    h = draws(n, q, dim)
    assert float(_of_views.lidar(h)) == pytest.approx(lidar_by_loops(h.double().numpy()), rel=1e-6)


def test_alignment_and_uniformity_are_those_of_loops() -> None:
    h = draws(9, 4, 5)
    u = (h.double() / h.double().norm(dim=2, keepdim=True)).numpy()
    pairs = [np.sum((views[i] - views[i + 1]) ** 2) for views in u for i in (0, 2)]
    assert float(_of_views.alignment(h)) == pytest.approx(np.mean(pairs), rel=1e-12)
    apart = [
        math.exp(-2 * np.sum((u[i, v] - u[j, v]) ** 2)) for v in range(4) for i in range(9) for j in range(9) if i != j
    ]
    assert float(_of_views.uniformity(h)) == pytest.approx(math.log(np.mean(apart)), rel=1e-10)


def test_pieces_give_the_uniformity_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    h = draws(30, 2, 6)
    whole = float(_of_views.uniformity(h))
    monkeypatch.setattr(_of_views, "ROWS_AT_A_TIME", 7)
    assert float(_of_views.uniformity(h)) == pytest.approx(whole, rel=1e-12)


def test_uniformity_does_not_fall_with_the_number_of_images_as_it_would_with_each_paired_with_itself() -> None:
    few = [math.exp(float(_of_views.uniformity(draws(8, 1, 6, seed=seed)))) for seed in range(300)]
    many = math.exp(float(_of_views.uniformity(draws(2000, 1, 6, seed=1000))))
    error = np.std(few) / 300**0.5
    assert abs(np.mean(few) - many) < 4 * error
    assert (np.mean(few) * 7 + 1) / 8 - many > 20 * error


def test_an_odd_view_is_in_no_pair() -> None:
    h = draws(6, 5, 4)
    assert float(_of_views.alignment(h)) == float(_of_views.alignment(h[:, :4]))


def test_lidar_counts_the_directions_that_views_leave_alone() -> None:
    draw = torch.Generator().manual_seed(1)
    h = 0.001 * torch.randn(400, 10, 12, generator=draw)
    h[:, :, :5] += torch.randn(400, 1, 5, generator=draw)  # told apart; the other seven are noise of the views
    assert float(_of_views.lidar(h)) == pytest.approx(5, abs=0.1)


def test_a_direction_of_noise_has_an_eigenvalue_of_one_in_q() -> None:
    only_noise = torch.randn(4000, 5, 3, generator=torch.Generator().manual_seed(2))
    centre = only_noise.double().mean(1)
    within = (only_noise.double() - centre.unsqueeze(1)).flatten(0, 1)
    ratio = torch.linalg.eigvals(torch.linalg.solve(torch.cov(within.T), torch.cov(centre.T))).real
    assert ratio.tolist() == pytest.approx([1 / 4] * 3, rel=0.1)  # Σ_w of q views is (q - 1)/q of the true one
    assert float(_of_views.lidar(only_noise)) == pytest.approx(3, abs=0.02)


def test_features_that_are_all_the_same_have_no_lidar_and_are_in_one_place() -> None:
    h = torch.full((10, 4, 6), 0.7)
    h = torch.where(torch.rand(h.shape, generator=torch.Generator().manual_seed(0)) < 0.5, h, h.nextafter(h + 1))
    assert float(_of_views.lidar(h)) == 0
    assert float(_of_views.alignment(h)) == pytest.approx(0, abs=1e-12)
    assert float(_of_views.uniformity(h)) == pytest.approx(0, abs=1e-6)


def test_opposite_and_evenly_spread_features_have_the_extremes() -> None:
    u = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert float(_of_views.uniformity(u.unsqueeze(1))) == pytest.approx(-8)
    assert float(_of_views.alignment(u.unsqueeze(0))) == 4
    assert float(_of_views.uniformity(torch.zeros(3, 2, 4))) == 0


def origin(n: int = 12, size: int = 16) -> Origin:
    images = torch.randint(0, 256, (n, 3, 20, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    data = Dataset(images, torch.zeros(n, dtype=torch.int64), ("a",), "here")
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, 5))
    return Origin(encoder, data, data, size, Views(), projector=nn.Sequential(nn.Linear(5, 2)).requires_grad_(False))


def subject(it: Origin) -> Subject:
    y = torch.zeros(len(it.test), dtype=torch.int64)
    x = Features(torch.randn(len(it.test), 5, generator=torch.Generator().manual_seed(4)), y)
    return Subject(x, x, origin=it)


def test_views_are_those_that_the_run_draws_by_seed_epoch_and_number() -> None:
    it = origin()
    rows = torch.tensor([2, 7, 11])
    (features, h), (projections, z) = _of_views.outputs(it, rows, 3, seed=9)
    assert (features, projections) == ("", "projection_")
    for i, row in enumerate(rows.tolist()):
        for view in range(3):
            pair = apply.random_views(
                it.test.images[row : row + 1], torch.tensor([row]), it.config, seed=9, epoch=view // 2, size=it.size
            )
            expected = it.encoder(pair[view % 2])
            torch.testing.assert_close(h[i, view], expected[0])
            torch.testing.assert_close(z[i, view], it.projector(expected)[0])


def test_each_score_says_how_many_images_it_is_of_and_lidar_that_they_are_few() -> None:
    scores = spectrum.evaluate(subject(origin(12)), spectrum.Config(images=10, views=4), seed=0)
    assert scores.extra["lidar"] == {"n": 10, "views": 4, "dim": 5, "at_most": 5, "biased": True}
    assert scores.extra["projection_lidar"] == {"n": 10, "views": 4, "dim": 2, "at_most": 2, "biased": False}
    assert scores.extra["uniformity"] == {"n": 10, "pairs": 4 * 45}
    assert scores.extra["view_alignment"] == {"n": 10, "pairs": 20}
    assert scores.extra["biased"] == ["lidar"]
    assert scores.score["lidar"] <= 5.001


def test_without_a_projector_the_features_alone_are_measured_and_it_is_said() -> None:
    it = subject(dataclasses.replace(origin(), projector=None))
    scores = spectrum.evaluate(it, spectrum.Config(images=10, views=2), seed=0)
    assert "lidar" in scores.score
    assert not [name for name in scores.score if name.startswith("projection_")]
    assert "no checkpoint" in scores.extra["projections"]


def test_a_single_image_has_none_of_these() -> None:
    scores = spectrum.evaluate(subject(origin(1)), spectrum.Config(), seed=0)
    assert not {"lidar", "uniformity", "view_alignment"} & set(scores.score)


def test_a_run_has_them_of_features_and_projections_and_the_untrained_network_too(tmp_path: Path) -> None:
    recipe = Recipe.read("tiny/directcopy", ("train.epochs=1", "data.images=64", "probe.after=['spectrum']", *QUICK))
    run = pretrain(recipe, Request(tmp_path, device="cpu"))
    first = run.probes()["spectrum"]
    names = {f"{of}{name}" for of in ("", "projection_") for name in ("lidar", "view_alignment", "uniformity")}
    assert names <= set(first.score) & set(first.random_encoder.score)
    assert all(first.score[name] != first.random_encoder.score[name] for name in names)
    probe(run, ("spectrum",))
    assert run.probes()["spectrum"].score == first.score
    (run.path / "checkpoint/state.safetensors").unlink()
    probe(run, ("spectrum",))
    assert {name for name in names if "projection" not in name} == names & set(run.probes()["spectrum"].score)
