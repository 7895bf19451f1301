"""What `dcp embed` writes is whole or not there, whoever is killed, and it touches no file of others."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import dcp
from dcp.errors import RequestError, RunError
from dcp.exporting import embed as embedding
from dcp.exporting import features, source
from dcp.exporting.feature_files import parquet
from dcp.runs.run import Run

KILLED = """
import os, sys
from pathlib import Path
import dcp, dcp.exporting.embed

run, listed, out, moves, overwrite = sys.argv[1:]
left, replace = int(moves), os.replace

def killed(source, target):
    global left
    if Path(target).parent == Path(out).parent:
        if left == 0:
            os._exit(9)
        left -= 1
    replace(source, target)

os.replace = killed
dcp.embed(run, listed, out=out, workers=0, device="cpu", overwrite=overwrite == "yes")
"""


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def killed(run: Path, listed: Path, out: Path, moves: int, *, overwrite: bool) -> None:
    """Embed in a process that is killed when so many files are at their places."""
    words = [str(run), str(listed), str(out), str(moves), "yes" if overwrite else "no"]
    assert subprocess.run([sys.executable, "-c", KILLED, *words], check=False).returncode == 9


@pytest.mark.parametrize("moves", [0, 1, 2])
def test_a_kill_while_files_are_replaced_leaves_no_mixture_and_no_labels_of_before(
    trained: Path, pictures: Path, tmp_path: Path, moves: int
) -> None:
    out, listed = tmp_path / "out/f.npy", tmp_path / "list.txt"
    dcp.embed(trained, pictures, out=out, workers=0)
    assert len(np.load(tmp_path / "out/f.labels.npy")) == 40
    names = [f"pictures/dog/{i:03}.png" for i in range(1, 17, 2)]
    listed.write_text("\n".join(names))
    killed(trained, listed, out, moves, overwrite=True)
    if out.exists():
        assert len(np.load(out)) == len((tmp_path / "out/f.paths.txt").read_text().splitlines()) == 40
    made, paths = dcp.embed(trained, listed, out=out, workers=0, overwrite=True)
    assert paths == names == (tmp_path / "out/f.paths.txt").read_text().splitlines()
    np.testing.assert_array_equal(made, dcp.embed(trained, listed, workers=0)[0])
    assert names_in(tmp_path / "out") == ["f.json", "f.npy", "f.paths.txt"]


def test_the_labels_of_a_process_that_was_killed_are_not_those_of_the_next_file(
    trained: Path, pictures: Path, tmp_path: Path
) -> None:
    out, listed = tmp_path / "out/f.npy", tmp_path / "list.txt"
    killed(trained, pictures, out, 0, overwrite=False)
    listed.write_text("pictures/dog/001.png")
    dcp.embed(trained, listed, out=out, workers=0, overwrite=True)
    assert names_in(tmp_path / "out") == ["f.json", "f.npy", "f.paths.txt"]


def test_what_was_killed_between_two_files_goes_on_with_the_same_command(
    trained: Path, pictures: Path, tmp_path: Path
) -> None:
    killed(trained, pictures, tmp_path / "out/f.npy", 2, overwrite=False)
    assert not (tmp_path / "out/f.npy").exists()
    dcp.embed(trained, pictures, out=tmp_path / "out/f.npy", workers=0)
    assert names_in(tmp_path / "out") == ["f.json", "f.labels.npy", "f.npy", "f.paths.txt"]


@pytest.mark.parametrize("name", ["g.json", "g.labels.npy", "g.paths.txt"])
@pytest.mark.parametrize("content", [b'{"mine": 1}', b"mine"])
def test_overwrite_replaces_nothing_beside_the_file_that_dcp_did_not_write(
    trained: Path, pictures: Path, here: Path, dcp: Callable, name: str, content: bytes
) -> None:
    np.save("g.npy", np.zeros(3))
    Path(name).write_bytes(content)
    before = {path: path.read_bytes() for path in here.glob("g.*")}
    said = dcp("embed", trained, pictures, "--workers", "0", "--out", "g.npy", "--overwrite")
    assert said.code == 2
    assert "error[file-exists]" in said.err
    assert name in said.err
    assert {path: path.read_bytes() for path in here.glob("g.*")} == before


def test_a_folder_called_partial_that_is_not_dcps_stays(
    trained: Path, pictures: Path, here: Path, dcp: Callable
) -> None:
    Path("g.npy.partial").mkdir()
    Path("g.npy.partial/notes.txt").write_text("mine")
    said = dcp("embed", trained, pictures, "--workers", "0", "--out", "g.npy", "--overwrite")
    assert said.code == 2
    assert "error[partial-differs]" in said.err
    assert names_in(Path("g.npy.partial")) == ["notes.txt"]


def test_what_network_disks_and_finders_leave_in_the_folder_called_partial_is_no_obstacle(
    trained: Path, pictures: Path, here: Path
) -> None:
    Path("g.npy.partial").mkdir()
    for name in (".nfs0000000000000001", ".DS_Store"):
        Path("g.npy.partial", name).write_text("theirs")
    dcp.embed(trained, pictures, out="g.npy", workers=0)
    assert names_in(Path("g.npy.partial")) == [".DS_Store", ".nfs0000000000000001"]


def test_the_command_does_not_read_the_file_that_it_has_written(
    trained: Path, pictures: Path, here: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(parquet, "read", lambda out: pytest.fail("all features are in memory"))
    said = dcp("embed", trained, pictures, "--workers", "0", "--out", "f.parquet")
    assert said.code == 0
    assert "40 x 64 features" in said.out


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="which files are open is told in /proc")
def test_nothing_is_moved_or_removed_while_it_is_open_as_windows_wants_it(
    trained: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[str] = []
    unlink, replace = Path.unlink, os.replace

    def check(path: Path) -> None:
        opened = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
        if path.name != ".lock":  # Windows has none
            assert str(path) not in opened
            gone.append(path.name)

    def unlinked(path: Path, missing_ok: bool = False) -> None:
        check(path)
        unlink(path, missing_ok=missing_ok)

    def replaced(old: Path, new: Path) -> None:
        check(old)
        replace(old, new)

    monkeypatch.setattr(Path, "unlink", unlinked)
    monkeypatch.setattr(os, "replace", replaced)
    dcp.embed(trained, pictures, out=tmp_path / "f.npy", workers=0)
    assert {"features", "f.npy", "f.json"} <= set(gone)
    assert not (tmp_path / "f.npy.partial").exists()


def without_locks(opened: int, how: int) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there anyway")
def test_another_process_is_kept_out_where_the_file_system_has_no_locks(
    trained: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr(fcntl, "flock", without_locks)
    run, how, out = Run.open(trained), features.How(16, workers=0), tmp_path / "f.npy"
    images, refused = source.images(run, pictures), []

    def second(done: int, total: int) -> None:
        with pytest.raises(RequestError) as error:
            embedding.to_file(run, images, out, how)
        refused.append(error.value)

    assert embedding.to_file(run, images, out, how, watch=second).rows == 40
    assert {error.slug for error in refused} == {"file-busy"}
    assert f"process {os.getpid()} on" in str(refused[0])


def test_who_was_taken_over_from_writes_nothing_more(trained: Path, pictures: Path, tmp_path: Path) -> None:
    run, how, out = Run.open(trained), features.How(16, workers=0), tmp_path / "f.npy"

    def taken(done: int, total: int) -> None:
        lease = tmp_path / "f.npy.partial/.lease"
        if done == total:
            other = {**json.loads(lease.read_bytes()), "token": "0" * 32}
            lease.unlink()
            lease.write_text(json.dumps(other))

    with pytest.raises(RunError) as error:
        embedding.to_file(run, source.images(run, pictures), out, how, watch=taken)
    assert error.value.slug == "lease-lost"
    assert "40 of 40 images are done" in error.value.hint
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("f.")] == ["f.npy.partial"]


def test_what_changed_on_the_disk_before_it_was_copied_makes_no_file(
    trained: Path, pictures: Path, tmp_path: Path
) -> None:
    run, how, out = Run.open(trained), features.How(16, workers=0), tmp_path / "f.npy"
    images = source.images(run, pictures)

    def flipped(done: int, total: int) -> None:
        if done == total:
            kept = tmp_path / "f.npy.partial/features"
            data = bytearray(kept.read_bytes())
            data[-1500] ^= 1
            kept.write_bytes(data)

    with pytest.raises(RunError, match="of 40 features that were done, 32 can be read back"):
        embedding.to_file(run, images, out, how, watch=flipped)
    assert not out.exists()
    np.testing.assert_array_equal(
        embedding.to_file(run, images, out, how).features, embedding.in_memory(run, images, how).features
    )
