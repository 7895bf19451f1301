"""Weights: the tensors and the header of a safetensors file, or what is wrong with it in words."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from dcp.errors import LFS_POINTER, RequestError, not_fetched


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the header of a safetensors file.

    Raises:
        RequestError: it is damaged.
        NotFetched: it is a Git LFS pointer.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError) as error:  # the last: the memory has no room for it
        raise (
            not_fetched(str(path)) if _is_pointer(path) else unusable(f"cannot read the file: {error}", path)
        ) from None


def _is_pointer(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(LFS_POINTER)) == LFS_POINTER
    except OSError:
        return False


def unusable(message: str, path: Path) -> RequestError:
    """The error for a file of weights that cannot be used, with the way out."""
    what = "it is made again" if path.name == "encoder.safetensors" else "the run begins anew"
    hint = f"Restore it from a copy; or delete it and go on with --resume: {what}."
    return RequestError(message, slug="bad-checkpoint", where=str(path), hint=hint)
