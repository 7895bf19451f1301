"""Damaged folders, odd places and odd terminals: one plain message, the right exit code, never a traceback."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

from dcp.cli import exit_codes
from dcp.errors import DcpError, Interrupted, RequestError, RunError
from dcp.method.weights import CHECKSUM
from dcp.recipe import layers, shipped
from dcp.recipe.recipe import Recipe
from dcp.runs import checkpoint, disk, lookup
from dcp.runs.run import Run
from dcp.training import failures

DEEP = "[" * 100_000 + "]" * 100_000
RIGHT = '[data]\nsource = "cifar10"\n[predictor]\nname = "directcopy"\n'


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A finished run that a test may damage, beside a whole one."""
    shutil.copytree(trained, tmp_path / "whole-s1")
    return Path(shutil.copytree(trained, tmp_path / trained.name))


def start(*words: object, stdout: int = subprocess.PIPE, **environment: str) -> "subprocess.CompletedProcess[str]":
    command, env = [sys.executable, "-m", "dcp", *map(str, words)], {**os.environ, **environment}
    return subprocess.run(command, env=env, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, timeout=120)


def unheard(*words: object) -> tuple[int, str]:
    """Exit code and errors of a command whose output nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = start(*words, stdout=writer)
    finally:
        os.close(writer)
    return done.returncode, done.stderr


def refused(said: Any, slug: str, *words: object) -> None:
    """The command ended with 2, this error and these words."""
    assert said.code == 2, said
    for text in (f"error[{slug}]", *words):
        assert str(text) in said.err


def changed(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


# damaged runs


@pytest.mark.parametrize(
    "fields",
    [
        *({key: value} for key in ("score", "interval", "settings", "random_encoder") for value in ([1], "a", 3)),
        *({"n": value} for value in ([1], "many", -1, 1.5, True)),
        *({"interval": {"top1": value}} for value in ([0.1], [0.1, 0.2, 0.3], "a", 3, ["a", "b"])),
        *({"score": {"top1": value}} for value in (float("nan"), float("inf"), 1.5, -0.1, "a", True, 10**400)),
        *({key: {name: None}} for key in ("score", "interval") for name in ("\x1b[31m<b>", "top1\n", "", "a" * 201)),
        {"random_encoder": {"score": {"top\t1": 0.5}}},
        {"random_encoder": {"score": {"top1": 50}}},
        {"random_encoder": {"interval": {"top1": [1]}}},
        {"score": {"rankme": float("-inf")}},
        {"step": [3]},
        {"schema": "1"},
    ],
    ids=lambda fields: json.dumps(fields)[:40],
)
def test_scores_that_dcp_would_not_write_are_refused_with_the_way_to_new_ones(
    run: Path, dcp: Callable, fields: dict[str, Any]
) -> None:
    changed(run / "probes/knn.json", **fields)
    said = dcp("compare", run, run.parent / "whole-s1")
    refused(said, "broken-run", run / "probes/knn.json", f"dcp probe {run} -e knn")


def test_scores_of_a_later_dcp_are_not_guessed_at(run: Path, dcp: Callable) -> None:
    changed(run / "probes/knn.json", schema=2)
    refused(dcp("compare", run, run.parent / "whole-s1"), "newer-run", "knn.json")


@pytest.mark.parametrize(
    "fields",
    [
        {"data": "a"}, {"data": {"fingerprint": ["a"]}}, {"state": [1]}, {"seed": "a"}, {"seed": None}, {"name": 3},
        {"status": ["done"]}, {"versions": "1"}, {"wall_s": "long"}, {"steps": [1]}, {"sittings": 3},
        {"images_per_s": 10**400},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_a_record_that_dcp_would_not_write_is_refused(run: Path, dcp: Callable, fields: dict[str, Any]) -> None:
    changed(run / "run.json", **fields)
    for words in (("compare", run, run.parent / "whole-s1"), ("probe", run)):
        refused(dcp(*words), "broken-run", run / "run.json", "Restore it from a copy")


@pytest.mark.parametrize("name", ["run.json", "probes/knn.json", "recipe.toml"])
def test_what_is_nested_too_deeply_is_a_broken_run(run: Path, dcp: Callable, name: str) -> None:
    (run / name).write_text("a = " + DEEP if name == "recipe.toml" else DEEP)
    refused(dcp("compare", run, run.parent / "whole-s1"), "broken-run", run / name)


@pytest.mark.parametrize(
    "line",
    ['{"kind": "step", "step": "3"}', '{"step": 1, "spread": Infinity}', DEEP, '{"step": -1}', '{"spread": 1e999}'],
)
def test_a_line_of_metrics_that_dcp_would_not_write_is_named(run: Path, line: str) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(RequestError, match=r"broken-run.*line ") as caught:
        Run.open(run).metrics()
    assert "delete the file" in str(caught.value)


READ: dict[str, tuple[Callable[[Run], Any], str]] = {
    "metrics.jsonl": (Run.metrics, "Is a directory"),
    "probes/knn.json": (Run.probes, "Is a directory"),
    "probes/knn.safetensors": (lambda run: run.predictions("knn"), "knn.safetensors"),
    "probes": (Run.probes, "Not a directory"),
}


@pytest.mark.parametrize("name", READ)
def test_a_folder_in_the_place_of_a_file_and_the_reverse_are_named(run: Path, name: str) -> None:
    if name == "probes":
        shutil.rmtree(run / name)
        (run / name).touch()
    else:
        (run / name).unlink()
        (run / name).mkdir()
    read, reason = READ[name]
    opened = Run.open(run)
    with pytest.raises(RequestError, match=rf"broken-run.*{reason}"):
        read(opened)


@pytest.mark.parametrize(
    "arrays",
    [
        {"prediction": np.zeros(3, np.int64), "label": np.zeros(4, np.int64)},
        {"prediction": np.zeros((2, 2), np.int64), "label": np.zeros((2, 2), np.int64)},
        {"prediction": np.zeros(3), "label": np.zeros(3)},
    ],
    ids=["lengths", "table", "floats"],
)
def test_predictions_that_are_none_are_refused(run: Path, arrays: dict[str, Any]) -> None:
    save_arrays(arrays, run / "probes/knn.safetensors")
    scores = json.loads((run / "probes/knn.json").read_text())
    del scores["predictions_sha256"]
    (run / "probes/knn.json").write_text(json.dumps(scores))
    with pytest.raises(RequestError, match="broken-run"):
        Run.open(run).predictions("knn")


# checkpoints


def rewritten(
    run: Path, *, header: dict[str, str] | None = None, drop: str = "", add: str = "", keeps_count: bool = False
) -> None:
    """The run is interrupted, and its checkpoint has another header, fewer tensors or one more."""
    changed(run / "run.json", status="interrupted")
    path = run / checkpoint.FILE
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() if header is None else header
    tensors = {name: value for name, value in load_file(path).items() if not (drop and name.startswith(drop))}
    if add:
        tensors[add] = next(iter(tensors.values())).clone()
    if not keeps_count:
        metadata.pop("tensors", None)
    metadata.pop(CHECKSUM, None)  # what is tried here is what else would notice
    save_file(tensors, path, metadata=metadata)


def resumed(run: Path, dcp: Callable) -> str:
    """What is said when it is to go on, and cannot."""
    said = dcp("pretrain", "tiny/directcopy", "--runs", run.parent, "--resume", "--quiet")
    refused(said, "bad-checkpoint")
    return said.err


def progress(**fields: Any) -> dict[str, str]:
    return {"progress": json.dumps({"next_step": 3, **fields})}


DAMAGE: dict[str, dict[str, Any]] = {
    "no progress": {"header": {"a": "b"}},
    "no JSON": {"header": {"progress": "{"}},
    "deep JSON": {"header": {"progress": DEEP}},
    "no object": {"header": {"progress": "[1]"}},
    "no next step": {"header": {"progress": "{}"}},
    "a negative step": {"header": progress(next_step=-1)},
    "a step that is text": {"header": progress(next_step="3")},
    "half a step": {"header": progress(next_step=1.5)},
    "a time that is text": {"header": progress(wall_s="3")},
    "health that is a list": {"header": progress(health=[1])},
    "a mean of one number": {"header": progress(line=[1])},
    "another parameter": {"add": "optimizer.nowhere.weight|momentum_buffer"},
    "another optimizer": {"add": "optimizer.online.backbone.conv1.weight|prodigy"},
    "no state of the optimizer": {"drop": "optimizer."},
    "half a network": {"drop": "online.backbone.layer1"},
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_checkpoint_that_cannot_be_gone_on_from_is_refused(run: Path, dcp: Callable, case: str) -> None:
    rewritten(run, **DAMAGE[case])
    assert "delete it and go on with --resume" in resumed(run, dcp)


def test_a_checkpoint_that_lost_tensors_is_refused_with_how_many(run: Path, dcp: Callable) -> None:
    rewritten(run, drop="optimizer.", keeps_count=True)
    assert "tensors instead of" in resumed(run, dcp)


def test_a_file_in_the_place_of_the_checkpoint_is_refused(run: Path, dcp: Callable) -> None:
    changed(run / "run.json", status="interrupted")
    shutil.rmtree(run / "checkpoint")
    (run / "checkpoint").touch()
    said = dcp("pretrain", "tiny/directcopy", "--runs", run.parent, "--resume", "--quiet")
    refused(said, "broken-run", "cannot read checkpoint: Not a directory")


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are POSIX")
def test_a_disk_that_fills_up_under_a_checkpoint_is_said_plainly(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
import torch
from dcp.runs import checkpoint
from dcp.cli.exit_codes import guarded
method = torch.nn.Linear(300, 300)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
sys.exit(guarded(lambda: checkpoint.save(Path(sys.argv[1]), method, torch.optim.SGD(method.parameters()), None, {})))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error[disk-full]: the disk is full")
    assert "Traceback" not in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(("number", "slug"), [(28, "disk-full"), (122, "disk-full"), (30, "cannot-write")])
def test_an_error_of_safetensors_counts_as_that_of_the_system(tmp_path: Path, number: int, slug: str) -> None:
    class SafetensorError(Exception):
        pass

    with pytest.raises(DcpError) as caught, disk.in_plain_words(tmp_path):
        raise SafetensorError(f"Error while serializing: I/O error: what it says (os error {number})")
    assert caught.value.slug == slug
    assert caught.value.exit_code == 1


# places


def denied(monkeypatch: pytest.MonkeyPatch, folder: Path, *what: str) -> None:
    """`folder` may not be looked into, as far as pathlib can tell; root may look into everything."""
    for name in what or ("stat", "iterdir", "read_bytes"):
        real = getattr(Path, name)

        def refuse(self: Path, *args: Any, real: Callable = real, name: str = name, **more: Any) -> Any:
            if folder in self.parents or (name == "iterdir" and self == folder):
                raise PermissionError(13, "Permission denied", str(self))
            return real(self, *args, **more)

        monkeypatch.setattr(Path, name, refuse)


def test_a_run_that_may_not_be_read_is_named_and_stands_in_nobodys_way(
    run: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run.parent / "lost+found").mkdir()
    shutil.copytree(run, run.parent / "third-s0")
    denied(monkeypatch, run)
    assert [path.name for path in lookup.matches("whole", run.parent)] == ["whole-s1"]
    for words in (("compare", run, "whole"), ("probe", "directcopy"), ("compare", "*")):
        refused(dcp(*words, "--runs", run.parent), "broken-run", "Permission denied", run)


def test_a_folder_of_runs_that_may_not_be_read_is_said(
    run: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied(monkeypatch, run.parent, "iterdir")
    said = dcp("probe", "thing*", "--runs", run.parent)
    assert said.code == 2
    assert "that can be seen (Permission denied)" in said.err


LONG = "a" * 300


@pytest.mark.parametrize(
    "words",
    [
        ("compare", LONG, "b"),
        ("compare", "a", "b", "--runs", LONG),
        ("probe", f"x/{LONG}"),
        ("probe", "a\0b"),
        ("pretrain", "tiny/directcopy", f"run.name={LONG}"),
        ("pretrain", LONG),
        ("recipes", "check", "a" * 5000),
        ("recipes", "copy", "quickstart", LONG),
        ("recipes", "copy", "quickstart", "afile/x.toml"),
        ("recipes", "copy", "quickstart", "afile/y/x.toml"),
        ("recipes", "copy", "quickstart", "/proc/x.toml"),
        ("recipes", "copy", "quickstart", "dangling.toml"),
        ("recipes", "show", "latin.toml"),
        ("recipes", "check", "latin.toml"),
        ("compare", "afile", "afile/b"),
        ("compare", "./afile", "./dangling.toml"),
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_a_place_that_cannot_be_is_a_wrong_request(
    words: tuple[str, ...], tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("afile").touch()
    Path("latin.toml").write_bytes(b"# \xfcber\n")
    Path("dangling.toml").symlink_to(tmp_path / "nowhere" / "x.toml")
    said = dcp(*words)
    assert said.code == 2, said
    assert said.err.startswith("error[")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["afile", "dangling.toml", "latin.toml"]


def test_a_run_that_is_a_file_is_said_to_be_one(run: Path, dcp: Callable) -> None:
    said = dcp("compare", run / "run.json", run)
    assert said.code == 2
    assert "a run is a folder, this is a file" in said.err
    assert f"It lies in one, though: {run}" in said.err


def test_no_run_can_be_made_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "afile").touch()
    for root, slug in ((tmp_path / "afile", "bad-folder"), (tmp_path / LONG, "bad-folder")):
        with pytest.raises(RequestError) as caught:
            Run.create(root, "a", 0, "", {})
        assert caught.value.slug == slug
    (tmp_path / "b-s0").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RequestError, match="run-exists"):
        Run.create(tmp_path, "b", 0, "", {})
    with pytest.raises(RequestError, match="run-name"):
        Run.create(tmp_path, LONG, 0, "", {})


# recipes


@pytest.mark.parametrize("name", ["cifar10_byol", "tiny/identity", "tiny/directcopy"])
@pytest.mark.parametrize("to", ["x.toml", "sub/cifar10_directcopy.toml", "directcopy.toml"])
def test_a_copy_of_a_recipe_says_the_same_wherever_it_lies(name: str, to: str, tmp_path: Path, dcp: Callable) -> None:
    assert dcp("recipes", "copy", name, tmp_path / to).code == 0
    copied, own = Recipe.read(str(tmp_path / to)).table(), Recipe.read(name).table()
    assert {**copied, "run": own["run"]} == own


def test_a_copy_of_ones_own_recipe_finds_its_parent_too(tmp_path: Path, dcp: Callable) -> None:
    (tmp_path / "base.toml").write_text(RIGHT)
    (tmp_path / "child.toml").write_text("# mine\nextends = 'base.toml'  # yes\n[train]\nepochs = 3\n")
    assert dcp("recipes", "copy", tmp_path / "child.toml", tmp_path / "deep/er.toml").code == 0
    assert Recipe.read(str(tmp_path / "deep/er.toml")).train.epochs == 3
    assert (tmp_path / "deep/er.toml").read_text().startswith("# mine\nextends = ")


@pytest.mark.parametrize("parent", ["cifar10_directcopy.toml", "tiny/directcopy.toml", "recipes/tiny/directcopy"])
def test_a_recipe_that_ships_is_extended_by_each_form_of_its_name(parent: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(f'extends = "{parent}"\n')
    assert Recipe.read(str(tmp_path / "a.toml")).predictor.name == "directcopy"


DEEP_TABLE = "x = " + "[" * 3000 + "]" * 3000
STRANGE = {
    "a long number": (f"x = {'9' * 5001}", "bad-toml"),
    "lists in lists": (DEEP_TABLE, "bad-toml"),
    "tables in tables": ("x = " + "{a = " * 500 + "1" + "}" * 500, "bad-toml"),
    "a long key": (".".join("a" * 2000) + " = 1", "bad-toml"),
    "a long header": (f"[{'.'.join('a' * 2000)}]", "bad-toml"),
    "a long parent": (f'extends = "{"a" * 5000}"', "bad-extends"),
    "a parent with a zero": ('extends = "a\\u0000b"', "bad-extends"),
    "a text with a zero": (
        RIGHT + '[run]\nname = "a"\n[probe.data]\nsource = "cifar10"\nroot = "a\\u0000"',
        "bad-value",
    ),
    "a long number in sixteens": (RIGHT + f"[train]\nbatch = 0x{'f' * 5001}", "bad-value"),
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_strange_recipe_is_a_wrong_request(case: str, tmp_path: Path, dcp: Callable) -> None:
    text, slug = STRANGE[case]
    (tmp_path / "a.toml").write_text(text)
    said = dcp("recipes", "check", tmp_path / "a.toml")
    refused(said, slug)
    assert len(said.err) < 2000


@pytest.mark.parametrize("value", [f"a={'9' * 5001}", f"a={'[' * 3000}{']' * 3000}", f"{'.'.join('a' * 2000)}=1"])
def test_a_strange_override_is_a_wrong_request(value: str, dcp: Callable) -> None:
    said = dcp("recipes", "check", "quickstart", "--set", value)
    refused(said, "bad-override")
    assert len(said.err) < 1000


def test_a_link_to_itself_beside_a_recipe_is_no_recipe_that_may_be_meant(tmp_path: Path, dcp: Callable) -> None:
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "mine.toml").write_text('extends = "loops.toml"\n')
    for words in (("check",), ("copy",)):
        refused(dcp("recipes", *words, tmp_path / "mine.toml"), "bad-extends", "there is no such recipe")
    refused(dcp("recipes", "check", tmp_path / "loop.toml"), "no-such-recipe")


def test_recipes_extend_each_other_over_a_few_files_only(tmp_path: Path, dcp: Callable) -> None:
    (tmp_path / "0.toml").write_text(RIGHT)
    for i in range(1, 60):
        (tmp_path / f"{i}.toml").write_text(f'extends = "{i - 1}.toml"')
    assert dcp("recipes", "check", tmp_path / f"{layers.LONGEST_LINE}.toml").code == 0
    refused(dcp("recipes", "check", tmp_path / "59.toml"), "bad-extends", "extends goes over more than 20 files")


@pytest.mark.parametrize(
    "value",
    [
        *("optimizer.lr=1e308", "optimizer.weight_decay=1e308", "optimizer.eta=1e308", "train.log_every=1000000000000"),
        *(f"network.{key}=1000000000000" for key in ("width", "projector.hidden", "projector.out")),
    ],
)
def test_a_number_that_no_machine_can_use_is_out_of_bounds(value: str, dcp: Callable) -> None:
    refused(dcp("recipes", "check", "quickstart", "--set", value), "bad-value", "expected at most")


@pytest.mark.parametrize("text", ["[target]\ntau = 0.9\n", '[target]\nname = "ema"\ntau = 0.9\n'])
@pytest.mark.parametrize("section", ["target", "objective"])
def test_a_variant_by_default_gives_way_as_one_that_is_named(text: str, section: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(RIGHT + text)
    (tmp_path / "b.toml").write_text('extends = "a.toml"\n[target]\nname = "online"\n')
    (tmp_path / "c.toml").write_text('extends = "a.toml"\n[target]\ntau_start = 0.5\n')
    assert Recipe.read(str(tmp_path / "a.toml"), ("target.name=online",)).target.name == "online"
    assert Recipe.read(str(tmp_path / "b.toml")).target.name == "online"
    assert layers.load(str(tmp_path / "c.toml"))[0]["target"] == {"name": "ema", "tau": 0.9, "tau_start": 0.5}
    assert layers.overridden({}, ("target.tau=0.9", "target.name=ema"))["target"] == {"tau": 0.9, "name": "ema"}


def test_bounds_are_said_as_toml_writes_lists(dcp: Callable) -> None:
    said = dcp("recipes", "check", "quickstart", "--set", "views.crop_scale=[0.9, 0.1]")
    refused(said, "bad-value", "must go up: [0.9, 0.1]")


# terminals and the outside


@pytest.mark.parametrize("words", [("recipes", "list"), ("recipes", "show", "quickstart")])
def test_a_terminal_of_few_letters_is_shown_the_others_escaped(words: tuple[str, ...]) -> None:
    done = start(*words, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u2016" in done.stdout or words[1] == "show"  # ‖


def test_a_reader_that_has_gone_ends_a_command_in_silence(run: Path) -> None:
    for words in (("recipes", "list"), ("recipes", "schema"), ("compare", run, run.parent / "whole-s1")):
        assert unheard(*words) == (0, "")


def test_an_output_that_is_full_is_said_plainly() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no full device")
    with Path("/dev/full").open("w") as full:
        done = start("recipes", "list", stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr.startswith("error[no-output]: cannot write the output: No space left on device")
    assert "Exception" not in done.stderr


def test_names_that_a_terminal_would_obey_are_printed_escaped() -> None:
    error = RequestError("it is a\nb", slug="bad-file", where="x\n\x1b[31m\udcff/ρ", hint="one\ntwo\x07")
    assert str(error) == "error[bad-file]: it is a\\nb (x\\n\\x1b[31m\\xff/ρ)\n  one\n  two\\x07"


@pytest.mark.parametrize(
    ("rank", "count", "told"),
    [(None, None, True), ("1", None, True), ("1", "1", True), ("0", "2", True), ("1", "2", False), ("x", "2", True),
     ("-1", "2", True), ("1", "two", True)],
)  # fmt: skip
def test_only_another_of_several_processes_leaves_the_word_to_the_first(
    rank: str | None, count: str | None, told: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("RANK", rank), ("WORLD_SIZE", count)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    for error in (RequestError("wrong", slug="bad-option"), Interrupted(130)):

        def fail(error: BaseException = error) -> None:
            raise error

        assert exit_codes.guarded(fail) in (2, 130)
        assert bool(capfd.readouterr().err) == told


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device", "/x"), "No space left on device (/x)"),
        (UnicodeEncodeError("ascii", "ü", 0, 1, "no such letter"), "no such letter"),
        (RecursionError("deep"), "nested too deeply"),
        (MemoryError(), "memory ran out"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_nobody_said_better_is_one_plain_line(
    error: Exception, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    assert exit_codes.guarded(fail) == 1
    said = capfd.readouterr().err
    assert said.startswith("error[system-error]: ")
    assert words in said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "memory ran out"),
        (MemoryError("no room\nat all"), "memory ran out: no room"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory ran out: DefaultCPUAllocator"),
    ],
)
def test_memory_that_ran_out_is_said_with_what_is_known_of_it(error: Exception, said: str) -> None:
    with pytest.raises(RunError) as found, failures.in_words(None):
        raise error
    assert found.value.message.startswith(said)
    assert not found.value.message.endswith(": ")


def test_another_exit_and_a_bug_pass() -> None:
    for error in (SystemExit(3), ZeroDivisionError()):

        def fail(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)):
            exit_codes.guarded(fail)


def test_every_error_of_a_run_or_a_file_names_a_way_out(run: Path, tmp_path: Path) -> None:
    (run / "run.json").write_text("[")
    (tmp_path / "latin.toml").write_bytes(b"\xfc")
    for work in (lambda: Run.open(run), lambda: shipped.read(tmp_path / "latin.toml"), lambda: shipped.read(run)):
        with pytest.raises(RequestError) as caught:
            work()
        assert caught.value.hint
