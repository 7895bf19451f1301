import pytest

from dcp import report
from dcp.comparison import compare
from dcp.comparison.caveats import TIMED


def course(build, name, seed, seconds, **readouts):
    """A run whose epochs end after these seconds, with a readout's value at the end of each."""
    run = build(name, seed, recipe={"predictor": {"eps": len(name)}})
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
    assert set(TIMED) <= set(comparison.covers)
    text = report.markdown(comparison)
    assert "**online_knn in %, after 3.2 s of training**" in text
    assert "| B | 17.50 | 3.54 | 2 |" in text
    assert comparison.to_dict()["equal_time"][0]["arms"][1]["values"] == [0.15, 0.2]


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
    assert not set(TIMED) & set(comparison.covers)
    assert "equal time" not in report.markdown(comparison)


def test_flops_are_those_of_all_steps_and_left_out_where_no_run_says(build):
    runs = [
        build("a", record={"flops_per_image": 2e9, "images_seen": 500_000}),
        build("b", recipe={"predictor": {"eps": 0.1}}),
    ]
    comparison = compare(runs)
    assert [arm.cost.flops for arm in comparison.arms] == [2e9 * 500_000, None]
    assert "| 1.00 PFLOP |" in report.markdown(comparison)
    assert "FLOP" not in report.markdown(compare([runs[1], build("c")]))
