import errno
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import dcp
from dcp.errors import RequestError, RunError
from dcp.runs import disk, held_folder
from dcp.runs.disk import atomic_write
from dcp.runs.run import Run, find

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(dcp.__file__).parents[1])}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="flock and SIGKILL are POSIX")


def python(code: str, *words: object) -> subprocess.Popen[str]:
    """Run `code` in another process; it finds `words` in sys.argv[1:]."""
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(
        command, env=ENVIRONMENT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return process.returncode, out.strip()


def create(root: Path, name: str = "tiny", seed: int = 0) -> Run:
    return Run.create(root, name, seed, "[run]\n", {"device": "cpu"})


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob(".*"))


# creating


def test_a_new_run_holds_its_recipe_and_a_sorted_indented_record(tmp_path):
    run = create(tmp_path / "deep" / "runs", seed=3)
    assert run.path == tmp_path / "deep" / "runs" / "tiny-s3"
    assert (run.path / "recipe.toml").read_text() == "[run]\n"
    assert (run.path / "run.json").read_text() == (
        '{\n  "device": "cpu",\n  "name": "tiny",\n  "schema": 1,\n  "seed": 3,\n  "status": "running"\n}\n'
    )
    assert sorted(path.name for path in run.path.iterdir()) == ["recipe.toml", "run.json"]
    assert leftovers(tmp_path) == []


def test_a_run_that_exists_is_refused_with_the_ways_out_and_stays_as_it_was(tmp_path):
    run = create(tmp_path)
    before = (run.path / "run.json").read_bytes()
    with pytest.raises(RequestError) as caught:
        Run.create(tmp_path, "tiny", 0, "[other]\n", {})
    assert str(caught.value) == (
        f"error[run-exists]: this run exists ({run.path})\n"
        "  Go on with it: --resume. Start another beside it: run.name=NEW_NAME or --seed N.\n"
        "  Collect the new one elsewhere: --runs DIR. dcp never overwrites a run."
    )
    assert (run.path / "run.json").read_bytes() == before
    assert leftovers(tmp_path) == []


def test_a_folder_with_anything_in_it_counts_as_existing_and_an_empty_one_does_not(tmp_path):
    (tmp_path / "tiny-s0").mkdir()
    (tmp_path / "tiny-s1").mkdir()
    (tmp_path / "tiny-s1" / "notes.txt").touch()
    (tmp_path / "tiny-s2").touch()
    assert create(tmp_path, seed=0).seed == 0
    for seed in (1, 2):
        with pytest.raises(RequestError, match="run-exists"):
            create(tmp_path, seed=seed)


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\\b", "a b", "a*", "-o", "a\n", "a" * 201])
def test_a_name_that_is_no_plain_folder_name_is_refused_and_nothing_is_written(tmp_path, name):
    with pytest.raises(RequestError, match=r'run.name ".*" cannot be a folder\'s name') as caught:
        create(tmp_path, name)
    assert "\n  Letters, digits" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_of_many_processes_that_create_one_name_exactly_one_wins(tmp_path):
    code = """
import sys
from pathlib import Path
from dcp.errors import RequestError
from dcp.runs.run import Run
print("ready", flush=True)
sys.stdin.readline()
try:
    Run.create(Path(sys.argv[1]), "tiny", 0, f"winner = {sys.argv[2]}", {"winner": sys.argv[2]})
    print("won")
except RequestError as error:
    print(error.slug)
"""
    processes = [python(code, tmp_path, i) for i in range(6)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    words = [finished(process)[1] for process in processes]
    assert sorted(words) == ["run-exists"] * 5 + ["won"]
    run = Run.open(tmp_path / "tiny-s0")
    assert str(run.recipe()["winner"]) == run.record.winner == str(words.index("won"))
    assert leftovers(tmp_path) == []


def test_a_process_killed_while_creating_leaves_no_run_and_no_obstacle(tmp_path):
    code = """
import os, sys
from pathlib import Path
Path.rename = lambda *_: os._exit(9)
from dcp.runs.run import Run
Run.create(Path(sys.argv[1]), "tiny", 0, "[run]", {})
"""
    assert finished(python(code, tmp_path))[0] == 9
    assert len(leftovers(tmp_path)) == 1
    assert not (tmp_path / "tiny-s0").exists()
    with pytest.raises(RequestError, match="no-such-run"):
        find(["tiny"], tmp_path)
    assert create(tmp_path).path.is_dir()


# opening


def opening(path: Path) -> str:
    with pytest.raises(RequestError) as caught:
        Run.open(path)
    return str(caught.value)


def test_a_run_that_is_not_there_is_answered_with_the_nearest_names(tmp_path):
    create(tmp_path, "stl10_directcopy")
    create(tmp_path, "cifar10_byol")
    assert opening(tmp_path / "stl10_directcpoy-s0") == (
        f"error[no-such-run]: no such run ({tmp_path / 'stl10_directcpoy-s0'})\n"
        "  Did you mean stl10_directcopy-s0 or stl10_directcopy?"
    )
    assert opening(tmp_path / "zzz").endswith(
        "\n  In " + str(tmp_path) + " there are cifar10_byol-s0, stl10_directcopy-s0."
    )
    missing = tmp_path / "nowhere"
    assert opening(missing / "x").endswith(f"\n  There are no runs in {missing}; --runs DIR says where they are.")


def test_a_folder_that_is_no_run_is_named_and_the_runs_inside_of_it_too(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "file").touch()
    for seed in range(12):
        create(tmp_path / "runs", seed=seed)
    assert opening(tmp_path / "other") == (
        f"error[not-a-run]: not a run folder ({tmp_path / 'other'})\n  A run folder has a recipe.toml and a run.json."
    )
    assert opening(tmp_path / "file") == (f"error[not-a-run]: a run is a folder, this is a file ({tmp_path / 'file'})")
    assert opening(tmp_path / "runs") == (
        f"error[not-a-run]: not a run folder ({tmp_path / 'runs'})\n"
        "  It holds runs, though: tiny-s0, tiny-s1, tiny-s2, tiny-s3, tiny-s4 and 7 more."
    )


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("recipe.toml", "half a run: it has run.json but no recipe.toml"),
        ("run.json", "half a run: it has recipe.toml but no run.json"),
    ],
)
def test_half_a_run_says_which_half(tmp_path, gone, words):
    run = create(tmp_path)
    (run.path / gone).unlink()
    hint = "dcp makes both in one move, so one was removed, or a copy was cut short. Copy it again."
    assert opening(run.path) == f"error[half-written-run]: {words} ({run.path})\n  {hint}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"schema": 1', "cannot read run.json: Expecting ',' delimiter: line 1 column 13 (char 12)"),
        (b"[]", "cannot read run.json: it holds a list, not an object"),
        (b"{}", 'cannot read run.json: it has no "schema"'),
        (b'{"schema": "1"}', 'cannot read run.json: it has no "schema"'),
        (b'{"a": "\xff"}', "cannot read run.json: 'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_a_broken_record_is_named_with_the_reason(tmp_path, content, words):
    run = create(tmp_path)
    (run.path / "run.json").write_bytes(content)
    assert opening(run.path).startswith(f"error[broken-run]: {words}")
    assert str(run.path / "run.json") in opening(run.path)


def test_a_run_of_a_newer_dcp_is_not_guessed_at(tmp_path):
    run = create(tmp_path)
    run.update(schema=2)
    assert opening(run.path) == (
        f"error[newer-run]: written by a newer dcp (schema 2; this one reads up to 1) ({run.path / 'run.json'})\n"
        "  Upgrade dcp to read it."
    )


def test_a_broken_recipe_is_named_with_its_line(tmp_path):
    run = create(tmp_path)
    (run.path / "recipe.toml").write_text("[run\n")
    with pytest.raises(RequestError, match=r"error\[broken-run\]: cannot read recipe.toml: .* \(at line 1"):
        run.recipe()


# writing


def test_an_update_changes_its_fields_and_keeps_what_another_handle_wrote(tmp_path):
    run = create(tmp_path)
    Run.open(run.path).update(images_per_s=1200.5)
    run.update(status="done", why="Größe ✗", wall_s=math.inf, data={"n": np.int64(3), "mean": np.float32(0.5)})
    expected = {
        **{"schema": 1, "name": "tiny", "seed": 0, "device": "cpu", "status": "done", "why": "Größe ✗"},
        **{"images_per_s": 1200.5, "wall_s": None, "data": {"n": 3, "mean": 0.5}},
    }
    assert run.record == Run.open(run.path).record
    assert json.loads((run.path / "run.json").read_text()) == expected
    assert "Größe ✗".encode() in (run.path / "run.json").read_bytes()


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_a_write_that_fails_keeps_the_old_content_and_leaves_nothing_beside_it(tmp_path, monkeypatch, broken):
    run = create(tmp_path)
    before = (run.path / "run.json").read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(RunError) as caught:
        run.update(status="done")
    assert str(caught.value) == (
        f"error[cannot-write]: cannot write: Input/output error ({run.path / 'run.json'})\n"
        "  Check the folder's permissions, or write elsewhere (--runs or --out)."
    )
    assert (run.path / "run.json").read_bytes() == before
    assert run.record.status == "running"
    assert leftovers(run.path) == []


class FullDisk:
    """A file on a disk with room for half of what is written."""

    def __init__(self, path: Path, mode: str) -> None:
        self.file = open(path, mode)  # noqa: PTH123, SIM115 - Path.open is what the test replaces

    def __enter__(self) -> "FullDisk":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)

    def write(self, data: bytes) -> None:
        self.file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_said_plainly_and_the_old_content_stays(tmp_path, monkeypatch):
    run = create(tmp_path)
    run.append({"kind": "step", "step": 1})
    with monkeypatch.context() as patch:
        for module in (disk, held_folder):
            patch.setattr(module, "open_file", FullDisk)
        with pytest.raises(RunError) as caught:
            atomic_write(run.path / "run.json", b"x" * 100)
        with pytest.raises(RunError, match=r"disk-full.*metrics.jsonl"):
            run.append({"kind": "step", "step": 2})
    assert str(caught.value) == (
        f"error[disk-full]: the disk is full ({run.path / 'run.json'})\n"
        "  Free some space and go on with --resume, or write elsewhere (--runs or --out)."
    )
    assert Run.open(run.path).record.status == "running"
    assert run.metrics() == [{"kind": "step", "step": 1}]
    run.append({"kind": "step", "step": 2})
    assert [entry["step"] for entry in run.metrics()] == [1, 2]
    assert leftovers(run.path) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_disk_that_may_not_be_written_is_said_plainly(tmp_path, monkeypatch, number):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RunError, match=re.escape(f"error[cannot-write]: cannot write: {os.strerror(number)}")):
        create(tmp_path)


@POSIX
def test_a_process_killed_between_write_and_rename_leaves_the_old_content(tmp_path):
    run = create(tmp_path)
    before = (run.path / "run.json").read_bytes()
    code = """
import os, sys
os.replace = lambda *_: os.kill(os.getpid(), 9)
from dcp.runs.run import Run
Run.open(sys.argv[1]).update(status="done")
"""
    assert finished(python(code, run.path))[0] == -signal.SIGKILL
    assert (run.path / "run.json").read_bytes() == before
    assert len(leftovers(run.path)) == 1


@POSIX
def test_a_process_killed_at_any_moment_leaves_a_readable_run(tmp_path):
    run = create(tmp_path)
    code = """
import sys
from dcp.runs.run import Run
run = Run.open(sys.argv[1])
print("ready", flush=True)
for step in range(10**9):
    run.append({"kind": "step", "step": step, "text": "x" * 5000})
    run.update(step=step, text="x" * 100_000)
"""
    for seed in range(4):
        process = python(code, run.path)
        process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.01, 0.1))
        process.kill()
        process.communicate()
        reopened = Run.open(run.path)
        assert len(reopened.record.text) == 100_000
        assert all(len(entry["text"]) == 5000 for entry in reopened.metrics())
    assert len(reopened.metrics("step")) > 4


# metrics


def test_metrics_are_valid_json_whatever_the_numbers_are(tmp_path):
    run = create(tmp_path)
    run.append({"kind": "step", "step": 1, "loss": math.nan, "lr": np.float32(0.5), "tau": -math.inf})
    text = (run.path / "metrics.jsonl").read_text()
    assert text == '{"kind": "step", "step": 1, "loss": null, "lr": 0.5, "tau": null}\n'
    assert json.loads(text) == run.metrics()[0]


def test_metrics_come_back_by_kind_and_a_run_without_any_has_none(tmp_path):
    run = create(tmp_path)
    assert run.metrics() == []
    for kind, step in (("step", 1), ("step", 2), ("epoch", 2)):
        run.append({"kind": kind, "step": step})
    assert run.metrics("epoch") == [{"kind": "epoch", "step": 2}]
    assert [entry["step"] for entry in run.metrics("step")] == [1, 2]


def test_a_torn_last_line_is_not_read_and_not_continued(tmp_path):
    run = create(tmp_path)
    run.append({"step": 1})
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 2')
    assert run.metrics() == [{"step": 1}]
    run.append({"step": 3})
    assert (run.path / "metrics.jsonl").read_bytes() == b'{"step": 1}\n{"step": 3}\n'
    (run.path / "metrics.jsonl").write_bytes(b'{"step')
    run.append({"step": 1})
    assert (run.path / "metrics.jsonl").read_bytes() == b'{"step": 1}\n'


def test_a_line_broken_before_the_end_is_named_by_its_number(tmp_path):
    run = create(tmp_path)
    (run.path / "metrics.jsonl").write_bytes(b'{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(RequestError, match=r"error\[broken-run\]: cannot read metrics.jsonl: line 2: "):
        run.metrics()


def test_metrics_past_a_step_are_dropped_and_the_bytes_of_the_others_stay(tmp_path):
    run = create(tmp_path)
    run.keep_metrics_until(3)
    kept = b'{"kind": "note"}\n{"step":1}\n{"step":  3, "loss": 0.10}\n'
    (run.path / "metrics.jsonl").write_bytes(kept + b'{"step": 4}\n{"kind": "epoch", "step": 5}\n{"st')
    run.keep_metrics_until(3)
    assert (run.path / "metrics.jsonl").read_bytes() == kept
    run.keep_metrics_until(-1)
    assert (run.path / "metrics.jsonl").read_bytes() == b'{"kind": "note"}\n'


# probes


def test_probes_come_back_with_their_predictions(tmp_path):
    run = create(tmp_path)
    assert run.probes() == {}
    assert run.predictions("linear") is None
    arrays = {"prediction": np.array([1, 2, 3]), "label": np.array([1, 2, 4])}
    run.write_probe("linear", {"score": {"top1": 2 / 3}, "n": 3}, arrays)
    run.write_probe("knn", {"score": {"top1": 0.5}, "n": 2, "interval": {"top1": (0.1, math.nan)}})
    assert list(run.probes()) == ["knn", "linear"]
    assert run.probes()["knn"].interval == {"top1": (0.1, None)}
    assert json.loads((run.path / "probes/knn.json").read_text()) == {
        **{"schema": 1, "evaluation": "knn", "n": 2},
        **{"score": {"top1": 0.5}, "interval": {"top1": [0.1, None]}},
    }
    assert {name: array.tolist() for name, array in run.predictions("linear").items()} == {
        "prediction": [1, 2, 3],
        "label": [1, 2, 4],
    }
    assert run.predictions("knn") is None


def test_predictions_of_another_probe_than_the_scores_are_not_given_out(tmp_path, monkeypatch):
    run = create(tmp_path)
    run.write_probe("linear", {"score": {"top1": 1.0}}, {"prediction": np.array([1]), "label": np.array([1])})
    write = Run.write

    def stop_at_json(self: Run, name: str, data: bytes) -> None:
        if name.endswith(".json"):
            raise KeyboardInterrupt
        write(self, name, data)

    monkeypatch.setattr(Run, "write", stop_at_json)
    with pytest.raises(KeyboardInterrupt):
        run.write_probe("linear", {"score": {"top1": 0.0}}, {"prediction": np.array([2]), "label": np.array([1])})
    assert run.probes()["linear"].score == {"top1": 1.0}
    assert run.predictions("linear") is None


def test_broken_predictions_are_named(tmp_path):
    run = create(tmp_path)
    run.write_probe("linear", {"score": {}})
    (run.path / "probes" / "linear.safetensors").write_bytes(b"abc")
    with pytest.raises(RequestError, match=r"error\[broken-run\]: cannot read linear.safetensors"):
        run.predictions("linear")


# locking


@POSIX
def test_a_run_that_another_process_writes_to_is_refused_until_that_process_ends(tmp_path):
    run = create(tmp_path)
    code = """
import sys
from dcp.runs.run import Run
with Run.open(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.readline()
"""
    process = python(code, run.path)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(RequestError) as caught, run.lock():
        pass
    assert re.fullmatch(
        rf"error\[run-busy\]: another process is writing to this run: process {process.pid} on \S+, since \S+ "
        rf"\({run.path}\)\n  Wait until it has ended, stop it, or start another run with its own run.name.",
        str(caught.value),
    )
    process.kill()
    process.communicate()
    with run.lock():
        assert run.record.status == "running"


@POSIX
def test_a_lock_is_given_back_when_its_block_ends_by_an_error(tmp_path):
    run = create(tmp_path)
    with pytest.raises(ZeroDivisionError), run.lock():
        raise ZeroDivisionError
    with run.lock():
        pass


# finding


def names(words: list[str], root: Path) -> list[str]:
    return [run.path.name for run in find(words, root)]


def test_a_name_means_all_its_seeds_in_the_order_of_the_seeds(tmp_path):
    for seed in (10, 2, 0):
        create(tmp_path, "a", seed)
    create(tmp_path, "a-s1", 0)
    create(tmp_path, "ab", 0)
    assert names(["a"], tmp_path) == ["a-s0", "a-s2", "a-s10"]
    assert names(["a-s2"], tmp_path) == ["a-s2"]
    assert names(["a-s1"], tmp_path) == ["a-s1-s0"]


def test_a_glob_is_held_against_names_with_and_without_seeds(tmp_path):
    for name in ("stl10_a", "stl10_b", "cifar10_a"):
        for seed in (0, 1):
            create(tmp_path, name, seed)
    assert names(["stl10_?"], tmp_path) == ["stl10_a-s0", "stl10_a-s1", "stl10_b-s0", "stl10_b-s1"]
    assert names(["*-s1"], tmp_path) == ["cifar10_a-s1", "stl10_a-s1", "stl10_b-s1"]


def test_a_folder_is_found_wherever_it_lies_and_each_run_once(tmp_path, monkeypatch):
    create(tmp_path / "runs", "a")
    create(tmp_path / "other", "b")
    monkeypatch.chdir(tmp_path)
    words = [str(tmp_path / "runs" / "a-s0"), "other/b", "runs/a", "other/b-s0/", "runs/*"]
    assert names(words, Path("nowhere")) == ["a-s0", "b-s0"]
    assert names(["a"], Path("runs")) == ["a-s0"]


def test_a_name_that_means_nothing_is_answered_with_the_nearest(tmp_path):
    create(tmp_path, "stl10_directcopy")
    with pytest.raises(RequestError) as caught:
        find(["stl10_directcop"], tmp_path)
    assert str(caught.value) == (
        f'error[no-such-run]: no run is called "stl10_directcop" ({tmp_path})\n'
        "  Did you mean stl10_directcopy or stl10_directcopy-s0?"
    )
    with pytest.raises(RequestError, match="There are no runs in"):
        find(["a"], tmp_path / "nowhere")
    with pytest.raises(RequestError, match="no-such-run"):
        find(["b*"], tmp_path)
