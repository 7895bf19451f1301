"""The environment: which of its variables have a say in a training, and which have not because the recipe decides.

Accelerate reads dozens of variables, by which its own launcher talks to it: they compile, shard, cast and accumulate.
What a recipe says would then be computed otherwise, or not at all. They are taken away while it is built.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping

from dcp.errors import printable

# What Accelerate is told by: by its own launcher, and by MPI's, which dcp takes no ranks from.
FOREIGN = (
    "ACCELERATE_", "FSDP_", "FP8_", "MEGATRON_LM_", "PARALLELISM_CONFIG_", "FORK_LAUNCHED", "USE_TORCH_XLA",
    "PMI_", "MPI_LOCAL", "OMPI_COMM_WORLD_", "MV2_COMM_WORLD_",
)  # fmt: skip
# What libraries below dcp compute by: threads, instructions, precision of products, algorithms.
LIBRARIES = (
    "OMP_NUM_THREADS", "OMP_DYNAMIC", "OMP_THREAD_LIMIT", "KMP_", "MKL_", "OPENBLAS_", "ATEN_CPU_CAPABILITY", "ONEDNN_",
    "DNNL_", "CUBLAS_", "CUDNN_", "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "NCCL_ALGO", "NCCL_PROTO",
    "TORCH_BLAS_", "TORCH_CUDNN_", "TORCH_LINALG_", "TORCHDYNAMO_", "TORCHINDUCTOR_", "TORCH_COMPILE_", "PYTORCH_",
)  # fmt: skip
LONGEST = 200  # characters of a value that run.json keeps


def deciding() -> dict[str, str]:
    """The variables that are set here and may change what numbers come out, and their values."""
    names = [name for name in sorted(os.environ) if name.startswith(LIBRARIES) and "CACHE" not in name]
    return {printable(name): printable(os.environ[name][:LONGEST]) for name in names}


def ignored() -> list[str]:
    """The names of variables that are set here for Accelerate or MPI, and which dcp keeps from having a say."""
    return [name for name in sorted(os.environ) if name.startswith(FOREIGN)]


@contextlib.contextmanager
def without_foreign(given: Mapping[str, str | None] | None = None) -> Iterator[None]:
    """The environment without what Accelerate would read, and with what is `given`: values, or None for no variable."""
    given = given or {}
    hidden = {name: os.environ.pop(name) for name in (*ignored(), *given) if name in os.environ}
    os.environ.update({name: value for name, value in given.items() if value is not None})
    try:
        yield
    finally:
        for name in given:
            os.environ.pop(name, None)
        os.environ.update(hidden)
