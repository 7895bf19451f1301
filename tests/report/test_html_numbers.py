"""What the pictures show is what the files say."""

import base64
import io
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from reported import Page, curves, pictures, probes

from dcp.comparison.compare import compare
from dcp.report.charts import colours
from dcp.report.charts.curves import Curve, draw_curves
from dcp.report.charts.estimates import Estimate, Row, draw_estimates
from dcp.report.html import disagreements, eigenvalues, estimates, flat_maps, reports, training_curves
from dcp.report.html.confusion import counted
from dcp.report.html.run_files import ArmFiles, RunFiles, of_comparison, of_run
from dcp.report.html.sprites import Sprites
from dcp.report.html.training_curves import Quantity, course, thinned

LOSS = Quantity("loss", "step", "Loss", "loss")


def source(*runs, style=0, letter="A"):
    return ArmFiles(style, letter, runs[0].name, tuple(map(RunFiles, runs)))


def described(page: str) -> dict[str, str]:
    """Description of each chart by its title."""
    return dict(re.findall(r"<title>([^<]*)</title><desc>([^<]*)</desc>", page))


# curves


def test_a_curve_is_the_mean_of_the_seeds_in_a_band_from_the_least_to_the_most(make):
    runs = [make(seed=seed) for seed in range(3)]
    for seed, run in enumerate(runs):
        curves(run, seed=seed)
    line = course(source(*runs), LOSS, "epochs")
    assert line.x.tolist() == pytest.approx([(step + 1) / 4 for step in range(12)])
    assert line.y.tolist() == pytest.approx([-2.0 - 0.1 * step for step in range(12)])
    assert line.low.tolist() == pytest.approx([-3.0 - 0.1 * step for step in range(12)])
    assert line.high.tolist() == pytest.approx([-1.0 - 0.1 * step for step in range(12)])


def test_a_seed_that_stopped_early_counts_as_far_as_it_came(make):
    runs = [make(seed=0), make(seed=1)]
    for step in range(4):
        runs[0].append({"kind": "step", "step": step, "loss": 1.0})
    runs[1].append({"kind": "step", "step": 0, "loss": 3.0})
    assert course(source(*runs), LOSS, "steps").y.tolist() == [2.0, 1.0, 1.0, 1.0]


def test_what_is_no_number_leaves_no_point(make):
    run = make()
    for step, loss in enumerate([1.0, None, "1", [1.0], float("nan"), 2.0]):
        run.append({"kind": "step", "step": step, "loss": loss})
    assert course(source(run), LOSS, "steps").x.tolist() == [1.0, 6.0]


def test_the_axis_counts_steps_where_no_epoch_is_known(make):
    run = make(steps=None)
    run.append({"kind": "step", "step": 0, "loss": 1.0})
    assert training_curves.unit_of([source(run)]) == "steps"
    run.append({"kind": "epoch", "step": 7, "epoch": 1})
    assert training_curves.unit_of([source(run)]) == "epochs"
    assert RunFiles(run).epoch_length == 4


def test_a_long_curve_is_thinned_and_keeps_its_ends(make):
    steps = list(range(5, 100_000, 10))
    kept = thinned(steps)
    assert (len(kept), kept[0], kept[-1]) == (200, steps[0], steps[-1])
    assert kept == sorted(set(kept))
    assert thinned(steps[:200]) == steps[:200]


def test_a_chart_says_in_words_where_its_curves_begin_and_end(full):
    words = described(reports.run_html(full("a")))
    assert "from -1 at 0.25 to -2.1 at 3" in words["Loss"]
    assert "from 1 at 1 to 0.25 at 3" in words["Eigenvalues of the test features&#x27; covariance"]
    assert "1st: from 1 at 0.25 to 1 at 3; 2nd: from 0.25" in words["Eigenvalues of F, a-s0"]


def test_a_line_is_drawn_where_its_numbers_are():
    x = np.arange(5.0)
    chart = draw_curves([Curve("a", 0, x, 2 * x)], name="c", title="t", x="epochs", y="loss").svg()
    (path,) = re.findall(r'<path d="([^"]*)"[^>]*stroke: var\(--s0\)[^>]*stroke-linecap: square', chart)
    places = np.array([[float(number) for number in pair.split()] for pair in re.split("[ML] ?", path)[1:]])
    assert len(places) == 5
    assert np.diff(places, axis=0) == pytest.approx(np.tile(places[1] - places[0], (4, 1)), abs=0.15)
    assert places[1][0] > places[0][0]
    assert places[1][1] < places[0][1]  # an SVG counts downwards


def test_series_differ_in_their_dashes_too_and_the_ninth_is_not_the_first():
    assert len({colours.dash_of(style) for style in range(4)}) == 4
    assert colours.dash_of(0) != colours.dash_of(8)


def test_no_two_series_of_a_chart_have_the_same_colour():
    assert len({colours.colour(style) for style in range(256)}) == 256
    styles = [colours.INKED, *range(40)]
    assert len({colours.colour(style) for style in styles}) == len({colours.css(style) for style in styles}) == 41
    ordered = range(colours.ORDERED, colours.ORDERED + colours.STEPS)
    assert len({colours.colour(style) for style in ordered}) == colours.STEPS
    assert all(colours.in_css()[colours.colour(style)] == colours.css(style) for style in (*styles, *ordered))


def painted(chart):
    axes = Figure().add_axes((0.1, 0.1, 0.8, 0.8))
    chart.paint(axes)
    return axes


@pytest.mark.parametrize("y", [[1.0, 1.0], [0.2, 1.0], [0.0, 0.4]])
def test_an_axis_does_not_go_where_no_value_can_be(y):
    lines = [Curve("a", 0, np.arange(2.0), np.array(y))]
    low, high = painted(draw_curves(lines, name="c", title="t", x="epochs", y="share", limits=(0.0, 1.0))).get_ylim()
    assert 0 <= low < high <= 1
    rows = [Row("top1", (Estimate(0, "A", 99.0, (98.0, 100.0)),))]
    assert painted(draw_estimates(rows, name="e", title="t", x="in %", limits=(0.0, 100.0))).get_xlim()[1] <= 100


def test_what_is_the_same_up_to_rounding_has_a_sentence_and_no_chart(make):
    runs = [make(seed=seed) for seed in range(2)]
    for step in range(3):
        for seed, run in enumerate(runs):
            values = {"alignment": 1 - 1e-7 * step * seed, "commutator": 1e-8 * step}
            run.append({"kind": "spectrum", "step": step, "F": [1.0, 0.5], "W": [1.0, 0.5], **values})
    section = eigenvalues.over_training([source(*runs)])
    assert "Alignment of F and W: 1.000 from end to end" in section.body
    assert "Commutator of F and W: 0 from end to end" in section.body
    assert not {"alignment-epochs", "commutator-epochs"} & {each.chart.name for each in section.drawings}


def test_scores_that_differ_by_rounding_alone_have_no_chart_of_differences(full):
    runs = [full(name, predictor=name) for name in "ab"]
    section = estimates.differences(compare(runs), of_comparison(compare(runs)))
    assert "spectrum rankme: no difference beyond rounding." in section.body
    assert "<title>spectrum rankme" not in section.body


# scores and differences


def test_the_charts_of_scores_and_differences_hold_the_numbers_of_the_comparison(full):
    comparison = compare(
        [full(name, seed, predictor=name, wrong=w) for name, w in (("a", 6), ("b", 12)) for seed in (0, 1, 2)]
    )
    words = described(reports.comparison_html(comparison))
    row = next(row for row in comparison.scores if row.score == "top1")
    for one in row.arms:
        low, high = one.over_seeds
        assert f"{100 * one.mean:.4g} ({100 * low:.4g} to {100 * high:.4g})" in words["Scores in %"]
    (difference,) = row.differences
    low, high = difference.interval
    said = f"linear top1: B {100 * difference.value:.4g} ({100 * low:.4g} to {100 * high:.4g})"
    assert said in words["Scores in %: difference from A"]
    # seed by seed the ranks differ by the same 6, so there is no spread to make an interval of
    assert "B 6 undecided" in words["spectrum rankme: difference from A"]


def test_each_estimate_is_drawn_with_its_interval_in_its_own_colour():
    rows = [Row("knn top1", (Estimate(0, "A", 50.0, (40.0, 60.0)), Estimate(1, "B", 55.0)))]
    chart = draw_estimates(rows, name="e", title="t", x="in %").svg()
    assert {f"var(--s{i})" for i in range(8) if f"var(--s{i})" in chart} == {"var(--s0)", "var(--s1)"}
    assert "knn top1  A" in chart
    assert "A 50 (40 to 60), B 55" in chart


def chart_of(section, title: str) -> str:
    drawn = re.findall(r'<svg class="chart".*?</svg>', section.body, re.DOTALL)
    return next(chart for chart in drawn if f"<title>{title}</title>" in chart)


def test_a_difference_without_a_verdict_is_hollow_though_its_interval_excludes_0(full):
    def drawn(*runs) -> tuple[str, str, tuple[float, float]]:
        comparison = compare(runs)
        (one,) = next(row for row in comparison.scores if row.score == "top1").differences
        section = estimates.differences(comparison, of_comparison(comparison))
        return chart_of(section, "Scores in %: difference from A"), one.verdict, one.interval

    decided, verdict, _ = drawn(full("a", wrong=0), full("b", predictor="b", wrong=30))
    assert verdict == "lower"
    assert "var(--paper)" not in decided
    assert "undecided" not in decided
    two_seeds = [full(name, seed, predictor=name, wrong=w) for name, w in (("c", 0), ("d", 30)) for seed in (0, 1)]
    undecided, verdict, (_, high) = drawn(*two_seeds)
    assert verdict == "undecided"
    assert high < 0
    assert "fill: var(--paper)" in undecided
    assert re.search(r"linear top1: B -50 \([^)]*\) undecided", undecided)


def test_the_page_says_what_hollow_means_and_that_an_interval_alone_does_not_decide(full):
    text = Page(reports.comparison_html(compare([full("a"), full("b", predictor="b")]))).text
    assert "hollow: undecided" in text
    assert "Only the primary score can be decided" in text


# confusion


def test_the_confusion_matrix_counts_by_hand():
    classes, counts = counted(np.array([0, 1, 1, 5, 0]), np.array([0, 0, 1, 1, -1]))
    assert classes == [0, 1, 5]
    assert counts.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]


def test_the_confusion_matrix_of_a_run_has_class_names_and_every_test_image(full):
    text = Page(reports.run_html(full("a", wrong=6))).text
    # six of sixty are taken for the next class: two of each of the three
    assert "cat 18 2 0 dog 0 18 2 ship 2 0 18" in text


def test_of_many_classes_the_most_frequent_mistakes_are_listed(make):
    run, label = make(), np.repeat(np.arange(50), 4)
    prediction = label.copy()
    prediction[:3], prediction[8] = 7, 9
    run.write_probe("knn", {"score": {"top1": 0.98}, "n": 200}, {"prediction": prediction, "label": label})
    text = Page(reports.run_html(run)).text
    assert "class 0 class 7 3 4 class 2 class 9 1 4" in text


# where they disagree


def test_images_that_most_seeds_of_one_arm_get_right_and_of_the_other_wrong_are_shown_with_the_answers(make):
    label = np.arange(60) % 3
    said = {"a": [label.copy() for _ in range(3)], "b": [label.copy() for _ in range(3)]}
    for seed in range(2):
        said["b"][seed][4] = 2  # a dog, taken for a ship by two of three seeds; row 4 is image 2 on the map
    said["a"][0][0] = 1  # by one seed only: no disagreement
    runs = []
    for name, seeds in said.items():
        for seed, prediction in enumerate(seeds):
            runs.append(make(name, seed, predictor=name))
            probes(runs[-1])
            probe = runs[-1].probes()["linear"].model_dump(exclude_unset=True)
            runs[-1].write_probe("linear", probe, {"prediction": prediction, "label": label})
            pictures(runs[-1])
    section = disagreements.disagreements(of_comparison(compare(runs)), Sprites())
    text = Page(section.body).text
    assert "A a right, B b wrong 1 of the 30 images on the map, by linear." in text
    assert "true: dog A: dog B: ship (2 of 3 seeds)" in text
    assert "B b right, A a wrong 0 of the 30 images on the map, by linear. None." in text


@pytest.mark.parametrize("what", ["other images", "other labels", "no pictures"])
def test_arms_of_other_test_images_are_not_set_beside_each_other(full, what):
    runs = [full("a"), full("b", predictor="b")]
    probe, arrays = runs[1].probes()["linear"].model_dump(exclude_unset=True), runs[1].predictions("linear")
    if what == "other images":
        runs[1].write_probe("linear", {**probe, "data": {**probe["data"], "test": "others"}}, arrays)
    elif what == "other labels":
        runs[1].write_probe("linear", probe, {**arrays, "label": (arrays["label"] + 1) % 3})
    else:
        (runs[1].path / "probes" / "pictures.json").unlink()
    section = disagreements.disagreements([source(runs[0]), source(runs[1], style=1, letter="B")], Sprites())
    assert section.body == ""
    assert len(section.missing) == 1


# pictures


def test_a_window_shows_its_own_picture_and_equal_pictures_are_kept_once():
    ramp = np.linspace(0, 60, 16)
    images = (np.arange(40)[:, None, None, None] * 4 + np.zeros((40, 3, 16, 1)) + ramp).astype(np.uint8)
    sprites = Sprites()
    sprite = sprites.add(images)
    assert sprites.add(images.copy()) is sprite
    assert len(sprites.written) == 1
    (data,) = re.findall(r'href="data:image/\w+;base64,([^"]+)"', sprites.html())
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), dtype=float)
    for i in (0, 15, 16, 39):
        left, top, width, height = map(int, sprite.window(i).split())
        shown = sheet[top : top + height, left : left + width].transpose(2, 0, 1)
        assert np.abs(shown - images[i]).mean() < 4  # neighbours differ by 4, and the file is lossy


def test_the_map_keeps_shapes_and_fills_its_width():
    places = flat_maps.placed(np.array([[-2.0, 0.0], [2.0, 1.0], [0.0, 0.0]]))
    assert places[:, 0].min() == flat_maps.MARGIN
    assert places[:, 0].max() == flat_maps.SIDE - flat_maps.MARGIN
    assert (places[0, 1] - places[1, 1]) / (places[1, 0] - places[0, 0]) == pytest.approx(1 / 4)
    assert np.isfinite(flat_maps.placed(np.zeros((3, 2)))).all()


def test_of_images_in_one_place_the_one_nearest_to_its_middle_is_shown():
    cell = flat_maps.SIDE / flat_maps.ACROSS
    places = np.array([[0.1 * cell, 0.1 * cell], [0.5 * cell, 0.6 * cell], [3.2 * cell, 0.5 * cell]])
    assert flat_maps.apart(places) == {(0, 0): 1, (3, 0): 2}


def test_arms_that_saw_the_same_views_share_them(full):
    runs = [full("a"), full("b", predictor="b")]  # pictures of the same seed
    text = Page(reports.comparison_html(compare(runs))).text
    assert "A a and B b (the same views)" in text


def test_a_run_alone_has_no_letter(full):
    (alone,) = of_run(full("a"))
    assert (alone.label, alone.letter) == ("a-s0", "")
