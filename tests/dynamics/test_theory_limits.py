"""`dcp theory`: settings that make no sense, numbers that are none, what has not come to rest, axes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dcp.dynamics import simulate
from dcp.dynamics.result import Row
from dcp.errors import Problems, RunError

UNFIT = [
    ("threshold", "dim=4", "kept=4"),
    ("cosine", "dim=4", "kept=9"),
    ("finite_sample", "dim=4", "kept=5"),
    ("no_predictor", "dim=4", "kept=4"),
    ("no_stop_gradient", "dim=4", "kept=5"),
    ("sample_complexity", "dim=4", "kept=4"),
    ("tang", "states=4", "features=4"),
]


@pytest.mark.parametrize(("name", "whole", "part"), UNFIT)
def test_what_does_not_fit_is_refused_with_what_would(dcp: Callable, name: str, whole: str, part: str) -> None:
    said = dcp("theory", f"theory/{name}", f"theory.{whole}", f"theory.{part}")
    assert said.code == 2
    assert "error[bad-value]" in said.err
    assert f"must be less than {whole.replace('=', ' = ')}, so at most 3" in said.err


def test_labels_too_few_for_a_finite_risk_are_refused() -> None:
    with pytest.raises(Problems, match="labels = 8 are too few for kept = 5: the risk has a variance from 9 on"):
        simulate.read("theory/sample_complexity", ("theory.labels=[30,8]",))


def test_noise_must_go_up() -> None:
    with pytest.raises(Problems, match="must go up"):
        simulate.read("theory/phase_diagram", ("theory.sigma2=[2.0,1.0]",))


SENSELESS = [
    ("bao", "theory.eta=[0.0]"),
    ("bao", "theory.p=[1e-300]"),
    ("basin", "theory.eta=[0.25]"),
    ("cosine", "theory.alpha=[1e-300]"),
    ("parabola", "theory.alpha_p=1e-300"),
    ("sample_complexity", "theory.eta=0.25"),
    ("tang", "theory.states=200"),
]


@pytest.mark.parametrize(("name", "set_"), SENSELESS)
def test_settings_that_say_nothing_are_refused(name: str, set_: str) -> None:
    with pytest.raises(Problems, match=set_.partition("=")[0].replace(".", r"\.")):
        simulate.read(f"theory/{name}", (set_,))


def test_a_number_that_is_not_finite_is_null_and_an_empty_cell() -> None:
    from dcp.dynamics import page as theory_page
    from dcp.dynamics.result import Figure, Line, Result

    figure = Figure("title", "x", "y", (Line("line", (0.0, 1.0), (float("nan"), float("inf"))),))
    result = Result((Row({"eta": 0.1}, "what", float("nan"), float("inf"), standard_error=float("nan")),), (figure,))
    (row,) = json.loads(json.dumps(result.to_dict(), allow_nan=False))["rows"]
    assert (row["simulated"], row["closed_form"], row["standard_error"]) == (None, None, None)
    assert theory_page.results_csv(result).splitlines()[1] == "0.1,what,,,,false,"
    assert theory_page.figures_csv(result).splitlines()[1:] == ["title,line,x,0.0,y,", "title,line,x,1.0,y,"]


@pytest.mark.parametrize("name", ["threshold", "cosine", "eps_at_origin"])
def test_what_has_not_come_to_rest_is_said(name: str) -> None:
    sets = {"cosine": ("theory.eta=[0.1]", "theory.shrink=0.5")}.get(name, ("theory.time=2.0",))
    notes = simulate.perform(simulate.read(f"theory/{name}", (*sets, "theory.alpha=[1.0]"))).notes
    assert any(note.startswith("Not at rest at the end: ") for note in notes)


def test_a_flow_that_explodes_ends_in_words_with_the_settings_away_from_the_defaults() -> None:
    theory = simulate.read("theory/threshold", ("theory.delta=10.0", "theory.alpha=[16.0]", "theory.eta=[0.1]"))
    with pytest.raises(RunError, match="the flow needs") as caught:
        simulate.perform(theory)
    assert "theory.delta = 10.0" in caught.value.hint
    assert "theory.alpha = [16.0]" in caught.value.hint
    assert "theory.dim" not in caught.value.hint


def test_a_long_simulation_says_that_it_goes_on(dcp: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dcp.cli import theory

    monkeypatch.setattr(theory, "PATIENCE", 0.01)
    small = ("theory.alpha=[1.0]", "theory.eps=[0.3]", "theory.time=300.0")
    said = dcp("theory", "theory/eps_at_origin", *small, "--out", tmp_path / "out", "--quiet")
    assert said.code == 0
    assert "eps_at_origin: still simulating" in said.err


def test_axes_have_no_sign_that_the_font_lacks_and_layers_are_whole() -> None:
    from dcp.dynamics.html import theory_html

    small = ("theory.layers=[2,3]", "theory.halvings=4")
    for name, sets in (("no_predictor", ()), ("alignment", ()), ("depth", small)):
        page = theory_html(name, name, simulate.perform(simulate.read(f"theory/{name}", sets)))
        assert ">?" not in page
        assert "?<" not in page
