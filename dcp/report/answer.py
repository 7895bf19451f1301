"""What a comparison comes to: who is better in the primary score, by how much, how sure; and what that leaves open."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcp.comparison.arms import Arm
from dcp.comparison.compare import ArmScore, Comparison, ScoreRow
from dcp.comparison.primary import USUAL
from dcp.comparison.scores import image_interval, score_of
from dcp.report import result
from dcp.report.page import NOTHING, Grid, count, duration, figure, listed, span
from dcp.runs.records import UNTRAINED, is_share
from dcp.runs.run import Run

KNN = "knn top1"
MOST_SETTINGS = 3  # columns of the table
LONGEST = 24  # letters of a setting in it


@dataclass(frozen=True)
class Answer:
    """The first words of a report."""

    sentence: str  # who is better
    warning: str  # what makes the sentence matter less; "" if nothing does
    limits: tuple[str, ...]  # what it does not say, in whole sentences


def answer(comparison: Comparison, letters: Mapping[str, str]) -> Answer:
    """The answer in words, as `result` has it; the `letters` are those of arms by name."""
    sentence, *limits = result.answer(comparison)
    row = comparison.primary
    if row is None:
        return Answer(sentence, "", tuple(limits))
    names = {arm.name: f"{letters[arm.name]} {arm.name}" for arm in comparison.arms}
    ranked = sorted((arm for arm in row.arms if arm.mean is not None), key=lambda arm: -(arm.mean or 0.0))
    return Answer(
        sentence, _warning(ranked, names, comparison.baseline), (*limits, *_limits(comparison, row, ranked, names))
    )


def answer_of_run(run: Run) -> Answer:
    """What one run reached in the primary score, beside the encoder that it began with."""
    probes = run.probes()
    scores = {f"{name} {score}": (probe, score) for name, probe in probes.items() for score in probe.score}
    shares = [name for name, (probe, score) in scores.items() if is_share(score) and score_of(probe, score) is not None]
    if not shares:
        return Answer("This run has no score yet; dcp probe measures it.", "", ())
    key = run.recipe().get("probe", {}).get("primary", "")
    wanted = (str(key).replace(".", " "), *map(" ".join, USUAL), shares[0])
    name = next(name for name in wanted if name in shares)
    probe, score = scores[name]
    value, before = score_of(probe, score) or 0.0, score_of(probe.random_encoder, score)
    interval = image_interval(probe, score)
    around = f" (95 % interval over test images {span(score, interval)})" if interval else ""
    if before is None:
        beside, warning = "", ""
    else:
        points = figure(score, abs(value - before))
        beside = f", {points} points {'above' if value > before else 'below'} the {figure(score, before)} % of the"
        beside += " encoder before training" if run.record.weights else " untrained encoder"
        warning = "" if value > before else "Training has not improved the features."
    return Answer(f"{name} is {figure(score, value)} %{around}{beside}.", warning, ())


def _warning(ranked: Sequence[ArmScore], names: Mapping[str, str], baseline: str) -> str:
    """Which arms training has not helped."""
    known = [(arm.arm, arm.mean, arm.untrained) for arm in ranked if arm.mean is not None and arm.untrained is not None]
    below = [names[name] for name, mean, before in known if mean <= before]
    its, the = ("its untrained encoder", "the untrained encoder") if baseline == UNTRAINED else (baseline, baseline)
    if len(below) > 1 and len(below) == len(ranked):
        return f"No arm is better than {its}."
    return f"{listed(below)} {'are' if len(below) > 1 else 'is'} no better than {the}." if below else ""


def _limits(comparison: Comparison, row: ScoreRow, ranked: Sequence[ArmScore], names: Mapping[str, str]) -> list[str]:
    """What the tables show and the sentence leaves out."""
    lines = []
    if len(ranked) > 2:
        first = names[row.arms[0].arm]
        lines.append(f"Each arm is tested against {first} only, not against the others.")
    neighbours = next((each for each in comparison.scores if each.name == KNN != row.name), None)
    if neighbours is not None and len(ranked) > 1:
        near = [arm for arm in neighbours.arms if arm.mean is not None]
        nearest = max(near, key=lambda arm: arm.mean or 0.0, default=None)
        if nearest is not None and nearest.arm != ranked[0].arm:
            best = figure(neighbours.score, nearest.mean)
            lines.append(f"The order differs between scores: in {KNN} {names[nearest.arm]} is ahead with {best} %.")
    return lines


def overview(comparison: Comparison, letters: Mapping[str, str]) -> tuple[Grid, str]:
    """A row an arm: what it does differently, its main scores, its state, and what it cost; and a note below it.

    Keys that not all arms have are those of a variant, and left out beside others.
    """
    row = comparison.primary
    everywhere = [setting for setting in comparison.settings if None not in setting.values]
    settings = (everywhere or comparison.settings)[:MOST_SETTINGS]
    scores = {each.name: each for each in ([row] if row else []) + list(comparison.scores)}
    shown = [scores[name] for name in dict.fromkeys([row.name if row else "", *map(" ".join, USUAL)]) if name in scores]
    rows = []
    for i, arm in enumerate(comparison.arms):
        values = [setting.values[i] for setting in settings]
        cells = [_score(each.score, each.arms[i]) for each in shown]
        cost = count(arm.cost.images_per_s), duration(arm.cost.wall_s)
        rows.append((f"{letters[arm.name]} {arm.name}", *map(_short, values), *cells, _state(arm), *cost))
    columns = [*(setting.key for setting in settings), *(f"{each.name} in %" for each in shown)]
    left = len(comparison.settings) - len(settings)
    more = f"{count(left, 'further setting')} differ{'s' * (left == 1)}: Settings, cost and state." if left else ""
    return Grid("The arms", ("", *columns, "state", "images/s", "time"), (("", tuple(rows)),)), more


def _score(score: str, arm: ArmScore) -> str:
    return figure(score, arm.mean) + (f" ({span(score, arm.interval)})" if arm.interval else "")


def _state(arm: Arm) -> str:
    """The state of an arm's runs; where they differ, how many have each."""
    names = [state.name for state in arm.states]
    counts = {name: names.count(name) for name in names}
    return names[0] if len(counts) == 1 else ", ".join(f"{number} {name}" for name, number in counts.items())


def _short(value: Any) -> str:
    text = NOTHING if value is None else json.dumps(value, ensure_ascii=False).strip('"')
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
