"""The first sentences of a report: who is better, by how much, how sure, what else there is to know."""

import json

import numpy as np
import pytest
from built_runs import one_of_nine, probe
from rich.console import Console

from dcp.comparison.compare import Comparison, compare
from dcp.report import render
from dcp.report.answer import answer, answer_of_run

UNMEASURED = ", has not been measured; dcp probe RUN -e"


def seeds(build, name: str, values, **options):
    return [build(name, seed, top1=value, **options) for seed, value in enumerate(values)]


def seeds_of(full, name: str, wrong: int):
    """Runs that get `wrong` and a few more test images of 60 wrong, which differ from seed to seed and by arm."""
    more = (0, 3, 1) if name in "ac" else (0, 1, 4)
    return [full(name, seed, predictor=name, wrong=wrong + more[seed]) for seed in range(3)]


def one(build, top1: float | None, *, before: float | None = 0.25, primary: str = "", score: str = "top1", n=1000):
    """A run with one score of one evaluation, linear or that of its primary score."""
    evaluation = primary.partition(".")[0] or "linear"
    run = build("a", recipe={"probe": {"primary": primary}} if primary else {})
    if top1 is not None:
        untrained = {"score": {} if before is None else {score: before}}
        run.write_probe(
            evaluation, {**probe(top1, n), "score": {score: top1}, "interval": {}, "random_encoder": untrained}
        )
    return run


def test_one_seed_each_names_the_better_encoder_and_says_that_it_says_nothing_about_the_recipes(build):
    index = np.arange(1000)
    runs = [build("a", right=index < 630), build("b", right=index < 600)]
    first, second = answer(compare(runs)).lines
    assert first == "In linear top1, a is better than b by 3.0 points (95 % interval 2.1 to 4.3, p < 1e-6)."
    assert second.startswith("One seed each: this compares the trained encoders")
    assert "does not say which recipe is better" in second
    assert answer(compare(runs[::-1])).sentence == first  # whichever stands first


def test_several_seeds_say_by_how_much_and_how_sure_and_what_is_not_covered(build):
    runs = [*seeds(build, "a", [0.60, 0.62, 0.61, 0.60]), *seeds(build, "b", [0.63, 0.655, 0.645, 0.64])]
    first, second = answer(compare(runs)).lines
    assert first == "In linear top1, b is better than a by 3.5 points (95 % interval 2.9 to 4.1, p 0.0004)."
    assert second == (
        "This covers other seeds of the same recipes; it does not cover other data, longer training or tuned settings."
    )


def test_what_is_not_decided_names_who_is_ahead_and_says_not_clearly_with_the_reason(build):
    two = [*seeds(build, "a", [0.5, 0.51]), *seeds(build, "b", [0.9, 0.92])]
    said = answer(compare(two)).sentence
    assert said.startswith("In linear top1, b is 40.5 points above a, not clearly (95 % interval +")
    assert said.endswith(", 2 seeds are too few).")
    c, d = seeds(build, "c", [0.5, 0.51, 0.52]), seeds(build, "d", [0.51, 0.50, 0.53])
    assert answer(compare([*c, *d])).sentence == (
        "In linear top1, d is 0.3 points above c, not clearly (95 % interval -2.5 to +3.2, p 0.67)."
    )
    assert answer(compare([*d, *c])).sentence == answer(compare([*c, *d])).sentence  # whichever stands first


def test_several_arms_are_compared_with_the_first_each_in_a_clause_with_its_corrected_p(build):
    runs = [*seeds(build, "a", [0.60, 0.62, 0.61]), *seeds(build, "b", [0.5, 0.525, 0.51])]
    comparison = compare([*runs, *seeds(build, "c", [0.61, 0.60, 0.63])])
    first, b = answer(comparison).sentence, comparison.primary.differences[0]
    assert b.p < b.p_holm == 2 * b.p
    assert first.startswith("In linear top1, compared with a (61.0 %): b is worse by 9.8 points (95 % interval ")
    assert "; c is 0.3 points above, not clearly (95 % interval -" in first
    assert first.count("Holm p") == 2


def test_many_arms_are_counted(build):
    said = answer(compare(one_of_nine(build))).sentence
    assert said == ("In linear top1, of 8 arms compared with a (Holm's correction), 8 not clearly different.")


def test_without_a_primary_score_there_is_no_verdict_and_a_way_to_one(build):
    runs = [build(name) for name in "ab"]
    assert answer(compare(runs)).lines == (
        "No verdict: no run has the primary score, linear top1. dcp probe RUN -e linear measures it.",
    )


def test_arms_of_other_data_are_not_compared_and_one_arm_alone_is_only_described(build):
    other = build("b", top1=0.6, recipe={"data": {"source": "cifar10"}})
    said = answer(compare([build("a", top1=0.5), other])).sentence
    assert said == "In linear top1, b and a are not compared: tested on other images."
    assert answer(compare(seeds(build, "c", [0.60, 0.62, 0.64]))).lines == (
        "c has linear top1 62.0 % (95 % interval 57.0 to 67.0 over 3 seeds).",
    )


@pytest.mark.parametrize("paired", [True, False])
def test_no_difference_is_so_clear_that_its_p_is_0_or_missing(build, paired):
    index = np.arange(20_000)
    if paired:
        runs = [build("a", right=index < 19_000), build("b", right=index < 1_000)]
    else:
        runs = [build("a", top1=0.95, n=20_000), build("b", top1=0.15, n=20_000)]
    comparison = compare(runs)
    (difference,) = comparison.primary.differences
    assert 0 < difference.p == difference.p_holm < 1e-20
    assert difference.verdict == "lower"
    assert ", p < 1e-6)." in answer(comparison).sentence


def test_arms_that_are_level_in_every_digit_shown_are_called_so(build):
    index = np.arange(1000)
    same = [build("a", right=index < 600), build("b", right=index < 600)]
    assert answer(compare(same)).sentence.startswith("In linear top1, b and a are level (95 % interval -")
    three = compare([*seeds(build, "c", [0.6] * 3), *seeds(build, "d", [0.6] * 3), *seeds(build, "e", [0.6] * 3)])
    assert "; e is level with it" in answer(three).sentence


def test_a_score_that_is_no_share_has_neither_points_nor_percent(build):
    runs = [build(name, seed, recipe={"probe": {"primary": "retrieval.map"}}) for name in "ab" for seed in range(3)]
    for i, run in enumerate(runs):
        run.write_probe("retrieval", {"score": {"map": 0.11 + i * i / 50}, "n": 1000, "data": {"test": "t"}})
    said = answer(compare(runs)).sentence
    assert said.startswith(
        "In retrieval map, b is better than a by 0.3000 (95 % interval 0.001903 to 0.5981, p 0.049)."
    )
    assert "%" not in said.replace("95 %", "")
    assert "points" not in said


def warned(build, *means: float) -> Comparison:
    """Arms in this order, of which each encoder had 25 % before training."""
    names = [f"{'abcd'[i]}{len(means)}" for i in range(len(means))]
    return compare([build(name, top1=value) for name, value in zip(names, means, strict=True)])


def test_an_arm_that_training_has_not_helped_is_named_by_its_name(build):
    assert answer(warned(build, 0.9, 0.2)).warning == "b2 is no better than the untrained encoder."
    assert answer(warned(build, 0.2, 0.25, 0.9)).warning == "a3 and b3 are no better than the untrained encoder."
    assert answer(warned(build, 0.9, 0.8, 0.7, 0.6)).warning == ""


def test_what_makes_the_answer_matter_less_stands_in_every_form_of_it(build, dcp, tmp_path):
    comparison = warned(build, 0.2, 0.1)
    warning = "No arm is better than its untrained encoder."
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(render.result(comparison))
    assert warning in capture.get()
    assert warning in render.markdown(comparison)
    assert warning in render.plain(comparison)["answer"]
    runs = [member.run.path for members in comparison.members.values() for member in members]
    assert dcp("compare", *runs, "--out", tmp_path / "out").code == 0
    assert warning in (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert warning in json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))["answer"]


def test_of_three_arms_those_that_are_not_tested_against_each_other_are_said(full):
    limits = answer(compare([*seeds_of(full, "a", 20), *seeds_of(full, "b", 4), *seeds_of(full, "c", 5)])).limits
    assert "Each arm is tested against a only, not against the others." in limits


def test_another_score_gives_no_verdict_in_the_sentences(full):
    runs = [full("a", wrong=20), full("b", predictor="b", wrong=2)]
    for run, top1 in zip(runs, (0.8, 0.6), strict=True):
        run.write_probe("knn", {"score": {"top1": top1}, "n": 60, "interval": {"top1": [top1 - 0.1, top1 + 0.1]}})
    assert "knn" not in " ".join(answer(compare(runs)).lines)


@pytest.mark.parametrize(
    ("top1", "more", "sentence", "warning"),
    [
        (0.9, {}, "linear top1 is 90.00 %, 65.00 points above the 25.00 % of the untrained encoder.", False),
        (0.2, {}, "linear top1 is 20.00 %, 5.00 points below the 25.00 % of the untrained encoder.", True),
        (0.25, {}, "linear top1 is 25.00 %, the same as that of the untrained encoder.", True),
        (0.9, {"before": None}, "linear top1 is 90.00 %.", False),
        (
            *(0.11, {"primary": "retrieval.map", "score": "map", "before": 0.1}),
            *("retrieval map is 0.1100, 0.01000 above the 0.1000 of the untrained encoder.", False),
        ),
        (
            *(None, {"primary": "retrieval.map"}),
            *(
                f"The primary score, retrieval map{UNMEASURED} retrieval measures it.",
                False,
            ),
        ),
        (
            None,
            {},
            f"The primary score, linear top1{UNMEASURED} linear measures it.",
            False,
        ),
    ],
)
def test_a_run_alone_has_its_primary_score_beside_the_encoder_that_it_began_with(build, top1, more, sentence, warning):
    said = answer_of_run(one(build, top1, **more))
    assert (said.sentence, said.warning) == (sentence, "Training has not improved the features." * warning)


def test_a_run_does_not_replace_its_primary_score_by_another(build):
    run = build("a", top1=0.9, recipe={"probe": {"primary": "retrieval.map"}})
    assert answer_of_run(run).sentence.startswith("The primary score, retrieval map, has not been measured")


def test_the_interval_of_a_run_is_over_test_images(full):
    assert " (95 % interval over test images 80.00 to 95.00), " in answer_of_run(full("a")).sentence
