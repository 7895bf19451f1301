"""The first sentence of a comparison: who is better, by how much, how sure, and what is left open."""

from dcp.comparison.compare import compare
from dcp.report import result
from dcp.report.answer import answer, answer_of_run, overview
from dcp.report.comparison_page import letter


def said(*runs):
    comparison = compare(runs)
    return answer(comparison, {arm.name: letter(i) for i, arm in enumerate(comparison.arms)})


def seeds(full, name: str, wrong: int, many: int = 3):
    """Runs that get `wrong` and a few more test images of 60 wrong, which differ from seed to seed and by arm."""
    more = (0, 3, 1) if name in "ac" else (0, 1, 4)
    return [full(name, seed, predictor=name, wrong=wrong + more[seed]) for seed in range(many)]


def test_the_sentence_and_its_limits_are_those_of_the_terminal(full):
    runs = [*seeds(full, "a", 30), *seeds(full, "b", 4)]
    words = said(*runs)
    assert (words.sentence, *words.limits) == result.answer(compare(runs))


def test_an_arm_that_training_has_not_helped_is_named(full):
    assert said(full("a", wrong=0), full("b", predictor="b", wrong=50)).warning == (
        "B b is no better than the untrained encoder."
    )
    assert said(full("c", wrong=50), full("d", predictor="d", wrong=50)).warning == (
        "No arm is better than its untrained encoder."
    )


def test_of_three_arms_those_that_are_not_tested_against_each_other_are_said(full):
    limits = said(*seeds(full, "a", 20), *seeds(full, "b", 4), *seeds(full, "c", 5)).limits
    assert any("Each arm is tested against A a only" in line for line in limits)


def test_another_score_that_says_otherwise_is_named(full):
    runs = [full("a", wrong=20), full("b", predictor="b", wrong=2)]
    for run, top1 in zip(runs, (0.8, 0.6), strict=True):
        run.write_probe("knn", {"score": {"top1": top1}, "n": 60, "interval": {"top1": [top1 - 0.1, top1 + 0.1]}})
    limits = said(*runs).limits
    assert any("in knn top1 A a is ahead with 80.00 %" in line for line in limits)


def test_the_table_has_what_the_arms_do_differently_and_says_how_much_more_there_is(full):
    runs = [full("a"), full("b", predictor="b", state={"name": "complete collapse", "evidence": ""})]
    table, more = overview(compare(runs), {"a": "A", "b": "B"})
    assert table.columns == ("", "predictor.name", "linear top1 in %", "state", "images/s", "time")
    ((_, rows),) = table.groups
    assert rows[1] == ("B b", "b", "90.00 (80.00 to 95.00)", "complete collapse", "-", "30.0 s")
    assert more == ""


def test_a_run_alone_is_set_beside_the_encoder_that_it_began_with(full, make):
    words = answer_of_run(full("a"))
    assert words.sentence == (
        "linear top1 is 90.00 % (95 % interval over test images 80.00 to 95.00), 65.00 points above the 25.00 % of the"
        " untrained encoder."
    )
    assert answer_of_run(full("b", wrong=50)).warning == "Training has not improved the features."
    assert answer_of_run(make("c")).sentence == "This run has no score yet; dcp probe measures it."
