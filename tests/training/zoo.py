"""A zoo: recipes broken on purpose, each with the name that the diagnosis must find, and healthy ones.

`python tests/training/zoo.py` trains them all and prints which name each got; a part of them is a slow test. The
animals are small: glyphs of 16 pixels whose colours views keep, an eighth of a ResNet-18, 256 steps.
"""

import sys
import tempfile
from pathlib import Path

from dcp.recipe.recipe import Recipe
from dcp.training.pretrain import pretrain
from dcp.training.request import Request

BASE = (
    "data.source=shapes", "data.images=1024", "data.image_size=16", "views.crop_scale=[0.5, 1.0]", "views.flip=0.0",
    "views.jitter_p=0.0", "views.grayscale=0.0", "network.stem=small", "network.width=8",
    "network.projector.hidden=128", "network.projector.out=32", "network.projector.out_norm=true",
    "optimizer.lr=0.1", "optimizer.schedule=cosine", "optimizer.warmup_epochs=0.5",
    "train.batch=32", "train.epochs=8", "probe.after=[]",
)  # fmt: skip
NO_NORM = ("network.projector.out_norm=false",)
TAU = ("target.tau=0.99",)
FREE = ('network.projector.norm="none"', *NO_NORM)  # nothing keeps the size of the projections

BROKEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "no predictor": ("complete collapse", ("predictor.name=identity", *NO_NORM)),
    "no stop-gradient": ("complete collapse", ("target.name=shared", "predictor.name=identity", *NO_NORM)),
    "no stop-gradient, linear": ("complete collapse", ("target.name=shared", "predictor.name=linear", *NO_NORM)),
    "eps far too large": ("complete collapse", ("predictor.eps=1000.0", *NO_NORM)),
    "frozen target": ("frozen target", ("target.tau=1.0",)),
    "weight decay beyond the threshold": (
        "complete collapse",
        ("objective.name=euclidean", "predictor.norm=none", "optimizer.weight_decay=0.5", "optimizer.lr=0.01", *FREE),
    ),
    "normalised W with the squared distance": (
        "vanishing",
        ("objective.name=euclidean", "predictor.name=directset", "predictor.alpha=1.0", "optimizer.lr=0.01", *FREE),
    ),
    "views without crop": ("views too weak", ("views.crop_scale=[1.0, 1.0]", "views.crop_ratio=[1.0, 1.0]")),
    "tiny crops": ("views too strong", ("views.crop_scale=[0.01, 0.02]",)),
    "rate far too high": ("learning rate too high", ("optimizer.lr=30.0",)),
    "a memory longer than the training": ("moments stale", ("moments.rho=0.9999",)),
    "a predictor that hardly learns": (
        "predictor not aligned",
        ("predictor.name=linear", "predictor.lr_factor=1e-6", "target.tau=0.9"),
    ),
    "a projector of one": ("dimensional collapse", ("network.projector.hidden=1",)),
}

HEALTHY: dict[str, tuple[str, ...]] = {
    "directcopy": (),
    "directcopy eps 0.1": ("predictor.eps=0.1",),
    "directcopy fro": ("predictor.norm=fro",),
    "directcopy immediate": ('moments.timing="immediate"',),
    "directcopy rho 0.9": ("moments.rho=0.9",),
    "directcopy tau 0.95": ("target.tau=0.95",),
    "directcopy batch 64": ("train.batch=64", "train.epochs=12"),
    "directcopy joined views": ("train.join_views=true",),
    "directcopy D 64": ("network.projector.out=64",),
    "directcopy adamw": ("optimizer.name=adamw", "optimizer.lr=0.003", "optimizer.weight_decay=0.01"),
    "directpred": ("predictor.name=directpred", "moments.rho=0.3"),
    "directpred every 5": ("predictor.name=directpred", "predictor.every=5", "moments.rho=0.3"),
    "directset 0.75": ("predictor.name=directset", "predictor.alpha=0.75"),
    "linear": ("predictor.name=linear",),
    "mlp": ("predictor.name=mlp",),
    "mlp without output norm": ("predictor.name=mlp", *NO_NORM),
    "simsiam": ("predictor.name=mlp", "target.name=online"),
    "iso_cosine": ("objective.name=iso_cosine",),
    "group norm": ("network.norm=group",),
    "three layers": ("network.projector.layers=3",),
}


def diagnosed(sets: tuple[str, ...], seed: int = 0) -> dict[str, object]:
    """The state that run.json of this recipe ends with."""
    tau = () if any(one.startswith("target.name=") for one in sets) else TAU
    with tempfile.TemporaryDirectory() as runs:
        recipe = Recipe.read("tiny/directcopy", (*BASE, *tau, *sets, f"run.seed={seed}"))
        return dict(pretrain(recipe, Request(Path(runs), device="cpu")).record.state)


def expected() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Every animal: the name that it must get, and what makes it."""
    return {**BROKEN, **{name: ("healthy", sets) for name, sets in HEALTHY.items()}}


def main(words: list[str]) -> None:
    """All of them, or those whose names hold one of the words; a word that is a number is the seed."""
    seed = next((int(word) for word in words if word.isdecimal()), 0)
    words = [word for word in words if not word.isdecimal()]
    for name, (wanted, sets) in expected().items():
        if not words or any(word in name for word in words):
            state = diagnosed(sets, seed)
            mark = "" if state["name"] == wanted else f"  EXPECTED {wanted}"
            print(f"{name}: {state['name']} ({state['evidence']}; {state['cause']}){mark}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
