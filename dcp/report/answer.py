"""What a comparison or a run comes to, in sentences: who is better in the primary score, by how much, how sure."""

from dataclasses import dataclass

from dcp.comparison.arms import Member
from dcp.comparison.compare import Comparison, ScoreRow
from dcp.comparison.primary import primary_of
from dcp.comparison.scores import image_interval, score_of
from dcp.comparison.significance import IMAGES, SEEDS_AND_IMAGES, Difference
from dcp.report.page import count, figure, listed, probability, span
from dcp.report.result import ends_of, figure_of
from dcp.runs.records import UNTRAINED, is_share
from dcp.runs.run import Run

FEW = 4  # so many arms beside the first have a clause each in the sentence


@dataclass(frozen=True)
class Answer:
    """The first words of a report."""

    sentence: str  # who is better
    warning: str = ""  # what makes the sentence matter less; "" if nothing does
    limits: tuple[str, ...] = ()  # what it does not say, in whole sentences

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, sentence by sentence."""
        return tuple(filter(None, (self.sentence, self.warning, *self.limits)))


def answer(comparison: Comparison) -> Answer:
    """Who is better in the primary score, by how much and how sure; then what that does not say."""
    row, first = comparison.primary, comparison.arms[0].name
    if row is None:
        evaluation, name = comparison.primary_name[0], " ".join(comparison.primary_name)
        return Answer(f"No verdict: no run has the primary score, {name}. dcp probe RUN -e {evaluation} measures it.")
    if not row.differences:
        (score,) = row.arms
        over = f" over {count(len(score.seeds), 'seed')}" if score.over_seeds else " over test images"
        interval = f" (95 % interval {ends_of(row, score.interval)}{over})" if score.interval else ""
        sentence = f"{first} has {row.name} {figure_of(row, score.mean)}{' %' * is_share(row.score)}{interval}."
        return Answer(sentence, _warning(row, comparison.baseline))
    if len(row.differences) == 1:
        said = _of_two(row, row.differences[0])
    elif len(row.differences) <= FEW:
        level = f" ({figure_of(row, row.arms[0].mean)}{' %' * is_share(row.score)})" if row.arms[0].seeds else ""
        said = f"compared with {first}{level}: {'; '.join(_clause(row, each) for each in row.differences)}"
    else:
        said = _counted(row)
    return Answer(f"In {row.name}, {said}.", _warning(row, comparison.baseline), _limits(row))


def answer_of_run(run: Run) -> Answer:
    """What one run reached in the primary score, beside the encoder that it began with."""
    member = Member.of(run)
    evaluation, score = primary_of({run.path.name: [member]})
    name, probe = f"{evaluation} {score}", member.probes.get(evaluation)
    value = None if probe is None else score_of(probe, score)
    if probe is None or value is None:
        return Answer(f"The primary score, {name}, has not been measured; dcp probe RUN -e {evaluation} measures it.")
    before, interval = score_of(probe.random_encoder, score), image_interval(probe, score)
    percent, points = (" %", " points") if is_share(score) else ("", "")
    around = f" (95 % interval over test images {span(score, interval)})" if interval else ""
    sentence, warning = f"{name} is {figure(score, value)}{percent}{around}", ""
    if before is not None:
        side = "above" if value > before else "below"
        beside = f"{figure(score, abs(value - before))}{points} {side} the {figure(score, before)}{percent} of"
        sentence += f", {'the same as that of' if value == before else beside} the "
        sentence += "encoder before training" if run.record.weights else "untrained encoder"
        warning = "" if value > before else "Training has not improved the features."
    return Answer(f"{sentence}.", warning)


def _of_two(row: ScoreRow, difference: Difference) -> str:
    """What the only difference says, the better one first."""
    arm, against, value = difference.arm, difference.against, difference.value
    if value is None:
        return f"{arm} and {against} are not compared: {difference.why}"
    if _level(row, value):
        return f"{arm} and {against} are level{_how_sure(row, difference)}"
    better, worse = (against, arm) if value < 0 else (arm, against)
    if difference.verdict == "undecided":
        return f"{better} is {_size(row, value)} above {worse}, not clearly{_how_sure(row, difference)}"
    return f"{better} is better than {worse} by {_size(row, value)}{_how_sure(row, difference)}"


def _clause(row: ScoreRow, difference: Difference) -> str:
    """What one of several differences from the first arm says."""
    arm, value = difference.arm, difference.value
    if value is None:
        return f"{arm} is not compared ({difference.why})"
    if _level(row, value):
        return f"{arm} is level with it{_how_sure(row, difference)}"
    if difference.verdict == "undecided":
        side = "above" if value > 0 else "below"
        return f"{arm} is {_size(row, value)} {side}, not clearly{_how_sure(row, difference)}"
    verdict = "better" if difference.verdict == "higher" else "worse"
    return f"{arm} is {verdict} by {_size(row, value)}{_how_sure(row, difference)}"


def _how_sure(row: ScoreRow, difference: Difference) -> str:
    """Interval and p, and why there is no verdict where something stands in its way.

    The interval is that of the difference as the sentence has it, which is never negative.
    """
    undecided, ends = difference.verdict == "undecided", difference.interval
    if ends and (difference.value or 0.0) < 0:
        ends = -ends[1], -ends[0]
    holm, p = "Holm " * (len(row.differences) > 1), difference.p_holm
    parts = (
        f"95 % interval {ends_of(row, ends, signs=undecided)}" if ends and not difference.nothing else "",
        "" if p is None else f"{holm}p {probability(p)}",
        "" if not undecided or (difference.firm and ends) else difference.why,
    )
    return f" ({', '.join(filter(None, parts))})" if any(parts) else ""


def _level(row: ScoreRow, value: float) -> bool:
    """Whether no digit that is shown differs."""
    return not any(sign in "123456789" for sign in figure_of(row, value))


def _counted(row: ScoreRow) -> str:
    """What many differences come to, with the largest of those that are decided."""
    groups: dict[str, list[Difference]] = {"higher": [], "lower": [], "undecided": [], "": []}
    for difference in row.differences:
        groups["" if difference.value is None else difference.verdict].append(difference)
    words = {"higher": "better", "lower": "worse", "undecided": "not clearly different", "": "not compared"}
    parts = []
    for verdict, group in groups.items():
        largest = sorted(group, key=lambda difference: -abs(difference.value or 0.0))[:3]
        named = ", ".join(f"{each.arm} by {_size(row, each.value or 0.0)}" for each in largest)
        more = ", ..." if len(group) > len(largest) else ""
        if group:
            parts.append(f"{len(group)} {words[verdict]}" + f" ({named}{more})" * (verdict in ("higher", "lower")))
    against = row.differences[0].against
    return f"of {len(row.differences)} arms compared with {against} (Holm's correction), {listed(parts)}"


def _size(row: ScoreRow, value: float) -> str:
    return f"{figure_of(row, abs(value))}{' points' * is_share(row.score)}"


def _warning(row: ScoreRow, baseline: str) -> str:
    """Which arms training has not helped."""
    known = [arm for arm in row.arms if arm.mean is not None]
    below = [arm.arm for arm in known if arm.untrained is not None and (arm.mean or 0.0) <= arm.untrained]
    its, the = ("its untrained encoder", "the untrained encoder") if baseline == UNTRAINED else (baseline, baseline)
    if len(below) > 1 and len(below) == len(known):
        return f"No arm is better than {its}."
    return f"{listed(below)} {'are' if len(below) > 1 else 'is'} no better than {the}." if below else ""


def _limits(row: ScoreRow) -> tuple[str, ...]:
    """What the sentence and the intervals in it leave out."""
    methods, lines = {difference.method for difference in row.differences} - {""}, []
    if methods & {*IMAGES}:
        lines.append(
            "One seed each: this compares the trained encoders, on images like the test images. It does not say which"
            " recipe is better: other seeds may reverse the order. Train several (--seeds 0-4)."
        )
    if methods - {*IMAGES}:
        images = " and other test images of the same kind" if methods & {*SEEDS_AND_IMAGES} else ""
        lines.append(
            f"This covers other seeds of the same recipes{images}; it does not cover other data, longer training or"
            " tuned settings."
        )
    if len(row.differences) > 1:
        lines.append(f"Each arm is tested against {row.differences[0].against} only, not against the others.")
    return tuple(lines)
