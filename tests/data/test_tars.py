"""Tar files are read at offsets: what Python's tarfile writes is found where it lies; damaged ones are refused."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from dcp.data.tars import BadTar, Member, Tar

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
CONTENTS = {
    "a.png": b"x" * 1000,
    "empty.png": b"",
    "just/a/block.png": b"y" * 512,
    f"{'long/' * 20}name.png": b"z" * 513,  # with a prefix in ustar
    "late.png": b"w" * 300_000,  # further than what is read at once
    "last.png": b"v",
}
LONG = {f"{'very_long' * 30}.png": b"1", "é" * 120 + ".png": b"2", "short.png": b"3"}


def packed(path: Path, contents: dict[str, bytes], kind: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=kind) as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def members(path: Path) -> list[Member]:
    with path.open("rb") as file:
        return list(Tar(file, path.stat().st_size).members())


@pytest.mark.parametrize("kind", FORMATS)
def test_every_member_is_found_where_it_lies_in_each_format(tmp_path: Path, kind: str) -> None:
    contents = CONTENTS if kind == "ustar" else CONTENTS | LONG
    path = packed(tmp_path / "a.tar", contents, FORMATS[kind])
    found, data = members(path), path.read_bytes()
    assert {os.fsdecode(m.name): data[m.offset : m.offset + m.size] for m in found} == contents
    assert {m.kind for m in found} == {"file"}
    with tarfile.open(path) as tar:
        assert [(m.offset, m.size) for m in found] == [(m.offset_data, m.size) for m in tar]


def test_links_folders_and_sparse_members_are_told_from_files(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    kinds = {tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "link", tarfile.DIRTYPE: "folder", tarfile.FIFOTYPE: "special"}
    with tarfile.open(path, "w") as tar:
        for kind in kinds:
            info = tarfile.TarInfo("odd")
            info.type, info.linkname = kind, "x"
            tar.addfile(info)
        info = tarfile.TarInfo("b.png")
        info.size, info.pax_headers = 1, {"GNU.sparse.major": "1"}
        tar.format = tarfile.PAX_FORMAT
        tar.addfile(info, io.BytesIO(b"1"))
    assert [m.kind for m in members(path)] == [*kinds.values(), "sparse"]


def test_gnus_sparse_headers_are_stepped_over(tmp_path: Path) -> None:
    header = bytearray(tarfile.TarInfo("s.png").tobuf(tarfile.GNU_FORMAT))
    header[:5], header[156:157], header[124:136], header[482] = b"s.png", b"S", b"00000000003\0", 1
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 256)
    after = packed(tmp_path / "b.tar", {"b.png": b"2"}).read_bytes()
    (tmp_path / "a.tar").write_bytes(bytes(header) + bytes(512) + b"abc".ljust(512, b"\0") + after)
    assert [(m.name, m.kind, m.offset) for m in members(tmp_path / "a.tar")] == [
        (b"s.png", "sparse", 1024), (b"b.png", "file", 2048),
    ]  # fmt: skip


def test_sizes_in_binary_are_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.png")
    info.size = 8 << 30
    path = tmp_path / "a.tar"
    with path.open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(512 + info.size + 1024)  # a hole
    assert [(m.name, m.size) for m in members(path)] == [(b"a.png", info.size)]


WRONG = {
    "empty": (lambda data: b"", "it is empty"),
    "text": (lambda data: b"hello" * 500, "no tar file"),
    "short": (lambda data: data[:100], "no tar file"),
    "cut in a member": (lambda data: data[:1100], "cut short"),
    "cut after a member": (lambda data: data[:1536], "the mark at its end is missing"),
    "damaged": (lambda data: data[:1540] + b"\xff" + data[1541:], "damaged at byte 1,536"),
    "joined": (lambda data: data + data, "two tar files joined"),
    "gzip": (lambda data: b"\x1f\x8b" + data, r"compressed \(gzip\)"),
    "zstd": (lambda data: b"\x28\xb5\x2f\xfd" + data, r"compressed \(zstd\)"),
    "a size that is none": (lambda data: damaged_size(data), "damaged|cut short"),
}


def damaged_size(data: bytes) -> bytes:
    header = bytearray(data[:512])
    header[124:136] = b"99999999999\0"
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 256)
    return bytes(header) + data[512:]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_whole_plain_tar_is_refused_in_words(tmp_path: Path, wrong: str) -> None:
    damage, words = WRONG[wrong]
    path = packed(tmp_path / "a.tar", {"a.png": b"x" * 1000, "b.png": b"y"})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadTar, match=words):
        members(path)


def test_a_damaged_pax_header_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.tar", LONG, tarfile.PAX_FORMAT)
    data = path.read_bytes()
    path.write_bytes(data.replace(b" path=", b" path_", 1))
    with pytest.raises(BadTar, match="a header that is none"):
        members(path)
