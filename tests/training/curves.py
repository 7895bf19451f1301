"""What runs of a study did on the way: `python tests/training/curves.py rising|escape RUN...`.

rising: does the loss end above its lowest, and did the run learn? FreeCopy's claim of DirectCopy (Zhao 2024).
escape: the first step at which a run that started collapsed has directions apart, and what became of it.
"""

import sys
from statistics import mean

import dcp

APART = 0.5  # spread: mean distance of directions, 1 where they are as far apart as random ones
ROSE = 0.02  # above the lowest


def rising(path: str) -> str:
    """Mean losses of a tenth of the steps: the lowest and the last, and linear top-1 before and after."""
    run = dcp.load_run(path)
    losses = [line["loss"] for line in run.metrics("step")]
    tenth = max(1, len(losses) // 10)
    tenths = [mean(losses[i : i + tenth]) for i in range(0, len(losses) - tenth + 1, tenth)]
    (linear,) = (row for row in run.scores(flat=True) if (row["evaluation"], row["score"]) == ("linear", "top1"))
    before, after = linear["before"], linear["value"]  # learnt: the interval over test images is above
    rose = tenths[-1] > min(tenths) + ROSE
    words = f"{'learnt' if linear['low'] > before else 'not learnt'}, {'rose' if rose else 'did not rise'}"
    return f"{min(tenths):.3f} {tenths[-1]:.3f}  linear {before:.3f} {after:.3f}  {words}"


def escape(path: str) -> str:
    """First step with spread above APART, last spread, effective rank and norm, state."""
    run = dcp.load_run(path)
    steps = run.metrics("step")
    first = next((line["step"] for line in steps if line["spread"] > APART), None)
    last = steps[-1]
    return (
        f"out at {first}, spread {steps[0]['spread']:.1e} to {last['spread']:.2f}, rank {last['effective_rank']:.1f}, "
        f"norm {last['norm']:.1f}, {run.diagnosis.state}"
    )


if __name__ == "__main__":
    for path in sys.argv[2:]:
        print(path.rpartition("/")[2], {"rising": rising, "escape": escape}[sys.argv[1]](path))
