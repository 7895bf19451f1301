"""Run by torchrun: trains a few steps and writes, for each rank, a digest of F, W and every online weight.

And how many threads of gloo there are before and after all else that is done at exit.
"""

import atexit
import hashlib
import json
import os
import sys
from pathlib import Path

from dcp.recipe.recipe import Recipe
from dcp.training.request import Request
from dcp.training.trainer import Trainer

recipe = Recipe.read("tiny/group_norm", ("train.epochs=2", "probe.after=[]", "data.limit=130", "train.batch=64"))
folder = Path(sys.argv[1])


def note(when: str) -> None:
    """The number of gloo's threads, by the names that Linux keeps."""
    names = [(task / "comm").read_text() for task in Path("/proc/self/task").glob("*")]
    (folder / f"{os.environ['RANK']}.{when}").write_text(str(sum("gloo" in name for name in names)))


atexit.register(note, "after")
training = Trainer(recipe, Request(folder / "runs", device="cpu"))
training.run()
state = {k: v for k, v in training.parts.method.state_dict().items() if not k.startswith("target")}
digests = {name: hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest() for name, value in state.items()}
assert {"moments.second", "predictor.W"} <= set(digests)
(folder / f"{training.process.rank}.json").write_text(json.dumps(digests))
atexit.register(note, "before")
