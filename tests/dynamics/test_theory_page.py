"""The page of an experiment: what one sees, said in two sentences and drawn."""

import re

import numpy as np

from dcp.dynamics import simulate
from dcp.dynamics.html import theory_html
from dcp.dynamics.page import seen
from dcp.dynamics.result import Figure, Line, Result, Row
from dcp.report.charts.heat import between


def grid(closed: float = 1.0) -> Result:
    rows = [
        Row({"lambda_d": y, "sigma2": x}, "eta at the boundary", y * y / (4 * (y + x)), closed * y * y / (4 * (y + x)))
        for y in np.geomspace(0.25, 4, 8).tolist()
        for x in np.geomspace(0.05, 10, 9).tolist()
    ]
    return Result(tuple(rows))


def test_a_page_says_in_two_sentences_what_one_sees() -> None:
    page = theory_html("mine", "phase_diagram", grid())
    (words,) = re.findall(r'<p class="lead">([^<]+)</p>', page)
    assert words.startswith("The phase diagram: the weight decay at which a feature vanishes")
    assert words.endswith("72 simulated numbers agree with it to 15 digits.")
    assert seen("phase_diagram", grid(1.02)).endswith("72 simulated numbers agree with it within 2 %.")


def test_no_number_agrees_to_fewer_digits_than_is_said_of_all() -> None:
    rows = [Row({}, "a", 1000.0, 1000.0), Row({}, "a", 1.0, 1.0), Row({}, "a", 1.00001e-3, 1e-3)]
    assert seen("alignment", Result(tuple(rows))).endswith("3 simulated numbers agree with it to 5 digits.")


def test_numbers_of_which_there_should_be_nothing_are_told_by_their_size() -> None:
    rows = [Row({}, "a", 2.0, 2.0), Row({}, "a", 3.0, 3.0), Row({}, "a", -2e-8, 0.0), Row({}, "b", 1e-9, 0.0)]
    assert seen("alignment", Result(tuple(rows))).endswith(
        "2 simulated numbers agree with it to 15 digits and 2 that should be 0 are at most 2e-08."
    )


def test_a_bound_that_is_passed_and_numbers_from_samples_are_told_apart() -> None:
    rows = [Row({}, "a", 1.0, 1.1, bound=True), Row({}, "a", 2.0, 1.0, bound=True), Row({}, "b", 1.0, 2.0)]
    assert "agrees with it within 5e+01 % and 1 of 2 numbers keep to a bound." in seen("alignment", Result(tuple(rows)))
    drawn = Row({}, "b", 1.0, 1.5, standard_error=0.2)
    assert "1 number from samples lie within 2.5 standard errors" in seen("alignment", Result((drawn,)))


def test_a_quantity_over_a_grid_of_two_parameters_is_a_map_with_the_closed_form_on_it() -> None:
    page = theory_html("mine", "phase_diagram", grid())
    assert "<title>η at the boundary over σ² and λ_d</title>" in page
    assert "stroke: #000000" in page  # the lines
    few = Result(grid().rows[:18])
    assert "over σ² and λ_d" not in theory_html("mine", "phase_diagram", few)


def test_levels_are_round_numbers_and_inside_of_what_is_shown() -> None:
    assert between(0.0015, 1.0) == [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
    assert all(-1 < level < 2 for level in between(-1.0, 2.0))


def test_the_closed_form_is_dotted_in_ink_over_the_simulated_line_that_it_belongs_to() -> None:
    x = (0.0, 1.0)
    pairs = [Line(f"α = {i}, {kind}", x, (i, i + 1.0)) for i in range(9) for kind in ("simulated", "closed form")]
    page = theory_html("mine", "threshold", Result((Row({}, "a", 1.0, 1.0),), (Figure("f", "x", "y", tuple(pairs)),)))
    key = re.findall(r'style="stroke: ([^"]+)"[^/]*/></svg>([^<]+)</li>', page)
    assert [label for _, label in key] == [*(f"α = {i}" for i in range(9)), "closed form"]
    assert len({colour for colour, _ in key}) == 10


def test_the_shipped_phase_diagram_is_a_map() -> None:
    sets = ("theory.count=8", "theory.halvings=4", "theory.time=20.0")
    result = simulate.perform(simulate.read("theory/phase_diagram", sets))
    assert "η at the boundary over σ² and λ_d" in theory_html("p", "phase_diagram", result)
