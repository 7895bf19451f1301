"""Opening a run folder: whether it is one, and what is said when it is not or only half."""

import json
import re
from pathlib import Path

import tomli

from dcp.errors import RequestError, RunBusy, RunExists
from dcp.runs import lease
from dcp.runs.disk import check_name
from dcp.runs.json_files import Json, broken, read_bytes, read_json
from dcp.runs.lookup import first, is_run, nearest, runs_in
from dcp.runs.own_files import check_folder
from dcp.runs.records import RunRecord, check_schema, typed

_PLAIN = re.compile(r"[A-Za-z0-9_@-][A-Za-z0-9._@-]*[.]json")  # "knn.json", "linear@cifar100.json"


def read_record(path: Path) -> RunRecord:
    """Read run.json of the run folder `path`.

    Raises:
        RequestError: "no-such-run", "not-a-run", "half-written-run", "broken-run", "newer-run" or "bad-folder".
    """
    check_name(path)
    try:
        _check_whole(path)
    except PermissionError as error:
        raise broken(path, error.strerror or str(error)) from None
    except OSError as error:  # no such name can be
        hint = "dcp compare and dcp probe take run folders and names of runs."
        raise RequestError(f"no such run: {error.strerror}", slug="no-such-run", where=str(path), hint=hint) from None
    record = read_json(path / "run.json")
    check_schema(record.get("schema"), path / "run.json")
    return typed(RunRecord, record, path / "run.json")


def exists(path: Path) -> RunBusy | RunExists:
    """The error for a new run at whose place there is one."""
    if held := lease.holder(path):
        return lease.busy(path, held.owner)
    hint = (
        "Go on with it: --resume. Start another beside it: run.name=NEW_NAME or --seed N.\n"
        "Collect the new one elsewhere: --runs DIR. dcp never overwrites a run."
    )
    return RunExists("this run exists", slug="run-exists", where=str(path), hint=hint)


def probes_in(folder: Path) -> list[Path]:
    """The scores in the folder `probes` of a run, in the order of their names; none without the folder.

    What evaluations write has plain names: files of other names are somebody's own, and left alone.

    Raises:
        RequestError: "broken-run": a file or a link is in its place, or it may not be read.
    """
    try:
        check_folder(folder)
        return sorted(path for path in folder.iterdir() if _PLAIN.fullmatch(path.name))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise broken(folder, error.strerror or str(error)) from None


def _check_whole(path: Path) -> None:
    if not path.exists():
        hint = nearest(path.name, path.parent)
        raise RequestError("no such run", slug="no-such-run", where=str(path), hint=hint)
    if not path.is_dir():
        hint = f"It lies in one, though: {path.parent}." if is_run(path.parent) else ""
        raise RequestError("a run is a folder, this is a file", slug="not-a-run", where=str(path), hint=hint)
    missing = [name for name in ("recipe.toml", "run.json") if not (path / name).is_file()]
    if len(missing) == 2:
        inside = first([inner.name for inner in runs_in(path)])
        hint = f"It holds runs, though: {inside}." if inside else "A run folder has a recipe.toml and a run.json."
        raise RequestError("not a run folder", slug="not-a-run", where=str(path), hint=hint)
    if missing == ["run.json"] and (path / "theory.json").is_file():
        hint = "Its figures are in its report.html, its numbers in results.csv."
        raise RequestError("a result of dcp theory, and no run", slug="not-a-run", where=str(path), hint=hint)
    if missing:
        there = "run.json" if missing == ["recipe.toml"] else "recipe.toml"
        hint = "dcp makes both in one move, so one was removed, or a copy was cut short. Copy it again."
        message = f"half a run: it has {there} but no {missing[0]}"
        raise RequestError(message, slug="half-written-run", where=str(path), hint=hint)


def read_recipe(folder: Path) -> Json:
    """The recipe of a run folder, as nested tables.

    Raises:
        RequestError: "broken-run", with the reason.
    """
    path = folder / "recipe.toml"
    try:
        table = tomli.loads(read_bytes(path).decode())
        json.dumps(table)  # TOML has dates, and recipes do not
    except (ValueError, TypeError) as error:
        raise broken(path, str(error)) from None
    except RecursionError:
        raise broken(path, "it is nested too deeply") from None
    return table
