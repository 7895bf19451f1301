"""A folder of data, and what messages call it."""

import os


class Folder:
    """A folder of data: where it is, and what messages call it.

    A variable that somebody wrote into a path may hold a secret, and messages end up in records of runs.

    Args:
        path: the folder.
        shown: its name in messages; without it the path.
    """

    def __init__(self, path: str | os.PathLike[str], shown: str = "") -> None:
        self._path, self._shown = os.fspath(path), shown or os.fspath(path)

    def __fspath__(self) -> str:
        return self._path

    def __str__(self) -> str:
        return self._shown

    def __truediv__(self, name: str) -> "Folder":
        return Folder(os.path.join(self._path, name), os.path.join(self._shown, name))  # noqa: PTH118

    @property
    def name(self) -> str:
        """The last part of the path."""
        return os.path.basename(self._path)  # noqa: PTH119
