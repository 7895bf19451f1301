"""Random correlation matrices for hypothesis, in float64."""

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

thorough = settings(deadline=None, max_examples=60, derandomize=True, database=None)


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotation(dim: int, seed: int) -> Tensor:
    """A random orthogonal matrix [dim, dim]."""
    return torch.linalg.qr(normal(dim, dim, seed=seed))[0]


@st.composite
def correlations(draw: st.DrawFn, least: int = 1) -> Tensor:
    """Symmetric positive semi-definite [D, D], D from `least` to 8, any rank, eigenvalues 1e-4 to 1e4."""
    dim = draw(st.integers(least, 8))
    exponents = draw(st.lists(st.floats(-4, 4), min_size=dim, max_size=dim))
    zeros = draw(st.integers(0, dim - 1))
    s = 10.0 ** torch.tensor(exponents, dtype=torch.float64)
    s[dim - zeros :] = 0
    Q = rotation(dim, draw(st.integers(0, 2**20)))
    F = (Q * s) @ Q.T
    return (F + F.T) / 2


seeds = st.integers(0, 2**20)
epsilons = st.floats(1e-4, 2.0)
alphas = st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0, 4.0])
norms = st.sampled_from(["spectral", "fro"])
