"""What tells images from others: names, sizes, order and labels; and as much of their content as a look may take.

A look at each file, and the bytes of a few. A file that is changed, and keeps its size and its time, is not seen unless
it is one of the few.
"""

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from torch import Tensor

from dcp.data.broken_files import Undecodable
from dcp.data.datasets.base import Dataset
from dcp.data.image_files import in_words
from dcp.data.image_lists import Files, ImageList
from dcp.data.regular_files import special
from dcp.data.shards import Shards

SAMPLED = 64  # images whose bytes are read, spread evenly
MOST = 2**20  # bytes of each
NO_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.EISDIR}


@dataclass(frozen=True, eq=False)
class Identity:
    """Of a data set."""

    data: Dataset
    images: str  # 16 hexadecimal digits: names, sizes, order and labels
    times: bytes  # digest of when files were changed
    gone: dict[int, str] = field(default_factory=dict)  # images that no file holds, and why
    unseen: dict[int, OSError] = field(default_factory=dict)  # files that could not be looked at

    def contents(self) -> str:
        """16 hexadecimal digits: when files were changed, and what is in some of them.

        Raises:
            RunError: "broken-image", one of them cannot be read, though it is there.
        """
        files, digest = self.data.images, sha256(self.times)
        if isinstance(files, Tensor):
            return self.images
        if not isinstance(files, Files):
            for part in files.identity():
                digest.update(part)
        count = min(len(files), SAMPLED)
        for i in (k * (len(files) - 1) // max(count - 1, 1) for k in range(count)):
            if i not in self.gone:
                # one without an image, which is left out or told when its turn comes
                with suppress(Undecodable), in_words(files.place(i), files.mending), files.open(i) as file:
                    digest.update(sha256(file.read(MOST)).digest())
        return digest.hexdigest()[:16]

    def check_seen(self) -> None:
        """RunError "broken-image" for the first file that could not be looked at."""
        for i, error in self.unseen.items():
            assert isinstance(self.data.images, ImageList)
            with in_words(self.data.images.place(i), self.data.images.mending):
                raise error


def of(data: Dataset) -> Identity:
    """Look at all images; a file that is not there has the size -1."""
    files = data.images
    if isinstance(files, Tensor):
        return Identity(data, data.fingerprint(), b"")
    names, times = sha256(repr((len(files), data.classes)).encode()), sha256()
    gone, unseen = dict[int, str](), dict[int, OSError]()
    root = os.fsencode(files.root) if isinstance(files, Files) else b""
    for i in range(len(files)):
        size = -1
        try:
            if isinstance(files, Files):
                status = os.stat(os.path.join(root, files.name(i)))  # noqa: PTH116, PTH118 - of a million files
                if not stat.S_ISREG(status.st_mode):
                    kind = special(status.st_mode) or "a folder"
                    raise OSError(errno.EINVAL, f"it is {kind}, not a file")
                size = status.st_size
                times.update(b"%d\0" % status.st_mtime_ns)
            elif (size := files.size(i)) < 0:
                gone[i] = "there is none"
        except OSError as error:
            if error.errno in NO_FILE:
                gone[i] = error.strerror or str(error)
            else:
                unseen[i] = error
        names.update(b"%s\0%d\0" % (files.name(i), size))
    if isinstance(files, Shards):
        times.update(repr(files.stamps).encode())
    if data.labels is not None:
        names.update(data.labels.numpy().astype("<i8").tobytes())
    return Identity(data, names.hexdigest()[:16], times.digest(), gone, unseen)
