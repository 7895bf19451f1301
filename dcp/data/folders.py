"""A folder of data, and what messages call it."""

import os
import sys


class Folder:
    """A folder of data: where it is, and what messages call it.

    A variable that somebody wrote into a path may hold a secret, and messages end up in records of runs.

    Args:
        path: the folder.
        shown: its name in messages; without it the path.
        arrays: whether .npy files below it are images.
    """

    def __init__(self, path: str | os.PathLike[str], shown: str = "", *, arrays: bool = False) -> None:
        self._path, self._shown, self.arrays = os.fspath(path), shown or os.fspath(path), arrays

    def __fspath__(self) -> str:
        return self._path

    def __str__(self) -> str:
        return self._shown

    def __truediv__(self, name: str) -> "Folder":
        path, shown = (os.path.join(above, name) for above in (self._path, self._shown))  # noqa: PTH118
        return Folder(path, shown, arrays=self.arrays)

    def with_arrays(self) -> "Folder":
        """The same where .npy files are images."""
        return Folder(self._path, self._shown, arrays=True)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return os.path.basename(self._path)  # noqa: PTH119


def platform_cache() -> str:
    """Where programs of this platform keep what can be made again; it may begin with `~`."""
    caches = {"win32": os.environ.get("LOCALAPPDATA") or "~/AppData/Local", "darwin": "~/Library/Caches"}
    return caches.get(sys.platform) or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
