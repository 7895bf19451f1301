"""A run on disk: a folder that a person can read without dcp, and a typed handle on it.

docs/run-folder.md lists its files. One process writes to a run at a time (`Run.lock`), and makes sure before it writes
that it still does; any number may read, also while it trains. Nothing here needs torch, so listing and comparing runs
is quick.
"""

import contextlib
import hashlib
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, final

from dcp.errors import RequestError, RunError, path_given, printable, shortened
from dcp.runs import json_files, lease, lookup, metrics, open_run, predictions, records
from dcp.runs.disk import create_folder
from dcp.runs.held_folder import HeldFolder
from dcp.runs.json_files import Json, broken
from dcp.runs.owner import Owner
from dcp.runs.records import SCHEMA, ProbeRecord, RunRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray


@final
class Run(HeldFolder):
    """A run folder. Make one with `Run.create`, or open one with `Run.open`.

    Attributes:
        path: the folder.
        record: the content of run.json, as last read or written through this handle.
    """

    def __init__(self, path: Path, record: RunRecord, owner: Owner | None = None) -> None:
        super().__init__(path, owner)
        self.record = record

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @classmethod
    def create(
        cls,
        root: Path,
        name: str,
        seed: int,
        recipe_toml: str,
        record: Mapping[str, Any],
        *,
        further: Mapping[str, bytes] = MappingProxyType({}),
        held: bool = False,
    ) -> "Run":
        """Make the folder `<root>/<name>-s<seed>` with its recipe and record, complete or not at all.

        Args:
            root: the folder of runs; made when missing.
            name: recipe key `run.name`; a plain folder name.
            seed: recipe key `run.seed`.
            recipe_toml: the recipe with every default written out.
            record: keys of a RunRecord; "schema", "name", "seed" and the status "running" are added.
            further: other files, by name.
            held: for this process, which is going to call `lock` at once: no other gets in between.

        Raises:
            RunExists: there is one of this name and seed.
            RunBusy: the same, and another process writes to it.
            RequestError: "run-name", `name` cannot be a folder's name.
            RunError: "disk-full" or "cannot-write".
        """
        lookup.check_name(name)
        path, owner = Path(root) / f"{name}-s{seed}", Owner.me() if held else None
        full = json_files.plain({"status": "running", **record, "schema": SCHEMA, "name": name, "seed": seed})
        records.typed(RunRecord, full, path / "run.json")
        try:
            files = {"recipe.toml": recipe_toml.encode(), "run.json": json_files.to_json(full), **further}
            create_folder(path, {**files, lease.FILE: owner.data()} if owner else files)
        except FileExistsError:
            raise open_run.exists(path) from None
        return cls(path, open_run.read_record(path), owner)

    @classmethod
    def open(cls, path: Path | str) -> "Run":
        """Open a run folder.

        Raises:
            RequestError: "no-such-run", "not-a-run", "half-written-run", "broken-run", "newer-run" or "bad-folder".
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

    @property
    def status(self) -> str:
        """What run.json says; and "killed" where it says "running" and no process writes to the run."""
        return "killed" if self.record.status == "running" and not lease.holder(self.path) else self.record.status

    @contextlib.contextmanager
    def lock(self, say: lease.Say = lambda text: None) -> Iterator[None]:
        """As `HeldFolder.lock`; may raise what `Run.open` does: `record` is read again, another may have written it."""
        with super().lock(say):
            self.record = open_run.read_record(self.path)
            yield

    def recipe(self) -> Json:
        """The recipe with every default written out, as nested tables.

        Raises:
            RequestError: "broken-run", with the reason.
        """
        return open_run.read_recipe(self.path)

    def update(self, **fields: Any) -> None:
        """Change keys of a RunRecord in run.json, in one move; the others keep what is on disk.

        Raises:
            RunError: "record-lost", run.json was removed or damaged while this process holds the run; or as `write`.
        """
        path = self.path / "run.json"
        try:
            content = json_files.read_json(path)
        except RequestError as error:
            if not self.is_held:
                raise
            self.verify()
            what, hint = "was removed", "It is there again, with what was known: go on with --resume."
            if os.path.lexists(path):
                what, hint = "was damaged", f"{error.message}\nRestore it from a copy; all else is as it was."
            what = f"run.json {what} while the run was being written"
            raise RunError(what, slug="record-lost", where=str(path), hint=hint) from None
        self._write_record({**content, **fields})

    def end(self, **fields: Any) -> None:
        """The same for a run that failed: in the room that was reserved, and where run.json was removed in a new one.

        Raises:
            RunError: as `update`.
        """
        self.release_reserve()
        if os.path.lexists(self.path / "run.json"):
            self.update(**fields)
        else:
            self._write_record({**self.record.model_dump(exclude_unset=True), **fields})

    def _write_record(self, content: Json) -> None:
        content = json_files.plain(content)
        record = records.typed(RunRecord, content, self.path / "run.json")
        self.write("run.json", json_files.to_json(content))
        self.record = record

    def append(self, metric: Mapping[str, Any]) -> None:
        """Add a line to metrics.jsonl. Numbers that are not finite become null: the file stays valid JSON."""
        with self.appending("metrics.jsonl") as file:
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
            self.write("metrics.jsonl", b"".join(kept))

    def write_probe(
        self,
        evaluation: str,
        scores: Mapping[str, Any],
        arrays: "Mapping[str, NDArray[Any]] | None" = None,
    ) -> None:
        """Write probes/<evaluation>.json, and the predictions per image beside it.

        Args:
            evaluation: its name; a later probe of the same name replaces the earlier.
            scores: keys of a ProbeRecord; "schema" and "evaluation" are added.
            arrays: "prediction", "label", and maybe "random_prediction", each int64 [n]; whatever else it has.
        """
        path = self.path / "probes" / f"{evaluation}.json"
        content = json_files.plain({**scores, "schema": SCHEMA, "evaluation": evaluation})
        records.typed(ProbeRecord, content, path)
        if arrays is not None:
            from safetensors.numpy import save

            data = save(dict(arrays))
            content["predictions_sha256"] = hashlib.sha256(data).hexdigest()  # ties the two files together
            self.write(f"probes/{evaluation}.safetensors", data)
        self.write(f"probes/{evaluation}.json", json_files.to_json(content))

    def probes(self, besides: Collection[str] = ()) -> dict[str, ProbeRecord]:
        """What evaluations found, by name, in the order of their names, without those of `besides`.

        Raises:
            RequestError: "broken-run", one of the files cannot be read.
        """
        paths = open_run.probes_in(self.path / "probes")
        probes = {path.stem: records.read_probe(path) for path in paths if path.stem not in besides}
        if sum(len(probe.score) for probe in probes.values()) > records.MOST_SCORES:
            raise broken(self.path / "probes", f"its files hold more than {records.MOST_SCORES:,} scores")
        return probes

    def predictions(self, evaluation: str) -> "dict[str, NDArray[Any]] | None":
        """Predictions per image, int64 [n] each, and other arrays; None when there are none or of another probe.

        Raises:
            RequestError: "broken-run": not as many predictions as labels, or no whole numbers.
        """
        path = self.path / "probes" / f"{evaluation}.safetensors"
        if not path.exists():
            return None
        probe = self.probes().get(evaluation)
        data = json_files.read_bytes(path, predictions.LARGEST)
        if probe is not None and probe.predictions_sha256 not in (None, hashlib.sha256(data).hexdigest()):
            return None
        return predictions.parsed(data, path)


def find(words: Sequence[str], root: Path) -> list[Run]:
    """The runs that a person means by `words`, each once, in the order of the words and of the seeds.

    Args:
        words: each a run folder, or a name under `root`: with its `-s<seed>`, without (all seeds), or a glob.
        root: the folder of runs.

    Raises:
        RequestError: "no-such-run" with the nearest names, and what `Run.open` raises.
    """
    unique: dict[Path, Path] = {}
    for path in (path for word in words for path in lookup.matches(word, Path(root))):
        unique.setdefault(path.resolve(), path)
    return [Run.open(path) for path in unique.values()]


def open_or_find(run: str | Path, runs: str | Path) -> Run:
    """The run of a folder, or of a name below `runs`: the first of its seeds.

    Raises:
        RequestError: there is none, or what is meant differs in more than the seed; as `path_given`.
    """
    path, root = path_given(run, where="run"), path_given(runs, where="runs")
    found = [Run.open(run)] if path.is_dir() else find([str(run)], root)
    if len(names := [*dict.fromkeys(lookup.without_seed(each.path.name) for each in found)]) > 1:
        what, hint = f'"{printable(shortened(run))}" means {len(names)} runs', f"Name one: {lookup.first(names)}."
        raise RequestError(what, slug="no-such-run", where=str(runs), hint=hint)
    return found[0]
