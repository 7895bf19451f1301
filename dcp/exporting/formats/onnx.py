"""ONNX: model.onnx, [B, C, S, S] normalised -> [B, D], for any B; tried in onnxruntime where that is installed.

How an image becomes its input stands in the model's metadata, as JSON under "dcp.preprocessing". It carries every
network, at the size of images that it was trained with.
"""

import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from dcp.exporting.extras import is_there
from dcp.exporting.formats.base import ONNX, Exported, Subject, check, difference, short

PACKAGES, EXTRA, LIBRARY = ("onnx", "onnxscript"), "export", "onnx"
OPSET = 18
OFF = 1e-4
FILE = "model.onnx"


def write(subject: Subject) -> Exported:
    """The file.

    Raises:
        RunError: "export-differs".
    """
    import onnx

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / FILE
        torch.onnx.export(
            subject.encoder.backbone,
            (subject.images(2),),
            str(path),
            dynamo=True,
            input_names=["images"],
            output_names=["features"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(str(path))
    about = {
        "dcp.preprocessing": subject.preprocessing(),
        "dcp.recipe": subject.recipe_for_others(),
        **({"dcp.starting_weights": subject.start} if subject.start else {}),
        "dcp.run": {"name": subject.run.name, "seed": subject.run.seed, "steps": subject.run.record.steps},
    }
    del model.metadata_props[:]
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value if isinstance(value, str) else json.dumps(value)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    tried = is_there("onnxruntime")
    if tried:
        check(ONNX, max(difference(subject, _session(data), count) for count in (1, 3)), OFF, subject)
    p = subject.preprocessing()
    load = f"""import numpy as np, onnxruntime

session = onnxruntime.InferenceSession("DIR/{FILE}")
# images: float32 [B, {subject.channels}, {subject.size}, {subject.size}], pixels in [0, 1], then normalised:
images = (pixels - np.array({short(p["mean"])})[:, None, None]) / np.array({short(p["std"])})[:, None, None]
features = session.run(None, {{"images": images.astype(np.float32)}})[0]  # [B, {subject.features}]"""
    how = "It was tried in onnxruntime" if tried else "It was not tried: onnxruntime is not installed"
    said = f"{how}; it takes images of {subject.size} pixels, resized so that the short side has"
    resized = f"{p['resize_short_side']} (bilinear, antialiased){subject.unless}"
    limits = (f"{said} {resized}, and cropped in the middle.",)
    return Exported({FILE: data}, load, limits)


def _session(data: bytes) -> Callable[[Tensor], Tensor]:
    """A function of images as onnxruntime computes it."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def run(x: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"images": x.numpy()})[0])

    return run
