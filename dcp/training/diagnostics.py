"""Examinations: at most some twenty times in a training, what is too costly to look at in every step.

An examination is a line of kind "spectrum" in metrics.jsonl: the eigenvalues of F and W, whether W has F's
eigenvectors, whether F keeps up with the projections, how far a step moves the weights, how far the target is behind.
"""

from typing import Any

from torch import Tensor

from dcp.data.sampler import Plan
from dcp.method.algorithm import Method, Step
from dcp.training import vitals

COUNT = 20  # in a whole training, with the first and the last step
APART = 10  # steps at least: an eigen-decomposition can cost as much as a step


class Examiner:
    """Examines a method at the first step, at the last, and evenly between them.

    Args:
        plan: of the training; when it is time is a function of the step alone.
        method: what is examined.
    """

    def __init__(self, plan: Plan, method: Method) -> None:
        self.plan, self.method = plan, method
        self.before: list[Tensor] = []

    def due(self, step: int) -> bool:
        """Whether this step is examined; a remainder of a batch is too small, the step before it takes its turn."""
        if self.plan.is_remainder(step):
            return False
        return self._turn(step) or (self.plan.is_remainder(step + 1) and self._turn(step + 1))

    def _turn(self, step: int) -> bool:
        every = max(APART, -(-self.plan.steps // COUNT))
        return step == 0 or (step + 1) % every == 0 or step + 1 == self.plan.steps

    def begin(self, step: int) -> None:
        """Remember the weights before a step that is examined."""
        if self.due(step):
            self.before = [p.clone() for p in vitals.weights(self.method.online)]

    def end(self, step: Step) -> dict[str, Any]:
        """The findings of a step, after all of its updates; called by all processes. Asks the device."""
        method, now = self.method, vitals.weights(self.method.online)
        matrix = method.predictor.matrix
        found = vitals.health(step.z)
        found |= vitals.of_matrices(method.moments.F, None if matrix is None else matrix.detach())
        found["lag"] = vitals.lag(method.moments.F, step.z, method.moments.total)
        found["weight_norm"], found["update"] = vitals.size(now), vitals.change(now, self.before)
        followers = vitals.weights(method.target)
        if [p.shape for p in followers] == [p.shape for p in now]:  # not a teacher that is another network
            found["target_distance"] = vitals.change(followers, now)
        self.before = []
        return {name: _plain(value) for name, value in found.items()}


def _plain(value: Tensor) -> float | list[float]:
    """Numbers with the six digits that float32 has, so that a line of thousands stays short."""
    rounded = [float(f"{number:.6g}") for number in value.flatten().tolist()]
    return rounded if value.ndim else rounded[0]
