"""Run by torchrun: `dcp pretrain` of each case in turn and of one that is refused, all in the same two processes.

Then a training of which each rank writes a digest of F, W and every online weight; and how many threads of gloo there
are before and after all else that is done at exit.
"""

import atexit
import hashlib
import json
import os
import sys
from pathlib import Path

from dcp.cli import app
from dcp.recipe.recipe import Recipe
from dcp.training.request import Request
from dcp.training.trainer import Trainer

RECIPE = (
    "tiny/group_norm", "train.batch=64", "train.epochs=3", "train.log_every=1", "probe.after=[]", "data.limit=256",
    "train.precision=fp32",  # bf16 rounds another sum otherwise, by 2e-4
)  # fmt: skip
CASES = {
    "F": (),
    "a batch that does not divide evenly": ("train.batch=63",),
    "F and C": ("predictor.name=regression",),
    "statistics of their own": ("predictor.name=partition", "target.name=filtered"),
}


def words(case: str, runs: Path) -> list[str]:
    """The command that trains a case, into a folder of its own."""
    return ["pretrain", *RECIPE, *CASES[case], "--device", "cpu", "--runs", str(runs / case)]


def note(folder: Path, when: str) -> None:
    """Write the number of gloo's threads, by the names that Linux keeps."""
    names = [(task / "comm").read_text() for task in Path("/proc/self/task").glob("*")]
    (folder / f"{os.environ['RANK']}.{when}").write_text(str(sum("gloo" in name for name in names)))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    atexit.register(note, folder, "after")
    for case in CASES:
        assert app.run(words(case, folder)) == 0
    refused = ("network.sync_norm=true", "--device", "cpu", "--runs", str(folder))
    assert app.run(["pretrain", "tiny/directcopy", *refused]) == 2
    sets = ("train.epochs=2", "probe.after=[]", "data.limit=130", "train.batch=64")
    training = Trainer(Recipe.read("tiny/group_norm", sets), Request(folder / "last", device="cpu"))
    training.run()
    state = {k: v for k, v in training.parts.method.state_dict().items() if not k.startswith("target")}
    digests = {name: hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest() for name, value in state.items()}
    assert {"moments.second", "predictor.W"} <= set(digests)
    (folder / f"{training.process.rank}.json").write_text(json.dumps(digests))
    atexit.register(note, folder, "before")
