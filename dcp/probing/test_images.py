"""Which file each prediction is of: a list beside the probes, one for all that were tested on the same images."""

from pathlib import Path

from dcp.data.datasets.base import Dataset
from dcp.data.image_files import Files
from dcp.errors import printable
from dcp.runs.disk import atomic_write


def write(folder: Path, test: Dataset, fingerprint: str) -> None:
    """Write the names of the test images to `images-<fingerprint>.txt`, if they are files and the list is not there.

    Line i is prediction i: a path below the folder of the test images, in UTF-8, escaped where it could not be shown.
    The fingerprint is that of the images' names and sizes, and stands in the probe as `data.test`: a list of this name
    is of these images.

    Raises:
        RunError: "disk-full" or "cannot-write".
    """
    path = folder / f"images-{fingerprint}.txt"
    if isinstance(test.images, Files) and not path.exists():
        names = (test.images.name(i).decode(errors="backslashreplace") for i in range(len(test)))
        atomic_write(path, "".join(f"{printable(name)}\n" for name in names).encode())
