"""`dcp embed` writes the features that `dcp.load_encoder` gives, in order, whatever interrupts it."""

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from picture_files import drawn

import dcp
from dcp.errors import RequestError, RunError
from dcp.exporting import embed as embedding
from dcp.exporting import features, path_lists, source
from dcp.exporting.feature_files import parquet
from dcp.exporting.partial import Partial
from dcp.runs.run import Run

ENDINGS = ("npy", "safetensors", "parquet")


def test_the_features_are_those_of_the_encoder_in_file_order_with_paths(trained: Path, pictures: Path) -> None:
    made, paths = dcp.embed(trained, pictures, batch=16, workers=1)
    files = sorted(pictures.rglob("*.png"))
    assert paths == [path.relative_to(pictures).as_posix() for path in files]
    assert made.dtype == np.float32
    wanted = dcp.load_encoder(trained)([str(path) for path in files]).numpy()
    np.testing.assert_allclose(made, wanted, rtol=0, atol=1e-5)
    listed, same = dcp.embed(trained, files[::-1], batch=16, workers=0)
    np.testing.assert_allclose(listed, wanted[::-1], rtol=0, atol=1e-5)
    assert same == [path.as_posix() for path in files[::-1]]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_holds_features_paths_labels_and_what_was_left_out(
    trained: Path, pictures: Path, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
        monkeypatch.setattr(parquet, "ROWS", 7)
    (pictures / "cat/004.png").write_bytes(b"no image")
    out = tmp_path / f"out/f.{ending}"
    written, paths = dcp.embed(trained, pictures, out=out, batch=16, workers=1, skip_broken=True)
    memory, same = dcp.embed(trained, pictures, batch=16, workers=0, skip_broken=True)
    np.testing.assert_array_equal(written, memory)
    assert paths == same
    assert len(paths) == 39
    assert "cat/004.png" not in paths
    labels = [0 if path.startswith("cat") else 1 for path in paths]
    if ending == "npy":
        assert (tmp_path / "out/f.paths.txt").read_text().splitlines() == paths
        found, about = np.load(tmp_path / "out/f.labels.npy"), json.loads((tmp_path / "out/f.json").read_text())
        assert isinstance(written, np.memmap)
    elif ending == "safetensors":
        from safetensors import safe_open

        with safe_open(out, "np") as file:
            about, found = json.loads(file.metadata()["dcp"]), file.get_tensor("labels")
            text, ends = file.get_tensor("paths").tobytes(), file.get_tensor("path_ends")
            np.testing.assert_array_equal(file.get_tensor("features"), memory)
        starts = [0, *ends[:-1]]
        assert [text[a:b].decode() for a, b in zip(starts, ends, strict=True)] == paths
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(out)
        about = json.loads(table.schema.metadata[b"dcp"])
        assert table["path"].to_pylist() == paths
        assert table["class"].to_pylist() == [about["classes"][k] for k in labels]
        found = table["label"].to_numpy()
    np.testing.assert_array_equal(found, labels)
    assert about["classes"] == ["cat", "dog"]
    assert [path for path, _ in about["left_out"]] == ["cat/004.png"]
    assert "it is no JPEG" in about["left_out"][0][1]
    assert about["run"] == trained.name
    assert sorted(path.name for path in out.parent.iterdir() if path.name.startswith(".")) == []
    assert not out.with_name(out.name + ".partial").exists()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("cut", [0, 1, 30, 5000, -1, -700])
def test_what_was_cut_off_anywhere_goes_on_and_ends_in_the_same_bytes(
    trained: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int, ending: str
) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    whole, other = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    dcp.embed(trained, pictures, out=whole, batch=16, workers=0)
    with monkeypatch.context() as patch:
        patch.setattr(embedding, "finish", lambda *_, **__: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            dcp.embed(trained, pictures, out=other, batch=16, workers=0)
    partial = tmp_path / f"b.{ending}.partial/features"
    data = partial.read_bytes()
    begin = data.index(b"\n") + 1
    partial.write_bytes(data[: begin + cut if cut > 1 else cut if cut >= 0 else len(data) + cut])
    dcp.embed(trained, pictures, out=other, batch=16, workers=0)
    for path in tmp_path.glob("a.*"):
        assert path.read_bytes() == (tmp_path / path.name.replace("a.", "b.", 1)).read_bytes(), path.name


def test_a_byte_that_changed_on_the_disk_is_made_again(
    trained: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, how, out = Run.open(trained), features.How(16, workers=0), tmp_path / "a.npy"
    monkeypatch.setattr(Partial, "remove", lambda self: None)
    images = source.images(run, pictures)
    first = np.array(embedding.to_file(run, images, out, how).features)
    partial = tmp_path / "a.npy.partial/features"
    data = bytearray(partial.read_bytes())
    data[-1500] ^= 1
    partial.write_bytes(data)
    again = embedding.to_file(run, images, out, how, overwrite=True)
    assert again.resumed == 32  # of 40: the byte lies in the last batch
    np.testing.assert_array_equal(again.features, first)


@pytest.mark.slow
def test_a_process_that_was_killed_in_the_middle_goes_on_and_another_one_is_kept_out(
    trained: Path, tmp_path: Path, dcp: Callable
) -> None:
    folder = drawn(tmp_path / "many", 600, (300, 300))
    words = ["embed", str(trained), str(folder), "--batch", "8", "--workers", "1", "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-m", "dcp", *words, "--out", str(tmp_path / "b.npy")], stdout=subprocess.DEVNULL
    )
    partial = tmp_path / "b.npy.partial/features"
    while process.poll() is None and (not partial.exists() or partial.stat().st_size < 20_000):
        time.sleep(0.01)
    busy = dcp(*words, "--out", tmp_path / "b.npy")
    assert "error[file-busy]" in busy.err or process.poll() is not None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert partial.exists()
    said = dcp(*words, "--out", tmp_path / "b.npy")
    assert said.code == 0
    assert "had been done before" in said.out
    assert dcp(*words, "--out", tmp_path / "a.npy").code == 0
    for name in ("npy", "paths.txt", "labels.npy", "json"):
        assert (tmp_path / f"a.{name}").read_bytes() == (tmp_path / f"b.{name}").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_code_and_says_how_to_go_on(
    trained: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    folder = drawn(tmp_path / "many", 600, (300, 300))
    words = ["embed", str(trained), str(folder), "--batch", "8", "--workers", "1", "--out", str(tmp_path / "b.npy")]
    process = subprocess.Popen(
        [sys.executable, "-m", "dcp", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    partial = tmp_path / "b.npy.partial/features"
    while process.poll() is None and (not partial.exists() or partial.stat().st_size < 20_000):
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert "of 600 images are done" in said
    assert "the same command goes on" in said
    assert partial.exists()


def test_a_broken_image_ends_it_with_its_name_and_how_far_it_came_and_can_then_be_left_out(
    trained: Path, pictures: Path, tmp_path: Path, dcp: Callable
) -> None:
    (pictures / "dog/039.png").write_bytes(b"")
    words = ["embed", trained, pictures, "--batch", 16, "--out", tmp_path / "f.npy"]
    said = dcp(*words)
    assert said.code == 1
    assert "dog/039.png" in said.err
    assert "32 of 40 images are done" in said.err
    assert "--skip-broken" in said.err
    said = dcp(*words, "--skip-broken", "--json")
    assert said.code == 0
    assert "32 images had been done before" in said.out
    assert "1 image cannot be read, and is left out: dog/039.png" in said.out
    told = json.loads(said.out.splitlines()[-1])
    assert (told["images"], told["rows"], told["features"]) == (40, 39, 64)
    assert told["run"] == str(trained)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_batch_without_a_readable_image_is_left_out_and_goes_on_after_an_interruption(
    trained: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    for path in pictures.glob("cat/*"):
        path.write_bytes(b"no image")
    out = tmp_path / f"f.{ending}"
    with monkeypatch.context() as patch:
        patch.setattr(embedding, "finish", lambda *_, **__: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            dcp.embed(trained, pictures, out=out, batch=10, workers=0, skip_broken=True)
    made, paths = dcp.embed(trained, pictures, out=out, batch=10, workers=0, skip_broken=True)
    memory, same = dcp.embed(trained, pictures, batch=10, workers=0, skip_broken=True)
    assert paths == same == [f"dog/{i:03}.png" for i in range(1, 40, 2)]
    np.testing.assert_array_equal(made, memory)


def test_without_any_readable_image_there_are_no_features_and_nothing_is_left(
    trained: Path, tmp_path: Path, dcp: Callable
) -> None:
    folder = drawn(tmp_path / "broken", 3)
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no image")
    said = dcp("embed", trained, folder, "--skip-broken", "--workers", "0", "--out", tmp_path / "f.npy")
    assert said.code == 2
    assert "error[no-images]" in said.err
    assert "cat/000.png" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


def test_data_sets_folders_with_splits_and_lists(
    trained: Path, here: Path, monkeypatch: pytest.MonkeyPatch, dcp: Callable
) -> None:
    drawn(here / "data/train", 6)
    drawn(here / "data/val", 4)
    assert dcp("embed", trained, "shapes", "--split", "test", "--out", "s.npy").code == 0
    assert np.load("s.npy").shape == (128, 64)
    assert Path("s.paths.txt").read_text().splitlines()[127] == "test/127"
    assert len(np.load("s.labels.npy")) == 128
    assert "--split train" in dcp("embed", trained, "data", "--out", "d.npy").err
    assert dcp("embed", trained, "data", "--split", "test", "--out", "d.npy").code == 0
    assert np.load("d.labels.npy").tolist() == [0, 0, 1, 1]
    Path("lists").mkdir()
    names = [f"../{path.as_posix()}" for path in sorted(Path("data").rglob("*.png"))]
    Path("lists/some.txt").write_text("\r\n".join([*names, "", names[0]]))
    assert dcp("embed", trained, "lists/some.txt", "--out", "l.npy").code == 0
    assert Path("l.paths.txt").read_text().splitlines() == [*names, names[0]]
    assert not Path("l.labels.npy").exists()
    found = np.load("l.npy")
    np.testing.assert_array_equal(found[0], found[-1])
    for text in ("\n".join(n[3:] for n in names), "\0".join(n[3:] for n in names) + "\0"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert dcp("embed", trained, "-", "--out", "i.npy", "--overwrite").code == 0
        np.testing.assert_allclose(np.load("i.npy"), found[:-1], rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of five-channel .npy images, which lie in images/ beside it."""
    root = tmp_path_factory.mktemp("five")
    random = np.random.default_rng(0)
    (root / "images").mkdir()
    for i in range(32):
        np.save(root / f"images/{i:02}.npy", random.integers(0, 65536, (24, 24, 5), np.uint16))
    views = ("normalize=computed", "jitter_p=0", "grayscale=0", "solarize=0")
    data = ("data.source=folder", f"data.root={json.dumps(str(root / 'images'))}", "data.channels=5")
    sets = (*data, "data.image_size=32", *(f"views.{each}" for each in views), "train.batch=16", "train.epochs=1")
    recipe = root / "five.toml"
    recipe.write_text('[network]\nwidth = 8\nprojector = { hidden = 32, out = 16 }\n[predictor]\nname = "directcopy"\n')
    return dcp.pretrain(recipe, runs=root / "runs", sets=sets)


def test_arrays_in_a_folder_are_images_where_the_run_takes_them(five: Path) -> None:
    folder = five.parent.parent / "images"
    made, paths = dcp.embed(five, folder, workers=0)
    assert paths == [f"{i:02}.npy" for i in range(32)]
    wanted = dcp.load_encoder(five)([np.load(folder / path) for path in paths]).numpy()
    np.testing.assert_allclose(made, wanted, rtol=0, atol=1e-5)


def test_images_of_another_number_of_channels_are_refused(five: Path, trained: Path, here: Path, dcp: Callable) -> None:
    said = dcp("embed", five, "shapes", "--split", "test", "--out", "f.npy")
    assert said.code == 2
    assert "error[bad-combination]" in said.err
    assert "have 3 channels, and those that the run was trained on 5" in " ".join(said.err.split())
    folder = five.parent.parent / "images"
    for run, channels in ((five, 1), (five, 5), (trained, 1)):
        said = dcp("embed", run, folder, "--set", f"data.channels={channels}", "--out", "f.npy")
        assert said.code == 2
        assert "error[bad-override]" in said.err
        assert "data.channels cannot be set here" in said.err
    assert list(here.glob("f.*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs, no /dev")
def test_a_list_is_a_file_that_has_an_end(
    trained: Path, here: Path, monkeypatch: pytest.MonkeyPatch, dcp: Callable
) -> None:
    os.mkfifo("fifo")
    for path, kind in (("fifo", "a FIFO"), ("/dev/null", "a device")):
        said = dcp("embed", trained, path, "--out", "f.npy")
        assert said.code == 2
        assert "error[bad-source]" in said.err
        assert f"it is {kind}, not a file" in said.err
    monkeypatch.setattr(path_lists, "LONGEST", 9)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a.png\nb.png")))
    Path("list.txt").write_text("a.png\nb.png")
    for path in ("-", "list.txt"):
        said = dcp("embed", trained, path, "--out", "f.npy")
        assert said.code == 2
        assert "a list of more than 9 bytes" in said.err


def test_odd_names_stand_in_one_line_each(trained: Path, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "odd", 3)
    (folder / "cat/000.png").rename(folder / "cat/a\nb.png")
    Path(os.fsdecode(os.fsencode(folder / "cat") + b"/\xff.png")).write_bytes((folder / "cat/002.png").read_bytes())
    _, paths = dcp.embed(trained, folder, out=tmp_path / "f.npy", workers=0)
    assert paths == ["cat/002.png", "cat/a\\x0ab.png", "cat/\\xff.png", "dog/001.png"]
    assert (tmp_path / "f.paths.txt").read_text().splitlines() == paths


WRONG: dict[str, tuple[list[str], str]] = {
    "no format": (["pictures", "--out", "f.csv"], ".npy, .parquet, .safetensors"),
    "a folder as file": (["pictures", "--out", "folder.npy"], "folder.npy"),
    "there already": (["pictures", "--out", "there.npy"], "--overwrite"),
    "its labels there already": (["pictures", "--out", "labelled.npy"], "labelled.labels.npy"),
    "no source": (["pictured", "--out", "f.npy"], '"pictured"'),
    "a near data set": (["cifar1O", "--out", "f.npy"], "cifar10"),
    "an image": (["pictures/cat/000.png", "--out", "f.npy"], "a list has a path a line"),
    "no root of a folder": (["folder", "--split", "test", "--out", "f.npy"], "--set data.root=DIR; or give the folder"),
    "no root of shards": (["shards", "--split", "test", "--out", "f.npy"], '"shards" needs data.root'),
    "no root of hf": (["hf", "--split", "test", "--out", "f.npy"], '"hf" needs data.root'),
    "a tar": (["tars/train/a.tar", "--out", "f.npy"], "shards --split pretrain --set data.root=tars/train"),
    "a gzipped tar": (["a.tar.gz", "--out", "f.npy"], "a compressed file"),
    "a table of hf": (["saved/data.arrow", "--out", "f.npy"], "hf --split pretrain --set data.root=saved"),
    "a folder of tars": (["tars/train", "--out", "f.npy"], "shards --split pretrain --set data.root=tars/train"),
    "tars of splits": (["tars", "--out", "f.npy"], "shards --split pretrain --set data.root=tars"),
    "a split of tars": (["tars", "--split", "test", "--out", "f.npy"], "shards --split pretrain --set data.root=tars"),
    "a saved data set": (["saved", "--out", "f.npy"], "hf --split pretrain --set data.root=saved"),
    "an empty list": (["empty.txt", "--out", "f.npy"], "the list is empty"),
    "a list of nothing": (["gone.txt", "--out", "f.npy"], "2 of 2 files are not there"),
    "an empty folder": (["nothing", "--out", "f.npy"], "no images"),
    "no split": (["shapes", "--out", "f.npy"], "--split test"),
    "a split of a list": (["gone.txt", "--split", "test", "--out", "f.npy"], "no splits"),
    "a split of a folder": (["pictures", "--split", "test", "--out", "f.npy"], "no train/"),
    "another split": (["shapes", "--split", "dev", "--out", "f.npy"], '"dev"'),
    "no batch": (["pictures", "--batch", "0", "--out", "f.npy"], "--batch is 0"),
    "no workers": (["pictures", "--workers", "-1", "--out", "f.npy"], "--workers is -1"),
    "no device": (["pictures", "--device", "tpu", "--out", "f.npy"], '"tpu"'),
    "another key": (["pictures", "--set", "train.batch=3", "--out", "f.npy"], "train.batch"),
    "another source": (["pictures", "--set", "data.source=stl10", "--out", "f.npy"], "data.source"),
    "no such key": (["shapes", "--split", "test", "--set", "data.colour=1", "--out", "f.npy"], "data.colour"),
    "a range that was not measured": (["pictures", "--set", "data.range=measured", "--out", "f.npy"], "was measured"),
    "no data": (["cifar10", "--split", "test", "--set", "data.root=nothing", "--out", "f.npy"], "missing-data"),
    "no file": (["pictures"], "--out"),
    "somebody's file": (["pictures", "--out", "mine.npy"], "mine.npy.partial"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_message_and_nothing_is_left(
    trained: Path, here: Path, pictures: Path, dcp: Callable, name: str
) -> None:
    for path in ("folder.npy", "nothing"):
        Path(path).mkdir()
    for path in ("there.npy", "labelled.labels.npy", "empty.txt", "mine.npy.partial"):
        Path(path).write_text("mine" if "mine" in path else "")
    Path("gone.txt").write_text("x.png\ny.png\n")
    for folder in ("tars/train", "tars/val"):
        Path(folder).mkdir(parents=True)
        with tarfile.open(f"{folder}/a.tar", "w") as tar:
            tar.add(pictures / "cat/000.png", "0.png")
    Path("a.tar.gz").write_bytes(gzip.compress(Path("tars/val/a.tar").read_bytes()))
    Path("saved").mkdir()
    Path("saved/state.json").write_text("{}")
    Path("saved/data.arrow").write_bytes(b"\xff\xff\xff\xff\xb0\x01\0\0")
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    words, expected = WRONG[name]
    said = dcp("embed", trained, *words)
    assert said.code == 2, said.err
    assert expected in said.err
    assert said.err.count("error[") == 1
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_folder_shards_and_hf_are_data_sets_that_lie_where_data_root_says(
    trained: Path, here: Path, dcp: Callable
) -> None:
    drawn(here / "data/train", 4)
    drawn(here / "data/val", 2)
    Path("shards").mkdir()  # a folder of the data set's name
    with tarfile.open("shards/a.tar", "w") as tar:
        for path in sorted(Path("data/val").rglob("*.png")):
            tar.add(path, path.name)
    words = ("--workers", "0", "--out", "f.npy", "--overwrite", "--set")
    assert dcp("embed", trained, "folder", "--split", "test", *words, "data.root=data").code == 0
    folder, paths = np.load("f.npy"), Path("f.paths.txt").read_text().splitlines()
    assert paths == ["cat/000.png", "dog/001.png"]
    assert np.load("f.labels.npy").tolist() == [0, 1]
    assert dcp("embed", trained, "shards", "--split", "pretrain", *words, "data.root=shards").code == 0
    np.testing.assert_allclose(np.load("f.npy"), folder, rtol=0, atol=1e-5)


def test_images_beside_a_tar_are_taken_and_the_tar_is_not(trained: Path, pictures: Path) -> None:
    with tarfile.open(pictures / "all.tar", "w") as tar:
        tar.add(pictures / "cat", "cat")
    assert len(dcp.embed(trained, pictures, workers=0)[1]) == 40


@pytest.mark.parametrize(
    ("source", "options", "slug", "said"),
    [
        (None, {}, "bad-source", "not None"),
        (3, {}, "bad-source", "not 3"),
        (["a.png", 3], {}, "bad-source", "source[1]"),
        (["\ud800.png"], {}, "bad-source", "source[0]"),
        ((path for path in ["a.png"]), {}, "bad-source", "a list of paths"),
        ("pictures", {"batch": "8"}, "bad-option", "--batch"),
        ("pictures", {"batch": None}, "bad-option", "--batch"),
        ("pictures", {"workers": 1.5}, "bad-option", "--workers"),
        ("pictures", {"sets": None}, "bad-type", "sets"),
        ("pictures", {"sets": [3]}, "bad-type", "sets"),
        ("pictures", {"runs": 3}, "bad-type", "runs"),
        ("pictures", {"out": 3}, "bad-type", "out"),
    ],
)
def test_what_is_no_source_and_no_option_is_refused_in_python_too(
    trained: Path, pictures: Path, here: Path, source: object, options: dict, slug: str, said: str
) -> None:
    with pytest.raises(RequestError) as error:
        dcp.embed(trained, source, **options)
    assert error.value.slug == slug
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_told_with_where_paths_begin(trained: Path, pictures: Path, here: Path) -> None:
    for names, said in (
        (["pictures/cat/000.png", "x.png"], "1 of 2 files is not there, or cannot be looked at: x.png (2 files)"),
        (["x.png"], "1 of 1 file is not there, or cannot be looked at: x.png (1 file)"),
    ):
        with pytest.raises(RequestError) as error:
            dcp.embed(trained, names, workers=0)
        assert str(error.value).splitlines() == [
            f"error[bad-source]: {said}",
            "  paths are relative to the current folder",
            "  --skip-broken leaves out what cannot be read",
        ]


def test_what_was_begun_with_another_run_is_refused_and_begun_anew_on_request(
    trained: Path, other: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a.npy"
    with monkeypatch.context() as patch:
        patch.setattr(embedding, "finish", lambda *_, **__: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            dcp.embed(trained, pictures, out=out, workers=0)
    with pytest.raises(RequestError, match=f"run {trained.name} there, {other.name} here") as error:
        dcp.embed(other, pictures, out=out, workers=0)
    assert error.value.slug == "partial-differs"
    with pytest.raises(RequestError, match="batch 256 there, 8 here"):
        dcp.embed(trained, pictures, out=out, batch=8, workers=0)
    made, _ = dcp.embed(other, pictures, out=out, workers=0, overwrite=True)
    np.testing.assert_array_equal(made, dcp.embed(other, pictures, workers=0)[0])


def test_what_was_begun_with_another_range_is_refused_and_the_file_says_which_it_has(
    trained: Path, pictures: Path, here: Path, monkeypatch: pytest.MonkeyPatch, dcp: Callable
) -> None:
    words = ["embed", trained, pictures, "--workers", "0", "--out", "a.npy", "--set"]
    with monkeypatch.context() as patch:
        patch.setattr(embedding, "finish", lambda *_, **__: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            dcp(*words, "data.range=[0, 100]")
    for override, said in (
        ("data.range=[0, 200]", "range [0.0, 100.0] there, [0.0, 200.0] here"),
        ("data.depth=16", ""),
    ):
        refused = dcp(*words, override)
        assert refused.code == 2
        assert "error[partial-differs]" in refused.err
        assert said in " ".join(refused.err.split())
    assert dcp(*words, "data.range=[0, 100]").code == 0
    about = json.loads(Path("a.json").read_text())
    assert (about["channels"], about["depth"], about["range"]) == (3, 8, [0.0, 100.0])


def test_a_full_disk_is_told_and_what_is_there_goes_on(
    trained: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(table: object, lent: object) -> None:
        raise OSError(28, "No space left on device")

    from dcp.exporting.feature_files import npy

    out = tmp_path / "a.npy"
    with monkeypatch.context() as patch:
        patch.setattr(npy, "write", full)
        with pytest.raises(RunError, match="the disk is full"):
            dcp.embed(trained, pictures, out=out, workers=0)
    assert [path.name for path in (tmp_path / "a.npy.partial").iterdir()] == ["features"]
    assert not [path for path in tmp_path.iterdir() if path.is_file()]
    made, _ = dcp.embed(trained, pictures, out=out, workers=0)
    assert made.shape == (40, 64)


def test_without_pyarrow_parquet_names_the_extra(
    trained: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dcp.exporting import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"pip install 'dcp\[embed\]'"):
        dcp.embed(trained, pictures, out=tmp_path / "a.parquet")
