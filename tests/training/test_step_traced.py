"""The whole step on CUDA tensors without values: what a CUDA graph cannot hold fails here, without a GPU.

`FakeTensorMode` computes shapes alone, so a shape that depends on data, or a question to the host, raises. Autograd has
no backward for such tensors where there is no GPU; there gradients are filled in, and the "meta" device has the pass.
"""

from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dcp.data.batch_views import BatchViews
from dcp.data.loader import Batch
from dcp.hardware.precision import Precision
from dcp.method.moments import own
from dcp.probing.online import Readout
from dcp.recipe import build, shipped
from dcp.recipe.recipe import Recipe
from dcp.training.step import Inputs, Step, why_no_graph

IMAGES, BATCH = 64, 16
# they launch kernels and ask for nothing; cholesky itself asks, by _linalg_check_errors
LAUNCHED = {"linalg_vector_norm", "linalg_cholesky_ex", "linalg_solve_triangular"}
TINY = [name for name in shipped.names() if name.startswith("tiny/")]


class Watch(TorchDispatchMode):
    """Notes operations of tensors on several devices, of which one waits for the other, and decompositions.

    A Cholesky factor is none of these unless somebody looks at whether there is one, which is an operation of its own.
    torch has no fake kernels for its fused optimizers: these are looked at and left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mixed: list[str] = []
        self.decomposed: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = None if "_fused_" in func.name() else func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
        name = func.overloadpacket.__name__
        if len({tensor.device.type for tensor in tensors}) > 1:
            self.mixed.append(name)
        if "linalg" in name and name not in LAUNCHED:
            self.decomposed.append(name)
        by_mask = [leaf for leaf in tree_leaves(args[1:]) if isinstance(leaf, Tensor) and leaf.dtype == torch.bool]
        if name.startswith(("index", "_index", "_unsafe_index")) and by_mask:
            self.mixed.append(f"{name} by a mask")
        return result


def test_the_watch_sees_what_would_wait() -> None:
    x = torch.eye(3)
    with Watch() as watch:
        x[x > 0] = torch.tensor(2.0)
        torch.linalg.cholesky_ex(x)
    assert watch.decomposed == []
    with watch:
        torch.linalg.cholesky(x)
    assert watch.decomposed == ["_linalg_check_errors"]
    with watch:
        torch.linalg.inv(x)
        torch.linalg.qr(x)
        x.to("meta")
    assert [name.split()[0] for name in watch.mixed] == ["index_put_", "_to_copy"]
    assert watch.decomposed == ["_linalg_check_errors", "linalg_inv_ex", "_linalg_check_errors", "linalg_qr"]


def moved(module: nn.Module, device: str) -> None:
    """Put tensors without values in place of a module's own, on a device."""
    twins: dict[int, Tensor] = {}  # parameters that are shared stay shared

    def twin(x: Tensor) -> Tensor:
        new = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=device)
        return twins.setdefault(id(x), nn.Parameter(new, x.requires_grad) if isinstance(x, nn.Parameter) else new)

    for part in module.modules():
        for tensors in (part._parameters, part._buffers):
            tensors.update({name: twin(x) for name, x in tensors.items() if x is not None})  # type: ignore[arg-type]


def step_of(recipe: Recipe, mode: AbstractContextManager[Any], device: str) -> tuple[Step, Batch]:
    """A step on tensors without values, which the mode makes."""
    process: Any = SimpleNamespace(device=torch.device(device), count=1, rank=0, total=own)
    method, labels = build.method(recipe), torch.arange(IMAGES) % 4
    readout = Readout(method.online.features, 4, labels, own)
    plan, side = build.plan(recipe, IMAGES, 1), recipe.data.view_size
    seen = build.labels_seen(labels, recipe.positives)
    with mode:
        for module in (method, readout):
            moved(module, device)
        optimizer = build.optimizer(recipe, method)
        clip = build.clip(recipe, optimizer)
        scheduled = build.schedule(recipe, optimizer, method.moments, clip, plan)
        seen = None if seen is None else torch.empty(IMAGES, dtype=torch.int64)
        parts = build.Parts(plan, Precision(None, ""), method, optimizer, scheduled, seen, clip)
        images = torch.empty(IMAGES, 3, side, side, dtype=torch.uint8, device=device)
        pairs = BatchViews(images, recipe.views, size=side, seed=0, device=process.device)
        step = Step(parts, method, pairs, process, readout, torch.empty(10, device=device), None)
        return step, Batch(0, 0, plan.batch, torch.empty(plan.batch, dtype=torch.int64))


def filled_in(step: Step) -> Any:
    """In place of backward: gradients that the optimizer can step on."""

    def backward(loss: Tensor, *rest: Any, **options: Any) -> None:
        for group in step.parts.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.empty_like(parameter)

    return backward


@pytest.fixture(params=TINY)
def tiny(request: pytest.FixtureRequest) -> Recipe:
    if request.param == "tiny/distill":
        pytest.skip("its teacher is another run")
    return Recipe.read(request.param, (f"train.batch={BATCH}",))


def test_a_step_fits_a_graph_or_says_why_not(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    mode = FakeTensorMode()
    step, batch = step_of(tiny, mode, "cuda")
    monkeypatch.setattr(Tensor, "backward", filled_in(step))
    with mode, Watch() as watch:
        inputs = step._inputs(batch, 3)
        watch.mixed.clear()
        if why_no_graph("auto", step.parts.method, step.process):
            step.compute(inputs, 7, BATCH)
            assert watch.decomposed
            return
        outputs = step.compute(inputs, 7, BATCH)
    assert watch.mixed == []
    assert watch.decomposed == []
    assert outputs.z.device.type == "cuda"


def test_the_backward_pass_asks_for_nothing_either(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    step, _ = step_of(tiny, nullcontext(), "meta")
    if why_no_graph("auto", step.parts.method, SimpleNamespace(device=torch.device("cuda"), count=1)):  # type: ignore[arg-type]
        return
    views = tuple(torch.empty(BATCH, 3, side, side, device="meta") for side in tiny.view_sizes)
    monkeypatch.setattr(step.batch_views, "of", lambda images, crops: views)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # it knows no such device
    monkeypatch.setattr(step.parts.optimizer, "step", lambda: None)  # fused ones know no such device; traced above
    if step.labels is not None:
        step.labels = step.labels.to("meta")
    step.sets_within = not step.parts.method.predictor.refresh_waits
    numbers = torch.empty(BATCH, dtype=torch.int64, device="meta")
    place, fraction = torch.empty(1, dtype=torch.int64, device="meta"), torch.empty((), device="meta")
    with Watch() as watch:
        outputs = step.compute(Inputs(numbers, None, place, fraction), 0, BATCH)
    assert watch.mixed == []
    assert watch.decomposed == []
    assert outputs.losses.device.type == "meta"
