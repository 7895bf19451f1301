"""Data sets that others publish as archives: fetched, checked and read, with plain words where something is missing.

torchvision fetches them, and knows their addresses and checksums. Reading is done here. A file is read once: the bytes
whose md5 is that of the original are the bytes that are parsed, so that nobody who may write to a shared folder of data
can change them in between. What is pickled among them goes through `dcp.data.plain_pickles`.
An archive is unpacked in a folder of its own, and nothing in it may lead out of that (`dcp.data.archives`).
"""

import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import URLError

from dcp.data import archives, plain_pickles
from dcp.data.datasets.base import DataConfig, data_folder
from dcp.data.folders import Folder
from dcp.data.regular_files import open_regular
from dcp.errors import LFS_POINTER, RequestError, not_fetched

if TYPE_CHECKING:  # importing torchvision takes seconds, and reading a recipe needs the Config only
    from torchvision.datasets import CIFAR10, STL10

LARGEST = 3 << 30  # bytes; the largest file of these data sets, STL-10's unlabelled images, has 2.8 GB
PART = 1 << 20
STALE_AFTER_S = 86400.0  # whatever the network, something is written within a day


@dataclass(frozen=True)
class Place:
    """Where a data set belongs, for messages."""

    name: str
    folder: Folder  # what the archive unpacks to
    files: str  # what lies in the folder, as text for a person
    url: str  # of the archive
    root: Folder  # where it is unpacked

    @property
    def _ways_out(self) -> str:
        return (
            f"Are they elsewhere? Set data.root or $DCP_DATA to the folder that holds {self.folder.name}.\n"
            f"{self.folder} must hold {self.files}.\n"
            f"By hand: fetch {self.url} where there is a network, and unpack it in {self.root}."
        )

    def missing(self, files: list[str]) -> RequestError:
        """The error for data that are not there; `files` are those that an incomplete folder lacks."""
        what = f"{self.name} is incomplete: no {', '.join(files)}" if files else f"{self.name} is not there"
        hint = f"Let dcp download the data: --set data.download=true\n{self._ways_out}"
        return RequestError(what, slug="missing-data", where=str(self.folder), hint=hint)

    def damaged(self, reason: str) -> RequestError:
        """The error for data that are not what they should be."""
        hint = f"Delete {self.folder}, then use --set data.download=true"
        return RequestError(f"{self.name} is damaged: {reason}", slug="damaged-data", where=str(self.folder), hint=hint)

    def damaged_archive(self, reason: str) -> RequestError:
        """The error for an archive that is not what it should be."""
        what, hint = f"the archive of {self.name} is damaged: {reason}", self._ways_out
        return RequestError(what, slug="damaged-data", where=self.url, hint=hint)

    def unreachable(self, reason: object) -> RequestError:
        """The error for a download that fails on the network's side."""
        what = f"cannot download {self.name}: {reason}"
        hint = f"This machine seems to be offline, or the server is.\n{self._ways_out}"
        return RequestError(what, slug="download-failed", where=self.url, hint=hint)


class Original(NamedTuple):
    """Files of a data set as its authors published them."""

    place: Place
    content: dict[str, bytearray]  # by name

    def unpickled(self, name: str) -> Any:
        """What is pickled in a file, see `dcp.data.plain_pickles`.

        Raises:
            RequestError: "damaged-data", it holds something else than plain data.
        """
        try:
            return plain_pickles.loads(self.content[name])
        except ValueError as error:
            raise self.place.damaged(f"{name} is no pickle of plain data: {error}") from None


def read(
    config: DataConfig, kind: "type[CIFAR10 | STL10]", wanted: Sequence[str], besides: Mapping[str, str] | None = None
) -> Original:
    """The content of some files of a data set, each with the md5 that torchvision's class `kind` has for it.

    All files of `kind` must be there and have theirs, so that what is damaged shows before hours of training.

    Args:
        config: says where they are, and whether they may be downloaded.
        kind: torchvision's reader, for its lists and addresses.
        wanted: names of the files whose content is returned.
        besides: md5 by name of further files, which are not in its lists.

    Raises:
        RequestError: missing, incomplete, damaged or not to be downloaded; it names the folder and the files.
    """
    root = data_folder(config)
    sums = {name: md5 for name, md5 in (*kind.train_list, *kind.test_list)}
    place = Place(config.source, root / kind.base_folder, ", ".join(sums), kind.url, root)
    missing = [name for name in sums if not (Path(place.folder) / name).is_file()]
    sums |= besides or {}
    if missing and not config.download:
        raise place.missing(missing if len(missing) < len(sums) - len(besides or {}) else [])
    if missing:
        fetch(place, kind.filename, kind.tgz_md5)
    try:
        return _checked(place, sums, wanted)
    except RequestError:
        if missing or not config.download:
            raise
    fetch(place, kind.filename, kind.tgz_md5)
    return _checked(place, sums, wanted)


def fetch(place: Place, archive: str, md5: str) -> None:
    """Download an archive and unpack it; what is there already is replaced, file by file.

    An archive of this name that lies in the folder already is taken, if it is the right one.

    Raises:
        RequestError: the network, the disk or the archive does not allow it.
    """
    from torchvision.datasets.utils import download_url

    with in_plain_words(place):
        Path(place.root).mkdir(parents=True, exist_ok=True)
        _sweep(place, archive)
        with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.root) as beside:
            path = Path(place.root) / archive
            if not path.is_file() or _md5(path) != md5:
                path = Path(beside) / archive
                try:
                    download_url(place.url, beside, archive, md5)
                except RuntimeError:  # torchvision's word for a wrong checksum
                    raise place.damaged_archive("its checksum is not that of the original") from None
            unpacked = Path(beside) / "unpacked"
            try:
                archives.unpack(path, unpacked, md5)
            except archives.Refused as error:
                raise place.damaged_archive(str(error)) from None
            if not (unpacked / place.folder.name).is_dir():
                raise place.damaged_archive(f"it does not hold {place.folder.name}/")
            archives.move(unpacked / place.folder.name, Path(place.folder))


def _sweep(place: Place, archive: str) -> None:
    """Remove what killed processes left when they fetched this data set: where nothing was written for a day."""
    pattern = re.compile(rf"\.{re.escape(place.name)}-[a-z0-9_]{{8}}")
    for folder in [each for each in Path(place.root).iterdir() if pattern.fullmatch(each.name)]:
        with suppress(OSError):
            if folder.is_symlink() or {path.name for path in folder.iterdir()} - {archive, "unpacked"}:
                continue
            latest = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
            if time.time() - latest >= STALE_AFTER_S:
                shutil.rmtree(folder)


def _checked(place: Place, sums: Mapping[str, str], wanted: Sequence[str]) -> Original:
    """The content of the files `wanted`, when those and all others have their md5."""
    content = {name: bytearray() for name in wanted}
    with in_plain_words(place):
        for name, md5 in sums.items():
            digest, size = hashlib.md5(usedforsecurity=False), 0
            try:
                file = open_regular(Path(place.folder) / name)
            except FileNotFoundError:
                raise place.damaged(f"it has no {name}") from None
            with file:
                while part := file.read(PART):
                    if size == 0 and part.startswith(LFS_POINTER):
                        raise not_fetched(str(place.folder / name))
                    size += len(part)
                    if size > LARGEST:
                        raise place.damaged(f"{name} is larger than the original")
                    digest.update(part)
                    if name in content:
                        content[name] += part
            if digest.hexdigest() != md5:
                raise place.damaged(f"the checksum of {name} is not that of the original")
    return Original(place, content)


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open_regular(path) as file:
        while part := file.read(PART):
            digest.update(part)
    return digest.hexdigest()


@contextmanager
def in_plain_words(place: Place) -> Iterator[None]:
    """Turn what the network and the disk answer into a RequestError."""
    try:
        yield
    except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
        raise place.unreachable(getattr(error, "reason", None) or error) from error
    except OSError as error:
        what = f"cannot use the data folder: {error.strerror or error}"
        hint = "Check its permissions and the free space, or name another with data.root or $DCP_DATA."
        raise RequestError(what, slug="unusable-folder", where=str(place.root), hint=hint) from error
