"""Weights: the tensors and the header of a safetensors file, or what is wrong with it in words."""

import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dcp.errors import LFS_POINTER, RequestError, not_fetched

CHECKSUM = "crc32"  # the key of the header that holds it; files of others have none
MOST = 2**35  # bytes of a file of which nothing is known
BESIDES = 2**20  # bytes of a file besides its tensors: their names, the recipe, padding


def size(*tensors: Iterable[Tensor]) -> int:
    """Bytes that a file of these tensors has at most."""
    return BESIDES + sum(tensor.nbytes for each in tensors for tensor in each)


def read(path: Path, most: int = MOST) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the header of a safetensors file.

    Args:
        path: of the file.
        most: bytes that it may have. Its checksum takes seconds per GB, and holes in a file cost its maker nothing.

    Raises:
        RequestError: it is damaged, or larger.
        NotFetched: it is a Git LFS pointer.
    """
    try:
        if (there := path.stat().st_size) > most:
            what = f"it is of another network, or damaged: it has {there:,} bytes instead of at most {most:,}"
            raise unusable(what, path)
        path.open("rb").close()  # who may not read it hears from safetensors that there is none
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            header = file.metadata() or {}
    except (SafetensorError, OSError, RuntimeError) as error:  # the last: the memory has no room for it
        raise not_fetched(str(path)) if _is_pointer(path) else unreadable(error, path) from None
    if CHECKSUM in header and header[CHECKSUM] != checksum(tensors, header):
        raise unusable("it holds something else than was written: a disk or a copy has changed it", path)
    return tensors, header


def checksum(tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> str:
    """CRC-32 of tensors on the CPU with their names and types, and of a header without its own checksum."""
    crc = 0
    for key, text in sorted(header.items()):
        if key != CHECKSUM:
            crc = zlib.crc32(f"{key}={text};".encode(), crc)
    for name, tensor in sorted(tensors.items()):
        crc = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), crc)
        crc = zlib.crc32(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def _is_pointer(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(LFS_POINTER)) == LFS_POINTER
    except OSError:
        return False


def unreadable(error: Exception, path: Path) -> RequestError:
    """The error for a file of weights, or its folder, that cannot be opened."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    wrong = unusable(f"cannot read the file: {reason}", path)
    if isinstance(error, PermissionError):
        wrong.hint = "Nothing need be wrong with it: ask its owner for the right to read it, or for a copy."
    return wrong


def unusable(message: str, path: Path) -> RequestError:
    """The error for a file of weights that cannot be used, with the way out."""
    what = "it is made again" if path.name == "encoder.safetensors" else "the run begins anew"
    hint = f"Restore it from a copy; or delete it and go on with --resume: {what}."
    return RequestError(message, slug="bad-checkpoint", where=str(path), hint=hint)
