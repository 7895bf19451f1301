"""Loss and gradient beside lightly, where it has the objective: 1e-10 in float64.

What differs by convention: lightly halves VICReg's variance term (so its 50 are our 25), gives the mean of a cosine
where ours is -2 cos of each direction (`scale = 0.25`), and NT-Xent's name for T is the same.
"""

import pytest
import torch
from test_objectives_by_hand import built, setting, tensors
from torch import Tensor
from torch.testing import assert_close

from dcp.method.objectives import cosine

lightly = pytest.importorskip("lightly.loss", reason="lightly is not installed")
EXACT = {"rtol": 1e-10, "atol": 1e-12}
SHAPE = (12, 5)


def pairs(size: float) -> list[Tensor]:
    z = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return tensors((size * z[0].numpy(), size * (z[0] + 0.7 * z[1]).numpy()))


LOSSES = {
    "vicreg": ({}, lambda: lightly.VICRegLoss(mu_param=50.0)),
    "vicreg as there": ({"variance": 12.5}, lambda: lightly.VICRegLoss()),
    "barlow": ({}, lambda: lightly.BarlowTwinsLoss()),
    "ntxent": ({}, lambda: lightly.NTXentLoss()),
    "ntxent at 0.1": ({"temperature": 0.1}, lambda: lightly.NTXentLoss(temperature=0.1)),
}


@pytest.mark.parametrize("size", [0.3, 2.0])
@pytest.mark.parametrize("case", LOSSES)
def test_a_loss_of_both_views_is_lightlys(case: str, size: float) -> None:
    keys, theirs = LOSSES[case]
    (z1, z2), loss = pairs(size), built(case.split()[0], setting(), **keys)
    ours = (loss(z1, z1, z2) + loss(z2, z2, z1)).mean()
    reference = theirs()(z1, z2)
    assert_close(ours, reference, **EXACT)
    assert_close(torch.autograd.grad(ours, [z1, z2]), torch.autograd.grad(reference, [z1, z2]), **EXACT)


def test_the_cosine_at_a_quarter_is_lightlys_of_both_directions() -> None:
    (p1, p2), (t1, t2) = pairs(1.0), (x.detach() + 1 for x in pairs(2.0))
    ours = 0.25 * (cosine.loss(p1, p1, t2) + cosine.loss(p2, p2, t1)).mean()
    theirs = lightly.NegativeCosineSimilarity()
    reference = (theirs(p1, t2) + theirs(p2, t1)) / 2
    assert_close(ours, reference, **EXACT)
    assert_close(torch.autograd.grad(ours, [p1, p2]), torch.autograd.grad(reference, [p1, p2]), **EXACT)
