"""The objectives again, from their formulas alone: numpy, loops, and derivatives by complex steps.

A complex step of 1e-30 in one entry puts the derivative into the imaginary part without a difference of near numbers,
so it is as exact as the value. It asks for functions without conjugates or absolute values: |x|² is the sum of x·x.

Legend: Z, P, T [N, D] of one view; the suffix is the view.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
STEP = 1e-30


def draws(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def gradients(f: Callable[..., complex], *inputs: Array) -> list[Array]:
    """df/dx for each input x, of its shape."""
    found = []
    for k, x in enumerate(inputs):
        slope = np.zeros_like(x)
        for place in np.ndindex(x.shape):
            moved = [each.astype(complex) for each in inputs]
            moved[k][place] += 1j * STEP
            slope[place] = np.imag(f(*moved)) / STEP
        found.append(slope)
    return found


def cosine(a: Array, b: Array) -> complex:
    return a @ b / np.sqrt((a @ a) * (b @ b))


def standardised(Z: Array) -> Array:
    mean = Z.sum(0) / len(Z)
    var = ((Z - mean) ** 2).sum(0) / len(Z)
    return (Z - mean) / np.sqrt(var + 1e-5)


def vicreg(Z1: Array, Z2: Array) -> complex:
    N, D = Z1.shape
    total = 25 * ((Z1 - Z2) ** 2).sum() / (N * D)
    for Z in (Z1, Z2):
        X = Z - Z.sum(0) / N
        for i in range(D):
            short = 1 - np.sqrt((X[:, i] ** 2).sum() / (N - 1) + 1e-4)
            total += 25 / D * (short if short.real > 0 else 0)
            for j in range(D):
                if i != j:
                    total += ((X[:, i] * X[:, j]).sum() / (N - 1)) ** 2 / D
    return total


def barlow(Z1: Array, Z2: Array) -> complex:
    R = np.einsum("ni,nj->ij", standardised(Z1), standardised(Z2)) / len(Z1)
    pairs = [(i, j) for i in range(len(R)) for j in range(len(R))]
    return sum((1 - R[i, i]) ** 2 if i == j else 5e-3 * R[i, j] ** 2 for i, j in pairs)


def ntxent(Z1: Array, Z2: Array, temperature: float = 0.5) -> complex:
    rows, N = [*Z1, *Z2], len(Z1)
    total = 0
    for i, anchor in enumerate(rows):
        e = [np.exp(cosine(anchor, other) / temperature) for other in rows]
        total -= np.log(e[(i + N) % (2 * N)] / sum(x for k, x in enumerate(e) if k != i))
    return total / (2 * N)


def spectral_contrastive(Z1: Array, Z2: Array) -> complex:
    N = len(Z1)
    pull = sum(Z1[i] @ Z2[i] for i in range(N)) / N
    push = sum((Z1[i] @ Z2[j]) ** 2 for i in range(N) for j in range(N) if i != j) / (N * (N - 1))
    return push - 2 * pull


def balance(Z1: Array, Z2: Array, W: Array) -> complex:
    """The mean over both directions, both weights 1."""
    total = 0
    for A, B in ((Z1, Z2), (Z2, Z1)):
        F1, F2 = standardised(A).T, standardised(B).T
        tie = np.einsum("ki,kj->ij", W, W) - W @ (F1 @ F1.T / len(A)) @ W.T
        total += ((W @ F1 - F2) ** 2).sum() / len(A) + (tie**2).sum() / len(W)
    return total / 2


def correlation(P: Array, T: Array) -> complex:
    return ((standardised(P) - standardised(T)) ** 2).sum() / len(P)


def softmax(P: Array, T: Array) -> complex:
    total = 0
    for p, t in zip(P, T, strict=True):
        wanted, said = np.exp(t) / np.exp(t).sum(), np.exp(p) / np.exp(p).sum()
        total -= (wanted * np.log(said)).sum() / len(P)
    return total


def smooth_l1(P: Array, T: Array) -> complex:
    total = 0
    for p, t in zip(P, T, strict=True):
        wanted = (t - t.mean()) / np.sqrt(t.var() + 1e-5)
        for x in p - wanted:
            total += (x**2 / 2 if abs(x.real) < 1 else np.sign(x.real) * x - 0.5) / P.size
    return total


def spherical(Z: Array) -> Array:
    return Z / np.sqrt((Z * Z).sum(-1, keepdims=True))


def nuclear(M: Array) -> complex:
    """Tr √G of the smaller Gram matrix G of M, by the iteration of Denman and Beavers, which has no conjugates."""
    G = M @ M.T if len(M) <= M.shape[1] else M.T @ M
    root, inverse = G, np.eye(len(G))
    for _ in range(60):
        root, inverse = (root + np.linalg.inv(inverse)) / 2, (inverse + np.linalg.inv(root)) / 2
    return np.trace(root)


def mmcr(Z: Array, within: float) -> complex:
    """Of Z [V, N, D], which the target shares."""
    V, N, _ = Z.shape
    unit = spherical(Z)
    C = np.array([sum(unit[i, n] for i in range(V)) / V for n in range(N)])
    return within / N * sum(nuclear(unit[:, n].T) for n in range(N)) - nuclear(C)


def half_log_det(A: Array) -> complex:
    """By elimination, for a matrix that needs no pivots."""
    A, total = A.copy(), 0
    for k in range(len(A)):
        total += np.log(A[k, k]) / 2
        for i in range(k + 1, len(A)):
            A[i] = A[i] - A[i, k] / A[k, k] * A[k]
    return total


def coding_rate(P: Array, T: Array, eps_squared: float = 0.5, invariance: float = 1.0, mean: bool = True) -> complex:
    """Of P [V, N, D] and targets T [G, N, D]."""
    (V, N, D), G = P.shape, len(T)
    p, t = spherical(P), spherical(T)
    pairs = [(i, g) for i in range(V) for g in range(G) if i != g]
    distance = sum(((p[i, n] - t[g, n]) ** 2).sum() / 2 for i, g in pairs for n in range(N)) / (len(pairs) * N)
    rate = 0
    for g in range(G):
        S = (p[g] + t[g]) / 2 if mean else p[g]
        rate += half_log_det(np.eye(D) + D / (N * eps_squared) * sum(np.outer(s, s) for s in S)) / G
    return invariance * distance - (D + N) / (D * N) * rate


def ssl_ey(Z: Array) -> complex:
    """Of Z [V, N, D]."""
    views, N, D = range(len(Z)), Z.shape[1], Z.shape[2]
    X = [z - z.sum(0) / N for z in Z]
    C = sum(X[i].T @ X[j] / (N - 1) for i in views for j in views if i != j)
    V = sum(X[i].T @ X[i] / (N - 1) for i in views)
    return -2 * sum(C[k, k] for k in range(D)) + sum(V[k, m] * V[m, k] for k in range(D) for m in range(D))


def minc(Z: Array, T: Array, L: Array) -> complex:
    """The mean over images of one view; L is Λ."""
    return sum(-4 * z @ t + 2 * z @ L @ z for z, t in zip(Z, T, strict=True)) / len(Z)
