import dataclasses

import pytest
import torch
from torch.nn import functional as fn

from dcp.data.datasets.base import Dataset
from dcp.data.image_lists import Files
from dcp.data.views import apply
from dcp.data.views.config import Views
from dcp.errors import RunError
from dcp.probing.evaluations import pictures
from dcp.probing.evaluations.base import Features, Origin, Subject
from dcp.probing.evaluations.pictures import Config, nearest_training, principal, spread


def images(n, side=40, seed=0):
    return torch.randint(0, 256, (n, 3, side, side), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def features(n, dim=6, seed=0, labels=True):
    x = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) * torch.arange(1, dim + 1)
    return Features(x, torch.arange(n) % 3 if labels else torch.full((n,), -1))


def subject(train=50, test=30, *, labels=True, side=40, size=32, normalize="none"):
    data = [
        Dataset(images(n, side, seed), torch.arange(n) % 3 if labels else None) for seed, n in enumerate((train, test))
    ]
    origin = Origin(torch.nn.Identity(), *data, size, Views(normalize=normalize))
    parts = (features(n, seed=seed, labels=labels) for seed, n in enumerate((train, test)))
    return Subject(*parts, ("a", "b", "c") if labels else (), origin=origin)


def taken(subject, seed=0, **config):
    return pictures.evaluate(subject, Config(**config), seed=seed)


def test_it_measures_nothing_and_says_how_the_map_was_made():
    found = taken(subject())
    assert found.score == {}
    assert found.predictions is None
    assert found.extra["classes"] == ["a", "b", "c"]
    assert found.extra["map"]["kind"] == "pca"
    assert found.n == 30


def test_the_map_is_that_of_the_singular_vectors_and_tells_their_share_of_the_variance():
    x = features(40).x
    y, shares = principal(x, torch.arange(40))
    U, s, _ = torch.linalg.svd(x.double() - x.double().mean(0), full_matrices=False)
    expected = U[:, :2] * s[:2]
    assert (y.abs() - expected.abs()).abs().max() < 1e-4
    assert shares == pytest.approx((s[:2].square() / s.square().sum()).tolist(), abs=1e-6)


def test_the_map_does_not_turn_with_the_library():
    x = features(40).x
    y, _ = principal(x, torch.arange(40))
    again, _ = principal(x.flip(0), torch.arange(40).flip(0))
    assert torch.allclose(y, again, atol=1e-4)


@pytest.mark.parametrize("x", [torch.ones(10, 4), torch.randn(10, 1, generator=torch.Generator().manual_seed(0))])
def test_constant_and_one_dimensional_features_have_a_map_too(x):
    y, shares = principal(x, torch.arange(10))
    assert y.shape == (10, 2)
    assert bool(y.isfinite().all())
    assert len(shares) == 2
    assert float(y[:, 1].abs().max()) < 1e-6


def test_t_sne_is_an_option_and_keeps_groups_together():
    x = torch.cat([torch.randn(12, 6, generator=torch.Generator().manual_seed(g)) + 50 * g for g in range(2)])
    one = dataclasses.replace(subject(test=24), test=Features(x, torch.zeros(24, dtype=torch.int64)))
    found = taken(one, map="tsne")
    assert found.extra["map"] == {"kind": "tsne"}
    xy = found.arrays["map_xy"]
    within = max(float(torch.cdist(part, part).max()) for part in (xy[:12], xy[12:]))
    assert float((xy[:12].mean(0) - xy[12:].mean(0)).norm()) > within / 2
    assert taken(subject(test=4), map="tsne").extra["map"]["kind"] == "pca"  # too few to lay out


def test_shown_images_are_spread_over_the_split_and_do_not_meet_the_same_class_again_and_again():
    rows = spread(1024, 256)
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert (rows // 4).tolist() == list(range(256))
    assert len(set((rows % 10).tolist())) == 10
    assert spread(3, 8).tolist() == [0, 1, 2]
    assert spread(0, 8).tolist() == []


def test_neighbours_are_the_training_images_nearest_in_angle():
    one = subject()
    rows = torch.tensor([3, 17])
    similarity, index = nearest_training(one, rows)
    cosine = fn.normalize(one.test.x[rows]) @ fn.normalize(one.train.x).T
    expected = cosine.sort(dim=1, descending=True)
    assert index.tolist() == expected.indices[:, :6].tolist()
    assert torch.allclose(similarity, expected.values[:, :6])


@pytest.mark.parametrize("copies", [1, 9])
def test_where_train_is_test_no_image_is_its_own_neighbour(copies):
    x = features(20).x.repeat(copies, 1)
    same = Features(x, torch.zeros(len(x), dtype=torch.int64))
    similarity, index = nearest_training(Subject(same, same), torch.arange(len(x)))
    assert index.shape == similarity.shape == (len(x), 6)
    assert not bool((index == torch.arange(len(x))[:, None]).any())


def test_one_image_has_no_neighbour_and_still_a_picture():
    data = Dataset(images(1))
    alone = Subject(*[features(1, labels=False)] * 2, origin=Origin(torch.nn.Identity(), data, data, 32, Views()))
    found = taken(alone)
    assert found.arrays["near_image"].shape == (1, 0, 3, 32, 32)
    assert found.arrays["map_xy"].tolist() == [[0, 0]]


def test_the_views_are_those_that_training_draws():
    one = subject(side=32, normalize="cifar10")
    found = taken(one, seed=7).arrays
    row = int(found["viewed_row"][5])
    for epoch in range(2):
        image = one.origin.train.images[row : row + 1]
        drawn = apply.random_views(image, torch.tensor([row]), Views(), seed=7, epoch=epoch, size=32)
        for view in range(2):
            shown = found["viewed_views"][5, 2 * epoch + view].float()
            assert (drawn[view][0] * 255 - shown).abs().max() <= 1  # without the normalisation, rounded
    assert bool((found["viewed_image"][5] == one.origin.train.images[row]).all())


@pytest.mark.parametrize(
    ("count", "local", "numbers"), [(3, 0, [0, 1, 2]), (8, 0, [0, 1, 2, 3]), (2, 1, [0, 1, 2]), (4, 6, [0, 1, 4, 5])]
)
def test_of_more_than_two_views_some_of_the_first_epoch_are_shown(count, local, numbers):
    one = subject(side=32)
    config = Views.model_validate({"count": count, "local": {"count": local, "size": 16}})
    one = dataclasses.replace(one, origin=dataclasses.replace(one.origin, config=config))
    found = taken(one, seed=7)
    facts = [{"epoch": 0, "view": number, "local": number >= count} for number in numbers]
    assert found.extra["views"] == facts
    assert found.arrays["viewed_views"].shape == (8, len(numbers), 3, 32, 32)
    row = int(found.arrays["viewed_row"][5])
    image = one.origin.train.images[row : row + 1]
    drawn = apply.random_views(image, torch.tensor([row]), config, seed=7, epoch=0, size=32)
    for k, number in enumerate(numbers[:2]):
        assert (drawn[number][0] * 255 - found.arrays["viewed_views"][5, k].float()).abs().max() <= 1


def test_pictures_are_small_whatever_the_images():
    arrays = taken(subject(train=300, test=400, side=72, size=64)).arrays
    assert arrays["map_image"].shape == (256, 3, 32, 32)
    assert arrays["near_image"].shape == (8, 6, 3, 48, 48)
    assert sum(array.numel() * array.element_size() for array in arrays.values()) < 1_500_000


def test_each_picture_stands_beside_its_own_row_and_label():
    one = subject(side=32)
    arrays = taken(one).arrays
    for name, data, part in (("map", one.origin.test, one.test), ("query", one.origin.test, one.test)):
        rows = arrays[f"{name}_row"]
        assert bool((arrays[f"{name}_image"] == data.images[rows]).all())
        assert bool((arrays[f"{name}_label"] == part.y[rows]).all())
    assert bool((arrays["near_image"] == one.origin.train.images[arrays["near_row"]]).all())
    assert bool((arrays["near_label"] == one.train.y[arrays["near_row"]]).all())


def test_image_files_without_labels_are_shown_too(tmp_path):
    from PIL import Image

    for i in range(12):
        Image.new("RGB", (50 + i, 40), (20 * i, 0, 255 - 20 * i)).save(tmp_path / f"{i:02}.png")
    data = Dataset(Files.listed(tmp_path, sorted(path.name.encode() for path in tmp_path.iterdir())))
    parts = features(12, labels=False), features(12, seed=1, labels=False)
    found = taken(Subject(*parts, origin=Origin(torch.nn.Identity(), data, data, 24, Views())))
    assert found.extra["classes"] == []
    assert bool((found.arrays["map_label"] == -1).all())
    assert found.arrays["map_image"][:, 0].float().mean((1, 2)).tolist() == [20.0 * i for i in range(12)]
    assert found.arrays["viewed_views"].shape == (8, 4, 3, 24, 24)


def test_the_same_seed_gives_the_same_pictures():
    first, second = (taken(subject()).arrays for _ in range(2))
    assert first.keys() == second.keys()
    assert all(bool((first[name] == second[name]).all()) for name in first)


def test_features_that_are_not_finite_are_refused():
    one = subject()
    one.test.x[3, 0] = torch.nan
    with pytest.raises(RunError, match="1 of 30 test images"):
        taken(one)
