"""Hugging Face data sets: the bytes that were saved, decoded as files are; labels, splits, and what is refused."""

import io
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dcp.data.center_crops import pixels
from dcp.data.datasets import base, folder
from dcp.data.datasets.hf import Config
from dcp.data.hf_rows import Rows
from dcp.errors import RequestError, RunError

hf = pytest.importorskip("datasets", reason="needs the extra hf")
hf.disable_progress_bars()


def png(value: int, mode: str = "RGB", **how: Any) -> bytes:
    noise = np.random.default_rng(value).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(content, "PNG", **how)
    return content.getvalue()


def table(start: int, count: int, *, labels: Any = None, kind: Any = None, **more: Any) -> Any:
    images = [{"bytes": png(i), "path": None} for i in range(start, start + count)]
    columns = {"img": images, "fine": labels or [i % 3 for i in range(count)], **more}
    kinds = {name: hf.Value("string") for name in more}
    features = {"img": hf.Image(), "fine": kind or hf.ClassLabel(names=["ant", "bee", "cat"]), **kinds}
    return hf.Dataset.from_dict(columns, features=hf.Features(features))


def save(root: Path, **splits: Any) -> Path:
    hf.DatasetDict(splits).save_to_disk(str(root))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return save(tmp_path / "set", train=table(0, 12), test=table(50, 6), validation=table(60, 3))


def load(root: Path, split: base.Split = "pretrain", **keys: Any) -> base.Dataset:
    return base.load(Config(root=str(root), **keys), split)


def rows_of(data: base.Dataset) -> Rows:
    assert isinstance(data.images, Rows)
    return data.images


def test_images_and_labels_are_those_of_the_rows(root: Path) -> None:
    train, test = load(root), load(root, "test")
    images = rows_of(train)
    for i in range(12):
        assert torch.equal(images.decode(i).permute(1, 2, 0), torch.tensor(np.array(Image.open(io.BytesIO(png(i))))))
        assert images.size(i) == len(png(i))
    assert train.labels is not None
    assert train.labels.tolist() == [i % 3 for i in range(12)]
    assert train.classes == test.classes == ("ant", "bee", "cat")
    assert len(test) == 3  # validation goes before test
    assert len(load(root, "test", test_split="test")) == 6
    assert images.place(11) == f"{root}, train, row 11"
    assert train.remarks == ("3 classes; 3 test images",)
    assert Config(root=str(root)).labelled()


def test_a_subset_keeps_the_numbers_of_its_rows_and_a_copy_reads_the_same(root: Path) -> None:
    train = load(root)
    some = rows_of(train.subset(torch.tensor([11, 0])))
    assert [some.name(i) for i in range(2)] == [b"row 11", b"row 0"]
    assert torch.equal(some.decode(0), rows_of(train).decode(11))
    assert torch.equal(pickle.loads(pickle.dumps(some)).decode(0), some.decode(0))
    assert load(root, limit=6).labels.bincount().tolist() == [2, 2, 2]  # type: ignore[union-attr]


def test_the_same_images_in_a_folder_have_the_same_pixels_with_exif_grey_and_transparency(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    deep, content = np.arange(72, dtype=np.uint16).reshape(8, 9) * 900, io.BytesIO()
    Image.fromarray(deep).save(content, "PNG")
    files = [png(0, exif=exif), png(1, "L"), png(2, "P"), png(3, "RGBA"), content.getvalue()]
    for i, data in enumerate(files):
        (tmp_path / f"{i}.png").write_bytes(data)
    features = hf.Features({"image": hf.Image()})
    rows = hf.Dataset.from_dict({"image": [{"bytes": data, "path": None} for data in files]}, features=features)
    rows.save_to_disk(str(tmp_path / "set"))
    ours, theirs = load(tmp_path / "set"), base.load(folder.Config(root=str(tmp_path)), "pretrain")
    assert torch.equal(torch.cat(list(pixels(ours, 8))), torch.cat(list(pixels(theirs, 8))))
    assert ours.remarks[0] == "no split for testing: no classes, no test images"


def test_rows_that_were_chosen_and_shuffled_are_read_in_that_order(tmp_path: Path) -> None:
    chosen = table(0, 12).shuffle(seed=3).select(range(5))
    save(tmp_path / "set", train=chosen, test=table(50, 6))
    expected = [torch.tensor(np.array(row["img"].convert("RGB"))) for row in chosen]
    images = rows_of(load(tmp_path / "set"))
    assert all(torch.equal(images.decode(i).permute(1, 2, 0), image) for i, image in enumerate(expected))


def test_images_in_files_beside_the_table_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(0))
    features = hf.Features({"image": hf.Image(decode=False)})
    images = [{"bytes": None, "path": str(tmp_path / "a.png")}, {"bytes": None, "path": "zip://x::y"},
              {"bytes": None, "path": str(tmp_path / "gone.png")}, None]  # fmt: skip
    rows = hf.Dataset.from_dict({"image": images}, features=features).with_format("arrow")
    read = Rows.of(rows, "image", "set")
    assert read.decode(0).shape == (3, 8, 9)
    assert read.sizes.tolist() == [len(png(0)), -1, -1, -1]
    for i, words in ((1, "leads to no file of this machine"), (2, "has gone"), (3, "there is no image in the row")):
        with pytest.raises(RunError, match=rf"{words}.*\(set, row {i}\)"):
            read.decode(i)


@pytest.mark.parametrize(
    ("labels", "kind", "classes"),
    [(["dog", "cat"] * 6, hf.Value("string"), ("cat", "dog")), ([10, 9] * 6, hf.Value("int32"), ("9", "10"))],
)
def test_labels_may_be_names_or_numbers_if_the_column_is_given(
    tmp_path: Path, labels: list[Any], kind: Any, classes: tuple[str, ...]
) -> None:
    save(tmp_path / "set", train=table(0, 12, labels=labels, kind=kind), test=table(0, 12, labels=labels, kind=kind))
    data = load(tmp_path / "set", label="fine")
    assert data.classes == classes
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0] * 6
    assert load(tmp_path / "set").labels is None
    assert not Config(root=str(tmp_path / "set")).labelled()


def test_labels_may_be_text_of_digits_and_numbers_without_a_sign(tmp_path: Path) -> None:
    for name, values, kind in (("a", ["01", "00"] * 6, "string"), ("b", [201, 200] * 6, "uint8")):
        rows = table(0, 12, labels=values, kind=hf.Value(kind))
        data = load(save(tmp_path / name, train=rows, test=rows), label="fine")
        assert data.classes == (("0", "1") if name == "a" else ("200", "201"))
        assert data.labels is not None
        assert data.labels.tolist() == [1, 0] * 6


@pytest.mark.parametrize("others", [["1", "01"] * 6, ["01", "02"] * 6])
def test_a_number_that_is_written_in_two_ways_is_refused(tmp_path: Path, others: list[str]) -> None:
    kind = hf.Value("string")
    train, test = table(0, 12, labels=others, kind=kind), table(0, 12, labels=["1", "02"] * 6, kind=kind)
    save(tmp_path / "set", train=train, test=test)
    with pytest.raises(RequestError, match='the labels "01" and "1" are one number, written in two ways') as caught:
        load(tmp_path / "set", label="fine")
    assert caught.value.slug == "bad-label"


def test_test_images_without_labels_are_refused_where_training_images_have_some(tmp_path: Path) -> None:
    save(tmp_path / "set", train=table(0, 12), test=table(50, 6, labels=[-1] * 6))
    with pytest.raises(RequestError, match="different labels") as caught:
        load(tmp_path / "set", "test")
    assert caught.value.slug == "classes-differ"


def test_a_broken_image_is_named_by_its_row_and_one_of_its_class_can_take_its_place(tmp_path: Path) -> None:
    rows = table(0, 6).cast_column("img", hf.Image(decode=False)).to_dict()
    rows["img"][1] = {"bytes": b"no image", "path": None}
    bad = hf.Dataset.from_dict(rows, features=table(0, 1).features)
    save(tmp_path / "set", train=bad, test=table(0, 3))
    with pytest.raises(RunError, match=r"it is no JPEG.*set, train, row 1\)"):
        rows_of(load(tmp_path / "set")).decode(1)
    images = rows_of(load(tmp_path / "set", broken="skip"))
    assert torch.equal(images.decode(1), images.decode(4))


def test_the_fingerprint_changes_with_a_size_an_order_and_a_label(tmp_path: Path, root: Path) -> None:
    seen = {load(root).fingerprint()}
    assert load(root).fingerprint() in seen
    images = [{"bytes": png(i, "L" if i == 3 else "RGB"), "path": None} for i in range(12)]
    grey = table(0, 12).remove_columns("img").add_column("img", images).cast_column("img", hf.Image())
    others = (table(0, 12).select(range(11, -1, -1)), grey, table(0, 12, labels=[0, 1, 1] * 4))
    for k, other in enumerate(others):
        seen.add(load(save(tmp_path / str(k), train=other, test=table(50, 3))).fingerprint())
    assert len(seen) == 4


def bitmaps(value: int, *, files: Path | None = None) -> Any:
    """A table of eight images of one size."""
    images = []
    for i in range(8):
        content = io.BytesIO()
        Image.new("RGB", (16, 16), (value, i, 0)).save(content, "BMP")
        path = files and files / f"{i}.bmp"
        if path:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content.getvalue())
        images.append({"bytes": None if path else content.getvalue(), "path": str(path) if path else None})
    return hf.Dataset.from_dict({"img": images}, features=hf.Features({"img": hf.Image()}))


def test_the_fingerprint_changes_with_the_pixels_of_images_of_one_size(tmp_path: Path) -> None:
    tables = {name: bitmaps(value) for name, value in (("a", 1), ("b", 2), ("again", 1))}
    marks = {name: load(save(tmp_path / name, train=rows)).fingerprint() for name, rows in tables.items()}
    assert marks["a"] == marks["again"] != marks["b"]
    inside = [Rows.of(bitmaps(v, files=tmp_path / f"f{v}").with_format("arrow"), "img", "") for v in (1, 2)]
    assert len({base.Dataset(rows).fingerprint() for rows in inside}) == 2


def test_a_run_on_rows_trains_and_is_probed_with_workers(root: Path, tmp_path: Path, dcp: Callable) -> None:
    said = dcp(
        "pretrain", "tiny/directcopy", "data.source=hf", f'data.root="{root}"', "data.image_size=16", "train.batch=6",
        "train.epochs=1", "train.workers=1", 'probe.after=["knn"]', "probe.knn.k=3", "--runs", tmp_path,
    )  # fmt: skip
    assert said.code == 0, said.err
    (names,) = (tmp_path / "directcopy-s0/probes").glob("images-*.txt")
    assert names.read_text().splitlines() == ["row 0", "row 1", "row 2"]


# what is refused


def two_images(root: Path) -> Any:
    both = table(0, 3).add_column("more", [None] * 3).cast_column("more", hf.Image())
    save(root, train=both, test=both)


def no_images(root: Path) -> None:
    save(root, train=table(0, 3).remove_columns("img"))


def two_labels(root: Path) -> None:
    both = table(0, 3).add_column("coarse", [0, 1, 0]).cast_column("coarse", hf.ClassLabel(names=["x", "y"]))
    save(root, train=both, test=both)


def some_labels(root: Path) -> None:
    save(root, train=table(0, 3, labels=[0, -1, 1]), test=table(0, 3))


def other_labels(root: Path) -> None:
    kind = hf.ClassLabel(names=["ant", "bee", "cat", "dog"])
    save(root, train=table(0, 3), test=table(0, 3, labels=[0, 1, 3], kind=kind))


def other_splits(root: Path) -> None:
    save(root, training=table(0, 3), test=table(0, 3))


def plain(root: Path) -> None:
    save(root, train=table(0, 3), test=table(0, 3))


def damaged(root: Path) -> None:
    plain(root)
    for path in root.rglob("*.arrow"):
        path.write_bytes(b"x" * 100)


def files(root: Path) -> None:
    root.mkdir()
    (root / "a.png").write_bytes(png(0))


def a_file(root: Path) -> None:
    root.write_bytes(b"")


def nothing(root: Path) -> None:
    pass


WRONG = [
    (nothing, {}, "missing-folder", "does not exist"),
    (a_file, {}, "missing-folder", "is a file"),
    (files, {}, "bad-dataset", "no data set that save_to_disk wrote"),
    (damaged, {}, "bad-dataset", "or a damaged one"),
    (no_images, {}, "bad-dataset", r"there is no column of images(.|\n)*fine \(int64\)"),
    (two_images, {}, "bad-dataset", "there are 2 columns of images"),
    (plain, {"column": "image"}, "bad-dataset", 'there is no column "image"'),
    (plain, {"column": "fine"}, "bad-dataset", "holds neither images nor their bytes"),
    (two_labels, {}, "bad-dataset", "there are 2 columns of labels: fine, coarse"),
    (plain, {"label": "coarse"}, "bad-dataset", 'there is no column "coarse"'),
    (plain, {"label": "img"}, "bad-dataset", "holds neither classes, nor whole numbers, nor names"),
    (some_labels, {}, "bad-label", r"1 rows have no label, and others have one \(.*set, train, row 1\)"),
    (other_labels, {}, "classes-differ", "different labels"),
    (other_splits, {}, "bad-dataset", r'there is no split "train"(.|\n)*Did you mean training'),
    (plain, {"test_split": "validate"}, "bad-dataset", 'there is no split "validate"'),
    (plain, {"test_split": "train"}, "bad-combination", 'train_split and data.test_split are both "train"'),
    (plain, {"download": True}, "not-downloadable", "a folder cannot be downloaded"),
    (plain, {"name": "a/b"}, "bad-combination", "are both given"),
]


@pytest.mark.parametrize(("make", "keys", "slug", "words"), WRONG)
def test_what_cannot_be_meant_or_used_is_refused_in_one_message(
    tmp_path: Path, make: Callable[[Path], None], keys: dict[str, Any], slug: str, words: str
) -> None:
    make(tmp_path / "set")
    with pytest.raises(RequestError, match=words) as caught:
        load(tmp_path / "set", **keys)
    assert caught.value.slug == slug


def test_an_empty_split_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf, "load_dataset", lambda *_: table(0, 3).select([]))
    with pytest.raises(RequestError, match="the split is empty"):
        base.load(Config(name="a/b"), "pretrain")


def test_a_stream_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf, "load_dataset", lambda *_: table(0, 3).to_iterable_dataset())
    with pytest.raises(RequestError, match="streamed has no images by number"):
        base.load(Config(name="a/b"), "pretrain")


def test_a_data_set_of_the_hub_is_not_fetched_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        hf, "load_dataset", lambda *asked: seen.append((asked, hf.config.HF_HUB_OFFLINE)) or table(0, 3)
    )
    before = hf.config.HF_HUB_OFFLINE
    base.load(Config(name="a/b"), "pretrain")
    base.load(Config(name="a/b", config="small", download=True), "pretrain")
    assert seen == [(("a/b", None), True), (("a/b", "small"), before)]
    assert before == hf.config.HF_HUB_OFFLINE


@pytest.mark.parametrize("download", [False, True])
def test_without_the_data_it_says_what_to_fetch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, download: bool
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(hf.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hf.config, "HF_DATASETS_CACHE", tmp_path)
    with pytest.raises(RequestError) as caught:
        base.load(Config(name="nobody/nothing", download=download), "pretrain")
    assert caught.value.slug == ("download-failed" if download else "missing-data")
    assert "nobody/nothing" in str(caught.value)
    assert download or "load_dataset('nobody/nothing').save_to_disk(FOLDER)" in str(caught.value)


def test_a_name_that_is_a_folder_here_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a/b").mkdir(parents=True)
    with pytest.raises(RequestError, match="a file or folder of this name here"):
        base.load(Config(name="a/b"), "pretrain")


def test_without_the_library_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(RequestError, match=r"pip install 'dcp\[hf\]'") as caught:
        base.load(Config(root="x"), "pretrain")
    assert caught.value.slug == "missing-package"


def test_a_recipe_without_a_place_is_refused_before_anything_is_read(dcp: Callable) -> None:
    said = dcp("pretrain", "tiny/directcopy", "data.source=hf", "--dry-run")
    assert (said.code, "neither data.root nor data.name" in said.err) == (2, True)
