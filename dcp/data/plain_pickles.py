"""Pickles of plain data: numbers, texts, containers of Python, and arrays of bytes as numpy pickles them.

A pickle names functions of any module and has them called: unpickling runs code. Here four names are known, those of
`KNOWN`, and what answers to them is below, not numpy's own; every other name is refused.

CIFAR's files are pickles of Python 2, whose texts may be bytes: they are read as Latin-1, which keeps each byte.
"""

import io
import pickle
from typing import Any

import numpy as np
import numpy.typing as npt


class Bytes:
    """An array of bytes, in the place of `numpy.ndarray`."""

    values: npt.NDArray[np.uint8]

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_column, content = state
        if not isinstance(kind, ByteType) or by_column or not all(isinstance(side, int) for side in shape):
            raise pickle.UnpicklingError("an array of something else than bytes, row by row")
        data = content.encode("latin1") if isinstance(content, str) else content
        self.values = np.frombuffer(data, dtype=np.uint8).reshape(shape)


class ByteType:
    """The type of a byte, in the place of `numpy.dtype`; no other may be asked for."""

    def __init__(self, code: str, *_: object) -> None:
        if code not in ("u1", "|u1"):
            raise pickle.UnpicklingError(f"an array of {code}")

    def __setstate__(self, state: object) -> None:
        pass  # order of the bytes of a number, and what else a byte does not have


def empty(kind: object, *_: object) -> Bytes:
    """An array to be filled, in the place of `numpy.core.multiarray._reconstruct`."""
    if kind is not Bytes:
        raise pickle.UnpicklingError("an array of an unknown kind")
    return Bytes()


def latin1(text: str, encoding: str) -> bytes:
    """The bytes of a text, in the place of `_codecs.encode`: how Python 3 writes bytes for Python 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"an encoding called {encoding}")
    return text.encode("latin1")


KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): empty,
    ("numpy._core.multiarray", "_reconstruct"): empty,
    ("numpy", "ndarray"): Bytes,
    ("numpy", "dtype"): ByteType,
    ("_codecs", "encode"): latin1,
}


class Unpickler(pickle.Unpickler):
    """Reads what the module says, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """The class that stands for a name.

        Raises:
            pickle.UnpicklingError: the name is none of `KNOWN`.
        """
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no plain data")
        return KNOWN[module, name]


def loads(data: bytes | bytearray) -> Any:
    """What a pickle of plain data holds; arrays as `Bytes`.

    Raises:
        ValueError: it is none, or holds something else.
    """
    try:
        return Unpickler(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # the parser raises what it meets: EOFError, KeyError, UnicodeError, ...
        raise ValueError(str(error) or type(error).__name__) from None
