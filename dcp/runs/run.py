"""A run on disk: a folder that a person can read without dcp, and a typed handle on it.

docs/run-folder.md lists its files. One process writes to a run at a time (`Run.lock`); any number may read,
also while it trains. Nothing here needs torch, so listing and comparing runs is quick.
"""

import contextlib
import hashlib
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import tomli

from dcp.errors import RunExists
from dcp.runs import json_files, lookup, metrics, open_run, records
from dcp.runs.disk import atomic_write, create_folder, in_plain_words, sweep
from dcp.runs.json_files import Json, broken
from dcp.runs.locking import locked
from dcp.runs.records import SCHEMA, ProbeRecord, RunRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray

PER_IMAGE = ("prediction", "label", "random_prediction")  # of each test image; what else an evaluation keeps is its own


@final
class Run:
    """A run folder. Make one with `Run.create`, or open one with `Run.open`.

    Attributes:
        path: the folder.
        record: the content of run.json, as last read or written through this handle.
    """

    def __init__(self, path: Path, record: RunRecord) -> None:
        self.path, self.record = path, record

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @classmethod
    def create(cls, root: Path, name: str, seed: int, recipe_toml: str, record: Mapping[str, Any]) -> "Run":
        """Make the folder `<root>/<name>-s<seed>` with its recipe and record, complete or not at all.

        Args:
            root: the folder of runs; made when missing.
            name: recipe key `run.name`; a plain folder name.
            seed: recipe key `run.seed`.
            recipe_toml: the recipe with every default written out.
            record: keys of a RunRecord; "schema", "name", "seed" and the status "running" are added.

        Raises:
            RunExists: there is one of this name and seed.
            RequestError: "run-name", `name` cannot be a folder's name.
            RunError: "disk-full" or "cannot-write".
        """
        lookup.check_name(name)
        path = Path(root) / f"{name}-s{seed}"
        full = json_files.plain({"status": "running", **record, "schema": SCHEMA, "name": name, "seed": seed})
        records.typed(RunRecord, full, path / "run.json")
        try:
            create_folder(path, {"recipe.toml": recipe_toml.encode(), "run.json": json_files.to_json(full)})
        except FileExistsError:
            hint = (
                "Go on with it: --resume. Start another beside it: run.name=NEW_NAME or --seed N.\n"
                "Collect the new one elsewhere: --runs DIR. dcp never overwrites a run."
            )
            raise RunExists("this run exists", slug="run-exists", where=str(path), hint=hint) from None
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str) -> "Run":
        """Open a run folder.

        Raises:
            RequestError: "no-such-run", "not-a-run", "half-written-run", "broken-run" or "newer-run".
        """
        return cls(Path(path), open_run.read_record(Path(path)))

    @property
    def name(self) -> str:
        """Recipe key `run.name`: what the seeds of one recipe have in common."""
        return self.record.name or self.path.name

    @property
    def seed(self) -> int:
        """Recipe key `run.seed`."""
        return self.record.seed

    def recipe(self) -> Json:
        """The recipe with every default written out, as nested tables.

        Raises:
            RequestError: "broken-run", with the reason.
        """
        path = self.path / "recipe.toml"
        try:
            table = tomli.loads(json_files.read_bytes(path).decode())
            json.dumps(table)  # TOML has dates, and recipes do not
        except (ValueError, TypeError) as error:
            raise broken(path, str(error)) from None
        except RecursionError:
            raise broken(path, "it is nested too deeply") from None
        return table

    def update(self, **fields: Any) -> None:
        """Change keys of a RunRecord in run.json, in one move; the others keep what is on disk."""
        path = self.path / "run.json"
        content = json_files.plain({**json_files.read_json(path), **fields})
        record = records.typed(RunRecord, content, path)
        atomic_write(path, json_files.to_json(content))
        self.record = record

    def append(self, metric: Mapping[str, Any]) -> None:
        """Add a line to metrics.jsonl. Numbers that are not finite become null: the file stays valid JSON."""
        path = self.path / "metrics.jsonl"
        with in_plain_words(path), path.open("a+b") as file:
            metrics.cut_torn_end(file)
            file.write(json_files.to_json_line(metric))

    def metrics(self, kind: str | None = None) -> list[Json]:
        """The lines of metrics.jsonl, of one `kind` ("step", "epoch") or all; a torn end is left out."""
        entries = [entry for _, entry in metrics.read_lines(self.path / "metrics.jsonl", kind)]
        return [entry for entry in entries if kind is None or entry.get("kind") == kind]

    def keep_metrics_until(self, step: int) -> None:
        """Drop the lines whose "step" is past `step`, in one move; the others keep their bytes."""
        path = self.path / "metrics.jsonl"
        if path.exists():
            kept = [line for line, entry in metrics.read_lines(path) if entry.get("step", -math.inf) <= step]
            atomic_write(path, b"".join(kept))

    def write_probe(
        self,
        evaluation: str,
        scores: Mapping[str, Any],
        predictions: "Mapping[str, NDArray[Any]] | None" = None,
    ) -> None:
        """Write probes/<evaluation>.json, and the predictions per image beside it.

        Args:
            evaluation: its name; a later probe of the same name replaces the earlier.
            scores: keys of a ProbeRecord; "schema" and "evaluation" are added.
            predictions: "prediction", "label", and maybe "random_prediction", each int64 [n]; whatever else it has.
        """
        folder = self.path / "probes"
        path = folder / f"{evaluation}.json"
        content = json_files.plain({**scores, "schema": SCHEMA, "evaluation": evaluation})
        records.typed(ProbeRecord, content, path)
        with in_plain_words(folder):
            folder.mkdir(exist_ok=True)
        if predictions is not None:
            from safetensors.numpy import save

            data = save(dict(predictions))
            content["predictions_sha256"] = hashlib.sha256(data).hexdigest()  # ties the two files together
            atomic_write(folder / f"{evaluation}.safetensors", data)
        atomic_write(path, json_files.to_json(content))

    def probes(self, besides: Collection[str] = ()) -> dict[str, ProbeRecord]:
        """What evaluations found, by name, in the order of their names, without those of `besides`.

        Raises:
            RequestError: "broken-run", one of the files cannot be read.
        """
        paths = open_run.probes_in(self.path / "probes")
        return {path.stem: records.read_probe(path) for path in paths if path.stem not in besides}

    def predictions(self, evaluation: str) -> "dict[str, NDArray[Any]] | None":
        """Predictions per image, int64 [n] each, and other arrays; None when there are none or of another probe.

        Raises:
            RequestError: "broken-run": not as many predictions as labels, or no whole numbers.
        """
        path = self.path / "probes" / f"{evaluation}.safetensors"
        if not path.exists():
            return None
        data = json_files.read_bytes(path)
        probe = self.probes().get(evaluation)
        if probe is not None and probe.predictions_sha256 not in (None, hashlib.sha256(data).hexdigest()):
            return None
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            arrays = dict(load(data))
        except (SafetensorError, KeyError, ValueError) as error:
            raise broken(path, str(error)) from None
        lists = [array for name, array in arrays.items() if name in PER_IMAGE]
        if len({array.shape for array in lists}) > 1:
            raise broken(path, "its lists are not of one length")
        if any(array.ndim != 1 or array.dtype.kind != "i" for array in lists):
            raise broken(path, "it holds something else than lists of whole numbers")
        return arrays

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for one writer.

        Raises:
            RunBusy: another process holds it.
        """
        with locked(self.path):
            for folder in (self.path, self.path / "checkpoint", self.path / "probes"):
                sweep(folder)
            yield


def find(words: Sequence[str], root: Path) -> list[Run]:
    """The runs that a person means by `words`, each once, in the order of the words and of the seeds.

    Args:
        words: each a run folder, or a name under `root`: with its `-s<seed>`, without (all seeds), or a glob.
        root: the folder of runs.

    Raises:
        RequestError: "no-such-run" with the nearest names, and what `Run.open` raises.
    """
    unique: dict[Path, Path] = {}
    for word in words:
        for path in lookup.matches(word, Path(root)):
            unique.setdefault(path.resolve(), path)
    return [Run.open(path) for path in unique.values()]


def open_or_find(run: str | Path, runs: Path) -> Run:
    """The run of a folder, or of a name below `runs`: the first of its seeds.

    Raises:
        RequestError: there is none.
    """
    return Run.open(run) if Path(run).is_dir() else find([str(run)], runs)[0]
