"""What predictors cost: setting W for each that is set, a step through each, and least squares as a yardstick.

On a GPU also whole training steps with DirectCopy and DirectPred, and updates that need no host as CUDA graphs.
"""

from collections.abc import Callable
from contextlib import ExitStack

import torch
from torch import Tensor

from benchmarks.captured import captured_or_noted
from benchmarks.measure import Row, Scale, alternate, in_turn, rows
from benchmarks.step import GPU, Case, graph_note, in_time, recipe
from benchmarks.tasks import TRAININGS, Task
from benchmarks.training import begun, times
from dcp import catalogue
from dcp.errors import RequestError
from dcp.method.moments import own
from dcp.method.predictors.base import Predictor

SAMPLES = 256  # two views of 128 images
LARGE = ("directpred", "directcopy")  # the only ones at 8192, where a decomposition takes minutes on a CPU
ROOTS = ("eigh", "newton_schulz")  # ways to DirectPred's root
TOGETHER = 20  # replays of an update at a time


def tasks(scale: Scale) -> list[Task]:
    """One a dimension; on a GPU whole steps too."""
    dims = (128, 512) if scale.quick else (128, 512, 2048, 8192)
    steps = (128,) if scale.quick else (128, 2048)
    alone = [Task(measured, (dim,), 15, 13, "predictors") for dim in dims]
    through = [Task(stepped, (dim,), process="predictors") for dim in steps]
    if scale.device == "cpu":
        return [task._replace(process="") for task in (*alone, *through)]
    return [Task(whole, (GPU[0],), 40, 8, TRAININGS), *alone, *through]


def measured(scale: Scale, dim: int) -> list[Row]:
    """Updates a second of each rule on one F and C, as in the step: DirectCopy's power iteration is warm."""
    torch.set_num_threads(scale.threads)
    z, t = (x.to(scale.device) for x in _projections(dim))
    F, C = z.T @ z / len(z), t.T @ z / len(z)
    names = [name for name in _set() if name in LARGE or not (dim > 4096 or scale.limited)]
    built = {name: _built(name, dim).to(scale.device) for name in names}
    built |= {f"directpred, {root}": _built("directpred", dim, root=root).to(scale.device) for root in _roots()}
    things = {name: _refreshing(predictor, F, C, z[:SAMPLES]) for name, predictor in built.items()}
    notes: list[str] = []
    for name in [name for name in built if scale.device == "cuda" and not built[name].refresh_waits]:
        if replayed := captured_or_noted(things[name], scale.device, name, notes):
            things[f"{name}, graph"] = times(replayed, TOGETHER, TOGETHER)
    things["least squares"] = _solving(F)
    repeats = 1 if dim > 4096 else scale.repeats
    found = in_turn(things, repeats, scale.device, least_s=scale.least_s, until=scale.until)
    return rows(f"predictor update, d = {dim}", "updates/s", found, beside="directpred", note="; ".join(notes))


def whole(scale: Scale, case: Case) -> list[Row]:
    """Images a second of whole training steps with DirectCopy, and with each way to DirectPred's root."""
    torch.set_num_threads(scale.threads)
    case, notes = in_time(case, scale), [f"batch {case.batch}, d = 128"]
    chosen = ("predictor.name=directpred",)
    ways: dict[str, tuple[str, ...]] = {f"directpred, {root}": (*chosen, f"predictor.root={root}") for root in _roots()}
    ways = {"directcopy": (), **(ways or {"directpred": chosen})}
    turns = {}
    with ExitStack() as stack:
        for name, sets in ways.items():
            try:
                training = stack.enter_context(begun(recipe(case, *sets), scale.device))
            except RequestError as error:
                notes.append(f"{name} is not measured: {error.slug}")
            else:
                turns[name] = training.turn
        notes.append(graph_note(training))
        found = alternate(turns, scale.repeats, scale.until)
    group = f"step with each predictor, {case.name}"
    return rows(group, "images/s", found, beside="directcopy", note="; ".join(filter(None, notes)))


def stepped(scale: Scale, dim: int) -> list[Row]:
    """Passes a second, forward and backward, of each predictor over the projections of one view."""
    torch.set_num_threads(scale.threads)
    z = _projections(dim)[0][: SAMPLES // 2].to(scale.device)
    things = {name: _passing(_built(name, dim).to(scale.device), z) for name in catalogue.names("predictors")}
    found = in_turn(things, scale.repeats, scale.device, least_s=scale.least_s)
    return rows(f"predictor forward and backward, d = {dim}", "passes/s", found, beside="linear")


def _built(name: str, dim: int, **keys: object) -> Predictor:
    torch.manual_seed(0)
    module = catalogue.load("predictors", name)
    built: Predictor = module.build(module.Config(**keys), dim, own)
    return built


def _roots() -> tuple[str, ...]:
    """Ways to DirectPred's root, where it has a key for them."""
    return ROOTS if "root" in catalogue.load("predictors", "directpred").Config.model_fields else ()


def _set() -> list[str]:
    """Names of the predictors that are set: those with a `refresh` of their own."""
    names = catalogue.names("predictors")
    return [name for name in names if type(_built(name, 2)).refresh is not Predictor.refresh]


def _projections(dim: int) -> tuple[Tensor, Tensor]:
    """Projections z and targets t, both [2 d, d], whose directions fade by the power law 1/k, t a noisy z."""
    torch.manual_seed(0)
    z, noise = torch.randn(2, 2 * dim, dim) / torch.arange(1, dim + 1)
    return z, z + 0.3 * noise


def _refreshing(predictor: Predictor, F: Tensor, C: Tensor, z: Tensor) -> Callable[[], float]:
    def run() -> float:
        predictor.refresh(F, C, z)
        return 1.0

    return run


def _passing(predictor: Predictor, z: Tensor) -> Callable[[], float]:
    z = z.clone().requires_grad_()

    def run() -> float:
        predictor(z).square().sum().backward()
        return 1.0

    return run


def _solving(F: Tensor) -> Callable[[], float]:
    """W = C (F + λI)⁻¹ by Cholesky, with C = F: what a closed-form regression on the same moments costs."""
    eye = torch.eye(len(F), device=F.device)

    def run() -> float:
        factor = torch.linalg.cholesky(F + 1e-3 * eye)
        torch.cholesky_solve(F, factor)
        return 1.0

    return run
