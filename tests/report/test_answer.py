"""The first sentence of a comparison: who is better, by how much, how sure, and what is left open."""

import pytest

from dcp.comparison.compare import compare
from dcp.report.answer import answer, answer_of_run, overview, primary
from dcp.report.comparison_page import letter
from dcp.report.page import probability


def said(*runs):
    comparison = compare(runs)
    return answer(comparison, {arm.name: letter(i) for i, arm in enumerate(comparison.arms)})


def seeds(full, name: str, wrong: int, many: int = 3):
    """Runs that get `wrong` and a few more test images of 60 wrong, which differ from seed to seed and by arm."""
    more = (0, 3, 1) if name in "ac" else (0, 1, 4)
    return [full(name, seed, predictor=name, wrong=wrong + more[seed]) for seed in range(many)]


def test_the_better_arm_is_named_with_difference_interval_corrected_p_and_seeds(full):
    comparison = compare([*seeds(full, "a", 30), *seeds(full, "b", 4)])
    words = answer(comparison, {"a": "A", "b": "B"}).sentence
    means = [f"{100 * arm.mean:.2f} %" for arm in primary(comparison).arms]
    (difference,) = primary(comparison).differences
    low, high = (f"{100 * end:+.2f}" for end in difference.interval)
    assert words == (
        f"B b is better than A a in linear top1, by {100 * difference.value:.2f} points: {means[1]} against {means[0]}"
        f" (95 % interval {low} to {high}, corrected p {probability(difference.p_holm)}, 3 seeds each)."
    )


def test_the_first_arm_may_win_and_the_interval_is_then_seen_from_it(full):
    words = said(*seeds(full, "a", 4), *seeds(full, "b", 30)).sentence
    assert words.startswith("A a is better than B b in linear top1, by 43.89 points")
    low, high = words.split("interval ")[1].split(",")[0].split(" to ")
    assert 0 < float(low) < 43.89 < float(high)


def test_a_difference_without_a_verdict_is_called_undecided_and_why_where_chance_is_not_the_reason(full):
    words = said(*seeds(full, "a", 6), *seeds(full, "b", 7)).sentence
    assert words.startswith("Undecided in linear top1: A a is 2.22 points ahead of B b")
    assert "which may be chance" in words
    words = said(*seeds(full, "c", 6, 2), *seeds(full, "d", 40, 2)).sentence
    assert "which two seeds cannot decide" in words
    assert "chance" not in words


def test_equal_scores_are_told_as_such(full):
    words = said(full("a", wrong=0), full("b", predictor="b", wrong=0)).sentence
    assert "100.00 %" in words
    assert "better" not in words


def test_an_arm_that_training_has_not_helped_is_named(full):
    assert said(full("a", wrong=0), full("b", predictor="b", wrong=50)).warning == (
        "B b is no better than the untrained encoder."
    )
    assert said(full("c", wrong=50), full("d", predictor="d", wrong=50)).warning == (
        "No arm is better than its untrained encoder."
    )


@pytest.mark.parametrize(("many", "words"), [(1, "with one seed an arm"), (2, "two seeds decide nothing")])
def test_few_seeds_are_what_the_answer_does_not_rest_on(full, many, words):
    limits = said(*seeds(full, "a", 4, many), *seeds(full, "b", 30, many)).limits
    assert any(words in line for line in limits)
    assert not any(words in line for line in said(*seeds(full, "c", 4), *seeds(full, "d", 30)).limits)


def test_of_three_arms_those_that_are_not_tested_against_each_other_are_said(full):
    limits = said(*seeds(full, "a", 20), *seeds(full, "b", 4), *seeds(full, "c", 5)).limits
    assert any("each is tested against A a alone" in line for line in limits)


def test_another_score_that_says_otherwise_is_named(full):
    runs = [full("a", wrong=20), full("b", predictor="b", wrong=2)]
    for run, top1 in zip(runs, (0.8, 0.6), strict=True):
        run.write_probe("knn", {"score": {"top1": top1}, "n": 60, "interval": {"top1": [top1 - 0.1, top1 + 0.1]}})
    limits = said(*runs).limits
    assert any("in knn top1 A a is ahead with 80.00 %" in line for line in limits)


def test_the_primary_score_is_that_of_the_recipes_else_linear_else_the_first_share(make):
    runs = [make(name, predictor=name) for name in "ab"]
    assert primary(compare(runs)) is None
    assert said(*runs).sentence == "No run has a score yet, so nothing can be compared."
    for evaluation in ("knn", "logistic", "linear"):
        for run in runs:
            run.write_probe(evaluation, {"score": {"top1": 0.5, "other": 3.0}, "n": 60})
        assert primary(compare(runs)).evaluation == ("linear" if evaluation == "linear" else "knn")
    for run in runs:
        run.path.joinpath("recipe.toml").write_text(
            run.path.joinpath("recipe.toml").read_text() + '\n[probe]\nprimary = "logistic.top1"\n'
        )
    assert primary(compare(runs)).name == "logistic top1"


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
    assert answer_of_run(full("b", wrong=50)).warning == "Training has not made the features better."
    assert answer_of_run(make("c")).sentence == "This run has no score yet; dcp probe measures it."
