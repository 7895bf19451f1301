"""A step never asks the device for a value, so it can be launched ahead of time, compiled whole, or captured."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dcp.method.algorithm import Method
from dcp.recipe import build
from dcp.recipe.recipe import Recipe

ASKING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "is_nonzero")


class Asked(TorchDispatchMode):
    """Collects the operations that would make the host wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in ASKING:
            self.names.append(name)
        return func(*args, **(kwargs or {}))


def made(*sets: str) -> tuple[Recipe, Method, torch.optim.Optimizer]:
    recipe = Recipe.read("tiny/directcopy", sets)
    method = build.method(recipe)
    return recipe, method, build.optimizer(recipe, method)


def step(method: Method, optimizer: torch.optim.Optimizer, number: int) -> torch.Tensor:
    torch.manual_seed(number)
    x1, x2 = torch.randn(2, 16, 3, 16, 16)
    out = method(x1, x2)
    loss = out.losses.mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    method.after_step(out, number, 0.5)
    return loss.detach()


SETS = {
    "directcopy": (),
    "immediate": ('moments.timing="immediate"',),
    "sequential": ('moments.source="sequential"', "moments.zero_mean=true"),
    "directpred": ("predictor.name=directpred",),
    "linear": ("predictor.name=linear",),
    "mlp": ("predictor.name=mlp",),
    "identity": ("predictor.name=identity",),
    "online": ("target.name=online",),
    "euclidean": ("objective.name=euclidean",),
    "iso_cosine": ("objective.name=iso_cosine",),
    "regression": ("predictor.name=regression",),
    "minimal_space": ("predictor.name=minimal_space",),
    "procrustes": ("predictor.name=procrustes",),
    "newton_schulz": ("predictor.name=newton_schulz",),
    "top_k": ("predictor.name=top_k",),
    "partition": ("predictor.name=partition",),
    "offdiagonal": ("predictor.name=offdiagonal",),
    "symmetric": ("predictor.name=symmetric",),
    "spectral_filter": ("predictor.name=spectral_filter", 'moments.timing="immediate"'),
    "filtered": ("target.name=filtered",),
    "lars": ("optimizer.name=lars",),
    "frozen": ("target.name=frozen", "objective.name=softmax"),
    "minc": ("predictor.name=identity", "objective.name=minc"),
    "correlation": ("objective.name=correlation",),
    "straight_through": ("objective.name=straight_through",),
    "peira": (
        *("predictor.name=identity", "target.name=shared", "objective.name=peira", "moments.timing=immediate"),
        "moments.rho_end=0.9",
    ),
    "balance": ("predictor.name=linear", "target.name=shared", "objective.name=balance"),
    **{
        name: ("predictor.name=identity", "target.name=shared", f"objective.name={name}")
        for name in ("vicreg", "barlow", "ntxent", "spectral_contrastive", "coding_rate", "ssl_ey", "sigreg", "visreg")
    },
}


@pytest.mark.parametrize("name", SETS)
def test_a_step_asks_the_device_for_nothing(name: str) -> None:
    _, method, optimizer = made(*SETS[name])
    step(method, optimizer, 0)
    with Asked() as asked:
        step(method, optimizer, 1)
    assert asked.names == []


def test_the_watch_of_this_file_sees_a_value_that_is_asked_for() -> None:
    with Asked() as asked:
        float(torch.ones(3).sum())
        bool(torch.ones(()) > 0)
    assert asked.names == ["_local_scalar_dense", "_local_scalar_dense"]


@pytest.mark.parametrize("name", ["directcopy", "immediate", "mlp"])
def test_the_forward_pass_is_one_graph_with_the_losses_of_the_eager_one(name: str) -> None:
    torch._dynamo.reset()
    losses = []
    for compiled in (False, True):
        _, method, optimizer = made(*SETS[name])
        if compiled:
            method.forward = torch.compile(method.forward, fullgraph=True, backend="aot_eager")
        losses.append([step(method, optimizer, number) for number in range(5)])
    eager, graph = (torch.stack(found) for found in losses)
    torch.testing.assert_close(graph, eager, atol=1e-4, rtol=0)


def test_the_updates_after_a_step_are_one_graph_too() -> None:
    torch._dynamo.reset()
    _, method, _ = made()
    _, twin, _ = made()
    z = torch.randn(2, 32, 16)
    update = torch.compile(lambda F: twin.predictor.refresh(F), fullgraph=True, backend="aot_eager")
    for number in range(3):
        statistics = method.blends(torch.stack([z[0] + number, z[1]]), None)[1]
        method.moments.store(statistics)
        method.predictor.refresh(method.moments.F)
        update(method.moments.F)
    torch.testing.assert_close(twin.predictor.matrix, method.predictor.matrix)
