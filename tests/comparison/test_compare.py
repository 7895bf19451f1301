import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from built_runs import answers, one_of_nine, probe
from scipy import stats
from statsmodels.stats.multitest import multipletests

import dcp
from dcp.comparison import intervals, seeds_and_images
from dcp.comparison.compare import Comparison, compare
from dcp.comparison.scores import range_of
from dcp.comparison.significance import IMAGES_PAIRED, IMAGES_UNPAIRED, SEEDS, SEEDS_AND_IMAGES
from dcp.errors import RequestError
from dcp.probing.evaluations import spectrum
from dcp.report import render
from dcp.report.caveats import caveats, covers
from dcp.report.findings import findings
from dcp.runs.json_files import to_json
from dcp.runs.records import ProbeRecord
from dcp.runs.run import Run

HOLM = (
    "p: how often a difference at least this large would be seen if there were none. Holm p: corrected for the"
    " number of tests of the primary score ({}), one for each arm but A. A verdict needs an interval that excludes 0"
    " and a Holm p of at most 0.05."
)
ONE_TEST = (
    "p: how often a difference at least this large would be seen if there were none. A verdict needs an interval that"
    " excludes 0 and a p of at most 0.05."
)


def right(count: int, n: int = 100, first: int = 0) -> np.ndarray:
    """[n] bool, True at `count` places from `first` on."""
    index = np.arange(n)
    return (first <= index) & (index < first + count)


def top1(comparison: Comparison):
    return next(row for row in comparison.scores if (row.evaluation, row.score) == ("linear", "top1"))


def only_difference(comparison: Comparison):
    (one,) = top1(comparison).differences
    return one


# intervals by themselves


def test_the_interval_over_seeds_is_students_t():
    values = [0.61, 0.64, 0.60, 0.66, 0.63]
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert intervals.over_seeds(values) == pytest.approx(expected)
    assert intervals.over_seeds([0.60]) is None


def test_the_unpaired_interval_is_newcombes_for_wilson_intervals():
    # his first example: 56/70 and 48/80, difference 0.2000, method 10 gives 0.0524 to 0.3339
    first, second = stats.binomtest(48, 80), stats.binomtest(56, 70)
    a, b = (
        (one.proportion_ci(method="wilson").low, one.proportion_ci(method="wilson").high) for one in (first, second)
    )
    assert intervals.unpaired_over_images(0.6, a, 0.8, b) == pytest.approx((0.0524, 0.3339), abs=5e-5)


# arms


def test_seeds_of_one_recipe_are_one_arm_and_other_recipes_are_others(build):
    runs = [build(seed=1), build("byol", recipe={"predictor": {"name": "mlp"}}), build(seed=0)]
    arms = compare(runs).arms
    assert [(arm.name, arm.seeds) for arm in arms] == [("stl10_directcopy", (0, 1)), ("byol", (0,))]


def test_where_the_data_lie_makes_no_difference_to_the_recipe(build):
    comparison = compare([build(seed=0), build(seed=1, recipe={"data": {"root": "/elsewhere"}})])
    assert len(comparison.arms) == 1
    assert covers(comparison) == ("All runs are seeds of one recipe, so there is nothing to compare it with.",)


@pytest.mark.parametrize(
    "other",
    [
        {"run": {"tracker": "tensorboard"}},
        {"train": {"log_every": 7}},
        {"train": {"save_every": 7}},
        {"train": {"workers": 3}},
        {"probe": {"after": ["knn"], "knn": {"k": 5}}},
    ],
)
def test_seeds_that_differ_in_what_decides_no_step_are_one_arm(build, other):
    assert [arm.seeds for arm in compare([build(seed=0), build(seed=1, recipe=other)]).arms] == [(0, 1)]


def test_one_name_with_two_recipes_and_one_seed_twice_are_arms_with_names_of_their_own(build, tmp_path):
    runs = [
        build(seed=0),
        build(seed=0, root=tmp_path / "later"),
        build(seed=1, root=tmp_path / "later", recipe={"train": {"epochs": 7}}),
    ]
    assert [arm.name for arm in compare(runs).arms] == [
        *("runs/stl10_directcopy", "later/stl10_directcopy #1", "later/stl10_directcopy #2")
    ]


def test_fewer_than_two_runs_are_refused(build):
    run = build()
    with pytest.raises(RequestError) as caught:
        compare([run, run])
    assert str(caught.value) == (
        "error[too-few-runs]: compare needs at least two runs\n"
        "  Give two run folders or names, or one name without -s<seed> that has several seeds."
    )


def test_cost_is_the_mean_over_seeds_and_says_every_device(build):
    runs = [build(seed=0, record={"wall_s": 10.0}), build(seed=1, record={"wall_s": 20.0, "device": "cpu"})]
    cost = compare([*runs, build("other", record={"images_per_s": None})]).arms
    assert (cost[0].cost.wall_s, cost[0].cost.device) == (15.0, "cuda (NVIDIA H200), cpu")
    assert (cost[1].cost.images_per_s, cost[1].cost.steps, cost[1].cost.processes) == (None, 3900.0, "1")


def test_each_run_says_whether_it_collapsed(build):
    collapse = {"name": "complete collapse", "evidence": "spread 0.001."}
    comparison = compare(
        [build(seed=0), build(seed=1, record={"state": collapse}), build(seed=2, record={"state": None})]
    )
    assert [(one.run, one.name, one.evidence) for one in comparison.arms[0].states] == [
        ("stl10_directcopy-s0", "healthy", "effective rank 45.2 of 128"),
        ("stl10_directcopy-s1", "complete collapse", "spread 0.001"),
        ("stl10_directcopy-s2", "unknown", ""),
    ]


# scores and differences


def test_single_seeds_are_paired_over_the_images_they_share(build):
    a, b = right(60), right(65, first=5)
    one = only_difference(compare([build(right=a), build("byol", right=b)]))
    assert (one.arm, one.against, one.method, one.why) == ("byol", "stl10_directcopy", IMAGES_PAIRED, "")
    assert one.value == pytest.approx(0.05)
    assert one.discordant == (5, 10)
    assert one.p == pytest.approx(stats.binomtest(10, 15).pvalue, abs=1e-12)
    assert one.interval[0] < 0 < one.interval[1]
    assert (one.verdict, one.effect, one.seeds_needed, one.seeds_why) == ("undecided", None, None, "one seed each")


def test_pairing_decides_what_unpaired_intervals_leave_open(build):
    a, b = right(600, 1000), right(630, 1000)
    paired = only_difference(compare([build(right=a), build("byol", right=b)]))
    unpaired = only_difference(compare([build("a", top1=0.6, n=1000), build("b", top1=0.63, n=1000)]))
    assert (paired.method, paired.verdict) == (IMAGES_PAIRED, "higher")
    said = covers(compare([build("one", right=a), build("other", right=b)]))[0]
    assert "How much retraining would change them is not included" in said
    assert (unpaired.method, unpaired.verdict) == (IMAGES_UNPAIRED, "undecided")
    assert unpaired.why == "not paired: no predictions per image for this score"


def test_other_labels_are_not_paired(build):
    label = np.arange(100)[::-1].copy() % 10
    one = only_difference(compare([build(right=right(60)), build("byol", right=right(65), label=label)]))
    assert one.method == IMAGES_UNPAIRED
    assert one.why == "not paired: by their labels, the test images are others or in another order"


def test_a_score_that_predictions_do_not_give_is_not_paired(build):
    runs = []
    for name, count, top5 in (("a", 60, (0.8, 0.95)), ("b", 65, (0.9, 0.98))):
        run = build(name, right=right(count))
        scores = run.probes()["linear"].model_dump(exclude_unset=True)
        score, around = {"top1": count / 100, "top5": 0.9}, {**scores["interval"], "top5": top5}
        arrays = run.predictions("linear")
        run.write_probe("linear", {**scores, "score": score, "interval": around}, arrays)
        runs.append(run)
    methods = {row.score: row.differences[0].method for row in compare(runs).scores}
    assert methods == {"top1": IMAGES_PAIRED, "top5": IMAGES_UNPAIRED}


def test_several_seeds_are_compared_over_seeds(build):
    a, b = [0.60, 0.62, 0.61], [0.66, 0.64]
    runs = [build(seed=i, top1=x) for i, x in enumerate(a)] + [build("b", i, top1=x) for i, x in enumerate(b)]
    comparison = compare(runs)
    one = only_difference(comparison)
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert (one.method, one.value) == (SEEDS.unpaired, pytest.approx(0.04))
    assert one.interval == pytest.approx(tuple(expected))
    score = top1(comparison).arms[0]
    assert (score.seeds, score.values, score.mean) == ((0, 1, 2), (0.60, 0.62, 0.61), pytest.approx(0.61))
    assert score.over_seeds == pytest.approx(stats.t.interval(0.95, 2, loc=0.61, scale=stats.sem(a)))
    assert covers(comparison) == (
        "Differences between several seeds have intervals over seeds: how much they could change with"
        " retrained encoders, on the same test images.",
        "With 2 seeds intervals are wide, and there is no verdict; train more (--seeds 0-4).",
        ONE_TEST,
        "Effect: Hedges' g, the difference divided by the std between seeds (paired: by that of their differences).",
        "Seeds needed: per arm, to show this difference with 80 % power at the 5 % level, if the true difference and"
        " std are the observed ones. A rough guide.",
    )


def answered(rng: np.random.Generator, more: float, n: int = 400) -> np.ndarray:
    """[n] bool: answers to the same hard and easy images, right a little more often by `more`."""
    hard = np.random.default_rng(7).random(n)
    return hard + 0.2 * rng.random(n) < 0.6 + more


def three_seeds(build, name: str, more: float, seeds=range(3), **options) -> list[Run]:
    """Runs whose accuracies differ a little by seed."""
    rngs = [np.random.default_rng((len(name), seed)) for seed in seeds]
    return [
        build(name, seed, right=answered(r, more + 0.01 * r.random()), **options)
        for seed, r in zip(seeds, rngs, strict=True)
    ]


def test_answers_to_the_same_images_bring_the_images_into_the_interval(build):
    runs = [*three_seeds(build, "a", 0.0), *three_seeds(build, "other", 0.05)]
    one = only_difference(compare(runs))
    a, b = (
        np.stack([(lambda x: x["prediction"] == x["label"])(r.predictions("linear")) for r in arm])
        for arm in (runs[:3], runs[3:])
    )
    expected = seeds_and_images.over_seeds_and_images(a, b, paired=True)
    assert (one.method, one.interval, one.p) == (
        SEEDS_AND_IMAGES.paired,
        pytest.approx(expected.interval()),
        expected.p,
    )
    assert "and other test images of the same kind" in covers(compare(runs))[0]


def test_seeds_are_paired_only_where_they_are_the_same_and_give_the_same_images_in_the_same_order(build):
    a = three_seeds(build, "a", 0.0)
    others = {
        "same": three_seeds(build, "same", 0.05),
        "other predictor": three_seeds(build, "predictor", 0.05, recipe={"predictor": {"name": "mlp"}}),
        "other seeds": three_seeds(build, "seeds", 0.05, seeds=range(1, 4)),
        "fewer seeds": three_seeds(build, "fewer", 0.05, seeds=range(2)),
        "other batch": three_seeds(build, "batch", 0.05, recipe={"train": {"batch": 64}}),
        "other amount": three_seeds(build, "amount", 0.05, recipe={"data": {"limit": 10}}),
        "other files": three_seeds(build, "files", 0.05, record=OTHER_FILES),
        "one seed": three_seeds(build, "one", 0.05, seeds=[0]),
    }
    methods = {why: only_difference(compare([*a, *arm])).method for why, arm in others.items()}
    paired = {"same", "other predictor"}
    assert methods == {
        **{w: SEEDS_AND_IMAGES.paired if w in paired else SEEDS_AND_IMAGES.unpaired for w in others},
        "one seed": SEEDS_AND_IMAGES.one,
    }


def test_the_correction_counts_the_arms_in_the_primary_score_and_a_verdict_needs_it(build):
    comparison = compare(one_of_nine(build))
    found = top1(comparison).differences
    expected = multipletests([one.p for one in found], method="holm")[1]
    assert [one.p_holm for one in found] == pytest.approx(list(expected), abs=1e-12)
    first = found[0]
    assert first.p < 0.05 < first.p_holm
    assert first.interval[0] > 0
    assert (first.verdict, first.lost_to_correction) == ("undecided", True)
    assert HOLM.format(8) in covers(comparison)


def test_no_other_score_has_a_corrected_p_or_a_verdict(build):
    runs = [build(name, seed, top1=0.5 + seed / 100) for name in "ab" for seed in range(3)]
    for run in runs:
        more = (run.name == "b") * (0.3 + run.seed / 1000) + run.seed / 1000
        run.write_probe("knn", probe(0.5 + more, 1000))
        run.write_probe("spectrum", {"score": {"alignment": 0.5 + more}, "n": 100})
    comparison = compare(runs)
    found = {row.name: (row.role, row.differences[0]) for row in comparison.scores}
    assert {name: role for name, (role, _) in found.items()} == {
        **{"linear top1": "primary", "knn top1": "secondary", "spectrum alignment": "descriptive"}
    }
    for name in ("knn top1", "spectrum alignment"):
        one = found[name][1]
        assert (one.p < 1e-3, one.p_holm, one.verdict, one.lost_to_correction) == (True, None, "undecided", False)
        assert one.interval[0] > 0
    plain = {row["score"]: row["differences"][0] for row in render.plain(comparison)["scores"][:1]}
    assert plain["top1"]["verdict"] is None
    said = " ".join(findings(comparison, {"a": "A", "b": "B"}))
    assert "alignment" not in said
    assert "knn" not in said


def test_the_primary_score_is_the_one_that_the_recipes_name_and_what_is_usual_without(build):
    used = []

    def named(*names: str | None) -> Comparison:
        runs = []
        for i, name in enumerate(names):
            recipe = {"predictor": {"eps": float(i)}, "probe": {"primary": name} if name else {}}
            used.append(name)
            runs.append(build(f"arm{len(used)}", top1=0.5 + i / 10, recipe=recipe))
            runs[-1].write_probe("knn", probe(0.5 + i / 10, 1000))
        return compare(runs)

    def said(comparison: Comparison) -> list[str]:
        return [line for line in caveats(comparison) if "primary" in line]

    assert named(None, None).primary.name == "linear top1"
    assert named("knn.top1", "knn.top1").primary.name == "knn top1"
    one_without = named(None, "knn.top1")
    assert one_without.primary.name == "linear top1"  # which a recipe without the key means
    assert said(one_without) == said(named("linear.top1", "knn.top1"))
    assert said(named("linear.top1", None)) == []
    several = named("linear.top1", "knn.top1", "knn.top1")
    assert several.primary.name == "linear top1"
    assert said(several) == ["The recipes have different primary scores (linear.top1, knn.top1); linear.top1 is taken."]
    assert said(named("knn.top1", "knn.top1")) == []


def test_knn_is_the_primary_score_where_no_run_has_a_linear_probe_and_without_both_there_is_none(build):
    runs = [build(), build("b")]
    assert compare(runs).primary is None
    assert compare(runs).primary_name == ("linear", "top1")
    for run in runs:
        run.write_probe("knn", probe(0.5, 1000))
    assert compare(runs).primary.name == "knn top1"


def test_intervals_of_shares_over_seeds_stay_between_0_and_1(build):
    runs = [build(seed=0, top1=0.1), build(seed=1, top1=0.5), build("b", 0, top1=0.8), build("b", 1, top1=0.99)]
    row = top1(compare(runs))
    assert row.arms[0].over_seeds == (0.0, 1.0)
    (one,) = row.differences
    assert -1 <= one.interval[0] < one.value < one.interval[1] == 1


@pytest.mark.parametrize(
    ("score", "values", "ends"),
    [
        ("alignment", (0.9, 0.95, 1.0), (None, 1.0)),
        ("commutator", (0.0, 0.01, 0.02), (0.0, None)),
        ("rankme", (1.1, 1.4, 1.2), (1.0, None)),
        ("rankme", (7.5, 7.9, 7.0), (None, 8.0)),
        ("rankme", (0.0, 1.0, 2.0), (0.0, None)),  # constant features have no direction to rank
        ("F_effective_rank", (1.1, 1.4, 1.2), (1.0, None)),
        ("ari", (-0.4, 0.5, 0.0), (-0.5, 1.0)),
        ("precision_at_10", (0.0, 0.1, 0.01), (0.0, None)),
        ("somebody_elses", (-1.0, 1.0, 5.0), (None, None)),
    ],
)
def test_intervals_over_seeds_stay_where_a_score_can_lie(build, score, values, ends):
    extra = {"feature_covariance_eigenvalues": [1.0] * 8}
    runs = [build(name, seed) for name in "ab" for seed in range(3)]
    for run in runs:
        value = values[run.seed] if run.name == "a" else values[0] / 2 + values[run.seed] / 2
        run.write_probe("spectrum", {"score": {score: value}, "n": 100, "extra": extra})
    (row,) = compare(runs).scores
    free = intervals.over_seeds(values)
    expected = tuple(end if end is not None else whole for end, whole in zip(ends, free, strict=True))
    assert row.arms[0].over_seeds == pytest.approx(expected)
    assert free[0] <= expected[0] < expected[1] <= free[1]


def test_the_difference_of_two_scores_is_no_larger_than_their_range(build):
    runs = [build(name, seed) for name in "ab" for seed in range(2)]
    for run in runs:
        value = 0.05 + run.seed / 5 if run.name == "a" else 0.95 - run.seed / 3
        run.write_probe("spectrum", {"score": {"alignment": value}, "n": 100})
    assert compare(runs).scores[0].differences[0].interval == (-1.0, 1.0)


def test_every_score_of_the_spectrum_is_within_its_range_and_has_one():
    x, y = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)), torch.eye(6)
    for features in (x, x[:, :1] * y[0], torch.ones(40, 6)):
        F = features.T @ features / 40
        score, extra = spectrum.of_features(features, (1, 6))
        more, more_extra = spectrum.of_matrices(F.double(), torch.randn(6, 6, generator=torch.Generator()).double())
        found = ProbeRecord(score={**score, **more}, extra={**extra, **more_extra})
        for name, value in found.score.items():
            low, high = range_of(name, [found])
            assert -math.inf < low, name
            assert low - 1e-9 <= value <= high + 1e-9 or value == 0, name


def test_two_seeds_decide_nothing(build):
    seeds = [(name, seed) for name in "ab" for seed in range(2)]
    runs = [build(n, s, top1=0.5 + (0.3 + s / 1000) * (n == "b") + s / 1000) for n, s in seeds]
    one = only_difference(compare(runs))
    assert one.interval[0] > 0
    assert one.p_holm < 0.05
    assert (one.verdict, one.why) == ("undecided", "2 seeds are too few")


def test_three_seeds_that_agree_to_the_last_digit_decide_nothing_and_three_that_differ_do(build):
    seeds = [(name, seed) for name in "ab" for seed in range(3)]
    one = only_difference(compare([build(n, s, top1=0.5 + 0.3 * (n == "b")) for n, s in seeds]))
    assert one.value == pytest.approx(0.3)
    assert (one.verdict, one.why) == ("undecided", "the seeds agree to the last digit: no spread to judge by")
    assert (one.p, one.interval) == (None, None)  # one without width would be certain
    runs = [build(n + "2", s, top1=0.5 + (0.3 + s / 1000) * (n == "b") + s / 1000) for n, s in seeds]
    one = only_difference(compare(runs))
    assert (one.verdict, one.why) == ("higher", "")


def test_a_difference_of_rounding_is_none(build):
    runs = [build(), build("b")]
    for run, value in zip(runs, (1.0, 1.0 + 4.4e-16), strict=True):
        run.write_probe("spectrum", {"score": {"alignment": value}, "n": 100})
    (row,) = compare(runs).scores
    assert (row.differences[0].value, row.differences[0].nothing) == (0.0, True)


def test_one_seed_against_several_says_what_it_assumes(build):
    comparison = compare([build(top1=0.6), build("b", 0, top1=0.7), build("b", 1, top1=0.71)])
    assert only_difference(comparison).method == SEEDS.one
    assert "Where an arm has one seed, its variance is taken from the seeds of the other arm." in covers(comparison)


def test_a_score_stands_beside_its_image_interval_and_the_untrained_encoder(build):
    comparison = compare([build(seed=0, top1=0.6, n=100), build(seed=1, top1=0.7, n=100)])
    (score,) = top1(comparison).arms
    bounds = [stats.binomtest(count, 100).proportion_ci(method="wilson") for count in (60, 70)]
    assert score.over_images == pytest.approx((np.mean([b.low for b in bounds]), np.mean([b.high for b in bounds])))
    assert score.untrained == 0.25
    assert top1(comparison).n == 100


def test_without_an_interval_there_is_no_winner(build):
    runs = [build(top1=0.1, interval={}), build("b", top1=0.9, interval={})]
    one = only_difference(compare(runs))
    assert (one.value, one.interval, one.verdict) == (pytest.approx(0.8), None, "undecided")
    assert one.why == "no interval: one seed each, and none over test images"


# what cannot be compared


CIFAR = {"data": {"source": "cifar10"}}
OTHER_FILES = {"data": {"fingerprint": "ffff"}}
SAME_CLASSES = {"source": "stl10", "train": "train of stl10", "test": "another seed of the same classes"}
NOT_COMPARED = {
    "tested on 8000 and 1000 images": ({}, {"n": 1000}),
    "measured differently: k 20 and 200, t none and 0.1": ({"settings": {"k": 20}}, {"settings": {"k": 200, "t": 0.1}}),
    "tested on other images": ({}, {"data": SAME_CLASSES}),
    "different data: stl10 and cifar10": ({"data": None}, {"data": None, "recipe": CIFAR}),
    "different files under the same data settings: fingerprints 0123456789abcdef and ffff": (
        {"data": None},
        {"data": None, "record": OTHER_FILES},
    ),
}


@pytest.mark.parametrize("why", NOT_COMPARED)
def test_scores_that_mean_different_things_are_not_compared_and_the_reason_is_said(build, why):
    a, b = NOT_COMPARED[why]
    comparison = compare([build("a", top1=0.5, **a), build("b", top1=0.6, **b)])
    one = only_difference(comparison)
    assert (one.value, one.interval, one.why) == (None, None, why)
    assert top1(comparison).n == (None if "8000" in why else 8000)


def test_the_seed_among_the_settings_of_older_probes_makes_no_difference(build):
    names = [(name, seed) for name in "ab" for seed in range(3)]
    runs = [build(name, seed, top1=0.5 + seed / 100, settings={"l2": 1, "seed": seed}) for name, seed in names]
    assert only_difference(compare(runs)).method == SEEDS.paired


def test_a_missing_probe_is_named(build):
    runs = [build(top1=0.5), build("b")]
    assert only_difference(compare(runs)).why == "no linear probe in b"
    assert "No linear probe in b-s0; dcp probe RUN -e linear measures it." in caveats(compare(runs))


def test_a_score_that_is_not_a_number_counts_as_missing(build):
    broken = build("b")
    broken.write_probe("linear", {"score": {"top1": float("nan")}, "n": 8000})
    comparison = compare([build(top1=0.5), broken])
    assert top1(comparison).arms[1].mean is None
    assert only_difference(comparison).value is None


def test_numbers_at_the_edge_of_what_counts_are_compared_without_overflow(build):
    runs = [build(name, seed) for name in "ab" for seed in range(3)]
    for place, run in enumerate(runs):
        score = {"large": 1e60 / (place + 1), "larger": 1e300 * (place + 1) / 9, "small": 1e-300 * place}
        run.write_probe("other", {"score": score, "n": 100})
    rows = {row.score: row.differences[0] for row in compare(runs).scores}
    assert rows["large"].p > 0
    assert rows["larger"].why == "no other score of this name in a and b"
    assert (rows["small"].value, rows["small"].p) == (0, None)


OLDER = (
    "Older probes: those of {} do not say which images they were tested on. They are paired if their labels agree,"
    " as those of other images may, too; dcp probe measures again."
)


def test_a_probe_that_does_not_name_its_images_is_paired_by_labels_with_a_caveat(build):
    comparison = compare([build(right=right(60)), build("byol", right=right(65), data=None)])
    assert only_difference(comparison).method == IMAGES_PAIRED
    assert caveats(comparison) == (OLDER.format("byol-s0"),)


def test_probes_with_other_training_images_are_compared_and_said(build):
    images = {"source": "stl10", "train": "half of them", "test": "test of stl10"}
    comparison = compare([build(right=right(60)), build("byol", right=right(65), data=images)])
    assert only_difference(comparison).method == IMAGES_PAIRED
    assert caveats(comparison) == ("The probes of byol and stl10_directcopy were fitted to different images (linear).",)


def test_runs_of_other_data_are_compared_on_the_same_test_images(build):
    images = {"source": "stl10", "train": "train of stl10", "test": "test of stl10"}
    cifar = build("b", right=right(65), recipe=CIFAR, data=images)
    comparison = compare([build(right=right(60)), cifar])
    assert only_difference(comparison).method == IMAGES_PAIRED
    assert caveats(comparison) == (
        "b and stl10_directcopy were trained on different images (different data: stl10 and cifar10).",
    )


def test_other_data_that_cannot_be_compared_are_said(build):
    runs = [build(top1=0.5, data=None), build("b", top1=0.6, recipe=CIFAR, data=None)]
    assert caveats(compare(runs)) == (
        "b and stl10_directcopy cannot be compared in their scores: different data: stl10 and cifar10. dcp probe of"
        " both with the same --data (and probe.data.root) measures them on the same images.",
        OLDER.format("stl10_directcopy-s0, b-s0"),
    )


def test_runs_on_a_folder_and_on_shards_are_compared_where_probes_of_both_name_the_same_images(build):
    folder, shards = ({"data": {"source": name}} for name in ("folder", "shards"))
    runs = [build("a", top1=0.5, recipe=folder, data={"test": "of a folder"})]
    runs.append(build("b", top1=0.6, recipe=shards, data={"test": "of tars"}))
    assert only_difference(compare(runs)).why == "tested on other images"
    assert caveats(compare(runs))[0].endswith("measures them on the same images.")
    for run in runs:
        run.write_probe("linear@pets", probe(0.7, 8000, data={"source": "folder", "test": "of pets"}))
    rows = {row.evaluation: row.differences[0] for row in compare(runs).scores}
    assert rows["linear@pets"].value == 0.0
    assert rows["linear"].value is None


def test_another_amount_of_the_same_data_is_compared_and_said(build):
    other = build("b", top1=0.6, recipe={"data": {"limit": 500}}, record=OTHER_FILES)
    comparison = compare([build(top1=0.5), other])
    assert only_difference(comparison).value == pytest.approx(0.1)
    assert caveats(comparison) == ("b and stl10_directcopy were trained on different images of the same source.",)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"status": "running"}, 'it was killed, as its status says "running" but no process writes to it'),
        ({"status": "failed", "why": "the loss is NaN."}, "it failed (the loss is NaN)"),
        ({"status": "interrupted", "why": "Ctrl-C"}, "it was interrupted (Ctrl-C)"),
    ],
)
def test_a_run_that_is_not_finished_is_named_with_the_reason(build, record, words):
    assert caveats(compare([build(top1=0.5), build("b", top1=0.6, record=record)])) == (
        f"b-s0 is not finished: {words}.",
    )


@pytest.mark.parametrize(
    ("error", "fate"),
    [("diverged", "diverged"), ("", "did not finish (failed: error[diverged]: the loss is not finite at step 3)")],
)
def test_that_a_run_diverged_is_read_in_its_error_and_not_in_its_text(build, error, fate):
    why = "error[diverged]: the loss is not finite at step 3"
    lost = build("b", 1, record={"status": "failed", "why": why, "error": error})
    comparison = compare([build("a", top1=0.5), build("b", top1=0.6), lost])
    assert caveats(comparison) == (f"b, seed 1 {fate}; b's scores are those of its other seeds.",)


def test_other_devices_versions_and_moments_of_probing_are_said(build):
    other = {"device": "cpu", "versions": {"dcp": "0.2.0", "torch": "2.11.0"}}
    assert caveats(compare([build("a", top1=0.5), build("b", top1=0.6, record=other, step=100)])) == (
        "The linear probes were taken at different points: a-s0 at step 3900, b-s0 at step 100.",
        "The runs were made on different devices: their speeds, times and memory are not comparable.",
        "The runs were made by different versions of dcp: 0.1.0, 0.2.0.",
    )


def test_many_runs_that_were_probed_at_one_step_are_counted_and_not_listed(build):
    runs = [build(name, seed, top1=0.5) for name in ("a", "b") for seed in range(4)]
    comparison = compare([*runs, build("c", top1=0.6, step=100)])
    assert "The linear probes were taken at different points: 8 runs at step 3900, c-s0 at step 100." in caveats(
        comparison
    )


def test_the_settings_that_differ_are_listed_by_dotted_key_without_the_table_run(build):
    comparison = compare(
        [build(), build("b", recipe={"predictor": {"name": "mlp", "hidden": 512}, "train": {"epochs": 7}})]
    )
    assert [(one.key, one.values) for one in comparison.settings] == [
        ("predictor.name", ("directcopy", "mlp")),
        ("train.epochs", (100, 7)),
        ("predictor.hidden", (None, 512)),
    ]


# as data


def test_a_comparison_is_valid_json_with_every_verdict(build):
    runs = [build(right=right(10)), build("b", right=right(90)), build("c")]
    content = json.loads(to_json(render.plain(compare(runs))))
    assert sorted(content) == [
        *("answer", "arms", "caveats", "covers", "equal_time", "level", "primary", "schema", "scores", "settings")
    ]
    assert (content["primary"], content["scores"][0]["role"]) == ("linear.top1", "primary")
    assert (content["schema"], content["level"]) == (1, 0.95)
    assert [one["verdict"] for one in content["scores"][0]["differences"]] == ["higher", "undecided"]
    assert content["scores"][0]["arms"][2]["mean"] is None


def test_a_comparison_has_no_number_that_json_does_not_know(build, monkeypatch):
    low, high = only_difference(compare([build(right=right(1, n=1)), build("b", right=right(0, n=1))])).interval
    assert (low, 0 < high < 1) == (-1, True)
    inf, nan = float("inf"), float("nan")
    score, around = {"top1": nan, "rankme": 5.0, "nesum": inf}, {"rankme": (nan, inf)}
    monkeypatch.setattr(
        Run, "probes", lambda self: {"linear": ProbeRecord.model_construct(score=score, n=1, interval=around)}
    )
    runs = [build(name, record={"wall_s": 1.0}) for name in ("c", "d")]
    runs[0].record = runs[0].record.model_copy(update={"wall_s": inf})
    comparison = render.plain(compare(runs))
    json.dumps(comparison, allow_nan=False)
    assert comparison["arms"][0]["cost"]["wall_s"] is None
    assert [row["score"] for row in comparison["scores"] if row["arms"][0]["mean"] is not None] == ["rankme"]
    assert comparison["scores"][1]["arms"][0]["over_images"] is None


def test_comparing_starts_without_torch_rich_and_scipy():
    code = (
        "import dcp.comparison.compare, dcp.report.render, sys;"
        "assert 'dcp.comparison.compare' in sys.modules;"
        "assert not {'torch', 'rich', 'scipy', 'safetensors'} & set(sys.modules), sorted(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(dcp.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_the_function_dcp_compare_stays_a_function_after_it_was_called(build):
    names = [str(build("a", top1=0.5).path), str(build("b", top1=0.6).path)]
    first, second = dcp.compare(names), dcp.compare(names)
    assert first == second
    assert first["scores"][0]["differences"][0]["value"] == pytest.approx(0.1)


def test_values_of_test_images_are_paired_where_the_queries_are_the_same(build):
    a, b = (np.random.default_rng(seed).beta(2, 3, 200) for seed in (0, 1))
    runs = [build(name, top1=0.5) for name in ("one", "other")]

    def retrieved(run, values, query):
        score = {"score": {"map": float(values.mean())}, "n": len(values), "interval": {"map": [0.1, 0.9]}}
        run.write_probe("retrieval", {**score, "data": run.probes()["linear"].data}, {"map": values, "query": query})

    for run, values in zip(runs, (a, b), strict=True):
        retrieved(run, values, np.arange(200))
    found = next(row for row in compare(runs).scores if (row.evaluation, row.score) == ("retrieval", "map"))
    paired = found.differences[0]
    theirs = stats.ttest_rel(b, a)
    assert paired.method == "paired over test images, their values"
    assert paired.p == pytest.approx(theirs.pvalue, abs=1e-9)
    assert paired.interval == pytest.approx(tuple(theirs.confidence_interval(0.95)), abs=1e-9)
    retrieved(runs[1], b, np.arange(200)[::-1].copy())
    found = next(row for row in compare(runs).scores if (row.evaluation, row.score) == ("retrieval", "map"))
    assert found.differences[0].method == "unpaired over test images"


def test_a_score_that_only_happens_to_be_near_the_accuracy_is_not_tested_on_its_answers(build):
    runs, label = [build(name) for name in ("one", "other")], np.arange(200) % 10
    for run, accuracy, nmi in zip(runs, (0.50, 0.60), (0.501, 0.601), strict=True):
        score, around = {"accuracy": accuracy, "nmi": nmi, "ari": accuracy}, {"accuracy": [0.4, 0.7]}
        arrays = answers(right(round(200 * accuracy), 200), label)
        run.write_probe("clustering", {"score": score, "n": 200, "interval": around}, arrays)
    found = {row.score: row.differences[0] for row in compare(runs).scores}
    assert (found["accuracy"].method, found["accuracy"].discordant) == (IMAGES_PAIRED, (0, 20))
    for score in ("nmi", "ari"):
        assert (found[score].interval, found[score].p, found[score].discordant) == (None, None, None)
        assert found[score].value == pytest.approx(0.1)
        assert found[score].why == "no interval: one seed each, and none over test images"
    several = [build(name, seed) for name in ("a", "b") for seed in range(3)]
    for run in several:
        score = {"accuracy": (100 + run.seed) / 200, "nmi": (100 + run.seed) / 200 + 0.001}
        run.write_probe("clustering", {"score": score, "n": 200}, answers(right(100 + run.seed, 200), label))
    methods = {row.score: row.differences[0].method for row in compare(several).scores}
    assert methods == {"accuracy": SEEDS_AND_IMAGES.paired, "nmi": SEEDS.paired}


def test_a_spectrum_that_lacks_what_views_say_is_compared_in_its_other_scores(build):
    older, newer, fewer = (build(name, 0) for name in "abc")
    older.write_probe("spectrum", {"score": {"rankme": 5.0}, "n": 100, "settings": {"fit": [11, 500]}})
    score = {"rankme": 6.0, "lidar": 4.0}
    settings = {"fit": [11, 500], "images": 1000, "views": 10}
    newer.write_probe("spectrum", {"score": score, "n": 100, "settings": settings})
    fewer.write_probe("spectrum", {"score": score, "n": 100, "settings": settings | {"views": 4}})
    lidar, rankme = compare([older, newer]).scores
    assert (lidar.score, lidar.role, rankme.role) == ("lidar", "descriptive", "descriptive")
    assert rankme.differences[0].value == 1.0
    assert lidar.differences[0].why == "no spectrum score of this name in a"
    assert {row.differences[0].why for row in compare([newer, fewer]).scores} == {
        "measured differently: views 10 and 4"
    }
