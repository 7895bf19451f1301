"""Run by torchrun: trains a few steps and writes, for each rank, a digest of F, W and every online weight.

And, at the very end, whether gloo's threads are still there: they can abort a process that has lost its Python.
"""

import atexit
import hashlib
import json
import os
import sys
from pathlib import Path

import torch.distributed as dist

from dcp.recipe import Recipe
from dcp.training import Training

recipe = Recipe.read("tiny/group_norm", ("train.epochs=2", "probe.after=[]", "data.limit=130", "train.batch=64"))
folder = Path(sys.argv[1])
atexit.register(lambda: (folder / f"{os.environ['RANK']}.threads").write_text(str(dist.is_initialized())))
training = Training(recipe, runs=folder / "runs", resume=False, device="cpu", watch=lambda line: None)
training.run()
state = {k: v for k, v in training.method.state_dict().items() if not k.startswith("target")}
digests = {name: hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest() for name, value in state.items()}
assert {"moments.second", "predictor.W"} <= set(digests)
(folder / f"{training.process.rank}.json").write_text(json.dumps(digests))
