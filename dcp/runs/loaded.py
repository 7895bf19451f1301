"""A run as an object for notebooks and programs: plain values, read from its folder without torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from dcp.errors import RequestError, printable, shortened
from dcp.runs.json_files import Json, read_json
from dcp.runs.open_run import probes_in
from dcp.runs.records import is_share
from dcp.runs.run import Run, open_or_find

if TYPE_CHECKING:
    from dcp.runs.encoder import Encoder

KINDS = ("step", "epoch", "spectrum")  # of the lines that training writes
USUAL = ("linear.top1", "knn.top1")  # what a run is called by, where its recipe names no primary score


@dataclass(frozen=True)
class Diagnosis:
    """What dcp says of a training: see docs/diagnosis.md."""

    state: str  # "healthy", "complete collapse", ...; "" in a run that was not examined
    why: str  # the probable cause; "" where nothing points to one
    evidence: str  # the numbers that show it
    advice: str  # the next thing to try; "" where nothing needs to be done


class LoadedRun:
    """What a run folder says. Nothing in it is changed.

    Attributes:
        path: the folder.
        name: of the folder, "quickstart-s0".
        record: the content of run.json when it was loaded.
        recipe: the recipe with every default written out, as a nested dict.
        status: "running", "done", "failed" or "interrupted"; "killed" if it says "running" and no process writes to it.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.path: Path = run.path
        self.name: str = run.path.resolve().name
        self.record: Json = read_json(run.path / "run.json")
        self.recipe: Json = run.recipe()
        self.status: str = run.status

    def __repr__(self) -> str:
        words = [self.status, self._main_score(), self.diagnosis.state]
        return f"<dcp run {self.name}: {', '.join(filter(None, words))}>"

    @property
    def diagnosis(self) -> Diagnosis:
        """State, probable cause (`why`), evidence and advice."""
        state = self._run.record.state
        return Diagnosis(state.name, state.cause, state.evidence, state.advice)

    def metrics(self, kind: str | None = None) -> list[Json]:
        """The lines of metrics.jsonl so far, one dict each: `pandas.DataFrame(run.metrics("epoch"))`.

        Args:
            kind: "step", "epoch" or "spectrum"; all without. A run that has just begun has none of some of them.

        Raises:
            dcp.errors.RequestError: the file is damaged; there is no such kind, in this file either.
        """
        if not isinstance(kind, str | None):
            raise RequestError(f"a kind of metrics is a text, not {kind!r:.99}", slug="bad-type", where="kind")
        lines = self._run.metrics(kind)
        if kind is not None and not lines:
            known = dict.fromkeys([*KINDS, *(line["kind"] for line in self._run.metrics() if "kind" in line)])
            if kind not in known:
                what = f'there are no metrics of the kind "{printable(shortened(kind))}"'
                hint = printable(f"known: {', '.join(known)}")
                raise RequestError(what, slug="unknown-name", where="kind", hint=hint)
        return lines

    @overload
    def scores(self, flat: Literal[False] = False) -> dict[str, Json]: ...
    @overload
    def scores(self, flat: Literal[True]) -> list[Json]: ...
    def scores(self, flat: bool = False) -> dict[str, Json] | list[Json]:
        """What evaluations found so far.

        Args:
            flat: a list with one row a score instead, for a table: "run", "name", "seed", "evaluation", "score",
                "value", "low" and "high" of the 95 % interval, "before" (the same before training) and "n".

        Returns:
            The content of each `probes/<evaluation>.json`, by evaluation.

        Raises:
            dcp.errors.RequestError: one of the files is damaged.
        """
        probes = self._run.probes()
        if not flat:
            return {path.stem: read_json(path) for path in probes_in(self.path / "probes")}
        return [
            {
                "run": self.name,
                "name": self._run.name,
                "seed": self._run.seed,
                "evaluation": evaluation,
                "score": score,
                "value": value,
                "low": ends[0],
                "high": ends[1],
                "before": probe.random_encoder.score.get(score),
                "n": probe.n,
            }
            for evaluation, probe in probes.items()
            for score, value in probe.score.items()
            for ends in [probe.interval.get(score) or (None, None)]
        ]

    def encoder(self) -> "Encoder":
        """The trained encoder, as `dcp.load_encoder` gives it; imports torch.

        Raises:
            dcp.errors.RequestError: there is none yet.
        """
        from dcp.runs import encoder

        return encoder.load(self._run)

    def _main_score(self) -> str:
        """The primary score in words; "" where there is none, or none that can be read."""
        try:
            rows = {f"{row['evaluation']}.{row['score']}": row["value"] for row in self.scores(flat=True)}
        except RequestError:
            return "scores that cannot be read"
        probe = self.recipe.get("probe")
        wanted = [probe.get("primary")] if isinstance(probe, dict) else []
        name = next((name for name in (*wanted, *USUAL) if rows.get(str(name)) is not None), None)
        if name is None:
            return ""
        value, words = rows[name], name.replace(".", " ")
        return f"{words} {100 * value:.1f} %" if is_share(name.partition(".")[2]) else f"{words} {value:.4g}"


def load(run: str | Path, runs: str | Path) -> LoadedRun:
    """The run of a folder, or of a name below `runs`: without a seed the first there is.

    Raises:
        RequestError: there is none, or it cannot be read.
    """
    return LoadedRun(open_or_find(run, runs))
