"""The score that arms are judged by, and what every other score is for.

One score decides, and it is named before it is measured: who looks for differences in twenty scores finds one by
chance. The others are shown with their intervals, and give no verdict.
"""

from typing import Literal

from dcp.comparison.arms import Members
from dcp.comparison.scores import having, image_interval, in_order, is_by_layer
from dcp.runs.records import is_share

KEY = "probe.primary"  # of a recipe
USUAL = (("linear", "top1"), ("knn", "top1"))  # without the key: the first of these that any run has
Role = Literal["primary", "secondary", "descriptive"]
Name = tuple[str, str]  # evaluation and score


def primary_of(arms: Members) -> Name:
    """Evaluation and score that the recipes name; where several differ, the first."""
    evaluation, _, score = named(arms)[0].partition(".")
    return evaluation, score


def named(arms: Members) -> list[str]:
    """What the recipes call their primary score, "linear.top1", each once, in the order of the arms.

    One without the key means the usual one: it has not agreed to another.
    """
    there = (name for name in USUAL if any(having(members, *name) for members in arms.values()))
    usual = ".".join(next(there, USUAL[0]))
    values = (member.settings.get(KEY) for members in arms.values() for member in members)
    return list(dict.fromkeys(value if isinstance(value, str) and "." in value else usual for value in values))


def roles(arms: Members) -> dict[Name, Role]:
    """Of every score that some run has, by evaluation and score.

    An evaluation that counts right answers, or measures test images one by one, says how good features are: its
    scores are secondary. One that does neither, as spectrum, describes: higher need not be better.
    So do probes by layer.
    """
    primary, found = primary_of(arms), dict[Name, Role]()
    probes = [item for members in arms.values() for member in members for item in member.probes.items()]
    judging = {
        evaluation
        for evaluation, probe in probes
        if not is_by_layer(evaluation) and any(is_share(score) or image_interval(probe, score) for score in probe.score)
    }
    place: dict[Name, int] = {}  # where some layers are left out, the others come earlier
    for name, i in (((each, score), i) for each, probe in probes for i, score in enumerate(in_order(probe))):
        place[name] = max(i, place.get(name, i))
    for name in sorted(place, key=lambda name: (name[0], place[name] if is_by_layer(name[0]) else 0, name[1])):
        found[name] = "primary" if name == primary else "secondary" if name[0] in judging else "descriptive"
    return found
