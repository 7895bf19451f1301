"""Predictions per image, and the other arrays that an evaluation keeps: a file of safetensors beside its scores."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcp.runs.json_files import broken

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 2**30  # bytes; those of a million images have some fifty million
PER_IMAGE = ("prediction", "label", "random_prediction")  # of each test image; what else an evaluation keeps is its own


def parsed(data: bytes, path: Path) -> "dict[str, NDArray[Any]]":
    """The arrays that `data`, the content of the file at `path`, holds.

    Raises:
        RequestError: "broken-run": not as many predictions as labels, no whole numbers, or no file of safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = dict(load(data))
    except (SafetensorError, KeyError, ValueError) as error:
        raise broken(path, str(error)) from None
    lists = [array for name, array in arrays.items() if name in PER_IMAGE]
    if len({array.shape for array in lists}) > 1:
        raise broken(path, "its lists are not of one length")
    if any(array.ndim != 1 or array.dtype.kind != "i" for array in lists):
        raise broken(path, "it holds something else than lists of whole numbers")
    return arrays
