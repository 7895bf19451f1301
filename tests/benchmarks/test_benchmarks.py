"""The benchmarks measure what they say: things in turn, ratios repeat by repeat, rows that survive a failure."""

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import byol
from benchmarks.measure import Scale, Spread, alternate, in_turn, rows


def test_things_are_measured_in_turn_in_an_order_that_alternates() -> None:
    went = []

    def noting(name: str):
        return lambda: (went.append(name), time.sleep(0.001)) and 1.0

    in_turn({"a": noting("a"), "b": noting("b")}, repeats=3)
    assert "".join(went) == "ba" + "ab" + "ba" + "ab"


def test_a_rate_is_units_by_time_and_a_ratio_is_taken_repeat_by_repeat() -> None:
    def sleeping(seconds: float):
        return lambda: (time.sleep(seconds), 10.0)[1]

    found = in_turn({"slow": sleeping(0.02), "fast": sleeping(0.01)}, repeats=3)
    assert 300 < Spread.of(found["slow"]).median <= 500
    slow, fast = rows("g", "units/s", found, beside="slow")
    assert slow.ratio is None
    assert fast.ratio is not None
    assert fast.ratio.median == pytest.approx(2.0, rel=0.2)
    ratio = rows("g", "x", {"a": [1.0, 2.0], "b": [2.0, 8.0]}, beside="a")[1].ratio
    assert ratio == Spread(3.0, 2.0, 4.0, 2)


def test_no_round_begins_that_would_end_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("benchmarks.measure.time", SimpleNamespace(monotonic=lambda: clock[0]))

    def turn() -> float:
        clock[0] += 10.0
        return clock[0]

    assert alternate({"a": turn}, repeats=5, until=35.0) == {"a": [20.0, 30.0]}
    assert alternate({"a": turn}, repeats=5, until=0.0) == {"a": [50.0]}
    assert alternate({"a": turn}, repeats=2) == {"a": [70.0, 80.0]}


@pytest.mark.parametrize("native", [False, True])
def test_byol_is_measured_in_fp32_and_as_auto_chooses(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcp.hardware.precision.cpu_has_bf16", lambda: native)
    monkeypatch.setattr("benchmarks.byol.find_spec", lambda name: None)
    for quick in (False, True):
        (task,) = byol.tasks(Scale(quick=quick, device="cpu", threads=2))
        assert task.args[2:] == (("fp32", "auto") if native else ("fp32",), 2)


def test_stable_pretraining_is_measured_where_it_is_installed_and_time_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.byol.find_spec", lambda name: name == "stable_pretraining")
    full, quick = (byol.tasks(Scale(quick=quick, device="cpu", threads=2)) for quick in (False, True))
    assert [task.args[1] for task in full] == ["lightly", "stable-pretraining"]
    assert full[-1].args[2] == ("auto",)
    assert [task.args[1] for task in quick] == ["lightly"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lightly", "stable-pretraining"])
def test_an_epoch_of_each_rival_can_be_measured(name: str) -> None:
    pytest.importorskip(name.replace("-", "_"), reason=f"{name} is not installed")
    theirs, ours = byol.measured(Scale(quick=True, device="cpu", threads=1), byol.QUICK, name, ("fp32",), 2)
    assert theirs.name == name
    assert ours.ratio is not None
    assert ours.ratio.median > 0.1


def test_the_command_writes_machine_versions_and_rows(tmp_path: Path) -> None:
    out = tmp_path / "b.json"
    command = [sys.executable, "-m", "benchmarks", "predictors", "profile", "--quick", "--threads", "1"]
    subprocess.run([*command, "--device", "cpu", "--json", str(out)], check=True, capture_output=True)
    found = json.loads(out.read_text())
    assert {"versions", "machine", "wall_s", "rows"} <= set(found)
    assert {row["name"] for row in found["rows"]} >= {"directcopy", "directpred", "least squares", "backward"}
    assert all(row["value"]["median"] > 0 for row in found["rows"])
