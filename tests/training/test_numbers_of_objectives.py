"""A run of an objective with numbers of its own, and a ρ that changes: both stand in its lines."""

from itertools import pairwise
from pathlib import Path

import pytest

from dcp.recipe.recipe import Recipe
from dcp.training.pretrain import pretrain
from dcp.training.request import Request

SMALL = ("train.epochs=10", "train.log_every=1", "probe.after=[]", "train.precision=fp32")


def test_the_energy_falls_and_stands_where_F_does_and_rho_stands_where_tau_would(tmp_path: Path) -> None:
    run = pretrain(Recipe.read("tiny/peira", SMALL), Request(tmp_path, device="cpu"))
    lines = [*run.metrics()]
    energies = [line["energy"] for line in lines if line["kind"] == "spectrum"]
    assert len(energies) >= 4
    assert energies[-1] < min(0.0, energies[0])
    rho = [line["rho"] for line in lines if line["kind"] == "step"]
    assert rho[-1] == pytest.approx(0.5)
    assert all(a < b for a, b in pairwise(rho))


def test_other_runs_have_neither(tmp_path: Path) -> None:
    run = pretrain(Recipe.read("tiny/directcopy", (*SMALL, "train.epochs=1")), Request(tmp_path, device="cpu"))
    assert all({"energy", "rho"}.isdisjoint(line) for line in run.metrics())
