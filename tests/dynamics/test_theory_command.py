"""`dcp theory`: what it writes, prints and refuses; every recipe that ships agrees with its closed form."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import dcp as package
from dcp import catalogue
from dcp.dynamics import simulate
from dcp.dynamics.result import Row
from dcp.errors import Problems
from dcp.recipe import shipped

# smaller than they ship, and by which share simulated and closed form may differ
QUICK: dict[str, tuple[tuple[str, ...], float]] = {
    "alignment": ((), 1e-8),
    "bao": (("theory.eta=[0.8]", "theory.halvings=8", "theory.shrink=0.05"), 0.02),
    "basin": (("theory.halvings=10", "theory.eta=[0.1,0.2]"), 2e-3),
    "collapse": (("theory.images=128", "theory.dim=6", "theory.slices=64"), 0.01),
    "cosine": (("theory.alpha=[1.0]", "theory.eta=[0.1]", "theory.shrink=0.02", "theory.dim=4", "theory.kept=2"), 1e-6),
    "depth": (("theory.layers=[2]", "theory.alpha=[1.0]", "theory.halvings=11", "theory.time=500.0"), 5e-3),
    "eps_at_origin": (("theory.alpha=[1.0]", "theory.time=300.0"), 1e-6),
    "finite_sample": (
        ("theory.alpha=[1.0]", "theory.dim=3", "theory.kept=1", "theory.steps=900", "theory.lr=0.05"),
        0.4,  # the noise of SGD at this rate, on its way; test_samples holds the end against the projector
    ),
    "no_predictor": ((), 1e-8),
    "equilibria": (("theory.dim=3", "theory.noise=0.1"), 1e-7),
    "peira": (("theory.rho=[0.9,0.6,0.3]", "theory.dim=4", "theory.time=100.0"), 1e-8),
    "no_stop_gradient": (("theory.dim=3", "theory.time=5.0"), 1e-8),
    "parabola": (("theory.dim=2", "theory.time=8.0"), 1e-4),
    "phase_diagram": (("theory.count=4", "theory.lambda_d=[0.5,2.0]", "theory.halvings=8", "theory.time=200.0"), 2e-2),
    "sample_complexity": (("theory.dim=10", "theory.labels=[40]", "theory.trials=50"), 0.15),
    "tang": (("theory.states=5", "theory.features=2"), 1e-8),
    "threshold": (("theory.alpha=[1.0]", "theory.eta=[0.1,0.2]", "theory.dim=4", "theory.time=200.0"), 1e-6),
}


def test_every_experiment_has_a_recipe_and_a_place_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs/theory.md").read_text(encoding="utf-8")
    names = catalogue.names("experiments")
    assert len(names) == 17
    assert shipped.theories() == [f"theory/{name}" for name in names] == [f"theory/{name}" for name in sorted(QUICK)]
    assert [name for name in names if f"`theory/{name}`" not in page] == []


@pytest.mark.parametrize("name", sorted(QUICK))
def test_simulation_and_closed_form_agree(name: str) -> None:
    sets, off = QUICK[name]
    theory = simulate.read(f"theory/{name}", sets)
    assert theory.run.name == theory.experiment == name
    result = simulate.perform(theory)
    assert result.rows
    assert result.figures
    for row in result.rows:
        assert agree(row, off), row


def agree(row: Row, off: float) -> bool:
    """Within `off` of the closed form, relatively (absolutely where it is 0), or within five standard errors.

    The integrator's tolerance is absolute too, so what has decayed to nearly nothing counts as a thousandth.
    """
    if row.bound:
        return row.simulated <= row.closed_form * (1 + 1e-9)
    return abs(row.difference) <= (
        5 * row.standard_error
        if row.standard_error
        else off * (max(abs(row.closed_form), 1e-3) if row.closed_form else 1.0)
    )


@pytest.mark.byhand
@pytest.mark.parametrize("name", sorted(QUICK))
def test_a_recipe_as_it_ships_agrees_and_takes_seconds_though_its_boundaries_are_a_thousand(name: str) -> None:
    import time

    started = time.process_time()
    result = simulate.perform(simulate.read(f"theory/{name}"))
    spent = time.process_time() - started
    worst = max((abs(row.difference) for row in result.rows if not row.bound), default=0.0)
    print(f"{name}: {len(result.rows)} rows, largest difference {worst:.2e}, {spent:.1f} s of one core")
    assert all(agree(row, QUICK[name][1]) for row in result.rows)
    if name == "phase_diagram":
        assert len(result.rows) == 1000
        assert spent < 10


SMALL = ("theory/eps_at_origin", *QUICK["eps_at_origin"][0], "theory.eps=[0.3]")


def test_the_command_writes_table_figures_and_page_and_never_twice(dcp: Callable, tmp_path: Path) -> None:
    said = dcp("theory", *SMALL, "--runs", tmp_path, "--json")
    assert said.code == 0, said.err
    assert "closed form" in said.out
    folder = tmp_path / "eps_at_origin"
    assert {path.name for path in folder.iterdir()} == {
        "recipe.toml", "theory.json", "results.csv", "figures.csv", "report.html"
    }  # fmt: skip
    told = json.loads(said.out.splitlines()[-1])
    assert told == json.loads((folder / "theory.json").read_text())
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["simulated"]) for row in rows] == [row["simulated"] for row in told["rows"]]
    page = (folder / "report.html").read_text()
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    again = dcp("theory", *SMALL, "--runs", tmp_path)
    assert again.code == 2
    assert "run-exists" in again.err
    assert "run.name=NAME" in again.err


def test_the_written_recipe_repeats_the_run(dcp: Callable, tmp_path: Path) -> None:
    assert dcp("theory", *SMALL, "--out", tmp_path / "a", "--quiet").code == 0
    assert dcp("theory", tmp_path / "a/recipe.toml", "--out", tmp_path / "b", "--quiet").code == 0
    assert (tmp_path / "a/results.csv").read_bytes() == (tmp_path / "b/results.csv").read_bytes()


def test_the_function_returns_plain_values() -> None:
    told = package.theory({"theory": {"experiment": "no_predictor", "dim": 3, "kept": 1}})
    assert json.loads(json.dumps(told)) == told
    assert {"setting", "quantity", "simulated", "closed_form", "bound", "standard_error"} == set(told["rows"][0])


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(Problems) as caught:
        simulate.check({"theory": {"experiment": "basin", "eta": ["0.1"], "halvings": 3, "alpah": [1.0]}})
    told = str(caught.value)
    assert "theory.eta[0]" in told
    assert "theory.halvings" in told
    assert "Did you mean alpha?" in told


def test_an_unknown_experiment_is_told_with_the_nearest_name() -> None:
    with pytest.raises(Problems, match="basni"):
        simulate.check({"theory": {"experiment": "basni"}})


def test_each_command_says_which_one_a_recipe_is_for(dcp: Callable, tmp_path: Path) -> None:
    for words in (("theory", "quickstart"), ("pretrain", "theory/basin", "--runs", tmp_path)):
        said = dcp(*words)
        assert said.code == 2
        assert "wrong-command" in said.err


def test_recipes_knows_them(dcp: Callable, tmp_path: Path) -> None:
    assert "theory/phase_diagram" in dcp("recipes", "list").out
    assert dcp("recipes", "check", "theory/phase_diagram", "theory/depth").code == 0
    assert "halvings" in dcp("recipes", "show", "theory/depth", "--full").out
    assert "dcp theory" in dcp("recipes", "copy", "theory/depth", tmp_path / "mine.toml").out
    assert dcp("recipes", "check", tmp_path / "mine.toml").code == 0
