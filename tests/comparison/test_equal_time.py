import pytest

from dcp.comparison.compare import compare
from dcp.report import render
from dcp.report.caveats import TIMED, caveats, covers


def course(build, name, seed, seconds, source="stl10", **readouts):
    """A run whose epochs end after these seconds, with a readout's value at the end of each."""
    run = build(name, seed, recipe={"data": {"source": source}, "predictor": {"eps": len(name)}})
    for epoch, wall_s in enumerate(seconds):
        values = {key: found[epoch] for key, found in readouts.items() if found[epoch] is not None}
        run.append({"kind": "step", "step": epoch, "epoch": epoch, "loss": -1.0})
        run.append({"kind": "epoch", "step": epoch, "epoch": epoch, "wall_s": wall_s, **values})
    return run


def test_arms_are_read_after_the_time_that_every_run_has_reached(build):
    runs = [
        course(build, "fast", 0, [1, 2, 3, 4], online_knn=[0.1, 0.2, 0.3, 0.4]),
        course(build, "fast", 1, [1, 2, 3, 5], online_knn=[0.2, 0.3, 0.4, 0.5]),
        course(build, "slow", 0, [2.5, 3.5, 9], online_knn=[0.15, 0.25, 0.9]),
        course(build, "slow", 1, [2, 3.2], online_knn=[0.1, 0.2]),
    ]
    comparison = compare(runs)
    (found,) = comparison.equal_time
    assert (found.readout, found.wall_s) == ("online_knn", 3.2)
    fast, slow = found.arms
    assert (fast.arm, fast.seeds, fast.values) == ("fast", (0, 1), (0.3, 0.4))
    assert (slow.values, slow.mean) == ((0.15, 0.2), pytest.approx(0.175))
    assert fast.deviation == pytest.approx(0.1 / 2**0.5)
    assert TIMED in covers(comparison)
    text = render.markdown(comparison)
    assert "**online_knn in %, after 3.2 s of training**" in text
    assert "| B | 17.50 | 3.54 | 2 |" in text
    assert render.plain(comparison)["equal_time"][0]["arms"][1]["values"] == [0.15, 0.2]


def test_each_readout_has_its_own_time_and_needs_two_arms(build):
    runs = [
        course(build, "a", 0, [1, 2], online_knn=[0.1, 0.2], online_linear=[0.3, None]),
        course(build, "bb", 0, [5], online_linear=[0.2]),
        course(build, "ccc", 0, [3]),
    ]
    (found,) = compare(runs).equal_time
    assert (found.readout, found.wall_s) == ("online_linear", 1)
    assert [(arm.seeds, arm.mean, arm.deviation) for arm in found.arms] == [
        ((0,), 0.3, None),
        ((), None, None),
        ((), None, None),
    ]


def test_without_readouts_nothing_is_said_of_equal_time(build):
    comparison = compare([course(build, "a", 0, [1, 2]), course(build, "bb", 0, [1, 2])])
    assert comparison.equal_time == ()
    assert TIMED not in covers(comparison)
    assert "equal time" not in render.markdown(comparison)


def test_arms_that_learned_other_data_than_the_first_are_left_out_and_that_is_said(build):
    runs = [
        course(build, "a", 0, [1, 2], online_knn=[0.1, 0.2]),
        course(build, "bb", 0, [0.5], "cifar100", online_knn=[0.01]),
        course(build, "ccc", 0, [1, 3], online_knn=[0.1, 0.3]),
        course(build, "dddd", 0, [1], "cifar10"),
    ]
    comparison = compare(runs)
    (found,) = comparison.equal_time
    assert [arm.arm for arm in found.arms] == ["a", "ccc"]
    assert found.wall_s == 2  # not half a second, after which the one that is left out ends
    said = [sentence for sentence in caveats(comparison) if "equal time" in sentence]
    assert said == ["bb is left out of the accuracy at equal time: different data: stl10 and cifar100."]
    alone = compare(runs[:2])
    assert alone.equal_time == ()
    assert said[0] in caveats(alone)


def test_arms_of_other_files_are_left_out_and_of_fewer_images_are_not(build):
    seconds, readout = [1.0], {"online_knn": [0.5]}
    runs = [course(build, name, 0, seconds, **readout) for name in ("a", "bb")]
    runs.append(build("few", recipe={"data": {"limit": 500}}, record={"data": {"fingerprint": "fedcba9876543210"}}))
    runs[2].append({"kind": "epoch", "step": 0, "epoch": 0, "wall_s": 1.0, "online_knn": 0.4})
    runs[1].update(data={"fingerprint": "another", "n": 5000})
    (found,) = compare(runs).equal_time
    assert [arm.arm for arm in found.arms] == ["a", "few"]


def test_flops_are_those_of_all_steps_and_left_out_where_no_run_says(build):
    runs = [
        build("a", record={"flops_per_image": 2e9, "images_seen": 500_000}),
        build("b", recipe={"predictor": {"eps": 0.1}}),
    ]
    comparison = compare(runs)
    assert [arm.cost.flops for arm in comparison.arms] == [2e9 * 500_000, None]
    assert "| 1.00 PFLOP |" in render.markdown(comparison)
    assert "FLOP" not in render.markdown(compare([runs[1], build("c")]))
