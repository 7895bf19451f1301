"""dcp: declarative recipes for non-contrastive self-supervised learning.

    run = dcp.pretrain("quickstart")
    encoder = dcp.load_encoder("runs/quickstart-s0")
    features = encoder(encoder.preprocess(images))        # uint8 [B, 3, H, W] -> [B, D]

Importing dcp is light; torch is imported when one of its functions is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcp.api import compare as compare
    from dcp.api import load_encoder as load_encoder
    from dcp.api import pretrain as pretrain
    from dcp.api import probe as probe
    from dcp.api import study as study
    from dcp.api import theory as theory

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "load_encoder", "pretrain", "probe", "study", "theory"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("dcp.api"), name)
    raise AttributeError(f"module 'dcp' has no attribute '{name}'")
