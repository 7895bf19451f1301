"""What a run leaves behind: as an object, as an encoder, as features, in the formats of other libraries."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcp.api import arguments
from dcp.errors import path_given

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dcp.runs.encoder import Encoder
    from dcp.runs.loaded import LoadedRun


def load_run(path: str | Path, *, runs: str | Path = "runs") -> "LoadedRun":
    """A run as an object: what its folder says, as plain values. Does not import torch.

    `.path`, `.name`, `.status`; `.recipe` and `.record` (run.json) as dicts; `.metrics(kind)`, a list of dicts;
    `.scores()`, by evaluation, or `.scores(flat=True)`, a list of rows; `.diagnosis` with state, why, evidence and
    advice; `.encoder()`, which imports torch.

    Args:
        path: a run folder, or the name of a run below `runs`: without a seed the first there is.
        runs: the folder of run folders.

    Raises:
        dcp.errors.RequestError: no such run, or its folder is damaged.
    """
    from dcp.runs import loaded

    return loaded.load(path, path_given(runs, where="runs"))


def load_encoder(run: str | Path, *, runs: str | Path = "runs") -> "Encoder":
    """The trained encoder of a run: a frozen module that gives features [n, D] of images.

    It takes a PIL image, a path, a NumPy array [H, W, 3] or a tensor [3, H, W] of uint8, alone or in a list, or batches
    of arrays; one image gives [D]. What its `preprocess` gives, float32 [n, 3, S, S], it takes too.

    Args:
        run: a run folder, or the name of one below `runs`: without a seed the first there is.
        runs: the folder of run folders.

    Raises:
        dcp.errors.RequestError: no such run, or no encoder in it.
    """
    from dcp.runs import encoder
    from dcp.runs.run import open_or_find

    return encoder.load(open_or_find(run, path_given(runs, where="runs")))


def embed(
    run: str | Path,
    source: Any,
    *,
    out: str | Path | None = None,
    split: str | None = None,
    sets: Sequence[str] = (),
    runs: str | Path = "runs",
    batch: int = 256,
    device: str = "auto",
    workers: int | None = None,
    skip_broken: bool = False,
    overwrite: bool = False,
) -> "tuple[NDArray[np.float32], list[str]]":
    """Features of images as the encoder of a run gives them: float32 [n, D], in order, and the n paths.

    Args:
        run: as `load_encoder`.
        source: a folder of images, a data set ("cifar10"), a text file of paths, or a list of paths.
        out: a file (.npy, .safetensors, .parquet) to write as it goes; interrupted, the same call goes on.
        split: "train", "test" or "pretrain", of what has splits.
        sets: overrides of [data], "data.root=/data".
        runs: the folder of run folders.
        batch: images at a time.
        device: "auto", "cpu", "cuda" or "mps".
        workers: processes that decode image files; None: one a spare core.
        skip_broken: leave out images that cannot be read.
        overwrite: replace `out`.

    Raises:
        dcp.errors.RequestError: it cannot be done; nothing was written.
        dcp.errors.RunError: an image cannot be read, the disk is full.
    """
    from dcp.exporting import embed, features
    from dcp.exporting import source as sources
    from dcp.runs.run import open_or_find

    file, overrides = None if out is None else path_given(out, where="out"), arguments.texts(sets, "sets")
    opened, how = open_or_find(run, path_given(runs, where="runs")), features.How(batch, device, workers, skip_broken)
    images = sources.images(opened, source, split=split, sets=overrides)
    if file is None:
        made = embed.in_memory(opened, images, how)
    else:
        made = embed.to_file(opened, images, file, how, overwrite=overwrite)
    return made.features, made.paths


def export(run: str | Path, to: str, out: str | Path, *, push: str | None = None, runs: str | Path = "runs") -> Path:
    """Write the encoder of a run as a folder that another library loads, with a model card; returns the folder.

    Args:
        run: as `load_encoder`.
        to: "timm", "torchvision" or "onnx".
        out: the folder, which must be missing or empty.
        push: also upload it to this repository of the Hugging Face Hub, "USER/NAME".
        runs: the folder of run folders.

    Raises:
        dcp.errors.RequestError: it cannot be done, or not in this format; nothing was written.
        dcp.errors.RunError: it cannot be written or pushed, or what was written is not the encoder.
    """
    from dcp.exporting.export import export
    from dcp.runs.run import open_or_find

    folder, pushed = path_given(out, where="out"), None if push is None else str(push)
    return export(open_or_find(run, path_given(runs, where="runs")), str(to), folder, push=pushed).folder
