"""One run in words: what it scored beside the untrained encoder, whether it collapsed, how fast it was."""

from typing import Any

from dcp.comparison.scores import image_interval, is_share, score_of
from dcp.report.page import Grid, Lines, Page, count, duration, figure, is_main, memory, significant, span
from dcp.runs.records import Json
from dcp.runs.run import Run


def summary_page(run: Run, *, scores_only: bool = False, every_score: bool = True) -> Page:
    """The page of a run; what the run does not know is left out.

    Args:
        run: the run.
        scores_only: leave out everything else.
        every_score: or only the main ones.
    """
    scores = Grid("Scores", ("", "score", "95 % interval", "untrained"), _scores(run, every_score))
    if scores_only:
        return Page(_title(run), (scores,))
    return Page(
        title=_title(run),
        blocks=(
            Lines("", tuple(_status(run.record))),
            scores,
            Lines("Diagnosis", tuple(_diagnosis(run))),
            Lines("Speed", tuple(_speed(run.record))),
        ),
    )


def _title(run: Run) -> str:
    return f"{run.path.resolve().name}: {run.record.get('status', 'unknown')}"


def _status(record: Json) -> list[str]:
    if record.get("status") == "done":
        return []
    why = str(record.get("why") or "").rstrip(".")
    return [f"Not finished: {why}." if why else "Not finished; what follows is as of its last files."]


def _scores(run: Run, every: bool) -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
    groups = (
        (
            _heading(evaluation, probe),
            tuple(_cells(probe, score) for score in probe.get("score") or {} if every or is_main(evaluation, score)),
        )
        for evaluation, probe in run.probes().items()
    )
    return tuple((heading, rows) for heading, rows in groups if rows)


def _heading(evaluation: str, probe: Json) -> str:
    return f"{evaluation}, {count(probe['n'], 'test image')}" if probe.get("n") else evaluation


def _cells(probe: Json, score: str) -> tuple[str, ...]:
    before = score_of(probe.get("random_encoder") or {}, score)
    return (
        f"{score} in %" if is_share(score) else score,
        figure(score, score_of(probe, score)),
        span(score, image_interval(probe, score)),
        figure(score, before),
    )


def _diagnosis(run: Run) -> list[str]:
    state = run.record.get("state") or {}
    name, evidence = str(state.get("name", "")), str(state.get("evidence") or "").rstrip(".")
    head = "No collapse" if name == "healthy" else name.capitalize()
    verdict = [f"{head}: {evidence}." if evidence else f"{head}."] if name else []
    said = (("Probable cause", "cause"), ("Try next", "advice"))
    verdict += [f"{word}: {str(state[key]).rstrip('.')}." for word, key in said if state.get(key)]
    return [*verdict, *_last(run.metrics(), "spread"), *_last(run.metrics(), "effective_rank")]


def _last(metrics: list[Json], key: str) -> list[str]:
    """The last line that has a number for `key`, in words."""
    known: list[tuple[Any, float]] = [
        (entry.get("step"), entry[key]) for entry in metrics if isinstance(entry.get(key), (int, float))
    ]
    if not known:
        return []
    step, value = known[-1]
    return [f"{key.replace('_', ' ').capitalize()} {significant(value)} at step {count(step)}."]


def _speed(record: Json) -> list[str]:
    parts = [
        f"{count(record['images_per_s'])} images/s" if record.get("images_per_s") else "",
        duration(record["wall_s"]) if record.get("wall_s") is not None else "",
        f"{count(record['steps'], 'step')}" if record.get("steps") else "",
        f"peak memory {memory(record['peak_memory_bytes'])}" if record.get("peak_memory_bytes") else "",
        str(record.get("device") or ""),
    ]
    text = ", ".join(part for part in parts if part)
    return [f"{text}."] if text else []
