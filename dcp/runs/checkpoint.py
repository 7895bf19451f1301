"""Checkpoints: everything that resume needs in one safetensors file, with a little JSON in its header. Never pickle.

One file, because one rename is atomic and two are not: whenever the process dies, the last complete one is there.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from dcp.method import weights
from dcp.runs.disk import replacing_inside
from dcp.runs.own_files import check_file, check_folder

FILE = "checkpoint/state.safetensors"
READOUT = "readout."  # what the names of its tensors begin with
READOUT_MOST = 2**30  # bytes of one that is not wanted any more
STATE = {"momentum_buffer", "step", "exp_avg", "exp_avg_sq"}  # of sgd, lars and adamw


def save(
    folder: Path,
    method: nn.Module,
    optimizer: Optimizer,
    readout: nn.Module | None,
    progress: dict[str, Any],
    verify: Callable[[], None] = lambda: None,
) -> None:
    """Write the checkpoint of a run folder; the one before stays until this one is complete.

    Args:
        folder: of the run.
        method: its whole state goes in.
        optimizer: its state, by the names of `method`'s parameters.
        readout: its whole state, if there is one.
        progress: small JSON, among it "next_step".
        verify: raises if the folder is no longer this process's.
    """
    states = {"": method, READOUT: readout}
    tensors = {
        f"{prefix}{name}": value.detach().contiguous().cpu()
        for prefix, module in states.items()
        if module is not None
        for name, value in module.state_dict().items()
    }
    tensors |= {
        f"optimizer.{name}|{key}": value.detach().contiguous().cpu()
        for name, param in method.named_parameters()
        for key, value in optimizer.state.get(param, {}).items()
        if isinstance(value, Tensor)
    }
    with replacing_inside(folder, FILE, verify) as lent:
        header = {"progress": json.dumps(progress), "tensors": str(len(tensors))}
        save_file(tensors, lent, metadata=header | {weights.CHECKSUM: weights.checksum(tensors, header)})


def load(folder: Path, method: nn.Module, optimizer: Optimizer, readout: nn.Module | None) -> dict[str, Any] | None:
    """Put the checkpoint of a run folder into what it was made of; its progress, or None if there is none yet.

    A readout that was not there when it was saved begins anew.

    Raises:
        RequestError: the file is damaged, or belongs to another network.
    """
    path = folder / FILE
    state, params = method.state_dict().values(), [*method.parameters()]
    size = weights.size(state, params, params)  # an optimizer has two tensors of each parameter's size at most
    size += READOUT_MOST if readout is None else weights.size(readout.state_dict().values())
    found = read(path, folder=path.parent, most=size)
    if found is None:
        return None
    tensors, metadata = found
    progress = _progress(metadata, path)
    if metadata.get("tensors", str(len(tensors))) != str(len(tensors)):
        raise weights.unusable(f"it holds {len(tensors)} tensors instead of {metadata['tensors']}", path)
    names = {name for name in tensors if not name.startswith(("optimizer.", READOUT))}
    remembered = {name.removeprefix(READOUT): value for name, value in tensors.items() if name.startswith(READOUT)}
    try:
        method.load_state_dict({name: tensors[name] for name in names}, strict=True)
        if readout is not None and remembered:
            readout.load_state_dict(remembered, strict=True)
    except RuntimeError:
        raise weights.unusable("the checkpoint is of another network", path) from None
    _load_optimizer(method, optimizer, tensors, path)
    stateful = any(group.get("momentum") or "betas" in group for group in optimizer.param_groups)
    if progress["next_step"] > 0 and stateful and not optimizer.state:
        raise weights.unusable("the optimizer's state is missing", path)
    return progress


def read(
    path: Path, folder: Path | None = None, most: int = weights.MOST
) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """The tensors and the header of a file of a run, which lies in a `folder` of its own; None without it.

    Raises:
        RequestError: "bad-checkpoint": it is damaged, has more than `most` bytes, or is no file but a link, a pipe or a
            device.
    """
    try:
        for check, place in ((check_folder, folder), (check_file, path)):
            if place is not None:
                check(place)
    except OSError as error:
        raise weights.unreadable(error, path) from None
    return weights.read(path, most) if path.exists() else None


def _progress(metadata: dict[str, str], path: Path) -> dict[str, Any]:
    """The progress in the header, with what the training takes from it being of the right types."""
    try:
        progress = json.loads(metadata["progress"])
        step, (_, line), (_, epoch) = progress["next_step"], *(progress.get(key, (0.0, 0)) for key in ("line", "epoch"))
        numbers = [progress.get("wall_s", 0.0), *progress.get("health", {}).values()]
        numbers += [progress[key][0] for key in ("line", "epoch") if key in progress]
    except (KeyError, ValueError, RecursionError, TypeError, AttributeError):
        raise weights.unusable("its header does not say how far the training was", path) from None
    right = all(type(count) is int and count >= 0 for count in (step, line, epoch))
    if not right or any(type(number) not in (int, float) for number in numbers):
        raise weights.unusable("its header holds something else than numbers", path)
    return dict(progress)


def _load_optimizer(method: nn.Module, optimizer: Optimizer, tensors: dict[str, Tensor], path: Path) -> None:
    params = {name: param for name, param in method.named_parameters() if param.requires_grad}
    groups = {param: group for group in optimizer.param_groups for param in group["params"]}
    for full, value in tensors.items():
        if full.startswith("optimizer."):
            name, _, key = full.removeprefix("optimizer.").partition("|")
            shape = params[name].shape if name in params and key != "step" else torch.Size()
            if name not in params or key not in STATE or value.shape != shape:
                raise weights.unusable(f"it holds a state of another optimizer or network: {full}", path)
            like = torch.empty_like(params[name])  # keeps its memory format
            if key == "step":  # torch counts on the host, or on the device where steps are fused or captured
                group = groups[params[name]]
                device = like.device if group.get("fused") or group.get("capturable") else "cpu"
                like = torch.empty((), dtype=torch.float32, device=device)
            optimizer.state[params[name]][key] = like.copy_(value)
