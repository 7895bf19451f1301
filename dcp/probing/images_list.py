"""Which file each prediction is of: a list beside the probes, one for all that were tested on the same images."""

import os

from dcp.data.datasets.base import Dataset
from dcp.data.image_lists import ImageList
from dcp.errors import escaped
from dcp.runs.run import Run


def write(run: Run, test: Dataset, fingerprint: str) -> None:
    r"""Write the names of the test images to `probes/images-<fingerprint>.txt`, if they are files and it is not there.

    Line i is prediction i: a path below the folder of the test images, in UTF-8, with "/" between folders. A backslash
    is written twice, and each byte of what is no UTF-8, or could not be shown, as \xff: a line leads to its file.
    The fingerprint is that of the images' names and sizes, and stands in the probe as `data.test`: a list of this name
    is of these images.

    Raises:
        RunLost: the folder is no longer this process's.
        RunError: "disk-full" or "cannot-write".
    """
    name = f"probes/images-{fingerprint}.txt"
    if isinstance(test.images, ImageList) and not (run.path / name).exists():
        lines = (f"{_line(test.images.name(i))}\n" for i in range(len(test)))
        run.write(name, "".join(lines).encode())


def _line(name: bytes) -> str:
    text = escaped(name.replace(os.fsencode(os.sep), b"/"))
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "".join(f"\\x{byte:02x}" for byte in c.encode()) for c in text)
