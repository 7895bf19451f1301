"""Variables of the environment: the recipe decides, and run.json tells what else had a say."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dcp.hardware import environment

NONSENSE = (
    "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_MEGATRON_LM", "ACCELERATE_USE_FSDP", "ACCELERATE_TORCH_DEVICE",
    "ACCELERATE_USE_CPU", "ACCELERATE_MIXED_PRECISION", "ACCELERATE_GRADIENT_ACCUMULATION_STEPS",
    "ACCELERATE_FP8_BACKEND", "ACCELERATE_ENABLE_RICH", "FSDP_VERSION", "PARALLELISM_CONFIG_TP_SIZE",
    "ACCELERATE_USE_PARALLELISM_CONFIG", "FORK_LAUNCHED", "USE_TORCH_XLA", "MPI_LOCALRANKID",
)  # fmt: skip


@pytest.mark.parametrize("value", ["true", "nonsense"])
def test_nothing_that_accelerate_is_told_reaches_a_network(value: str) -> None:
    code = (
        "from torch import nn; from dcp.hardware.processes import Process\n"
        "process = Process('cpu'); process.wait()\n"
        "network = process.wrap(nn.Linear(2, 2)); process.end()\n"
        "print(type(network).__name__, network.weight.device, network.weight.dtype, process.count)"
    )
    told = {**dict.fromkeys(NONSENSE, value), "ACCELERATE_DYNAMO_BACKEND": "inductor"}
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **told}, capture_output=True, text=True)
    assert done.stdout == "Linear cpu torch.float32 1\n", done.stderr


def test_the_environment_is_put_back_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    monkeypatch.setenv("RANK", "x")
    before = dict(os.environ)
    with environment.without_foreign({"RANK": None, "WORLD_SIZE": "3"}):
        assert os.environ["WORLD_SIZE"] == "3"
        assert not {"RANK", "ACCELERATE_MIXED_PRECISION"} & os.environ.keys()
    assert dict(os.environ) == before


def test_run_json_tells_what_had_a_say_and_what_had_none(
    tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "inductor")
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "strict")
    monkeypatch.setenv("CUBLAS_LOGDEST_DBG", os.fsdecode(b"\xff"))
    monkeypatch.setenv("HOME_OF_SECRETS", "secret")
    assert dcp("pretrain", "tiny/directcopy", "train.epochs=1", "probe.after=[]", "--runs", tmp_path).code == 0
    record = json.loads((tmp_path / "directcopy-s0" / "run.json").read_text())
    for told in (record, record["sittings"][0]):
        assert told["environment"]["ONEDNN_DEFAULT_FPMATH_MODE"] == "strict"
        assert "HOME_OF_SECRETS" not in told["environment"]
        assert told["environment_ignored"] == ["ACCELERATE_DYNAMO_BACKEND"]
