import dataclasses
import json
from inspect import getsource

import pytest
import torch
from pydantic import ValidationError
from subjects import of, subject

from dcp import catalogue
from dcp.errors import RequestError, RunError
from dcp.probing.evaluations import base
from dcp.probing.evaluations.base import Features, accuracy_interval

# whatever lies in the tree; those that need images have tests of their own
EVERY = {name: catalogue.load("evaluations", name) for name in catalogue.names("evaluations")}
EVALUATIONS = [name for name, module in EVERY.items() if "subject.origin" not in getsource(module)]


def run(name, it, seed=0, **settings):
    module = catalogue.load("evaluations", name)
    return module.evaluate(it, module.Config(**settings), seed=seed)


def test_those_of_the_folder_that_need_features_alone_are_found():
    assert {"clustering", "knn", "linear", "lowlabel", "retrieval", "spectrum"} <= set(EVALUATIONS)
    assert not {"finetune", "pictures"} & set(EVALUATIONS)


@pytest.mark.parametrize(("share", "n"), [(0.5, 40), (0.9, 200), (0.99, 500)])
def test_the_interval_covers_the_truth_in_95_of_100_samples(share, n):
    draw = torch.Generator().manual_seed(3)
    correct = (torch.rand(20_000, n, generator=draw) < share).sum(1)
    inside = [low <= share <= high for low, high in (accuracy_interval(int(c), n) for c in correct)]
    assert sum(inside) / len(inside) == pytest.approx(0.95, abs=0.02)


def test_the_interval_solves_the_score_equation_at_both_ends():
    for end in accuracy_interval(37, 50):
        assert abs(37 / 50 - end) / (end * (1 - end) / 50) ** 0.5 == pytest.approx(1.959964, abs=1e-6)


def test_the_interval_stays_within_0_and_1_and_is_never_empty():
    assert accuracy_interval(0, 10)[0] == 0 < accuracy_interval(0, 10)[1] < 0.3
    assert 0.7 < accuracy_interval(10, 10)[0] < accuracy_interval(10, 10)[1] == 1


@pytest.mark.parametrize("settings", [{}, {"method": "adam", "epochs": 3}])
def test_predictions_are_one_class_number_an_image_and_reproduce_top1(settings):
    it = subject()
    for scores in (run("knn", it), run("linear", it, **settings)):
        assert scores.predictions.dtype == torch.int64
        assert scores.predictions.shape == (scores.n,) == (200,)
        assert float((scores.predictions == it.test.y).double().mean()) == scores.score["top1"]
        assert scores.interval["top1"] == accuracy_interval(round(scores.score["top1"] * 200), 200)


@pytest.mark.parametrize("name", EVALUATIONS)
def test_everything_but_the_predictions_can_be_written_as_strict_json(name):
    F = torch.diag(torch.tensor([3.0, 2.0, 1.0]))
    scores = run(name, dataclasses.replace(subject(), F=F, W=F))
    parts = [scores.score, scores.interval, scores.settings, scores.extra]
    assert json.loads(json.dumps(parts, allow_nan=False))[2] == scores.settings | {
        key: list(value) for key, value in scores.settings.items() if isinstance(value, tuple)
    }


@pytest.mark.parametrize("name", EVALUATIONS)
def test_the_same_seed_gives_the_same_scores(name):
    one, two = (run(name, subject(), seed=5) for _ in range(2))
    assert (one.score, one.extra) == (two.score, two.extra)


@pytest.mark.parametrize("name", ["knn", "linear"])
def test_top5_is_scored_from_six_classes_on(name):
    assert set(run(name, subject(classes=5)).score) == {"top1"}
    scores = run(name, subject(classes=6, spread=5.0))
    assert set(scores.score) == set(scores.interval) == {"top1", "top5"}
    assert scores.score["top1"] < scores.score["top5"] < 1


@pytest.mark.parametrize("name", EVALUATIONS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_features_that_are_not_finite_are_refused_in_one_sentence(name, value):
    it = subject()
    it.test.x[3, 4] = value
    with pytest.raises(RunError) as caught:
        run(name, it)
    assert caught.value.slug == "bad-features"
    what = "the encoder gives NaN, infinite or huge features for 1 of 200 test images"
    assert str(caught.value) == f"error[bad-features]: {what} (test)"


@pytest.mark.parametrize("name", EVALUATIONS)
def test_a_split_without_images_is_refused(name):
    empty = Features(torch.zeros(0, 12), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(RunError, match="the test split has no images"):
        run(name, dataclasses.replace(subject(), test=empty))


def test_only_evaluations_that_need_labels_refuse_images_without():
    it = subject()
    it.train.y[:], it.test.y[:] = base.UNLABELLED, base.UNLABELLED
    assert not EVERY["spectrum"].labels
    for name in EVALUATIONS:
        if EVERY[name].labels:
            with pytest.raises(RequestError, match="without a label"):
                run(name, it)
        else:
            assert run(name, it).predictions is None


QUICK = {"clustering": {"resamples": 5, "starts": 2}, "lowlabel": {"draws": 2}}
QUICK |= {name: {} for name in ("knn", "linear", "retrieval")}
CLASSIFIERS = [("knn", {}), ("linear", {}), ("linear", {"method": "adam", "epochs": 2})]
FITTING_LITTLE = [(name, QUICK[name]) for name in ("clustering", "lowlabel", "retrieval")]


def constant(value):
    it = subject()
    it.train.x[:], it.test.x[:] = value, value
    return it


def without_class(split, number, instead, **options):
    it = subject(**options)
    y = getattr(it, split).y
    y[y == number] = instead
    return it


def scored(name, settings, it):
    """Scores of an evaluation, which lie in their intervals, and these in [0, 1]."""
    if name == "knn":
        settings = {"k": min(20, len(it.train))}
    scores = run(name, it, **settings)
    for key, value in scores.score.items():
        low, high = scores.interval[key]
        assert (-0.5 if key == "ari" else 0) <= low <= value <= high <= 1
    return scores


@pytest.mark.parametrize(("name", "settings"), CLASSIFIERS)
class TestClassifiersOfAwkwardSubjects:
    @pytest.mark.parametrize("value", [3.3, 0.0])
    def test_constant_features_give_the_accuracy_of_one_class(self, name, settings, value):
        scores = scored(name, settings, constant(value))
        assert len(scores.predictions.unique()) == 1
        assert scores.score["top1"] < 0.3

    def test_one_class_alone_is_always_right(self, name, settings):
        assert scored(name, settings, subject(classes=1)).score == {"top1": 1.0}

    def test_a_class_that_test_has_and_train_has_not_is_never_predicted(self, name, settings):
        it = without_class("train", 2, 4)
        scores = scored(name, settings, it)
        assert 2 not in scores.predictions
        assert scores.score["top5"] <= float((it.test.y != 2).double().mean())

    def test_classes_are_counted_by_names_and_labels(self, name, settings):
        for it in (subject(train=4), subject(names=False), without_class("test", 6, 5)):
            assert scored(name, settings, it).settings["classes"] == 7

    def test_a_single_training_image_gives_its_class_to_all(self, name, settings):
        it = of(torch.ones(1, 3), [2], torch.randn(5, 3), [0, 1, 2, 2, 2], 3)
        assert scored(name, settings, it).score["top1"] == 0.6


@pytest.mark.parametrize(("name", "settings"), FITTING_LITTLE)
def test_evaluations_that_fit_little_or_nothing_have_scores_of_awkward_subjects_too(name, settings):
    assert max(scored(name, settings, constant(3.3)).score.values()) < 0.4
    assert all(value in (0, 1) for value in scored(name, settings, subject(classes=1)).score.values())
    single = of(torch.ones(1, 3), [2], torch.randn(5, 3), [0, 1, 2, 2, 2], 3)
    for it in (without_class("train", 2, 4, names=False), subject(train=4), single):
        scored(name, settings, it)


@pytest.mark.parametrize("name", QUICK)
def test_the_test_labels_decide_nothing_but_the_count(name):
    it = subject(spread=4.0)
    permuted = it.test.y[torch.randperm(200, generator=torch.Generator().manual_seed(0))]
    other = dataclasses.replace(it, test=Features(it.test.x, permuted))
    one, two = (run(name, each, **QUICK[name]) for each in (it, other))
    if one.predictions is not None:
        assert torch.equal(one.predictions, two.predictions)
    if name in ("knn", "linear"):
        assert one.extra == two.extra
    assert one.score != two.score


@pytest.mark.parametrize("name", ["lowlabel", "retrieval"])
def test_an_array_that_is_called_as_a_score_has_it_image_by_image(name):
    scores = run(name, subject())
    assert set(scores.score) <= set(scores.arrays)
    for key, value in scores.score.items():
        assert scores.arrays[key].dtype == torch.float64
        assert scores.arrays[key].shape == (scores.n,)
        assert float(scores.arrays[key].mean()) == value


def test_the_interval_of_a_mean_covers_it_in_95_of_100_samples():
    values = torch.rand(4000, 150, generator=torch.Generator().manual_seed(1), dtype=torch.float64) ** 2
    inside = [low <= 1 / 3 <= high for low, high in map(base.mean_interval, values)]
    assert sum(inside) / len(inside) == pytest.approx(0.95, abs=0.015)


def test_settings_that_cannot_be_are_refused_when_they_are_read():
    for name, settings in [
        ("knn", {"k": 0}),
        ("knn", {"temperature": 0.0}),
        ("linear", {"l2": ()}),
        ("linear", {"l2": (0.0,)}),
        ("linear", {"holdout": 1.0}),
        ("linear", {"method": "sgd"}),
        ("spectrum", {"k": 3}),
        ("spectrum", {"fit": (20, 11)}),
        ("knn", {"k": ()}),
        ("knn", {"k": (20, 0)}),
        ("knn", {"temperature": (0.1, 0.0)}),
        ("lowlabel", {"shares": (), "per_class": ()}),
        ("lowlabel", {"shares": (1.5,)}),
        ("clustering", {"clusters": 0}),
        ("retrieval", {"at": (0,)}),
        ("finetune", {"share": 0.0}),
        ("finetune", {"lr": ()}),
    ]:
        with pytest.raises(ValidationError):
            catalogue.load("evaluations", name).Config(**settings)
