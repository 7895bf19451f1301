"""Optimizers: parameter groups, LARS, and learning rates that are a function of the step."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dcp.method import schedules


class Lars(Optimizer):
    """LARS: SGD whose step is scaled, for each tensor, by η|θ| / |∇ + λθ| (You et al. 2017, arXiv:1708.03888).

    Weight decay λ is inside of the gradient, momentum comes after the learning rate, as in the BYOL release. Groups
    with `scaled = False` (norms and biases there) take plain momentum steps, and so do tensors of which weight or
    gradient is zero.

    Args:
        params: parameter groups.
        lr: learning rate.
        momentum: in [0, 1).
        weight_decay: λ >= 0.
        eta: trust coefficient η > 0.
    """

    def __init__(
        self,
        params: Iterable[dict[str, object]],
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        eta: float,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "eta": eta, "scaled": True}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; `closure`, if given, is called first and its loss returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._update(param, group)
        return loss

    def _update(self, param: Tensor, group: dict[str, float]) -> None:
        update = param.grad.add(param, alpha=group["weight_decay"])  # type: ignore[union-attr]
        if group["scaled"]:
            p, u = param.norm(), update.norm()
            update = update * torch.where((p > 0) & (u > 0), group["eta"] * p / u, torch.ones_like(p))
        state = self.state[param]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(param)
        buffer = state["momentum_buffer"]
        buffer.mul_(group["momentum"]).add_(update, alpha=group["lr"])
        param.sub_(buffer)


def groups(
    online: nn.Module,
    predictor: nn.Module,
    *,
    weight_decay: float,
    excludes: bool,
    predictor_decay: float | None,
    lr_factor: float,
    constant_lr: bool,
) -> list[dict[str, object]]:
    """Parameter groups: the branch and the predictor, each split in matrices and 1-D parameters if `excludes`.

    Args:
        online: the branch that learns.
        predictor: the predictor; has no group if it has no parameters.
        weight_decay: λ of the branch.
        excludes: 1-D parameters (norms, biases) have neither weight decay nor LARS scaling.
        predictor_decay: λ of the predictor, or None for the same.
        lr_factor: α_p, rate of the predictor over that of the branch.
        constant_lr: the predictor's rate follows no schedule.
    """
    found: list[dict[str, object]] = []
    decay = weight_decay if predictor_decay is None else predictor_decay
    for module, own_decay, factor, constant in (
        (online, weight_decay, 1.0, False),
        (predictor, decay, lr_factor, constant_lr),
    ):
        params = [p for p in module.parameters() if p.requires_grad]
        plain = [p for p in params if p.ndim <= 1] if excludes else []
        heavy = [p for p in params if p.ndim > 1 or not excludes]
        common = {"lr_factor": factor, "constant": constant}
        if heavy:
            found.append({"params": heavy, "weight_decay": own_decay, "scaled": True, **common})
        if plain:
            found.append({"params": plain, "weight_decay": 0.0, "scaled": False, **common})
    return found


def build(
    name: str, params: list[dict[str, object]], *, lr: float, momentum: float, weight_decay: float, eta: float
) -> Optimizer:
    """The optimizer called `name` ("sgd", "lars" or "adamw") over parameter groups."""
    if name == "lars":
        return Lars(params, lr=lr, momentum=momentum, weight_decay=weight_decay, eta=eta)
    if name == "adamw":
        return torch.optim.AdamW(params, lr=lr, betas=(momentum, 0.999), weight_decay=weight_decay)
    return torch.optim.SGD(params, lr=lr, momentum=momentum, weight_decay=weight_decay)


def set_rates(optimizer: Optimizer, step: int, *, peak: float, kind: str, steps: int, warmup_steps: int) -> float:
    """Give every group its learning rate for `step` and return that of the branch."""
    rate = schedules.warmed_up(step, peak=peak, kind=kind, steps=steps, warmup_steps=warmup_steps)
    for group in optimizer.param_groups:
        group["lr"] = (peak if group["constant"] else rate) * group["lr_factor"]
    return rate
