"""Optimizers: parameter groups, LARS, and learning rates that are a function of the step."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dcp.method import schedules


class Lars(Optimizer):
    """LARS: SGD whose step is scaled, for each tensor, by η|θ| / |∇ + λθ| (You et al. 2017, arXiv:1708.03888).

    Weight decay λ is inside of the gradient, momentum comes after the learning rate, as in the BYOL release. Groups
    with `scaled = False` (norms and biases there) take plain momentum steps, and so do tensors of which weight or
    gradient is zero. η > 0 is the trust coefficient.
    """

    def __init__(
        self, params: Iterable[dict[str, object]], *, lr: float, momentum: float, weight_decay: float, eta: float
    ) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, eta=eta, scaled=True))

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step, of gradients that are there: it takes no closure."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._update(param, group)

    def _update(self, param: Tensor, group: dict[str, float]) -> None:
        update = param.grad.add(param, alpha=group["weight_decay"])  # type: ignore[union-attr]
        if group["scaled"]:
            p, u = param.norm(), update.norm()
            update = update * torch.where((p > 0) & (u > 0), group["eta"] * p / u, torch.ones_like(p))
        if "momentum_buffer" not in self.state[param]:
            self.state[param]["momentum_buffer"] = torch.zeros_like(param)
        buffer = self.state[param]["momentum_buffer"]
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
    """Parameter groups: of the branch and of the predictor, none of which is empty.

    Args:
        online: the branch that learns.
        predictor: the predictor.
        weight_decay: λ of the branch.
        excludes: 1-D parameters (norms, biases) are groups of their own, without weight decay and LARS scaling.
        predictor_decay: λ of the predictor, or None for the same.
        lr_factor: α_p, rate of the predictor over that of the branch.
        constant_lr: the predictor's rate follows no schedule.
    """
    decay = weight_decay if predictor_decay is None else predictor_decay
    branch_keys = {"weight_decay": weight_decay, "lr_factor": 1.0, "constant": False}
    predictor_keys = {"weight_decay": decay, "lr_factor": lr_factor, "constant": constant_lr}
    made: list[dict[str, object]] = []
    for module, keys in ((online, branch_keys), (predictor, predictor_keys)):
        params = [p for p in module.parameters() if p.requires_grad]
        plain = [p for p in params if p.ndim <= 1] if excludes else []
        made.append({"params": [p for p in params if p.ndim > 1 or not excludes], **keys, "scaled": True})
        made.append({"params": plain, **keys, "weight_decay": 0.0, "scaled": False})
    return [group for group in made if group["params"]]


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
