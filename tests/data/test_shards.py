"""Images in tar files: the same images in the same order as a folder's, an index made once, and what is refused."""

import io
import json
import multiprocessing
import os
import pickle
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dcp.data import shard_index
from dcp.data.center_crops import pixels
from dcp.data.datasets import base, folder
from dcp.data.datasets.shards import Config
from dcp.data.shards import MOST_OPEN, OPENED, Shards
from dcp.errors import Problems, RequestError, RunError


def png(value: int, size: tuple[int, int] = (9, 8)) -> bytes:
    noise = np.random.default_rng(value).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).save(content, "PNG")
    return content.getvalue()


def pack(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def samples(start: int, count: int, label: Callable[[int], object] = lambda i: i % 3) -> list[tuple[str, bytes]]:
    return [
        (f"{i:05}{ending}", content)
        for i in range(start, start + count)
        for ending, content in ((".cls", str(label(i)).encode()), (".png", png(i)))
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two tars to train on and one for testing, three classes."""
    for k in range(2):
        pack(tmp_path / f"set/train/x-{k}.tar", samples(6 * k, 6))
    pack(tmp_path / "set/val/x-0.tar", samples(90, 3))
    return tmp_path / "set"


def load(root: Path, split: base.Split = "pretrain", **keys: object) -> base.Dataset:
    return base.load(Config(root=str(root), **keys), split)


def images_of(data: base.Dataset) -> Shards:
    assert isinstance(data.images, Shards)
    return data.images


def test_images_labels_and_names_are_those_in_the_tars_in_their_order(root: Path) -> None:
    train, test = load(root), load(root, "test")
    images = images_of(train)
    assert [images.name(i) for i in range(len(train))] == [b"x-%d.tar/%05d.png" % (i // 6, i) for i in range(12)]
    for i in range(12):
        assert torch.equal(images.decode(i).permute(1, 2, 0), torch.tensor(np.array(Image.open(io.BytesIO(png(i))))))
        assert images.size(i) == len(png(i))
    assert train.labels is not None
    assert train.labels.tolist() == [i % 3 for i in range(12)]
    assert train.classes == test.classes == ("0", "1", "2")
    assert images.place(7) == f"{root}/train/x-1.tar/00007.png"
    assert "3 classes; 3 test images" in train.remarks
    assert len(test) == 3


def test_a_subset_has_the_same_images(root: Path) -> None:
    train = load(root)
    some = train.subset(torch.tensor([11, 0, 6]))
    images = images_of(some)
    assert [images.name(i) for i in range(3)] == [images_of(train).name(i) for i in (11, 0, 6)]
    assert torch.equal(images.decode(0), images_of(train).decode(11))
    assert len(load(root, limit=6)) == 6
    assert load(root, limit=6).labels.bincount().tolist() == [2, 2, 2]  # type: ignore[union-attr]


def test_splits_may_be_words_in_the_names_of_tars_in_one_folder_with_one_index(tmp_path: Path) -> None:
    pack(tmp_path / "imagenet1k-train-0000.tar", samples(0, 6))
    pack(tmp_path / "imagenet1k-train-0001.tar", samples(6, 6))
    pack(tmp_path / "imagenet1k-validation-00.tar", samples(12, 3))
    assert (len(load(tmp_path)), len(load(tmp_path, "test"))) == (12, 3)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".tar"] == [shard_index.FILE]
    assert not [remark for remark in load(tmp_path, "test").remarks if "index of" in remark]


def test_loose_tars_have_no_labels_and_training_images_alone(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", samples(0, 4))
    data = load(tmp_path)
    assert data.labels is None
    assert data.remarks[0] == "no tars of train and val: no classes, no test images"
    assert not Config(root=str(tmp_path)).labelled()


def test_labels_may_stand_in_json_be_names_and_come_after_all_images(tmp_path: Path) -> None:
    for split in ("train", "val"):
        images = [(f"{i}.jpg.png"[:1] + ".png", png(i)) for i in range(4)]
        labels = [(f"{i}.json", json.dumps({"label": ("cat", "ant")[i % 2], "more": [1]}).encode()) for i in range(4)]
        pack(tmp_path / split / "a.tar", [*images, *labels])
    data = load(tmp_path)
    assert data.classes == ("ant", "cat")
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0, 1, 0]
    assert Config(root=str(tmp_path)).labelled()


def test_cls_wins_over_json_and_a_number_may_begin_with_zeros(tmp_path: Path) -> None:
    members = [("0.json", b'{"label": 5}'), ("0.cls", b"007\n"), ("0.png", png(0)), ("1.json", b'{"label": 9}'),
               ("1.png", png(1)), ("2.json", b'{"caption": "x"}'), ("2.png", png(2)), ("2.cls", b"007")]  # fmt: skip
    for split in ("train", "val"):
        pack(tmp_path / split / "a.tar", members)
    data = load(tmp_path)
    assert data.classes == ("7", "9")
    assert data.images.left_out == {"json": 1}  # type: ignore[union-attr]


@pytest.mark.parametrize("others", [("7", "007"), ("7", "+7"), ("00", "000")])
def test_a_number_that_is_written_in_two_ways_is_refused(tmp_path: Path, others: tuple[str, str]) -> None:
    for k, split in enumerate(("train", "val")):
        pack(tmp_path / split / "a.tar", samples(0, 4, lambda i, k=k: others[k] if i % 2 else "9"))
    with pytest.raises(RequestError, match="are one number, written in two ways") as caught:
        load(tmp_path)
    assert caught.value.slug == "bad-label"
    assert all(f'"{other}"' in str(caught.value) for other in others)


@pytest.mark.parametrize(
    ("name", "content", "classes"),
    [
        ("classes.txt", "cat\nant\ncrane\n", ("cat", "ant", "crane")),
        ("classes.txt", "crane\nant\ncrane", ("crane (0)", "ant", "crane (2)")),
        ("classes.json", '["cat", "ant", "crane"]', ("cat", "ant", "crane")),
        ("classes.json", '{"cat": 0, "ant": 1, "crane": 2, "no": 3}', ("cat", "ant", "crane")),
        ("classes.json", '{"0": "cat", "1": "ant", "2": "crane"}', ("cat", "ant", "crane")),
    ],
)
def test_a_file_in_the_root_names_the_classes(root: Path, name: str, content: str, classes: tuple[str, ...]) -> None:
    (root / name).write_text(content)
    assert load(root).classes == classes


def test_what_is_no_image_is_counted_by_its_ending_and_litter_is_nothing(tmp_path: Path) -> None:
    odd = [("0.seg.png", b"x"), ("0.txt", b"x"), ("a/._0.png", b"x"), (".hid/0.png", b"x"), ("0.png", png(0))]
    pack(tmp_path / "a.tar", odd)
    with tarfile.open(tmp_path / "a.tar", "a") as tar:
        link = tarfile.TarInfo("1.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    data = load(tmp_path)
    assert len(data) == 1
    assert dict(images_of(data).left_out) == {"seg.png": 1, "txt": 1, "hidden images": 1, "link": 1}
    assert any("1 seg.png, 1 txt, 1 hidden images, 1 links" in remark for remark in data.remarks)


# the index


def test_the_index_is_made_once_and_again_only_for_tars_that_changed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(root)
    scanned: list[str] = []
    scan = shard_index.scan
    monkeypatch.setattr(shard_index, "scan", lambda tar, stamp: scanned.append(stamp.name) or scan(tar, stamp))
    assert load(root).fingerprint() == before.fingerprint()
    assert scanned == []
    pack(root / "train/x-1.tar", samples(6, 7))
    after = load(root)
    assert scanned == ["x-1.tar"]
    assert len(after) == 13
    assert torch.equal(images_of(after).decode(12), images_of(load(root)).decode(12))
    (root / "train/x-0.tar").unlink()
    assert len(load(root)) == 7


def test_an_image_takes_22_bytes_and_its_name(root: Path) -> None:
    load(root)
    path = root / "train" / shard_index.FILE
    content = path.read_bytes()
    assert len(content) - 8 - int.from_bytes(content[:8], "little") == 12 * (22 + len("00000.png"))


def test_an_index_that_is_damaged_or_lies_is_made_again(root: Path) -> None:
    from safetensors.numpy import load as columns
    from safetensors.numpy import save

    expected, path = load(root).fingerprint(), root / "train" / shard_index.FILE
    good = path.read_bytes()
    header = json.loads(good[8 : 8 + int.from_bytes(good[:8], "little")])["__metadata__"]
    lies = []
    for key, value in (("offset", 2**60), ("offset", -1), ("size", 2**40), ("label", 3), ("length", 7)):
        false = {name: column.copy() for name, column in columns(good).items()}
        false[key][5] = value
        lies.append(save(false, metadata=header))
    fewer = {name: column[:-1] for name, column in columns(good).items()}
    for wrong in (b"", b"{}", good[:200], good[:-3], b"\0" * 1000, *lies, save(fewer, metadata=header), save(fewer)):
        path.write_bytes(wrong)
        assert load(root).fingerprint() == expected
        assert path.read_bytes() == good


def test_where_it_cannot_be_kept_beside_the_tars_it_is_kept_in_the_cache(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (root / "train" / shard_index.FILE).mkdir()  # in the way
    assert any(f"kept as {tmp_path}/cache/dcp/shards/" in remark for remark in load(root).remarks)
    assert not any("index of 12" in remark for remark in load(root).remarks)
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert any("it can be kept nowhere" in remark for remark in load(root).remarks)


def _load_and_tell(root: Path, pipe: object) -> None:
    pipe.send(base.load(Config(root=str(root)), "pretrain").fingerprint())  # type: ignore[attr-defined]


def test_processes_that_make_it_at_once_do_not_disturb_each_other(root: Path) -> None:
    context = multiprocessing.get_context("fork")
    pairs = [context.Pipe() for _ in range(6)]
    processes = [context.Process(target=_load_and_tell, args=(root, theirs)) for _, theirs in pairs]
    for process in processes:
        process.start()
    told = {ours.recv() for ours, _ in pairs}
    for process in processes:
        process.join()
    assert told == {load(root).fingerprint()}
    assert {path.name for path in (root / "train").iterdir()} == {"x-0.tar", "x-1.tar", shard_index.FILE}


def test_the_fingerprint_changes_with_a_size_a_name_an_order_and_a_label(root: Path) -> None:
    seen = {load(root).fingerprint()}
    changed = samples(6, 6)
    changed[3] = ("00007.png", png(7, (10, 8)))
    renamed = [(name.replace("00007", "00077"), content) for name, content in samples(6, 6)]
    other = samples(6, 6, lambda i: (i + 1) % 3)
    for members in (changed, renamed, samples(6, 6)[::-1], other):
        pack(root / "train/x-1.tar", members)
        seen.add(load(root).fingerprint())
    assert len(seen) == 5


@pytest.mark.parametrize("beside", [True, False])
def test_what_a_killed_process_left_of_an_index_is_swept_after_an_hour(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, beside: bool
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if not beside:
        (root / "train" / shard_index.FILE).mkdir()  # in the way
    load(root)
    (index,) = [root / "train" / shard_index.FILE] if beside else (tmp_path / "cache/dcp/shards").glob("[!.]*")
    endings = ("1-0123abcd.tmp", "2-0123abcd.tmp", "x.tmp")
    old, new, other = (index.with_name(f".{index.name}.{ending}") for ending in endings)
    for path in (old, new, other):
        path.write_bytes(b"half")
    for path in (old, other):
        os.utime(path, (0, 0))
    load(root)
    assert [path.exists() for path in (old, new, other, index)] == [False, True, True, True]


# reading


def test_readers_in_other_processes_and_threads_see_the_same(root: Path) -> None:
    data = load(root)
    images = images_of(data)
    here = torch.stack([images.decode(i) for i in range(12)])
    assert torch.equal(torch.cat(list(pixels(data, 8))), torch.cat(list(pixels(data, 8))))
    again = pickle.loads(pickle.dumps(images))
    assert torch.equal(torch.stack([again.decode(i) for i in range(12)]), here)
    found: dict[int, torch.Tensor] = {}
    threads = [threading.Thread(target=lambda i=i: found.update({i: images.decode(i)})) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(torch.stack([found[i] for i in range(12)]), here)


def test_few_tars_stay_open(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPENED, "most", 1)
    train, test = images_of(load(root)), images_of(load(root, "test"))
    for i in (0, 6, 1, 7):
        train.decode(i)
        test.decode(0)
    assert len(OPENED.files) == 1


@pytest.fixture
def few_files(root: Path) -> Iterator[None]:
    """60 tars in each split, and some 40 files that this process may still open."""
    resource = pytest.importorskip("resource")
    for split in ("train", "val"):
        for path in (root / split).iterdir():
            path.unlink()
        for k in range(60):
            pack(root / f"{split}/x-{k:02}.tar", samples(3 * k, 3))
    OPENED.close()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 40, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    OPENED.most = MOST_OPEN


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux tells which files are open")
@pytest.mark.usefixtures("few_files")
def test_two_splits_of_more_tars_than_files_that_may_be_open_are_read_here_and_by_readers(root: Path) -> None:
    train, test = load(root), load(root, "test")
    for i in range(180):
        images_of(train).decode(i)
        images_of(test).decode(i)
        if i > 60:  # from then on what else a process opens has room at any time
            assert len([multiprocessing.Pipe() for _ in range(4)]) == 4
    for workers in (0, 2):
        assert torch.equal(torch.cat(list(pixels(train, 8, workers))), torch.cat(list(pixels(test, 8, workers))))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux tells which files are open")
@pytest.mark.usefixtures("few_files")
def test_where_no_file_may_be_opened_it_is_not_the_image_that_is_broken(root: Path) -> None:
    images = images_of(load(root, broken="skip"))
    OPENED.close()
    with ExitStack() as taken:
        with suppress(OSError):
            while True:
                taken.enter_context(Path(os.devnull).open("rb"))
        with pytest.raises(RunError) as caught:
            images.decode(0)
    assert "Too many open files" in caught.value.message
    assert caught.value.slug == "too-many-files"
    assert "ulimit -n" in caught.value.hint
    assert images.decode(0).shape == (3, 8, 9)
    assert images.in_place == {}


def _tell_open_tars(pipe: Connection) -> None:
    links = [Path(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]  # noqa: PTH208
    pipe.send(sum(os.readlink(link).endswith(".tar") for link in links if link.is_symlink()))  # noqa: PTH115


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux tells which files are open")
def test_a_forked_process_inherits_no_open_tar(root: Path) -> None:
    images = images_of(load(root))
    images.decode(0)
    images.decode(6)
    assert len(OPENED.files) >= 2
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_tell_open_tars, args=(theirs,))
    process.start()
    assert ours.recv() == 0
    process.join()


def test_a_tar_that_changes_or_goes_while_it_is_used_is_told(root: Path) -> None:
    images = images_of(load(root))
    pack(root / "train/x-1.tar", samples(6, 8))
    with pytest.raises(RunError, match=r"the tar file has changed since it was listed \(.*x-1.tar/00006.png\)"):
        images.decode(6)
    (root / "train/x-0.tar").unlink()
    OPENED.close()
    with pytest.raises(RunError, match="has gone"):
        images.decode(0)


def test_a_tar_that_was_replaced_is_read_by_a_list_that_is_made_anew(root: Path) -> None:
    images_of(load(root)).decode(6)
    pack(root / "train/new", samples(9, 6)).replace(root / "train/x-1.tar")
    assert images_of(load(root)).decode(6).equal(images_of(load(root)).decode(6))
    assert images_of(load(root)).name(6).endswith(b"00009.png")


def test_a_broken_image_is_named_and_one_of_its_class_can_take_its_place(root: Path) -> None:
    members = samples(6, 6)
    members[3] = ("00007.png", b"no image")
    pack(root / "train/x-1.tar", members)
    with pytest.raises(RunError, match=r"it is no JPEG.*x-1.tar/00007.png"):
        images_of(load(root)).decode(7)
    images = images_of(load(root, broken="skip"))
    assert torch.equal(images.decode(7), images.decode(10))
    assert images.in_place == {7: 10}
    assert not replace(images, skips=False).in_place


# what is refused


def gone(root: Path) -> None:
    (root / "train").rename(root / "other")


def compressed(root: Path) -> None:
    (root / "train/x-1.tar").rename(root / "train/x-1.tar.gz")


def gzip_inside(root: Path) -> None:
    path = root / "train/x-1.tar"
    path.write_bytes(b"\x1f\x8b" + path.read_bytes())


def cut(root: Path) -> None:
    path = root / "train/x-1.tar"
    path.write_bytes(path.read_bytes()[:2000])


def lfs(root: Path) -> None:
    (root / "train/x-1.tar").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")


def both(root: Path) -> None:
    pack(root / "train/x-1.tar", [*samples(6, 6), ("00007.jpg", png(7))])


def some_labels(root: Path) -> None:
    pack(root / "train/x-1.tar", [m for m in samples(6, 6) if m[0] != "00008.cls"])


def odd_label(root: Path) -> None:
    pack(root / "train/x-1.tar", [("0.cls", b"\xff\xfe"), ("0.png", png(0))])


def listed_label(root: Path) -> None:
    pack(root / "train/x-1.tar", [("0.json", b'{"label": [1, 2]}'), ("0.png", png(0))])


def other_labels(root: Path) -> None:
    pack(root / "val/x-0.tar", samples(90, 3, lambda i: i))


def few_names(root: Path) -> None:
    (root / "classes.txt").write_text("cat\nant\n")


def no_names(root: Path) -> None:
    (root / "classes.json").write_text('{"cat": "ant"}')


def no_images(root: Path) -> None:
    for k in range(2):
        pack(root / f"train/x-{k}.tar", [("0.txt", b"x")])


def no_tars(root: Path) -> None:
    for path in root.rglob("*.tar"):
        path.rename(path.with_suffix(".bin"))


def loose_too(root: Path) -> None:
    pack(root / "more.tar", samples(50, 2))


def without_val(root: Path) -> None:
    (root / "val").rename(root / "extra")


def linked(root: Path) -> None:
    (root / "val/x-0.tar").unlink()
    (root / "val/x-0.tar").hardlink_to(root / "train/x-0.tar")


def dangling(root: Path) -> None:
    (root / "train/y.tar").symlink_to(root / "nothing.tar")


def dangling_for_testing(root: Path) -> None:
    (root / "val/x-0.tar").unlink()
    (root / "val/x-0.tar").symlink_to(root / "nothing.tar")


def folder_named_so(root: Path) -> None:
    (root / "train/y.tar").mkdir()


def pipe(root: Path) -> None:
    os.mkfifo(root / "train/y.tar")


def two_words(root: Path) -> None:
    for name in ("train", "val"):
        for path in (root / name).iterdir():
            path.rename(root / f"{name}-{path.name}")
        (root / name).rmdir()
    (root / "val-x-0.tar").rename(root / "train-val-0.tar")


def some_words(root: Path) -> None:
    two_words(root)
    (root / "train-val-0.tar").rename(root / "other-0.tar")


WRONG = [
    (gone, "unknown-split", "none for training"),
    (compressed, "bad-shard", "only a plain tar can be read in any order"),
    (gzip_inside, "bad-shard", r"compressed \(gzip\)"),
    (cut, "bad-shard", "cut short"),
    (lfs, "git-lfs", "Git LFS pointer"),
    (both, "bad-shard", "two images have one key, and so one label: 00007.png and 00007.jpg"),
    (some_labels, "bad-label", r"1 images have no label, and others have one \(.*x-1.tar/00008.png\)"),
    (odd_label, "bad-shard", "0.cls is no text"),
    (listed_label, "bad-shard", "neither a whole number nor a name"),
    (other_labels, "classes-differ", "different labels"),
    (few_names, "bad-label", "the label 2 has no name: 2 classes are named"),
    (no_names, "bad-label", "holds no names of classes"),
    (no_images, "no-images", "no images in 2 tar files: they hold 2 txt"),
    (no_tars, "no-images", "no tar file"),
    (loose_too, "unknown-split", "tars lie in"),
    (without_val, "unknown-split", "tars lie in extra/ beside train/"),
    (linked, "linked-twice", "for training and for testing"),
    (dangling, "bad-shard", "(?s)a link that leads to nothing.*train/y.tar"),
    (dangling_for_testing, "bad-shard", "(?s)a link that leads to nothing.*val/x-0.tar"),
    (folder_named_so, "bad-shard", "(?s)a tar file is a folder.*train/y.tar"),
    (pipe, "bad-shard", "(?s)a tar file is a FIFO.*train/y.tar"),
    (two_words, "unknown-split", "is called train and val"),
    (some_words, "unknown-split", "other-0.tar beside tars of a split"),
]


@pytest.mark.parametrize(("spoil", "slug", "words"), WRONG, ids=[spoil.__name__ for spoil, *_ in WRONG])
def test_what_cannot_be_meant_or_used_is_refused_in_one_message(
    root: Path, spoil: Callable[[Path], None], slug: str, words: str
) -> None:
    spoil(root)
    with pytest.raises(RequestError, match=words) as caught:
        load(root)
    assert caught.value.slug == slug
    assert not isinstance(caught.value, Problems)


def test_all_tars_that_cannot_be_used_are_named_at_once(root: Path) -> None:
    for k in range(2):
        (root / f"train/x-{k}.tar").write_bytes(b"")
    with pytest.raises(Problems, match=r"x-0.tar(.|\n)*x-1.tar"):
        load(root)


@pytest.mark.parametrize(("name", "words"), [("nowhere", "does not exist"), ("val/x-0.tar", "is a file")])
def test_a_root_that_is_no_folder_is_refused(root: Path, name: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        load(root / name)


def test_a_download_is_refused(root: Path) -> None:
    with pytest.raises(RequestError, match="cannot be downloaded"):
        load(root, download=True)


def test_a_folder_of_the_same_images_has_the_same_bytes_in_the_same_order(root: Path, tmp_path: Path) -> None:
    for i in range(12):
        path = tmp_path / "folder" / f"{i:05}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(i))
    files = base.load(folder.Config(root=str(tmp_path / "folder")), "pretrain")
    assert torch.equal(torch.cat(list(pixels(files, 8))), torch.cat(list(pixels(load(root), 8))))
