"""What a comparison comes to: who is better in the primary score, by how much, how sure; and what that leaves open."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcp.comparison.arms import Arm
from dcp.comparison.compare import ArmScore, Comparison, ScoreRow
from dcp.comparison.scores import image_interval, score_of
from dcp.comparison.significance import Difference
from dcp.report.page import NOTHING, Grid, count, duration, figure, listed, probability, signed, span
from dcp.runs.records import is_share
from dcp.runs.run import Run

PRIMARY = "linear top1"
KEY = "probe.primary"  # of the recipes, where it is there
NEIGHBOURS = "knn top1"
MOST_SETTINGS = 3  # columns of the table
LONGEST = 24  # letters of a setting in it


@dataclass(frozen=True)
class Answer:
    """The first words of a report."""

    sentence: str  # who is better
    warning: str  # what makes the sentence matter less; "" if nothing does
    limits: tuple[str, ...]  # what it does not say, in whole sentences


def primary(comparison: Comparison) -> ScoreRow | None:
    """The score that decides: that of the recipes' key `probe.primary` if all arms agree, else linear top-1.

    Where no run has it, the first share of right answers there is; None without any.
    """
    named = {str(member.settings.get(KEY)) for members in comparison.members.values() for member in members}
    wanted = named.pop().replace(".", " ") if len(named) == 1 else ""
    rows = [row for row in comparison.scores if is_share(row.score) and any(arm.mean is not None for arm in row.arms)]
    best_first = sorted(rows, key=lambda row: (row.name != wanted, row.evaluation != wanted, row.name != PRIMARY))
    return best_first[0] if best_first else None


def answer(comparison: Comparison, letters: Mapping[str, str]) -> Answer:
    """The answer in words; the `letters` are those of arms by name."""
    row = primary(comparison)
    if row is None:
        return Answer("No run has a score yet, so nothing can be compared.", "", ())
    names = {arm.name: f"{letters[arm.name]} {arm.name}" for arm in comparison.arms}
    ranked = sorted((arm for arm in row.arms if arm.mean is not None), key=lambda arm: -(arm.mean or 0.0))
    if len(ranked) == 1:
        (one,) = ranked
        others = "" if len(row.arms) == 1 else "; no other arm has this score"
        sentence = f"{names[one.arm]} reaches {figure(row.score, one.mean)} % in {row.name}{_around(row, one)}{others}."
        return Answer(sentence, _warning(ranked, names), tuple(_limits(comparison, row, ranked, names)))
    return Answer(
        _sentence(row, ranked, names),
        _warning(ranked, names),
        tuple(_limits(comparison, row, ranked, names)),
    )


def answer_of_run(run: Run) -> Answer:
    """What one run reached in the primary score, beside the encoder that it began with."""
    probes = run.probes()
    scores = {f"{name} {score}": (probe, score) for name, probe in probes.items() for score in probe.score}
    shares = [name for name, (probe, score) in scores.items() if is_share(score) and score_of(probe, score) is not None]
    if not shares:
        return Answer("This run has no score yet; dcp probe measures it.", "", ())
    name = PRIMARY if PRIMARY in shares else shares[0]
    probe, score = scores[name]
    value, before = score_of(probe, score) or 0.0, score_of(probe.random_encoder, score)
    interval = image_interval(probe, score)
    around = f" (95 % interval over test images {span(score, interval)})" if interval else ""
    if before is None:
        beside, warning = "", ""
    else:
        points = figure(score, abs(value - before))
        beside = f", {points} points {'above' if value > before else 'below'} the {figure(score, before)} % of the"
        beside += " untrained encoder"
        warning = "" if value > before else "Training has not made the features better."
    return Answer(f"{name} is {figure(score, value)} %{around}{beside}.", warning, ())


def _sentence(row: ScoreRow, ranked: Sequence[ArmScore], names: Mapping[str, str]) -> str:
    first = row.arms[0].arm
    best = ranked[0]
    other = next((arm for arm in ranked if arm.arm == first), ranked[1]) if best.arm != first else ranked[1]
    difference = next(each for each in row.differences if each.arm == (other.arm if best.arm == first else best.arm))
    means = f"{figure(row.score, best.mean)} % against {figure(row.score, other.mean)} %"
    pair = names[best.arm], names[other.arm]
    if difference.value is None:
        return f"{pair[0]} and {pair[1]} cannot be compared in {row.name} ({means}): {difference.why}."
    if difference.nothing:
        return f"{pair[0]} and {pair[1]} do not differ in {row.name}: both reach {figure(row.score, best.mean)} %."
    points = figure(row.score, abs(difference.value))
    sure = _sure(row, difference, turned=best.arm == first, seeds=(len(other.seeds), len(best.seeds)))
    if difference.verdict == "undecided":
        ahead = f"{pair[0]} is {points} points ahead of {pair[1]}"
        doubt = f"but {difference.why}" if difference.why and not difference.firm else "which may be chance"
        doubt = "which two seeds cannot decide" if 2 in (len(best.seeds), len(other.seeds)) else doubt
        return f"Undecided in {row.name}: {ahead} ({means}), {doubt} {sure}."
    return f"{pair[0]} is better than {pair[1]} in {row.name}, by {points} points: {means} {sure}."


def _sure(row: ScoreRow, difference: Difference, *, turned: bool, seeds: tuple[int, int]) -> str:
    """Interval, corrected p and seeds of a difference, maybe seen from the other arm."""
    parts = []
    if difference.interval is not None:
        low, high = difference.interval
        low, high = (-high, -low) if turned else (low, high)
        parts.append(f"95 % interval {signed(row.score, low)} to {signed(row.score, high)}")
    if difference.p_holm is not None:
        parts.append(f"corrected p {probability(difference.p_holm)}")
    few, many = sorted(seeds)
    parts.append(f"{count(few, 'seed')} each" if few == many else f"{few} and {many} seeds")
    return f"({', '.join(parts)})"


def _around(row: ScoreRow, arm: ArmScore) -> str:
    seeds = count(len(arm.seeds), "seed")
    return f" (95 % interval {span(row.score, arm.interval)}, {seeds})" if arm.interval else f" ({seeds})"


def _warning(ranked: Sequence[ArmScore], names: Mapping[str, str]) -> str:
    """Which arms training has not helped."""
    known = [(arm.arm, arm.mean, arm.untrained) for arm in ranked if arm.mean is not None and arm.untrained is not None]
    below = [names[name] for name, mean, untrained in known if mean <= untrained]
    if len(below) > 1 and len(below) == len(ranked):
        return "No arm is better than its untrained encoder."
    return f"{listed(below)} {'are' if len(below) > 1 else 'is'} no better than the untrained encoder." if below else ""


def _limits(comparison: Comparison, row: ScoreRow, ranked: Sequence[ArmScore], names: Mapping[str, str]) -> list[str]:
    lines, fewest = [], min(len(arm.seeds) for arm in ranked)
    if fewest == 1:
        lines.append("How much another training would change: with one seed an arm, nobody knows.")
    elif fewest == 2 and len(ranked) > 1:
        lines.append("That one arm is better: two seeds decide nothing. Train more (--seeds 0-4).")
    if len(ranked) > 2:
        first = names[row.arms[0].arm]
        lines.append(f"Which of the others is better: each is tested against {first} alone, and not against the rest.")
    if len(ranked) > 1:
        lines.append("What the arms could reach: longer, on other data, or with settings tuned for each.")
    neighbours = next((each for each in comparison.scores if each.name == NEIGHBOURS != row.name), None)
    if neighbours is not None and len(ranked) > 1:
        near = [arm for arm in neighbours.arms if arm.mean is not None]
        nearest = max(near, key=lambda arm: arm.mean or 0.0, default=None)
        if nearest is not None and nearest.arm != ranked[0].arm:
            best = figure(neighbours.score, nearest.mean)
            lines.append(f"That it holds in every score: in {NEIGHBOURS} {names[nearest.arm]} is ahead with {best} %.")
    return lines


def overview(comparison: Comparison, letters: Mapping[str, str]) -> tuple[Grid, str]:
    """A row an arm: what it does differently, its main scores, its state, and what it cost; and a note below it.

    Keys that not all arms have are those of a variant, and left out beside others.
    """
    row = primary(comparison)
    everywhere = [setting for setting in comparison.settings if None not in setting.values]
    settings = (everywhere or comparison.settings)[:MOST_SETTINGS]
    scores = {each.name: each for each in ([row] if row else []) + list(comparison.scores)}
    shown = [scores[name] for name in dict.fromkeys([row.name if row else "", PRIMARY, NEIGHBOURS]) if name in scores]
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
