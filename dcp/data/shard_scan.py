"""What is in one tar file of images: where each lies, its name and its label.

Members of one key, the path up to the first dot in its last part, belong together, wherever in the tar they stand:
KEY.jpg is the image (any ending of `dcp.data.image_names.EXTENSIONS`), KEY.cls its label, or else "label" in KEY.json.
"""

import json
import os
import re
from array import array
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcp.data.folders import Folder
from dcp.data.image_lists import Bytes
from dcp.data.image_names import EXTENSIONS, HIDDEN, LITTER, OTHER, is_hidden
from dcp.data.regular_files import open_regular
from dcp.data.shards import Stamp
from dcp.data.tars import BadTar, Tar
from dcp.errors import RequestError, printable

LONGEST = 2**16 - 1  # bytes of a name
LONGEST_LABEL = 200  # characters
LONGEST_JSON = 2**20  # bytes

_IMAGES = frozenset(extension.encode() for extension in EXTENSIONS)
_ENDING = re.compile(rb"[a-z0-9_+.-]{1,20}")


@dataclass(frozen=True, eq=False)
class Part:
    """What is in one tar, n images."""

    stamp: Stamp
    offset: npt.NDArray[np.int64]  # [n], of the first byte
    size: npt.NDArray[np.int64]  # [n], in bytes
    label: npt.NDArray[np.int32]  # [n], a number in `labels`; -1 where there is none
    length: npt.NDArray[np.uint16]  # [n], of the name, in bytes
    name: Bytes  # [bytes], the names one after the other
    labels: tuple[str, ...]
    left_out: dict[str, int]  # members that are no images, by ending

    def __len__(self) -> int:
        return len(self.offset)


def scan(tar: Tar, stamp: Stamp) -> Part:
    """What is in a tar.

    Raises:
        BadTar: as `Tar.members`; a key has two images; a label is none.
        OSError: it cannot be read.
    """
    offset, size, names, left_out = array("q"), array("q"), list[bytes](), Counter[str]()
    rows, labels = dict[bytes, int](), dict[bytes, str]()  # by key: the image, and the label
    for member in tar.members():
        name = member.name
        while name.startswith(b"./"):
            name = name[2:].lstrip(b"/")
        if member.kind == "folder" or any(map(LITTER.fullmatch, name.split(b"/"))):
            continue
        folder, slash, last = name.rpartition(b"/")
        stem, _, ending = last.partition(b".")
        key, ending = folder + slash + stem, ending.lower()
        if is_hidden(name):
            left_out[HIDDEN] += ending.rpartition(b".")[2] in _IMAGES
        elif member.kind != "file":
            left_out[member.kind] += 1
        elif ending in _IMAGES:
            if key in rows:
                two = f"{printable(os.fsdecode(names[rows[key]]))} and {printable(os.fsdecode(name))}"
                raise BadTar(f"two images have one key, and so one label: {two}")
            if len(name) > LONGEST:
                raise BadTar(f"a name has {len(name):,} bytes")
            rows[key] = len(names)
            names.append(name)
            offset.append(member.offset)
            size.append(member.size)
        elif (label := _label(tar, name, member.offset, member.size)) is not None:
            if ending == b"cls" or key not in labels:
                labels[key] = label
        else:
            left_out[ending.decode() if _ENDING.fullmatch(ending) else OTHER] += 1
    table = {text: number for number, text in enumerate(dict.fromkeys(labels.values()))}
    numbers = [table[labels[key]] if key in labels else -1 for key in rows]
    return Part(
        stamp,
        np.array(offset, dtype=np.int64),
        np.array(size, dtype=np.int64),
        np.array(numbers, dtype=np.int32),
        np.array([len(name) for name in names], dtype=np.uint16),
        np.frombuffer(b"".join(names), dtype=np.uint8),
        tuple(table),
        {ending: count for ending, count in left_out.items() if count},
    )


def peek(folder: Folder, tar: str, members: int = 100) -> bool:
    """Whether there is a label among the first members of a tar; False where it cannot be read."""
    with suppress(OSError, BadTar, RequestError), open_regular(folder / tar) as file:
        opened = Tar(file, os.fstat(file.fileno()).st_size)
        for _, member in zip(range(members), opened.members(), strict=False):
            if member.kind == "file" and _label(opened, member.name, member.offset, member.size):
                return True
    return False


def _label(tar: Tar, name: bytes, offset: int, size: int) -> str | None:
    """The label in a member, a whole number or a word, as it is written; None where it is no label."""
    ending = name.rpartition(b"/")[2].partition(b".")[2].lower()
    if ending not in (b"cls", b"json"):
        return None
    shown = printable(os.fsdecode(name))
    if size > (LONGEST_JSON if ending == b"json" else 4 * LONGEST_LABEL):
        raise BadTar(f"{shown} has {size:,} bytes, and should hold a label")
    content, found = tar.read(offset, size), None
    try:
        text = content.decode()
        if ending == b"json":
            loaded = json.loads(text)
            found = loaded.get("label") if isinstance(loaded, dict) else None
            if found is None:
                return None
            if isinstance(found, bool) or not isinstance(found, int | str):
                raise BadTar(f'"label" in {shown} is neither a whole number nor a name, but {json.dumps(found)[:40]}')
            text = str(found)
    except (ValueError, RecursionError):
        raise BadTar(f"{shown} is no {'JSON' if ending == b'json' else 'text'}") from None
    text = text.strip()
    if not text or len(text) > LONGEST_LABEL or not text.isprintable():
        raise BadTar(f"{shown} holds no label: a whole number, or a name on one line")
    return text
