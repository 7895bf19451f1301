"""Every state is named by its own signs, says its evidence, and has advice."""

from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from dcp import catalogue
from dcp.method.objectives.base import ObjectiveConfig
from dcp.method.predictors.base import LearntConfig, PredictorConfig
from dcp.method.targets.base import TargetConfig
from dcp.recipe.recipe import Recipe
from dcp.runs.run import Run
from dcp.training.diagnosis.causes import GENERAL
from dcp.training.diagnosis.diagnose import UNKNOWN, diagnose
from dcp.training.diagnosis.signs import Diagnosis, History, facts_of
from dcp.training.diagnosis.states import STATES

HEALTH = {"spread": 0.9, "effective_rank": 6.0, "invariance": 0.3, "norm": 2.0, "dead": 0.0}
EXAMINATION = {
    **{"kind": "spectrum", **HEALTH, "invariance": 0.9, "F": [4.0, 1.0], "W": [1.3, 0.5], "alignment": 1.0},
    **{"commutator": 0.0, "lag": -0.1, "weight_norm": 40.0, "update": 0.002, "target_distance": 0.1},
}
SETTINGS = {
    "predictor.name": "directcopy",
    "predictor.every": 1,
    "predictor.eps": 0.3,
    "target.name": "ema",
    "target.tau": 0.99,
}
LEARNT = {**SETTINGS, "predictor.name": "linear"}


def facts(settings: dict[str, object]) -> dict[str, bool]:
    """What the variants that the settings name say of themselves, with the keys that they have."""
    sections = {"predictor": "predictors", "objective": "objectives", "target": "targets"}
    named = {"objective.name": "cosine", **settings}
    chosen = {}
    for section, folder in sections.items():
        config = catalogue.load(folder, named[f"{section}.name"]).Config
        keys = {key: named[f"{section}.{key}"] for key in config.model_fields if f"{section}.{key}" in named}
        chosen[section] = config(**keys)
    return dict(facts_of(SimpleNamespace(**chosen)))


def diagnosed(lines: History, settings: dict[str, object]) -> Diagnosis:
    return diagnose(lines, settings, facts(settings))


def history(now: dict | None = None, last: dict | None = None, first: dict | None = None, count: int = 20) -> History:
    """A training with one thing wrong: in its step lines, its later examinations, or its first."""
    lines = [{**EXAMINATION, **(first or {}), "step": 0, "done": 0.05}]
    later = [{"step": 50 * step, "done": (step + 1) / 20} for step in range(1, count)]
    lines += [{**EXAMINATION, **HEALTH, **(last or {}), **place} for place in later]
    lines += [{"kind": "step", "step": step, **HEALTH, **(now or {})} for step in range(30)]
    return History(lines)


WRONG = {
    "norm blow-up": {"now": {"norm": 300.0}},
    "vanishing": {"now": {"norm": 0.001}},
    "dead projector": {"now": {"dead": 0.9}},
    "learning rate too high": {"last": {"update": 0.4}},
    "views too weak": {"first": {"invariance": 0.001}},
    "complete collapse": {"now": {"spread": 0.02}},
    "moments stale": {"last": {"lag": 0.5}},
    "predictor not aligned": {"last": {"alignment": 0.2}},
    "views too strong": {"now": {"invariance": 1.0}},
    "dimensional collapse": {"now": {"effective_rank": 1.05}},
}


@pytest.mark.parametrize("name", WRONG)
def test_one_thing_wrong_gets_its_name_its_evidence_and_advice(name: str) -> None:
    found = diagnosed(history(**WRONG[name]), LEARNT if name == "predictor not aligned" else SETTINGS)
    assert found.name == name
    assert any(sign.isdigit() for sign in found.evidence)
    assert found.advice


@pytest.mark.parametrize("name", ["regression", "orthogonal", "reweighting"])
def test_a_predictor_that_need_not_align_with_F_is_not_blamed_for_it(name: str) -> None:
    found = diagnosed(history(**WRONG["predictor not aligned"]), {**SETTINGS, "predictor.name": name})
    assert found.name == "healthy"


@pytest.mark.parametrize("name", ["balance", "correlation", "smooth_l1"])
def test_under_an_objective_that_the_theory_is_not_about_alignment_is_not_asked_for(name: str) -> None:
    found = diagnosed(history(**WRONG["predictor not aligned"]), {**LEARNT, "objective.name": name})
    assert found.name == "healthy"


def test_nothing_wrong_is_healthy() -> None:
    found = diagnosed(history(), SETTINGS)
    assert (found.name, found.cause, found.advice) == ("healthy", "", "")


def test_a_target_that_never_moves_is_named_by_its_tau() -> None:
    found = diagnosed(history(), {**SETTINGS, "target.tau": 1.0})
    assert found.name == "frozen target"
    assert "tau" in found.cause


def test_every_state_has_a_case_here_and_advice() -> None:
    assert len(STATES) == len(WRONG) + 1
    assert set(GENERAL) == set(WRONG)


def test_before_the_first_examination_nothing_is_known() -> None:
    assert diagnosed(History(), SETTINGS) == UNKNOWN


def test_lines_of_an_older_dcp_are_left_out() -> None:
    old = {"kind": "step", "step": 0, "spread": 0.01, "effective_rank": 1.0}
    torn = {"kind": "step", "step": 1, **HEALTH, "norm": None}
    assert diagnosed(History([old, torn]), SETTINGS) == UNKNOWN


def test_views_may_be_strangers_in_a_training_of_a_few_steps() -> None:
    lines = [{**EXAMINATION, "step": step, "done": (step + 1) / 8} for step in (0, 7)]
    assert diagnosed(History(lines), SETTINGS).name == "healthy"


def test_views_may_be_strangers_early_on() -> None:
    assert diagnosed(history(now={"invariance": 1.0}, count=5), SETTINGS).name == "healthy"


CAUSES = {
    "identity": ({"predictor.name": "identity"}, {}, "predictor.name"),
    "shared": ({"target.name": "shared"}, {}, "target.name"),
    "eps": ({"predictor.eps": 1000.0}, {"W": [1001.0, 1000.0]}, "eps"),
    "squared": ({"objective.name": "euclidean", "predictor.norm": "spectral"}, {}, "predictor.norm"),
    "squared past the predictor": (
        {"objective.name": "straight_through", "objective.form": "euclidean", "predictor.norm": "fro"},
        {},
        "predictor.norm",
    ),
    "fast": ({}, {"update": 0.4}, "single steps"),
    "decay": ({"optimizer.weight_decay": 0.5, "optimizer.name": "sgd"}, {}, "weight_decay"),
}


@pytest.mark.parametrize("name", CAUSES)
def test_a_collapse_has_the_cause_that_the_recipe_shows(name: str) -> None:
    settings, last, word = CAUSES[name]
    found = diagnosed(history(now={"spread": 0.01}, last=last), {**SETTINGS, **settings})
    assert found.name == "complete collapse"
    assert word in found.cause
    assert found.advice


@pytest.mark.parametrize("apart", [{"objective.name": "vicreg"}, {"objective.name": "minc"}, {"target.name": "frozen"}])
def test_what_keeps_images_apart_by_itself_is_not_said_to_want_a_predictor(apart: dict[str, str]) -> None:
    settings = {**SETTINGS, "predictor.name": "identity", "target.name": "shared", **apart}
    assert diagnosed(history(now={"spread": 0.01}), settings).cause == ""


class Apart(ObjectiveConfig):
    """A stranger's objective, of which dcp knows what its Config says."""

    keeps_apart: ClassVar[bool] = True


class Squared(ObjectiveConfig):
    squared: ClassVar[bool] = True
    aligns: ClassVar[bool] = True


class Absent(PredictorConfig):
    identity: ClassVar[bool] = True


class Aligned(LearntConfig):
    aligns: ClassVar[bool] = True


class Both(TargetConfig):
    gradient: ClassVar[bool] = True


class Given(TargetConfig):
    given: ClassVar[bool] = True


PLAIN = SimpleNamespace(predictor=PredictorConfig(), objective=ObjectiveConfig(), target=TargetConfig())
STRANGERS = {
    "an identity": ({"predictor": Absent()}, "complete collapse", "without a predictor"),
    "an identity beside what keeps apart": ({"predictor": Absent(), "objective": Apart()}, "complete collapse", ""),
    "both branches": ({"target": Both()}, "complete collapse", 'target.name = "mine" lets the gradient through'),
    "a teacher": ({"predictor": Absent(), "target": Given()}, "complete collapse", ""),
    "a teacher with weak views": ({"target": Given()}, "views too weak", None),
    "a square": ({"objective": Squared()}, "complete collapse", "the squared distance"),
    "a learnt matrix": ({"predictor": Aligned(), "objective": Squared()}, "predictor not aligned", ""),
    "a learnt matrix of no theory": ({"predictor": Aligned()}, "predictor not aligned", None),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_strangers_variant_is_diagnosed_by_what_its_config_says_of_itself(name: str) -> None:
    variants, state, cause = STRANGERS[name]
    settings = {**SETTINGS, "predictor.norm": "fro", "target.name": "mine"}
    found = diagnose(history(**WRONG[state]), settings, facts_of(SimpleNamespace(**{**vars(PLAIN), **variants})))
    assert found.name == ("healthy" if cause is None else state)
    assert found.cause == "" if not cause else cause in found.cause


def test_a_run_notes_what_its_variants_say_of_themselves(trained: Path) -> None:
    run = Run.open(trained)
    assert run.record.facts == facts_of(Recipe.read(trained / "recipe.toml"))
    assert run.record.facts["objective.aligns"]
    assert not run.record.facts["target.gradient"]


@pytest.mark.parametrize("name", WRONG)
def test_a_run_of_an_older_dcp_without_facts_still_has_a_state(name: str) -> None:
    state = diagnose(history(**WRONG[name]), SETTINGS, {}).name
    assert state == ("healthy" if name == "predictor not aligned" else name)


@pytest.mark.parametrize("target", ["frozen", "distill"])
def test_a_teacher_that_is_given_needs_no_strong_views(target: str) -> None:
    assert diagnosed(history(**WRONG["views too weak"]), {**SETTINGS, "target.name": target}).name == "healthy"


def test_a_backbone_that_starts_from_weights_may_take_views_for_the_same_from_the_first_step_on() -> None:
    begun = {**SETTINGS, "network.weights": "runs/A-s0"}
    assert diagnosed(history(**WRONG["views too weak"]), begun).name == "healthy"
    said = diagnosed(history(**WRONG["norm blow-up"]), begun)
    assert (said.name, "those of the network before training" in said.evidence) == ("norm blow-up", True)


def test_a_collapse_without_a_culprit_still_has_advice() -> None:
    found = diagnosed(history(now={"spread": 0.01}), SETTINGS)
    assert (found.cause, found.advice) == ("", GENERAL["complete collapse"])


def test_a_long_memory_and_a_slow_predictor_are_named() -> None:
    stale = diagnosed(history(last={"lag": 0.5}), {**SETTINGS, "moments.rho": 0.9999})
    assert "10,000 steps" in stale.cause
    slow = diagnosed(history(last={"alignment": 0.2}), {**LEARNT, "predictor.lr_factor": 0.001})
    assert "lr_factor" in slow.cause


# two things wrong at once: the first explains the second
FIRST = {
    ("vanishing", "complete collapse"): {"now": {"norm": 0.001, "spread": 0.01}},
    ("complete collapse", "learning rate too high"): {"last": {"update": 0.4}, "now": {"spread": 0.01}},
    ("views too weak", "complete collapse"): {"first": {"invariance": 0.001}, "now": {"spread": 0.01}},
    ("complete collapse", "dead projector"): {"now": {"spread": 0.0, "dead": 1.0}},
    ("complete collapse", "dimensional collapse"): {"now": {"spread": 0.01, "effective_rank": 1.0}},
    ("moments stale", "dimensional collapse"): {"last": {"lag": 0.5}, "now": {"effective_rank": 1.0}},
    ("dimensional collapse", "views too strong"): {"now": {"effective_rank": 1.0, "invariance": 1.0}},
}


@pytest.mark.parametrize("names", FIRST, ids=" before ".join)
def test_of_two_things_wrong_the_one_that_explains_the_other_is_named(names: tuple[str, str]) -> None:
    assert diagnosed(history(**FIRST[names]), SETTINGS).name == names[0]


def test_numbers_that_are_not_finite_are_no_sign_of_health() -> None:
    nothing = {name: float("nan") for name in HEALTH}
    assert diagnosed(History([{**EXAMINATION, **nothing}]), SETTINGS) == UNKNOWN


def test_one_leap_at_the_start_does_not_count() -> None:
    assert diagnosed(history(first={"update": 0.4}), SETTINGS).name == "healthy"


def test_an_untrained_predictor_may_be_unaligned() -> None:
    assert diagnosed(history(last={"alignment": 0.1}, count=3), LEARNT).name == "healthy"


def test_moments_that_no_predictor_uses_may_be_stale() -> None:
    settings = {key: value for key, value in SETTINGS.items() if key != "predictor.every"}
    assert diagnosed(history(last={"lag": 0.5}), settings).name == "healthy"


SMALL = {**SETTINGS, "network.projector.init_scale": 1e-4}


def test_a_start_that_was_made_collapsed_is_the_cause_named_and_says_nothing_about_the_views() -> None:
    collapsed = diagnosed(history({"spread": 0.01}, {"spread": 0.01}, {"spread": 1e-4, "invariance": 0.001}), SMALL)
    assert collapsed.name == "complete collapse"
    assert "init_scale = 0.0001" in collapsed.cause
    assert diagnosed(history(first={"spread": 1e-4, "invariance": 0.001}), SMALL).name == "healthy"


def test_projections_that_were_made_short_at_the_start_may_grow_by_as_much() -> None:
    grown = history({"norm": 4.0}, {"norm": 4.0}, {"norm": 0.03})
    assert diagnosed(grown, SETTINGS).name == "norm blow-up"
    assert diagnosed(grown, SMALL).name == "healthy"


def test_an_objective_that_keeps_images_apart_needs_no_predictor_and_no_slower_target() -> None:
    settings = {**SETTINGS, "predictor.name": "identity", "target.name": "shared", "objective.name": "sigreg"}
    for now in ({"spread": 0.01}, {"effective_rank": 1.1}):
        advice = diagnosed(history(now, now), settings).advice
        assert "[objective]" in advice
        assert "directpred" not in advice
        assert "target.tau" not in advice
