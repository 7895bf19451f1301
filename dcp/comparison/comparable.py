"""Whether scores may be compared at all: the same images, the same settings, the same data."""

from collections.abc import Mapping, Sequence
from typing import Any

from dcp.comparison.arms import Member

# Older probes named the seed among their settings; the runs of an arm differ in it by definition.
NO_SETTING = ("seed",)


def not_comparable(a: Sequence[Member], b: Sequence[Member], evaluation: str) -> str:
    """Why the scores of two arms in one evaluation cannot be compared; "" if they can."""
    probes = [one.probes[evaluation] for one in (*a, *b)]
    if len({probe.get("n") for probe in probes}) > 1:
        return f"tested on {_against(probes, 'n')} images"
    if len(tests := {images_of(probe, "test") for probe in probes} - {None}) > 1:
        return "tested on other images"
    settings = [_settings(probe) for probe in probes]
    differing = sorted({key for one in settings for key in one if len({repr(s.get(key)) for s in settings}) > 1})
    if differing:
        return "measured differently: " + ", ".join(f"{key} {_against(settings, key)}" for key in differing)
    known = bool(tests) and all(images_of(probe, "test") for probe in probes)
    return "" if known else data_differ(a[0], b[0])


def images_of(probe: Mapping[str, Any], split: str) -> str | None:
    """Fingerprint of the "train" or "test" images of a probe; None in older probes."""
    found = (probe.get("data") or {}).get(split)
    return None if found is None else str(found)


def share_tests(a: Member, b: Member) -> bool:
    """Whether two runs have a probe that was, for certain, tested on the same images."""
    tests = [{(name, images_of(probe, "test")) for name, probe in one.probes.items()} for one in (a, b)]
    return any(images is not None for _, images in tests[0] & tests[1])


def data_differ(a: Member, b: Member) -> str:
    """Why two runs are not of the same data set; "" if they are, or are different amounts of it."""
    sources = [one.settings.get("data.source") for one in (a, b)]
    if sources[0] != sources[1]:
        return f"different data: {sources[0]} and {sources[1]}"
    asked = [{k: v for k, v in one.asked.items() if k.startswith("data.")} for one in (a, b)]
    found = [(one.run.record.get("data") or {}).get("fingerprint") for one in (a, b)]
    if asked[0] == asked[1] and None not in found and found[0] != found[1]:
        return f"different files under the same data settings: fingerprints {found[0]} and {found[1]}"
    return ""


def _settings(probe: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (probe.get("settings") or {}).items() if key not in NO_SETTING}


def _against(tables: Sequence[Mapping[str, Any]], key: str) -> str:
    return " and ".join(dict.fromkeys(str(table.get(key, "none")) for table in tables))
