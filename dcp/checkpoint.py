"""Checkpoints: everything that resume needs in one safetensors file, with a little JSON in its header. Never pickle.

One file, because one rename is atomic and two are not: whenever the process dies, the last complete checkpoint is there.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from dcp.errors import RequestError
from dcp.run.disk import replacing

FILE = "checkpoint/state.safetensors"


def save(folder: Path, method: nn.Module, optimizer: Optimizer, progress: dict[str, Any]) -> None:
    """Write the checkpoint of a run folder; the one before stays until this one is complete.

    Args:
        folder: of the run.
        method: its whole state goes in.
        optimizer: its state, by the names of `method`'s parameters.
        progress: small JSON, among it "next_step".
    """
    tensors = {name: value.detach().contiguous().cpu() for name, value in method.state_dict().items()}
    tensors |= _optimizer_tensors(method, optimizer)
    path = folder / FILE
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as beside:
        save_file(tensors, beside, metadata={"progress": json.dumps(progress)})


def load(folder: Path, method: nn.Module, optimizer: Optimizer) -> dict[str, Any] | None:
    """Put the checkpoint of a run folder into `method` and `optimizer`; its progress, or None if there is none yet.

    Raises:
        RequestError: the file is damaged, or belongs to another network.
    """
    path = folder / FILE
    if not path.exists():
        return None
    tensors, metadata = read(path)
    names = {name for name in tensors if not name.startswith("optimizer.")}
    try:
        method.load_state_dict({name: tensors[name] for name in names}, strict=True)
    except RuntimeError:
        raise RequestError("the checkpoint is of another network", slug="bad-checkpoint", where=str(path)) from None
    _load_optimizer(method, optimizer, tensors)
    progress: dict[str, Any] = json.loads(metadata["progress"])
    return progress


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the header of a safetensors file.

    Raises:
        RequestError: it is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise RequestError(f"cannot read the file: {error}", slug="bad-checkpoint", where=str(path)) from None


def _optimizer_tensors(method: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    return {
        f"optimizer.{name}|{key}": value.detach().contiguous().cpu()
        for name, param in method.named_parameters()
        for key, value in optimizer.state.get(param, {}).items()
        if isinstance(value, Tensor)
    }


def _load_optimizer(method: nn.Module, optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    params = dict(method.named_parameters())
    for full, value in tensors.items():
        if full.startswith("optimizer."):
            name, _, key = full.removeprefix("optimizer.").partition("|")
            param = params[name]
            like = torch.empty_like(param) if value.shape == param.shape else torch.empty_like(value)
            optimizer.state[param][key] = like.copy_(value)  # keeps the memory format of the parameter
