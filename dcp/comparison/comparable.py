"""Whether scores may be compared at all: the same images, the same settings, the same data."""

from collections.abc import Iterable, Sequence
from typing import Any

from dcp.comparison.arms import Member
from dcp.runs.records import ProbeRecord

# Older probes named the seed among their settings; the runs of an arm differ in it by definition.
NO_SETTING = ("seed",)
# Settings of the spectrum that older probes lack: what they decide, these have not measured.
OF_VIEWS = {"images", "views"}


def not_comparable(a: Sequence[Member], b: Sequence[Member], evaluation: str) -> str:
    """Why the scores of two arms in one evaluation cannot be compared; "" if they can."""
    probes = [member.probes[evaluation] for member in (*a, *b)]
    if len({probe.n for probe in probes}) > 1:
        return f"tested on {_against('none' if probe.n is None else probe.n for probe in probes)} images"
    if len(tests := {images_of(probe, "test") for probe in probes} - {None}) > 1:
        return "tested on other images"
    settings = [{key: value for key, value in probe.settings.items() if key not in NO_SETTING} for probe in probes]
    keys = sorted({key for table in settings for key in table})
    if evaluation.partition("@")[0] == "spectrum":
        keys = [key for key in keys if key not in OF_VIEWS or all(key in table for table in settings)]
    if differing := [key for key in keys if len({repr(table.get(key)) for table in settings}) > 1]:
        listed = (f"{key} {_against(table.get(key, 'none') for table in settings)}" for key in differing)
        return "measured differently: " + ", ".join(listed)
    same = bool(tests) and all(images_of(probe, "test") for probe in probes)
    return "" if same else data_differ(a[0], b[0])


def images_of(probe: ProbeRecord, split: str) -> str | None:
    """Fingerprint of the "train" or "test" images of a probe; None in older probes."""
    fingerprint = probe.data.get(split)
    return None if fingerprint is None else str(fingerprint)


def share_tests(a: Member, b: Member) -> bool:
    """Whether two runs have a probe that was, for certain, tested on the same images."""
    tests = [{(name, images_of(probe, "test")) for name, probe in member.probes.items()} for member in (a, b)]
    return any(images is not None for _, images in tests[0] & tests[1])


def data_differ(a: Member, b: Member) -> str:
    """Why two runs are not of the same data set; "" if they are, or are different amounts of it."""
    sources = [member.settings.get("data.source") for member in (a, b)]
    if sources[0] != sources[1]:
        return f"different data: {sources[0]} and {sources[1]}"
    asked = [{k: v for k, v in member.asked.items() if k.startswith("data.")} for member in (a, b)]
    files = [member.run.record.data.fingerprint for member in (a, b)]
    if asked[0] == asked[1] and None not in files and files[0] != files[1]:
        return f"different files under the same data settings: fingerprints {files[0]} and {files[1]}"
    return ""


def way_out(a: Member, b: Member) -> str:
    """How two runs can be measured on the same images, where their own have no fingerprint in common.

    A fingerprint is of names, sizes and labels, and no digest of pixels: the same images in a folder, in tars and in a
    saved data set have three, and nothing that runs record could tell that they are the same.
    """
    if a.settings.get("data.source") == b.settings.get("data.source"):
        return ""
    return "dcp probe of both with the same --data (and probe.data.root) measures them on the same images."


def _against(values: Iterable[Any]) -> str:
    return " and ".join(dict.fromkeys(map(str, values)))
