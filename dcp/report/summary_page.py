"""One run in words: what it scored beside the untrained encoder, whether it collapsed, how fast it was."""

from typing import Any

from dcp.comparison.scores import image_interval, score_of
from dcp.report.page import Grid, Lines, Page, count, duration, figure, is_main, memory, significant, span
from dcp.runs.json_files import Json
from dcp.runs.records import ProbeRecord, RunRecord, is_share
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
    return f"{run.path.resolve().name}: {run.record.status}"


def _status(record: RunRecord) -> list[str]:
    if record.status == "done":
        return []
    why = record.why.rstrip(".")
    return [f"Not finished: {why}." if why else "Not finished; what follows is as of its last files."]


def _scores(run: Run, every: bool) -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
    groups = (
        (
            _heading(evaluation, probe),
            tuple(_cells(probe, score) for score in probe.score if every or is_main(evaluation, score)),
        )
        for evaluation, probe in run.probes().items()
    )
    return tuple((heading, rows) for heading, rows in groups if rows)


def _heading(evaluation: str, probe: ProbeRecord) -> str:
    return f"{evaluation}, {count(probe.n, 'test image')}" if probe.n else evaluation


def _cells(probe: ProbeRecord, score: str) -> tuple[str, ...]:
    before = score_of(probe.random_encoder, score)
    return (
        f"{score} in %" if is_share(score) else score,
        figure(score, score_of(probe, score)),
        span(score, image_interval(probe, score)),
        figure(score, before),
    )


def _diagnosis(run: Run) -> list[str]:
    state = run.record.state
    evidence = state.evidence.rstrip(".")
    head = "No collapse" if state.name == "healthy" else state.name.capitalize()
    verdict = [f"{head}: {evidence}." if evidence else f"{head}."] if state.name else []
    said = (("Probable cause", state.cause), ("Try next", state.advice))
    verdict += [f"{word}: {text.rstrip('.')}." for word, text in said if text]
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


def _speed(record: RunRecord) -> list[str]:
    parts = [
        f"{count(record.images_per_s)} images/s" if record.images_per_s else "",
        duration(record.wall_s) if record.wall_s is not None else "",
        count(record.steps, "step") if record.steps else "",
        f"peak memory {memory(record.peak_memory_bytes)}" if record.peak_memory_bytes else "",
        record.device,
    ]
    text = ", ".join(part for part in parts if part)
    return [f"{text}."] if text else []
