"""dcp: declarative recipes for non-contrastive self-supervised learning.

    run = dcp.pretrain("quickstart")
    encoder = dcp.load_encoder("quickstart")
    features = encoder(["a.jpg", "b.jpg"])                # [2, D]; also PIL images, NumPy arrays, tensors
    scores = dcp.load_run("quickstart").scores()

The functions behind the commands, for notebooks and programs: plain values in, plain values out. Importing dcp is
light; torch is imported when one of its functions is first used.
"""

from importlib.metadata import version

from dcp import errors
from dcp.api.measure import compare, probe
from dcp.api.results import embed, export, load_encoder, load_run
from dcp.api.train import pretrain, study, theory

__version__ = version("dcp")
__all__ = ["__version__", "compare", "embed", "errors", "export", "load_encoder", "load_run"]
__all__ += ["pretrain", "probe", "study", "theory"]


def __dir__() -> list[str]:
    """What `dir(dcp)` and tab completion show."""
    return sorted((*__all__, "__all__", "__doc__", "__file__", "__name__", "__path__"))
