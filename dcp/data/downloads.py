"""Data sets that torchvision downloads and reads; dcp adds plain words where data are missing or broken."""

import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.error import URLError

from dcp.data.datasets.base import DataConfig, data_root
from dcp.errors import RequestError

if TYPE_CHECKING:  # importing torchvision takes seconds, and reading a recipe needs the Config only
    from torchvision.datasets import CIFAR10, STL10

Reader = TypeVar("Reader", bound="CIFAR10 | STL10")


@dataclass(frozen=True)
class Place:
    """Where a data set belongs, for messages."""

    name: str
    folder: Path  # what the archive unpacks to
    files: str  # what lies in the folder, as text for a person
    url: str  # of the archive

    @property
    def _ways_out(self) -> str:
        return (
            f"Are they elsewhere? Set data.root or $DCP_DATA to the folder that holds {self.folder.name}.\n"
            f"{self.folder} must hold {self.files}.\n"
            f"By hand: fetch {self.url} where there is a network, and unpack it in {self.folder.parent}."
        )

    def missing(self, files: list[str]) -> RequestError:
        """The error for data that are not there; `files` are those that an incomplete folder lacks."""
        what = f"{self.name} is incomplete: no {', '.join(files)}" if files else f"{self.name} is not there"
        hint = f"Let dcp download the data: --set data.download=true\n{self._ways_out}"
        return RequestError(what, slug="missing-data", where=str(self.folder), hint=hint)

    def damaged(self, reason: str) -> RequestError:
        """The error for data that are not what they should be."""
        archive = self.url.rpartition("/")[2]
        hint = f"Delete {self.folder} (and {archive} beside it), then use --set data.download=true"
        what = f"{self.name} is damaged: {reason}"
        return RequestError(what, slug="damaged-data", where=str(self.folder), hint=hint)

    def unreachable(self, reason: object) -> RequestError:
        """The error for a download that fails on the network's side."""
        what = f"cannot download {self.name}: {reason}"
        hint = f"This machine seems to be offline, or the server is.\n{self._ways_out}"
        return RequestError(what, slug="download-failed", where=self.url, hint=hint)


def read(config: DataConfig, kind: type[Reader], **options: Any) -> Reader:
    """The data set as torchvision's class `kind` reads it, with `options` of that class such as the split.

    Raises:
        RequestError: missing, incomplete, damaged or not to be downloaded; it names the folder and the files.
    """
    root = data_root(config)
    files = [name for name, _ in (*kind.train_list, *kind.test_list)]
    place = Place(config.source, root / kind.base_folder, ", ".join(files), kind.url)
    missing = [name for name in files if not (place.folder / name).is_file()]
    if missing and not config.download:
        raise place.missing(missing if len(missing) < len(files) else [])
    with in_plain_words(place):
        return kind(root, download=config.download, **options)


@contextmanager
def in_plain_words(place: Place) -> Iterator[None]:
    """Turn what torchvision raises while it downloads, checks and reads into a RequestError."""
    try:
        yield
    except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
        raise place.unreachable(getattr(error, "reason", None) or error) from error
    except (RuntimeError, EOFError, tarfile.TarError, zlib.error) as error:
        raise place.damaged("its checksums are not those of the original") from error
    except OSError as error:
        what = f"cannot use the data folder: {error.strerror or error}"
        hint = "Check its permissions and the free space, or name another with data.root or $DCP_DATA."
        where = str(place.folder.parent)
        raise RequestError(what, slug="unusable-folder", where=where, hint=hint) from error
