"""Diagnosis: what state a training is in, the evidence, its likely cause, and what to try next. No torch.

It reads the lines of metrics.jsonl, the recipe, and what its variants say of themselves (`facts` in run.json), so it
works while a run trains and long after. The thresholds were set on recipes broken on purpose and on healthy ones;
docs/diagnosis.md has both, and how often they were told apart.
"""

from dcp.training.diagnosis.causes import cause
from dcp.training.diagnosis.signs import Diagnosis, Facts, History, Settings, Signs
from dcp.training.diagnosis.states import STATES

UNKNOWN = Diagnosis("unknown", "not examined yet")


def diagnose(history: History, settings: Settings, facts: Facts) -> Diagnosis:
    """The first state, by how much it explains, that the signs show; "healthy" if none.

    Args:
        history: the lines so far.
        settings: the recipe by dotted key.
        facts: what its variants say of themselves, by dotted key, as run.json has them; {} in a run of an older dcp.
    """
    if not history.examinations:
        return UNKNOWN
    signs = Signs.of(history, settings, facts)
    diagnosis = next(filter(None, (state(signs) for state in STATES)), None)
    if diagnosis is None:
        evidence = f"spread {signs.spread:.2f} of 1, effective rank {signs.effective_rank:.1f}"
        return Diagnosis("healthy", evidence)
    return diagnosis if diagnosis.cause else cause(diagnosis, signs)
