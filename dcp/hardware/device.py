"""The machine: what it is, and what is left of it."""

import os
import platform
import sys
from datetime import datetime, timezone
from importlib import metadata

import torch


def set_determinism(wanted: bool) -> None:
    """Bitwise repeatable results on a GPU, where that is wanted; a CPU always gives them."""
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted)
    torch.backends.cudnn.benchmark = not wanted


def decoders(wish: int | None, processes: int) -> int:
    """Processes that decode image files: as wished, or one for each spare core, 8 at most."""
    spare = (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) - 1
    return max(1, min(8, spare // processes)) if wish is None else wish


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """What computed: dcp, Python, torch and the libraries that shape numbers."""
    libraries = ("dcp", "torch", "torchvision", "timm", "accelerate", "safetensors", "numpy")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in libraries}}


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
