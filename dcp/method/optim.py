"""Optimizers: parameter groups, LARS, clipping, and learning rates that are a function of the step."""

import math
from collections.abc import Iterable
from typing import Any, cast

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
            params = [param for param in group["params"] if param.grad is not None]
            if params:
                self._update(params, [param.grad for param in params], group)

    def _update(self, params: list[Tensor], grads: list[Tensor], group: dict[str, Any]) -> None:
        """One step of a group: few kernels on a GPU but for the trust ratio, and no question to the host."""
        for param in params:
            if "momentum_buffer" not in self.state[param]:
                self.state[param]["momentum_buffer"] = torch.zeros_like(param)
        buffers = [self.state[param]["momentum_buffer"] for param in params]
        updates = torch._foreach_add(grads, params, alpha=group["weight_decay"])
        if group["scaled"]:
            p, u = torch.stack(torch._foreach_norm(params)), torch.stack(torch._foreach_norm(updates))
            trust = torch.where((p > 0) & (u > 0), group["eta"] * p / u, torch.ones_like(p))
            updates = torch._foreach_mul(updates, trust.unbind())
        torch._foreach_mul_(buffers, group["momentum"])
        if isinstance(group["lr"], Tensor):  # as alpha it would be read back
            torch._foreach_mul_(updates, group["lr"])
            torch._foreach_add_(buffers, updates)
        else:
            torch._foreach_add_(buffers, updates, alpha=group["lr"])
        torch._foreach_sub_(params, buffers)


class Clip:
    """Shortens the gradient of all parameters together to at most a length (Pascanu, Mikolov, Bengio 2013).

    As torch's `clip_grad_norm_`, which would read the length back; here the limit is a scalar on their device that the
    host writes to, infinite where nothing is clipped, so that a CUDA graph can hold it.

    Args:
        optimizer: steps on the parameters.
        norm: largest length of the gradient, > 0.
    """

    def __init__(self, optimizer: Optimizer, norm: float) -> None:
        self.norm, self.params = norm, [param for group in optimizer.param_groups for param in group["params"]]
        self.limit = torch.full((), math.inf, device=self.params[0].device)

    def switch(self, on: bool) -> None:
        """Whether the next step is clipped."""
        self.limit.fill_(self.norm if on else math.inf)

    @torch.no_grad()
    def __call__(self) -> None:
        """Clip the gradients that are there."""
        grads = [param.grad for param in self.params if param.grad is not None]
        length = torch.stack(torch._foreach_norm(grads)).norm()
        factor = (self.limit / (length + 1e-6)).nan_to_num(nan=1.0)  # inf / inf: not clipped, and too long for a number
        torch._foreach_mul_(grads, factor.clamp(max=1.0))


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
    """The optimizer called `name` ("sgd", "lars" or "adamw") over parameter groups.

    Where the parameters lie on a CUDA device its steps can be captured in a CUDA graph: SGD and AdamW are fused, and
    the learning rate of each group is a float32 scalar on that device, which `set_rates` writes to.
    """
    device = next(param.device for group in params for param in cast("list[Tensor]", group["params"]))
    fused = device.type == "cuda" or None  # None is torch's own choice
    built: Optimizer
    if name == "lars":
        built = Lars(params, lr=lr, momentum=momentum, weight_decay=weight_decay, eta=eta)
    elif name == "adamw":
        built = torch.optim.AdamW(
            params, lr=lr, betas=(momentum, 0.999), weight_decay=weight_decay, fused=fused, capturable=bool(fused)
        )
        # torch warns at a step outside of a graph that capturable is slower, which with fused it is not
        built._warned_capturable_if_run_uncaptured = True
    else:
        built = torch.optim.SGD(params, lr=lr, momentum=momentum, weight_decay=weight_decay, fused=fused)
    if fused:
        for group in built.param_groups:  # not in the constructors, which read a tensor back
            group["lr"] = torch.full((), group["lr"], dtype=torch.float32, device=device)
    return built


def set_rates(optimizer: Optimizer, step: int, *, peak: float, kind: str, steps: int, warmup_steps: int) -> float:
    """Give every group its learning rate for `step` and return that of the branch."""
    rate = schedules.warmed_up(step, peak=peak, kind=kind, steps=steps, warmup_steps=warmup_steps)
    for group in optimizer.param_groups:
        own = (peak if group["constant"] else rate) * group["lr_factor"]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(own)
        else:
            group["lr"] = own
    return rate
