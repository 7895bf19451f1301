"""Paths of images as a person lists them: in Python, in a text file, or on standard input."""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from dcp.data import image_names
from dcp.data.regular_files import open_regular
from dcp.errors import RequestError

LONGEST = 2**30  # bytes of a list: some ten million paths
LINES = "a list has a path a line"
_ARROW = re.compile(rb"ARROW1|\xff\xff\xff\xff[^\xff]", re.DOTALL)
_COMPRESSED = re.compile(rb"\x1f\x8b|BZh[1-9]|\xfd7zXZ|\x28\xb5\x2f\xfd|PK\x03\x04|7z\xbc\xaf", re.DOTALL)
_NUMBERS = re.compile(rb"\x93NUMPY|PAR1|\x89HDF|.{6}\0\0\{\"", re.DOTALL)


def in_python(paths: Sequence[Any]) -> list[bytes]:
    """The paths of a list: text, bytes or what has a path.

    Raises:
        RequestError: "bad-source", something in it is no path.
    """
    names = []
    for number, path in enumerate(paths):
        try:
            names.append(os.fsencode(path))
        except (TypeError, UnicodeEncodeError):
            what, where = f"a path is text or a Path, not {path!r:.100}", f"source[{number}]"
            raise RequestError(what, slug="bad-source", where=where, hint="give the paths of image files") from None
    return names


def in_file(path: Path) -> list[bytes]:
    """The paths in a text file.

    Raises:
        RequestError: "bad-source", it cannot be read, is no text, or is too large.
    """
    if image_names.kind(os.fsencode(path.name)) in image_names.EXTENSIONS:
        hint = f"{LINES}. One image: echo {path} | dcp embed RUN - --out FILE"
        raise RequestError("this is an image, and no list of them", slug="bad-source", where=str(path), hint=hint)
    try:
        with open_regular(path) as file:  # a FIFO may have no writer, and a device no end
            return _lines(_capped(file, str(path)), str(path), path.parent)
    except OSError as error:
        what = f"cannot read the list: {error.strerror}"
        raise RequestError(what, slug="bad-source", where=str(path), hint=LINES) from None


def on_standard_input() -> list[bytes]:
    """The paths that another program writes.

    Raises:
        RequestError: "bad-source", it is no text, or is too large.
    """
    return _lines(_capped(sys.stdin.buffer, "standard input"), "standard input", Path("DIR"))


def command(source: str, root: Path | str) -> str:
    """The command for images that lie in the files of a data set.

    >>> print(command("shards", "my tars"))
    dcp embed RUN shards --split pretrain --set 'data.root=my tars'
    """
    return f"dcp embed RUN {source} --split pretrain --set {shlex.quote(f'data.root={root}')}"


def _capped(file: BinaryIO, where: str) -> bytes:
    text = file.read(LONGEST + 1)
    if len(text) > LONGEST:
        what, hint = f"a list of more than {LONGEST:,} bytes", "a path a line; embed a longer list in parts"
        raise RequestError(what, slug="bad-source", where=where, hint=hint)
    return text


def _lines(content: bytes, where: str, folder: Path) -> list[bytes]:
    """The paths, a line each, or each before a null byte, as `find -print0` writes them."""
    what = hint = ""
    if content[257:262] == b"ustar" or (where.lower().endswith(".tar") and content):
        what, hint = "this is a tar file, and no list", f"images in tar files: {command('shards', folder)}"
    elif _ARROW.match(content):
        what = "this is a file of a data set, and no list"
        hint = f"a folder that save_to_disk wrote: {command('hf', folder)}"
    elif _COMPRESSED.match(content):
        what, hint = "this is a compressed file, and no list", f"unpack it; {LINES}"
    elif _NUMBERS.match(content):
        what, hint = "this is no text", LINES
    if what:
        raise RequestError(what, slug="bad-source", where=where, hint=hint)
    lines = content.split(b"\0") if b"\0" in content else content.removeprefix(b"\xef\xbb\xbf").splitlines()
    return [line for line in lines if line.strip()]
