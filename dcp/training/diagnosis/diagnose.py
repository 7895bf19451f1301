"""Diagnosis: what state a training is in, the evidence, its likely cause, and what to try next. No torch.

It reads the lines of metrics.jsonl and the recipe, so it works while a run trains and long after. The thresholds were
set on recipes broken on purpose and on healthy ones; docs/diagnosis.md has both, and how often they were told apart.
"""

from dcp.training.diagnosis.causes import cause
from dcp.training.diagnosis.signs import Diagnosis, History, Settings, Signs
from dcp.training.diagnosis.states import STATES

UNKNOWN = Diagnosis("unknown", "not examined yet")


def diagnose(history: History, settings: Settings) -> Diagnosis:
    """The first state, by how much it explains, that the signs show; "healthy" if none.

    Args:
        history: the lines so far.
        settings: the recipe by dotted key.
    """
    if not history.examinations:
        return UNKNOWN
    signs = Signs.of(history, settings)
    found = next(filter(None, (state(signs) for state in STATES)), None)
    if found is None:
        evidence = f"spread {signs.spread:.2f} of 1, effective rank {signs.effective_rank:.1f}"
        return Diagnosis("healthy", evidence)
    return found if found.cause else cause(found, signs)
