"""The tables of docs/choosing.md, from what studies and a benchmark measured.

python -m docs.choosing RUNS BENCHMARK.json    takes their figures from the studies' comparisons in the folder RUNS
python -m docs.pages                           writes the tables
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from dcp.recipe import layers
from dcp.studies.study import read
from docs.reference import markdown_table

MEASURED = Path(__file__).parent / "results" / "2026-11-27-methods.json"
STUDIES = ("newer", "newer_cifar10", "newer_keys")
RATES = ("lr0.002", "lr0.006")
COLLAPSED = ("complete collapse", "dimensional collapse")
KEYS = {  # which one newer_keys changes
    "directcopy": "predictor.eps",
    "directpred": "predictor.eps",
    "byol": "1 - target.tau",
    "vicreg": "objective.covariance",
    "peira": "objective.ridge",
    "sigreg": "odds of objective.lam",
    "visreg": "odds of objective.lam",
    "mmcr": "network.projector.out",
    "coding_rate": "objective.eps_squared",
    "ssl_ey": "network.projector.out",
    "fastsiam": "predictor.lr_factor",
}
Arm = dict[str, Any]


def taken(runs: Path, benchmark: Path) -> dict[str, Any]:
    """Of each arm linear top-1 of each seed with its interval, states and seconds; of each method what a step costs."""
    studies = {name: _arms(json.loads((runs / name / "comparison.json").read_text("utf-8")), name) for name in STUDIES}
    measured = json.loads(benchmark.read_text("utf-8"))
    cost: dict[str, dict[str, float]] = {}
    for row in measured["rows"]:
        what = "MiB" if row["unit"] == "MiB" else "images_per_s"
        cost.setdefault(row["name"], {})[what] = row["value"]["median"]
        if row["ratio"]:
            cost[row["name"]] |= {f"ratio_{end}": row["ratio"][end] for end in ("median", "low", "high")}
    about = {"versions": measured["versions"], "machine": measured["machine"], "settings": settings()}
    return {**about, "studies": studies, "cost": cost}


def settings() -> dict[str, str]:
    """A digest of each study's settings as its files have them: other settings need other measurements."""
    tables = {name: layers.load(f"studies/{name}")[0] for name in STUDIES}
    return {
        name: hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:16]
        for name, table in tables.items()
    }


def _arms(comparison: dict[str, Any], study: str) -> dict[str, Arm]:
    (linear,) = (row for row in comparison["scores"] if (row["evaluation"], row["score"]) == ("linear", "top1"))
    of_runs = {arm["name"]: arm for arm in comparison["arms"]}
    return {
        score["arm"].removeprefix(f"{study}-"): {
            "values": score["values"],
            "interval": score["over_seeds"],  # none where all seeds agree
            "untrained": score["untrained"],
            "states": [state["name"] for state in of_runs[score["arm"]]["states"]],
            "wall_s": of_runs[score["arm"]]["cost"]["wall_s"],
        }
        for score in linear["arms"]
    }


def tables() -> dict[str, str]:
    """Scores, cost, and sensitivity as Markdown."""
    measured = json.loads(MEASURED.read_text("utf-8"))
    glyphs, cifar, keys = (measured["studies"][name] for name in STUDIES)
    methods = [name for name in measured["cost"] if f"{name}-{RATES[0]}" in glyphs]
    best = {name: max(RATES, key=lambda rate: _mean(glyphs[f"{name}-{rate}"])) for name in methods}
    tried = {arm.name.rpartition("_")[0]: f"lr{arm.recipe.optimizer.lr:g}" for arm in read("studies/newer_keys").arms}
    if worse := [name for name, rate in tried.items() if best[name] != rate]:
        raise ValueError(
            f"studies/newer_keys has another rate than studies/newer has found best for {', '.join(worse)}"
        )
    order = sorted(methods, key=lambda name: -max(_mean(cifar[f"{name}-{rate}"]) for rate in RATES))
    return {
        "scores of methods": markdown_table(
            ("method", "glyphs", "at the other rate", "CIFAR-10", "at the other rate", "collapsed"),
            [[name, *_two(glyphs, name), *_two(cifar, name), _collapsed(name, glyphs, cifar, keys)] for name in order],
        ),
        "cost of methods": markdown_table(
            ("method", "time of an image", "memory", "a run on glyphs"),
            [_cost(name, measured["cost"][name], glyphs[f"{name}-{best[name]}"]) for name in order],
        ),
        "sensitivity of methods": markdown_table(
            ("method", "key", "a quarter", "as in newer", "four times", "largest loss"),
            [_sensitivity(name, keys, glyphs[f"{name}-{best[name]}"]) for name in order if name in KEYS],
        ),
    }


def _mean(arm: Arm) -> float:
    return sum(arm["values"]) / len(arm["values"])


def _score(arm: Arm) -> str:
    """Percent with the interval over seeds."""
    low, high = (100 * max(0.0, min(1.0, end)) for end in arm["interval"] or [_mean(arm)] * 2)
    return f"{100 * _mean(arm):.1f} [{low:.1f}, {high:.1f}]"


def _two(arms: dict[str, Arm], name: str) -> list[str]:
    """The score at the better rate, and at the other one."""
    better, other = sorted((arms[f"{name}-{rate}"] for rate in RATES), key=_mean, reverse=True)
    return [_score(better), f"{100 * _mean(other):.1f}"]


def _collapsed(name: str, *studies: dict[str, Arm]) -> str:
    """How many of the method's runs did, and of how many."""
    arms = [f"{name}{end}" for end in (*(f"-{rate}" for rate in RATES), "_less", "_more")]
    states = [state for study in studies for arm in arms if arm in study for state in study[arm]["states"]]
    return f"{sum(state in COLLAPSED for state in states)} of {len(states)}"


def _cost(name: str, cost: dict[str, float], arm: Arm) -> list[str]:
    lows, middle, highs = (
        1 / cost[f"ratio_{end}"] if "ratio_low" in cost else 1.0 for end in ("high", "median", "low")
    )
    spread = f" ({lows:.2f} to {highs:.2f})" if "ratio_low" in cost else ""
    return [name, f"{middle:.2f}{spread}", f"{cost['MiB']:.0f} MiB", f"{arm['wall_s']:.0f} s"]


def _sensitivity(name: str, keys: dict[str, Arm], middle: Arm) -> list[str]:
    less, more = keys[f"{name}_less"], keys[f"{name}_more"]
    loss = _mean(middle) - min(_mean(less), _mean(more), _mean(middle))
    return [name, f"`{KEYS[name]}`", _score(less), _score(middle), _score(more), f"{100 * loss:.1f}"]


if __name__ == "__main__":
    MEASURED.write_text(json.dumps(taken(Path(sys.argv[1]), Path(sys.argv[2])), indent=1) + "\n", encoding="utf-8")
