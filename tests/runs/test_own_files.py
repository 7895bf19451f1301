"""A run folder may be a stranger's: what is no file in it is refused at once, and nothing is written through a link."""

import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dcp.errors import RequestError
from dcp.method import weights
from dcp.probing.features import kept
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.runs import checkpoint, encoder, held_folder, json_files, lease, metrics, predictions
from dcp.runs.run import Run

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="pipes, devices and links are POSIX"),
    pytest.mark.timeout(60),  # what waits for ever fails
]
FILES = ["run.json", "recipe.toml", "metrics.jsonl", "probes/knn.json", "probes/knn.safetensors"]
WEIGHTS = ["encoder.safetensors", "checkpoint/state.safetensors"]


def fifo(path: Path) -> None:
    os.mkfifo(path)


def zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link(path: Path) -> None:
    target = path.with_name(f"{path.name}.elsewhere")
    target.write_bytes(b"{}")
    path.symlink_to(target)


def sock(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with closing(socket.socket(socket.AF_UNIX)) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / trained.name))


def replaced(run: Path, name: str, make: Callable[[Path], None]) -> None:
    (run / name).unlink()
    make(run / name)


@contextmanager
def unchanged(*folders: Path) -> Iterator[None]:
    """Nothing in these folders changes."""

    def content() -> dict[str, bytes | None]:
        return {str(p): p.read_bytes() if p.is_file() else None for folder in folders for p in folder.rglob("*")}

    before = content()
    yield
    assert content() == before


@pytest.mark.parametrize("make", [fifo, zeros, link, sock])
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file_is_refused_by_everybody_who_reads_it(run: Path, name: str, make: Callable) -> None:
    replaced(run, name, make)

    def read_all() -> None:
        opened = Run.open(run)
        opened.recipe()
        opened.metrics()
        opened.probes()
        opened.predictions("knn")

    with unchanged(run.parent), pytest.raises(RequestError) as caught:
        read_all()
    assert caught.value.slug in ("broken-run", "half-written-run")
    assert Path(name).name in str(caught.value)


@pytest.mark.parametrize("make", [fifo, zeros, link])
@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_are_no_file_are_refused(run: Path, name: str, make: Callable) -> None:
    replaced(run, name, make)
    opened = Run.open(run)
    with pytest.raises(RequestError, match=f"bad-checkpoint.*{name}"):
        encoder.load(opened) if name == encoder.FILE else kept(opened)


@pytest.mark.parametrize(("name", "make"), [("run.json", fifo), ("probes/knn.json", zeros), ("metrics.jsonl", fifo)])
def test_the_commands_say_so_and_end(run: Path, other: Path, dcp: Callable, name: str, make: Callable) -> None:
    replaced(run, name, make)
    for words in (("compare", run, other), ("probe", run, "-e", "spectrum", "--html")):
        said = dcp(*words)
        assert said.code == 2
        assert str(run) in said.err


@pytest.mark.parametrize("folder", ["probes", "checkpoint"])
def test_a_folder_that_is_a_link_is_neither_read_nor_written_nor_swept(run: Path, folder: str, dcp: Callable) -> None:
    elsewhere = run.parent / "elsewhere"
    (run / folder).rename(elsewhere)
    (run / folder).symlink_to(elsewhere)
    (elsewhere / ".knn.json.1-deadbeef.tmp").touch()
    with unchanged(run.parent):
        assert "it is a link" in dcp("probe", run, "-e", "knn").err
        said = dcp("pretrain", "tiny/directcopy", "train.epochs=3", "--resume", "--runs", run.parent)
        assert said.code == 2
        with pytest.raises(RequestError, match="broken-run"), Run.open(run).lock():
            pass


@pytest.mark.parametrize("name", [".lock", ".lease", ".reserve"])
@pytest.mark.parametrize("make", [fifo, zeros, link])
def test_what_stands_in_the_way_of_the_lock_is_named(run: Path, name: str, make: Callable) -> None:
    make(run / name)
    with unchanged(run.parent), pytest.raises(RequestError, match="broken-run"), Run.open(run).lock():
        pass
    assert Run.open(run).status == "done"


def test_a_file_that_is_a_link_is_not_written_through(run: Path) -> None:
    opened, victim = Run.open(run), run.parent / "victim"
    victim.write_text("mine\n")
    for name in ("metrics.jsonl", "probes/knn.json", "encoder.safetensors"):
        (run / name).unlink()
        (run / name).symlink_to(victim)
    with opened.lock():
        with pytest.raises(Exception, match="it is a link"):
            opened.append({"step": 1})
        opened.write_probe("knn", {"score": {}})
        opened.write("encoder.safetensors", b"")
    assert victim.read_text() == "mine\n"
    assert not (run / "probes/knn.json").is_symlink()


def test_a_run_folder_and_a_folder_of_runs_may_be_links(run: Path, dcp: Callable) -> None:
    runs, one = run.parent / "link", run.parent / "one-s0"
    runs.symlink_to(run.parent)
    one.symlink_to(run)
    assert dcp("compare", one, "directcopy", "--runs", runs).code == 2  # one run, once
    with Run.open(one).lock():
        Run.open(one).append({"step": 10**6})
    assert dcp("probe", "directcopy", "-e", "spectrum", "--runs", runs).code == 0


def test_a_reserve_that_was_left_and_is_shared_with_a_copy_is_not_written_to(run: Path, tmp_path: Path) -> None:
    (tmp_path / "original").write_bytes(b"mine")
    (run / held_folder.RESERVE).hardlink_to(tmp_path / "original")  # as `cp -al` does
    opened = Run.open(run)
    with opened.lock(), opened.reserving():
        assert (run / held_folder.RESERVE).stat().st_size == held_folder.RESERVED
    assert (tmp_path / "original").read_bytes() == b"mine"
    assert not (run / held_folder.RESERVE).exists()


# sizes


def sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_far_too_large_is_refused_and_not_read(run: Path, name: str) -> None:
    sparse(run / name, 2**40)
    with pytest.raises(RequestError, match=r"broken-run.*it has more than [0-9,]+ MiB"):
        {"run.json": lambda: Run.open(run), "recipe.toml": lambda: Run.recipe(Run(run, None))}.get(  # type: ignore[arg-type]
            name, lambda: (Run.open(run).metrics(), Run.open(run).probes(), Run.open(run).predictions("knn"))
        )()


def test_a_line_of_metrics_that_is_far_too_long_is_named(run: Path) -> None:
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(b'{"kind": "step", "step": 1, "text": "' + b"x" * metrics.LONGEST + b'"}\n')
    with pytest.raises(RequestError, match=r"broken-run.*line \d+: it has more than 4 MiB"):
        Run.open(run).metrics()


@pytest.mark.parametrize("key", ["score", "interval"])
def test_a_probe_of_too_many_scores_is_refused(run: Path, other: Path, dcp: Callable, key: str) -> None:
    path = run / "probes/knn.json"
    content = json.loads(path.read_text())
    content[key] = {f"a{i}": None for i in range(300_000)}
    path.write_text(json.dumps(content))
    said = dcp("compare", run, other)
    assert "error[broken-run]" in said.err
    assert "more than 10,000 scores" in said.err


def test_many_probes_of_many_scores_are_too_many(run: Path) -> None:
    for i in range(3):
        Run.open(run).write_probe(f"a{i}", {"score": {f"b{j}": 0.5 for j in range(4000)}})
    with pytest.raises(RequestError, match="its files hold more than 10,000 scores"):
        Run.open(run).probes()


def test_what_dcp_writes_is_far_below_the_limits(trained: Path) -> None:
    assert (trained / "run.json").stat().st_size < json_files.LARGEST / 1000
    assert max(map(len, (trained / "metrics.jsonl").read_bytes().splitlines())) < metrics.LONGEST / 100
    assert (trained / "run.json").stat().st_size < held_folder.RESERVED / 10
    assert len(lease.Owner.me().data()) < lease.LARGEST / 100
    images = Run.open(trained).probes()["knn"].n
    size = (trained / "probes/knn.safetensors").stat().st_size
    assert size / images * 10**7 < predictions.LARGEST  # even with the header for each


def test_predictions_far_larger_than_a_data_set_are_not_read(run: Path) -> None:
    sparse(run / "probes/knn.safetensors", predictions.LARGEST + 1)
    with pytest.raises(RequestError, match="broken-run"):
        Run.open(run).predictions("knn")


def test_a_stranger_cannot_have_a_checkpoint_fill_the_memory(run: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}}).encode()
    with (run / "encoder.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 2**40)
    with pytest.raises(RequestError, match="bad-checkpoint"):
        encoder.load(Run.open(run))


@pytest.mark.parametrize("name", [encoder.FILE, checkpoint.FILE])
def test_a_stranger_cannot_have_a_checksum_computed_for_an_hour(
    run: Path, name: str, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensor = {"dtype": "F32", "shape": [2**36], "data_offsets": [0, 2**38]}
    header = json.dumps({"__metadata__": {weights.CHECKSUM: "00000000"}, "a": tensor}).encode()
    with (run / name).open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 2**38)  # a file system with holes has room for it in one block
    monkeypatch.setattr(weights, "checksum", lambda *_: pytest.fail("it is computed"))
    with pytest.raises(RequestError, match=r"bad-checkpoint.*it has 274,877,\d+,\d+ bytes instead of at most"):
        encoder.load(Run.open(run)) if name == encoder.FILE else kept(Run.open(run))
    if name == checkpoint.FILE:
        (run / encoder.FILE).unlink()
        said = dcp("pretrain", run / "recipe.toml", "--runs", run.parent, "--resume", "--quiet")
        assert "bytes instead of at most" in said.err


def test_the_bounds_of_weights_leave_room_for_what_is_written(trained: Path) -> None:
    recipe = Recipe.check(Run.open(trained).recipe())
    backbone = build.at_start(recipe).backbone
    size = weights.size(backbone.state_dict().values())
    assert (
        (trained / encoder.FILE).stat().st_size < size < (trained / encoder.FILE).stat().st_size + 2 * weights.BESIDES
    )
