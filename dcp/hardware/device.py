"""The device: which one, whether its results repeat, and the memory that they took."""

import os
import sys

import torch

from dcp.errors import RequestError


def choose_device(name: str) -> str:
    """The device for "auto", "cpu", "cuda" or "mps".

    Raises:
        RequestError: this machine does not have it.
    """
    have = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if have[device])
    if not have.get(name, False):
        names = ", ".join(device for device, there in have.items() if there)
        raise RequestError(
            f'there is no device "{name}" here',
            slug="no-device",
            where="--device",
            hint=f"this machine has {names}",
        )
    return name


def set_determinism(on: bool) -> None:
    """Bitwise repeatable results on a GPU, or the fastest; a CPU always gives the former."""
    if on:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(on)
    torch.backends.cudnn.benchmark = not on


def device_name(device: torch.device) -> str:
    """For people: "cpu (2 threads)", "cuda (NVIDIA H200)"."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    if device.type != "cpu":
        return device.type
    threads = torch.get_num_threads()
    return f"cpu ({threads} thread{'' if threads == 1 else 's'})"


def peak_memory_bytes(device: torch.device) -> int | None:
    """The most memory in use at a time: of the GPU, or of this process on a CPU; None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
