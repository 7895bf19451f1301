import dataclasses

import pytest
import torch
from torch import nn

from dcp.data.datasets.base import Dataset
from dcp.data.views import apply
from dcp.data.views.config import Views
from dcp.probing.evaluations import finetune
from dcp.probing.evaluations.base import Features, Origin, Subject

BUDGET = {"epochs": 12, "batch": 32, "lr": (0.1,)}


def images(n, seed):
    """Noise with a bright stripe, upright or level: two classes that no mirror and no crop confuses."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 2
    x = torch.randint(0, 100, (n, 3, 16, 16), generator=draw, dtype=torch.uint8)
    for i in range(n):
        (x[i] if y[i] else x[i].transpose(1, 2))[:, :, 6:10] = 250
    return Dataset(x, y, ("level", "upright"))


def encoder():
    torch.manual_seed(0)
    first = [nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU()]
    then = [nn.Conv2d(8, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*first, *then).eval().requires_grad_(False)


def subject(train=96, test=64):
    """Its features say nothing: whatever is found is learnt from the images."""
    parts = images(train, 0), images(test, 1)
    known = [Features(torch.zeros(len(part), 8), part.labels) for part in parts]
    config = Views(crop_scale=(0.6, 1.0), crop_ratio=(0.9, 1.1))
    return Subject(*known, parts[0].classes, origin=Origin(encoder(), *parts, 16, config))


def run(it, seed=0, **settings):
    return finetune.evaluate(it, finetune.Config(**{**BUDGET, **settings}), seed=seed)


def test_it_learns_what_frozen_features_do_not_say():
    found = run(subject())
    assert found.score["top1"] > 0.9
    assert found.interval["top1"][0] > 0.75
    assert float((found.predictions == subject().test.y).double().mean()) == found.score["top1"]
    assert found.settings["lr"] == [0.1]


def test_the_encoder_stays_as_it_is():
    it = subject()
    before = {name: value.clone() for name, value in it.origin.encoder.state_dict().items()}
    run(it, epochs=1)
    assert all(torch.equal(value, before[name]) for name, value in it.origin.encoder.state_dict().items())
    assert not it.origin.encoder.training
    assert not any(weight.requires_grad for weight in it.origin.encoder.parameters())


def test_the_same_seed_gives_the_same_predictions_and_weights():
    it = subject()
    config = finetune.Config(**BUDGET)
    one, two, other = (
        finetune.trained(it.origin, it.origin.train, it.train.y, 2, config, 0.1, seed).state_dict()
        for seed in (5, 5, 6)
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_the_global_random_numbers_are_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    it = subject()
    torch.manual_seed(3)
    run(it, epochs=1)
    assert torch.equal(torch.rand(1), expected)


def test_the_rate_is_chosen_on_held_out_training_images():
    found = run(subject(), lr=(1e-6, 0.1))
    assert found.extra["lr"] == 0.1
    assert [row["lr"] for row in found.extra["held_out"]] == [1e-6, 0.1]
    assert found.extra["held_out"][1]["top1"] > found.extra["held_out"][0]["top1"]
    assert run(subject(), lr=(0.1,)).score == found.score


def test_the_test_images_do_not_choose():
    it = subject()
    flipped = dataclasses.replace(it, test=Features(it.test.x, 1 - it.test.y))
    one, two = (run(each, lr=(1e-6, 0.1)) for each in (it, flipped))
    assert one.extra == two.extra
    assert torch.equal(one.predictions, two.predictions)


def test_of_a_share_as_many_images_of_each_class_are_trained_on(monkeypatch):
    seen = []
    train = finetune.trained
    monkeypatch.setattr(finetune, "trained", lambda *all_: seen.append(all_[2]) or train(*all_))
    assert run(subject(), share=0.25, epochs=1).extra["labelled_images"] == 24
    assert seen[0].bincount().tolist() == [12, 12]


def test_views_are_cropped_and_flipped_but_keep_their_colours():
    config = finetune.plain(Views(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), solarize=0.5, blur=Views().blur))
    flat = torch.full((8, 3, 16, 16), 0, dtype=torch.uint8)
    flat[:, 0], flat[:, 1] = 200, 50
    for view in apply.random_views(flat, torch.arange(8), config, seed=0, epoch=0, size=16):
        assert torch.allclose(view, flat / 255, atol=1e-5)
    assert finetune.plain(Views(flip=0.0)).flip == 0.0


def test_image_files_are_trained_on_too(tmp_path):
    from PIL import Image

    from dcp.data.datasets import folder

    for split, n in (("train", 12), ("val", 6)):
        part = images(n, 0)
        for i in range(n):
            place = tmp_path / split / part.classes[int(part.labels[i])]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(part.images[i].permute(1, 2, 0).numpy()).save(place / f"{i}.png")
    config = folder.Config(root=str(tmp_path))
    parts = [folder.load(config, split) for split in ("train", "test")]
    it = subject()
    origin = dataclasses.replace(it.origin, train=parts[0], test=parts[1])
    features = [Features(torch.zeros(len(part), 8), part.labels) for part in parts]
    found = run(Subject(*features, parts[0].classes, origin=origin), epochs=1)
    assert found.n == 6


def test_features_alone_are_not_enough():
    with pytest.raises(ValueError, match="needs the images"):
        run(dataclasses.replace(subject(), origin=None))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_images_is_trained_on_too(n):
    found = run(subject(train=n), lr=(0.01, 0.1), epochs=1)
    assert found.extra["labelled_images"] == n
    assert len(found.extra["held_out"]) == (0 if n == 1 else 2)
