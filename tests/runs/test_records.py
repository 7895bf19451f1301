import json
from pathlib import Path
from typing import Any

import pytest

from dcp.errors import RequestError
from dcp.runs.records import ProbeRecord, Record, RunRecord, typed
from dcp.runs.run import Run


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        (RunRecord, {"seed": None}, "seed is no whole number"),
        (RunRecord, {"steps": 3.0}, "steps is no whole number"),
        (RunRecord, {"processes": 2**63}, "processes is no whole number"),
        (RunRecord, {"name": 3}, "name is no text"),
        (RunRecord, {"sittings": None}, "sittings is no list"),
        (RunRecord, {"versions": "1"}, "versions is no object"),
        (RunRecord, {"state": [1]}, "state is no object"),
        (RunRecord, {"data": {"fingerprint": ["a"]}}, "data is an object whose fingerprint is no text"),
        (RunRecord, {"wall_s": True}, "wall_s is no number"),
        (RunRecord, {"images_per_s": 10**400}, "images_per_s is no finite number"),
        (RunRecord, {"error": 3}, "error is no text"),
        (RunRecord, {"steps": 10**400}, "steps is no whole number"),
        (RunRecord, {"\ud800": 1}, "a key is no text"),
        (ProbeRecord, {"score": [1]}, "score is no object"),
        (ProbeRecord, {"score": {"rankme": "5"}}, "score is an object whose rankme is no number"),
        (
            ProbeRecord,
            {"score": {"top1": 1.5}},
            "score is an object whose top1 is 1.5, and a share lies between 0 and 1",
        ),
        (
            ProbeRecord,
            {"interval": {"a\ud800": None}},
            'interval is an object with a score called "a\\ud800"; letters, digits and _ @ . - make its name',
        ),
        (ProbeRecord, {"interval": {"top1": 3}}, "interval is an object whose top1 is no list of two numbers"),
        (
            ProbeRecord,
            {"random_encoder": {"interval": {"top1": [0, "1"]}}},
            "random_encoder is an object whose interval is an object whose top1 is no number",
        ),
    ],
)
def test_a_value_that_a_record_cannot_have_is_named_with_its_key(kind: type[Record], content: dict, words: str):
    with pytest.raises(RequestError) as caught:
        typed(kind, content, Path("a/run.json"))
    assert str(caught.value).startswith(f"error[broken-run]: cannot read run.json: {words} (a/run.json)\n")


@pytest.mark.parametrize("kind", [RunRecord, ProbeRecord])
def test_null_says_that_a_value_is_not_known(kind: type[Record]):
    must = {"name", "seed", "status", "sittings", "evaluation"}
    content: dict[str, Any] = dict.fromkeys(kind.model_fields.keys() - must)
    assert dict(typed(kind, content, Path("a"))) == dict(kind())


def test_what_a_record_does_not_list_is_kept_and_numbers_keep_their_kind(tmp_path):
    run = Run.create(tmp_path, "a", 0, "", {"flops_per_image": 10**12, "mine": {"x": [1, 2.0]}})
    run.update(wall_s=2, images_per_s=2.0)
    assert (run.record.mine, run.record.wall_s) == ({"x": [1, 2.0]}, 2)
    text = (run.path / "run.json").read_text()
    assert '"flops_per_image": 1000000000000,' in text
    assert '"wall_s": 2\n' in text
    assert json.loads(text)["images_per_s"] == 2.0


def test_a_record_that_would_be_broken_is_not_written(tmp_path):
    run = Run.create(tmp_path, "a", 0, "", {})
    before = (run.path / "run.json").read_bytes()
    with pytest.raises(RequestError, match="steps is no whole number"):
        run.update(steps="many")
    with pytest.raises(RequestError, match="score is no object"):
        run.write_probe("linear", {"score": 1})
    assert (run.path / "run.json").read_bytes() == before
    assert run.probes() == {}
