"""A run that started from weights is set beside these: "before training" stands where others have "untrained"."""

import io
from collections.abc import Callable

import pytest
from built_runs import Build, probe
from rich.console import Console

from dcp.comparison.compare import compare
from dcp.report import render
from dcp.report.answer import answer, answer_of_run
from dcp.report.result import result_table
from dcp.runs.run import Run

WEIGHTS = {"weights": {"source": "/runs/A-s0", "kind": "run"}}
FROM_A = {"network": {"weights": "runs/A-s0"}}


@pytest.fixture
def onward(build: Build) -> Callable[..., Run]:
    def make(name: str, top1: float, **more: object) -> Run:
        return build(name, top1=top1, record={**WEIGHTS, **more}, recipe=FROM_A)

    return make


def shown(renderable: object) -> str:
    console = Console(width=110, record=True, file=io.StringIO())
    console.print(renderable)
    return " ".join(console.export_text().split())


def test_a_summary_has_the_column_before_training(onward: Callable[..., Run]) -> None:
    text = shown(render.summary(onward("b", 0.6)))
    assert "before training" in text
    assert "untrained" not in text


@pytest.mark.parametrize("state", ["healthy", "complete collapse"])
def test_a_summary_says_when_training_made_a_score_worse(state: str, onward: Callable[..., Run]) -> None:
    run = onward("b", 0.5, state={"name": state, "evidence": "all"})
    run.write_probe("knn", {**probe(0.2, 100), "random_encoder": {"score": {"top1": 0.3}}})
    text = shown(render.summary(run))
    assert "Worse than before training in knn (20.00%, before training 30.00%): the weights" in text
    assert "Try next: a smaller optimizer.lr" in text
    run.write_probe("knn", {**probe(0.28, 100), "random_encoder": {"score": {"top1": 0.3}}})
    text = shown(render.summary(run))
    assert "Worse" not in text
    assert ("no better than before training in knn (28.00%" in text) == (state == "healthy")
    run.write_probe("knn", {**probe(0.4, 100), "random_encoder": {"score": {"top1": 0.3}}})
    assert "Worse" not in shown(render.summary(run))


def test_a_score_that_has_stayed_the_same_is_no_better(onward: Callable[..., Run]) -> None:
    text = shown(render.summary(onward("b", 0.25)))
    assert "But no better than before training in linear (25.00%, before training 25.00%)." in text


def test_the_table_of_arms_and_the_answer_say_before_training(onward: Callable[..., Run]) -> None:
    comparison = compare([onward("a", 0.5), onward("b", 0.2)])
    assert result_table(comparison).texts()[-1][0] == "before training"
    assert answer(comparison).warning == "b is no better than before training."
    worse = compare([onward("c", 0.1), onward("d", 0.2)])
    assert answer(worse).warning == "No arm is better than before training."
    assert "of the encoder before training." in answer_of_run(onward("e", 0.6)).sentence
    page = render.markdown(comparison)
    assert "before training" in page
    assert "untrained" not in page


def test_arms_of_other_weights_have_no_common_row(build: Build, onward: Callable[..., Run]) -> None:
    comparison = compare([build("a", top1=0.5), onward("b", 0.6)])
    assert [row[0].text for row in result_table(comparison).rows] == ["a", "b"]
    assert comparison.baseline == "before training"


def test_recipes_that_lack_the_key_are_those_without_weights(build: Build) -> None:
    runs = [build("a", 0, top1=0.5), build("a", 1, top1=0.5, recipe={"network": {"weights": ""}})]
    (arm,) = compare(runs).arms
    assert arm.seeds == (0, 1)
