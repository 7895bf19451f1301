"""What the probes cost beside scikit-learn on the same features: one linear fit to its optimum, nearest neighbours.

Features are made, not found: directions that fade by the power law 1/i, mixed and rectified as pooled features are,
with classes that overlap. Both sides get the same standardised float32 array, the same λ and the same threads.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as fn

from benchmarks import tasks as planned
from benchmarks.measure import Row, Scale, in_turn, rows
from dcp.probing.evaluations import _logistic, knn, linear
from dcp.probing.evaluations._logistic import Curvature, Task

CLASSES, DIM = 10, 512


class Made(NamedTuple):
    """Standardised features and labels of both splits."""

    train: Task
    test: Task


def tasks(scale: Scale) -> list[planned.Task]:
    """Fits with two λ, and nearest neighbours."""
    n = 2000 if scale.quick else 50_000
    strengths = [1e-3] if scale.quick else [1e-3, 1 / n]  # 1/n is scikit-learn's own default, C = 1
    return [*(planned.Task(fits, (n, l2), 60) for l2 in strengths), planned.Task(neighbours, (n,), 60)]


def made(n: int) -> Made:
    """`n` training and a fifth as many test images."""
    draw = torch.Generator().manual_seed(0)
    fading = 1 / torch.arange(1, DIM + 1)
    centres = 0.33 * torch.randn(CLASSES, DIM, generator=draw) * fading * (torch.arange(DIM) < 60)
    y = torch.randint(0, CLASSES, (n + n // 5,), generator=draw)
    mixed = torch.linalg.qr(torch.randn(DIM, DIM, generator=draw)).Q
    x = (3 * (centres[y] + torch.randn(len(y), DIM, generator=draw) * fading) @ mixed + 1).relu()
    train, test = linear.standardise(x[:n], x[n:])
    return Made(Task(train, y[:n], CLASSES), Task(test, y[n:], CLASSES))


def fits(scale: Scale, n: int, l2: float) -> list[Row]:
    """Fits a second: ours, scikit-learn's L-BFGS as it comes (tol = 1e-4), and taken nearer to the optimum.

    With the weak λ nearer takes it minutes, and is left out, as it is where all must be quick.
    """
    _threads(scale.threads)
    data, found = made(n), {}

    def ours() -> float:
        start = torch.zeros(CLASSES, DIM + 1, dtype=torch.float64)
        fit = _logistic.fit(data.train, l2, Curvature.of(data.train.x), start, linear.TOLERANCE, 1000)
        found["dcp"] = fit.weight
        return 1.0

    def theirs(name: str, tol: float) -> Callable[[], float]:
        return lambda: _peer(data.train, l2, tol, found, name)

    tolerances = {"scikit-learn, tol 1e-4": 1e-4, "scikit-learn, tol 1e-5": 1e-5}
    near = l2 > 1 / n and not scale.quick
    things = {name: theirs(name, tol) for name, tol in tolerances.items() if tol == 1e-4 or near}
    rates = in_turn({**things, "dcp": ours}, 1 if scale.quick else 2)
    group = f"linear fit, {n} x {DIM}, λ = {l2:.0e}, {scale.threads} threads"
    note = "; ".join(_ended(name, weight, data, l2) for name, weight in found.items())
    return rows(group, "fits/s", rates, beside="scikit-learn, tol 1e-4", note=note)


def _peer(task: Task, l2: float, tol: float, found: dict[str, Tensor], name: str) -> float:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model: Any = LogisticRegression(C=1 / (l2 * len(task.y)), tol=tol, max_iter=5000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(task.x.numpy(), task.y.numpy())
    found[name] = torch.cat([torch.tensor(model.coef_), torch.tensor(model.intercept_).unsqueeze(1)], 1).double()
    return 1.0


def _ended(name: str, weight: Tensor, data: Made, l2: float) -> str:
    """Where a fit ended, by our value of the objective."""
    value, accuracy = _logistic.objective(weight, data.train, l2)[0], _logistic.accuracy(weight, data.test)
    return f"{name}: objective {value:.6f}, test accuracy {accuracy:.4f}"


def neighbours(scale: Scale, n: int) -> list[Row]:
    """Test images a second with k = 20, T = 0.07: ours and scikit-learn's brute force by cosine."""
    from sklearn.neighbors import KNeighborsClassifier

    _threads(scale.threads)
    data, said = made(n), {}
    bank, query = fn.normalize(data.train.x), fn.normalize(data.test.x[:2000])
    peer: Any = KNeighborsClassifier(20, weights=_weights, metric="cosine", algorithm="brute", n_jobs=scale.threads)
    peer.fit(bank.numpy(), data.train.y.numpy())

    def ours() -> float:
        parts = torch.split(query, max(1, knn.SIMILARITIES_AT_A_TIME // n))
        best = [knn.ranking(part, bank, data.train.y, CLASSES, 20, 0.07)[:, 0] for part in parts]
        said["dcp"] = torch.cat(best)
        return float(len(query))

    def theirs() -> float:
        said["scikit-learn"] = torch.from_numpy(peer.predict(query.numpy()))
        return float(len(query))

    rates = in_turn({"scikit-learn": theirs, "dcp": ours}, 1 if scale.quick else 3)
    same = float((said["dcp"] == said["scikit-learn"]).double().mean())
    note = f"{100 * same:.2f} % of the predictions are the same"
    return rows(f"kNN, {n} x {DIM}, {scale.threads} threads", "images/s", rates, beside="scikit-learn", note=note)


def _weights(distance: Any) -> Any:
    """exp(cos / T), T = 0.07."""
    import numpy as np

    return np.exp((1 - distance) / 0.07)


def _threads(count: int) -> None:
    """For torch, and for what numpy and scikit-learn compute with."""
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(count)
    threadpool_limits(count)
