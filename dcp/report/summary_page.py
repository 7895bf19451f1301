"""One run in words: what it scored beside the encoder before training, whether it collapsed, how fast it was."""

from collections.abc import Iterator

from dcp.comparison.scores import image_interval, in_order, is_by_layer, score_of
from dcp.report.page import Grid, Lines, Page, count, duration, figure, is_main, listed, memory, significant, span
from dcp.runs.records import RunRecord, Scored, is_share
from dcp.runs.run import Run

GENTLER = "a smaller optimizer.lr with optimizer.warmup_epochs, so that the new projector changes less of the backbone"
# the terminal has one rank of the features, and one in the diagnosis
IN_FULL = ("alignment", "lidar", "participation_ratio", "F_effective_rank")
SHOWN = {"rankme": "rank of features (rankme)"}


def summary_page(run: Run, *, scores_only: bool = False, every_score: bool = True) -> Page:
    """The page of a run, or its scores alone, every one or the main ones; what the run does not know is left out."""
    record, status, why = run.record, run.status, run.record.why.rstrip(".")
    title = f"{run.path.resolve().name}: {status}"
    scores = Grid("Scores", ("", "score", "95 % interval", run.record.baseline), _scores(run, every_score))
    baseline = run.record.baseline
    columns = ("", "kNN", "linear", f"{baseline} kNN", f"{baseline} linear")
    by_layer = Grid("Top-1 accuracy by layer in %", columns, tuple(_by_layer(run)))
    if scores_only:
        return Page(title, (scores, by_layer))
    if status == "killed":
        again = f"dcp pretrain {run.path / 'recipe.toml'} --runs {run.path.parent} --resume"
        why = f'it was killed (its status says "running", but no process writes to it); continue with {again}'
    unfinished = f"Not finished: {why}." if why else "Not finished; what follows is as of its last files."
    ended = Lines("", () if status == "done" else (unfinished,))
    images = Lines("Images", tuple(_broken(record)))
    diagnosis, speed = Lines("Diagnosis", tuple(_diagnosis(run))), Lines("Speed", tuple(_speed(record)))
    return Page(title, (ended, scores, by_layer, diagnosis, images, speed))


def _scores(run: Run, every: bool) -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
    groups = []
    for evaluation, probe in run.probes().items():
        if is_by_layer(evaluation):
            continue
        rows = tuple(
            (
                f"{score} in %" if is_share(score) else score if every else SHOWN.get(score, score),
                figure(score, score_of(probe, score)),
                span(score, image_interval(probe, score)),
                figure(score, score_of(probe.random_encoder, score)),
            )
            for score in probe.score
            if every or (is_main(evaluation, score) and score not in IN_FULL)
        )
        heading = f"{evaluation}, {count(probe.n, 'test image')}" if probe.n else evaluation
        groups += [(heading, rows)] if rows else []
    return tuple(groups)


def _by_layer(run: Run) -> Iterator[tuple[str, tuple[tuple[str, ...], ...]]]:
    """A row a layer, from the input on: both classifiers, and both before training."""
    for evaluation, probe in run.probes().items():
        if is_by_layer(evaluation):
            layers = dict.fromkeys(score.rpartition(".")[0] for score in in_order(probe))
            rows = tuple((layer, *_of_layer(probe, layer), *_of_layer(probe.random_encoder, layer)) for layer in layers)
            yield f"{evaluation}, {count(probe.n, 'test image')}" if probe.n else evaluation, rows


def _of_layer(probe: Scored, layer: str) -> list[str]:
    return [figure(name, score_of(probe, name)) for name in (f"{layer}.knn", f"{layer}.linear")]


def _diagnosis(run: Run) -> list[str]:
    state = run.record.state
    evidence, healthy = state.evidence.rstrip("."), state.name == "healthy"
    head, when = ("No collapse", ", over the last steps") if healthy else (state.name.capitalize(), "")
    verdict = [f"{head}: {evidence}{when}." if evidence else f"{head}."] if state.name else []
    said = (("Probable cause", state.cause), ("Try next", state.advice))
    verdict += [f"{word}: {text.rstrip('.')}." for word, text in said if text]
    no_better = _no_better(run)
    worse = [text for text, is_clear in no_better if is_clear and run.record.weights]
    if worse:  # whatever the projections are like: good weights were there
        verdict.append(f"Worse than before training in {listed(worse)}: the weights that it began with were better.")
        verdict += [] if state.advice else [f"Try next: {GENTLER}."]
    if healthy and (scores := [text for text, _ in no_better if text not in worse]):
        verdict.append(f"But no better than before training in {listed(scores)}.")
    return verdict + _last_signs(run, evidence)


def _no_better(run: Run) -> list[tuple[str, bool]]:
    """The evaluations whose top-1 accuracy is that of the encoder before training, or lower, with both in percent.

    And of each whether it is clearly lower: the interval over test images says so, too.
    """
    found = []
    for evaluation, probe in run.probes().items():
        score, before = score_of(probe, "top1"), score_of(probe.random_encoder, "top1")
        if score is not None and before is not None and score <= before:
            text = f"{evaluation} ({figure('top1', score)}%, {run.record.baseline} {figure('top1', before)}%)"
            found.append((text, before > (image_interval(probe, "top1") or (score, score))[1]))
    return found


def _last_signs(run: Run, evidence: str) -> list[str]:
    """Spread and rank of the projections as last noted, where the diagnosis does not say them.

    Of projections that all point one way there is no rank to be told.
    """
    lines: list[str] = []
    if run.record.state.name == "complete collapse":
        return lines
    for key in ("spread", "effective_rank"):
        if key.rpartition("_")[2] in evidence:
            continue
        known = [line for line in run.metrics() if isinstance(line.get(key), (int, float))]
        for line in known[-1:]:
            words = key.replace("_", " ").capitalize()
            lines.append(f"{words} {significant(line[key])} at step {count(line.get('step'))}.")
    return lines


def _broken(record: RunRecord) -> list[str]:
    match (record.data.model_extra or {}).get("broken"):
        case {"images": int() as images}:
            its, takes = ("its folder", "takes its") if images == 1 else ("their folders", "take their")
            how = f"the next in {its} {takes} place (data.broken in run.json)"
            return [f"{count(images, 'image')} cannot be decoded; {how}."]
    return []


def _speed(record: RunRecord) -> list[str]:
    parts = [
        f"{count(record.images_per_s)} images/s" if record.images_per_s else "",
        duration(record.wall_s) if record.wall_s is not None else "",
        count(record.steps, "step") if record.steps else "",
        f"peak memory {memory(record.peak_memory_bytes)}" if record.peak_memory_bytes else "",
        _devices(record),
    ]
    text = ", ".join(part for part in parts if part)
    return [f"{text}."] if text else []


def _devices(record: RunRecord) -> str:
    """What it was trained on, sitting by sitting: "cpu (2 threads), then cpu (1 thread)"."""
    sittings = [each.get("device") for each in record.sittings if isinstance(each, dict)]
    devices = [device for device in sittings if isinstance(device, str) and device] or [record.device]
    return ", then ".join(device for i, device in enumerate(devices) if i == 0 or device != devices[i - 1])
