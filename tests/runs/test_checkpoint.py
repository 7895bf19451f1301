"""Checkpoints: where the state of the optimizer lies after it was loaded."""

import errno
import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from dcp.errors import RequestError
from dcp.runs import checkpoint

PROGRESS = {"next_step": 3}


def network(device: str = "cpu") -> nn.Module:
    """A convolution, channels last, and a layer."""
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    return made.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def saved(folder: Path, kind: type = torch.optim.AdamW, **keys: object) -> torch.optim.Optimizer:
    """The optimizer after three steps, with a checkpoint."""
    net = network()
    optimizer = kind(net.parameters(), lr=0.1, **keys)
    for _ in range(3):
        net(torch.ones(2, 3, 3, 3)).sum().backward()
        optimizer.step()
    checkpoint.save(folder, net, optimizer, None, PROGRESS)
    return optimizer


def loaded(folder: Path, device: str, kind: type = torch.optim.AdamW, **keys: object) -> torch.optim.Optimizer:
    net = network(device)
    optimizer = kind(net.parameters(), lr=0.1, **keys)
    assert checkpoint.load(folder, net, optimizer, None) == PROGRESS
    return optimizer


def states(optimizer: torch.optim.Optimizer) -> list[dict]:
    """In the order of the parameters."""
    return [optimizer.state[param] for param in optimizer.param_groups[0]["params"]]


# "meta" is a device as any other but that its tensors hold no numbers
@pytest.mark.filterwarnings("ignore:.*meta parameter")
@pytest.mark.parametrize("keys", [{"fused": True}, {"capturable": True}, {"fused": True, "capturable": True}], ids=str)
def test_steps_that_are_counted_on_the_device_are_loaded_there(tmp_path: Path, keys: dict) -> None:
    saved(tmp_path)
    for param, state in loaded(tmp_path, "meta", **keys).state.items():
        assert {name: value.device.type for name, value in state.items()} == dict.fromkeys(state, "meta")
        assert (state["step"].dtype, state["step"].shape) == (torch.float32, ())
        assert state["exp_avg"].stride() == param.stride()


@pytest.mark.filterwarnings("ignore:.*meta parameter")
def test_steps_that_are_counted_on_the_host_stay_there(tmp_path: Path) -> None:
    saved(tmp_path)
    for state in loaded(tmp_path, "meta").state.values():
        assert (state["step"].device.type, state["exp_avg"].device.type) == ("cpu", "meta")


@pytest.mark.parametrize("keys", [{}, {"fused": True}], ids=str)
def test_the_state_of_adamw_comes_back_with_its_numbers_memory_format_and_devices(tmp_path: Path, keys: dict) -> None:
    """That of a step that is not fused too where the one that goes on is, and the other way round."""
    before = saved(tmp_path, **keys)
    for now in (loaded(tmp_path, "cpu"), loaded(tmp_path, "cpu", fused=True)):
        for old, new in zip(states(before), states(now), strict=True):
            assert old.keys() == new.keys()
            assert all(torch.equal(old[key], new[key]) for key in old)
            assert all(old[key].stride() == new[key].stride() for key in old)
            assert new["step"].item() == 3


def test_a_state_of_another_shape_than_its_parameter_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, torch.optim.SGD, momentum=0.9)
    path = tmp_path / checkpoint.FILE
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("|momentum_buffer"))
    header = {"progress": '{"next_step": 3}', "tensors": str(len(tensors))}
    save_file({**tensors, name: torch.zeros(())}, path, metadata=header)
    with pytest.raises(RequestError, match="another optimizer or network"):
        loaded(tmp_path, "cpu", torch.optim.SGD, momentum=0.9)


def test_a_bit_that_a_disk_has_turned_is_noticed_wherever_it_lies(tmp_path: Path) -> None:
    saved(tmp_path)
    path, net = tmp_path / checkpoint.FILE, network()
    whole = path.read_bytes()
    end = 8 + int.from_bytes(whole[:8], "little")
    for position in (whole.index(b'next_step\\":') + 13, end, (end + len(whole)) // 2, len(whole) - 1):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(RequestError) as caught:
            checkpoint.load(tmp_path, net, torch.optim.AdamW(net.parameters(), lr=0.1), None)
        assert caught.value.slug == "bad-checkpoint"
        assert "else than was written" in caught.value.message


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_a_checkpoint_may_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        saved(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / checkpoint.FILE).stat().st_mode & 0o777 == 0o640


def test_who_may_not_read_a_checkpoint_is_not_told_to_delete_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    for owner, name in ((Path, "open"), (checkpoint, "check_file")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, refuse)
            with pytest.raises(RequestError) as caught:
                checkpoint.read(tmp_path / checkpoint.FILE)
        assert "Permission denied" in caught.value.message
        assert "delete" not in caught.value.hint
