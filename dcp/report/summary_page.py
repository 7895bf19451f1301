"""One run in words: what it scored beside the untrained encoder, whether it collapsed, how fast it was."""

from dcp.comparison.scores import image_interval, score_of
from dcp.report.page import Grid, Lines, Page, count, duration, figure, is_main, memory, significant, span
from dcp.runs.records import RunRecord, is_share
from dcp.runs.run import Run


def summary_page(run: Run, *, scores_only: bool = False, every_score: bool = True) -> Page:
    """The page of a run, or its scores alone, every one or the main ones; what the run does not know is left out."""
    record, status, why = run.record, run.status, run.record.why.rstrip(".")
    title = f"{run.path.resolve().name}: {status}"
    scores = Grid("Scores", ("", "score", "95 % interval", "untrained"), _scores(run, every_score))
    if scores_only:
        return Page(title, (scores,))
    if status == "killed":
        again = f"dcp pretrain {run.path / 'recipe.toml'} --runs {run.path.parent} --resume"
        why = f'it was killed, for it says "running" and no process writes to it; go on with {again}'
    unfinished = f"Not finished: {why}." if why else "Not finished; what follows is as of its last files."
    ended = Lines("", () if status == "done" else (unfinished,))
    diagnosis, speed = Lines("Diagnosis", tuple(_diagnosis(run))), Lines("Speed", tuple(_speed(record)))
    return Page(title, (ended, scores, diagnosis, speed))


def _scores(run: Run, every: bool) -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
    groups = []
    for evaluation, probe in run.probes().items():
        rows = tuple(
            (
                f"{score} in %" if is_share(score) else score,
                figure(score, score_of(probe, score)),
                span(score, image_interval(probe, score)),
                figure(score, score_of(probe.random_encoder, score)),
            )
            for score in probe.score
            if every or is_main(evaluation, score)
        )
        heading = f"{evaluation}, {count(probe.n, 'test image')}" if probe.n else evaluation
        groups += [(heading, rows)] if rows else []
    return tuple(groups)


def _diagnosis(run: Run) -> list[str]:
    state = run.record.state
    evidence = state.evidence.rstrip(".")
    head = "No collapse" if state.name == "healthy" else state.name.capitalize()
    verdict = [f"{head}: {evidence}." if evidence else f"{head}."] if state.name else []
    said = (("Probable cause", state.cause), ("Try next", state.advice))
    verdict += [f"{word}: {text.rstrip('.')}." for word, text in said if text]
    for key in ("spread", "effective_rank"):
        known = [line for line in run.metrics() if isinstance(line.get(key), (int, float))]
        for line in known[-1:]:
            words = key.replace("_", " ").capitalize()
            verdict.append(f"{words} {significant(line[key])} at step {count(line.get('step'))}.")
    return verdict


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
