"""What several views of an image say of the features: LiDAR, alignment and uniformity; they need no labels.

Of h [n, q, D], the features of q views of n images, with means μ_i of an image and μ of all:

    lidar           exp(-Σ p log p), p = λ/Σλ + ε, λ the eigenvalues of Σ_w^-½ Σ_b Σ_w^-½,
                    Σ_b = mean of (μ_i - μ)(μ_i - μ)ᵀ,  Σ_w = mean of (h - μ_i)(h - μ_i)ᵀ + δI
                    (Thilak et al. 2024, arXiv:2312.04000, section 4: the rank of linear discriminant analysis
                    with images as classes)
    view_alignment  mean of |u - v|^2 over the pairs of views of an image, u = h/|h| (Wang, Isola 2020,
                    arXiv:2005.10242, section 4.1, with α = 2)
    uniformity      log of the mean of exp(-2 |u - u'|²) over pairs of different images (there, with t = 2)

Unverified: the paper could not be read beyond its abstract. Public implementations take δ from 1e-6 to 1e-4 and ε from
1e-12 to 1e-5, here 1e-4 and 1e-7; n = 1,000 and q = 50 are said to be its sizes. n images have at most n - 1 directions
between them, so LiDAR is too low unless n is a few times D. It is too high where q is small: what views add to the
means is Σ_w/q, so each direction has an eigenvalue of about 1/q, of whatever use it is. It depends on the scale of h
where that is near √δ or below.

In the mean of exp(-2 |u - u'|²) no image is paired with itself, nor with another view of itself: unlike the mean over
all pairs it does not depend on n, but for the logarithm of an estimate. The official release leaves an image out, too.

Both papers measure what the loss is of, the projections; Wang and Isola also the features before them. Here both are
measured: `projection_` stands before the names of the former.

Shapes: n images, q views, D features or size of the projections.
"""

from collections.abc import Iterator
from math import comb

import torch
from torch import Tensor
from torch.nn import functional as fn

from dcp.data.image_lists import ImageList
from dcp.data.views import apply
from dcp.data.views.config import Local
from dcp.method import spectra
from dcp.probing.evaluations import base
from dcp.probing.evaluations.base import Features, Json, Origin, Subject

DELTA, EPS = 1e-4, 1e-7
T = 2.0
IMAGES_A_DIMENSION = 3  # with fewer LiDAR is said to be biased
# a spread of this share of the features' size may be no more than what float32 makes of a constant
ROUNDING = 1e-6
VIEWS_AT_A_TIME, ROWS_AT_A_TIME = 256, 1024
PROJECTION = "projection_"


def lidar(h: Tensor) -> Tensor:
    """LiDAR of h [n, q, D], a scalar from 1 to min(D, n - 1); 0 if all are the same.

    >>> h = torch.eye(4).repeat_interleave(3, 0).view(4, 3, 4)  # four images whose views are alike
    >>> round(float(lidar(h)), 4)
    3.0
    """
    h = base.wide(h)
    centre = h.mean(1)
    between, within = centre - centre.mean(0), (h - centre.unsqueeze(1)).flatten(0, 1)
    if not float(between.square().sum()) > ROUNDING**2 * float(centre.square().sum()):
        return h.new_zeros(())
    s, U = spectra.eigh(within.T @ within / len(within))
    white = between @ U / (s + DELTA).sqrt()
    # ZZᵀ and ZᵀZ have the same eigenvalues but for zeros; the smaller is quicker
    eigenvalues = spectra.eigh((white @ white.T if len(white) < white.shape[1] else white.T @ white) / len(white))[0]
    p = fn.pad(eigenvalues / eigenvalues.sum(), (0, h.shape[2] - len(eigenvalues))) + EPS
    return torch.xlogy(p, p).sum().neg().exp()


def alignment(h: Tensor) -> Tensor:
    """Mean of |u - v|² over pairs of views, the first and second, third and fourth, ... of h [n, q, D]; 0 to 4."""
    pairs = h.shape[1] // 2
    u = fn.normalize(base.wide(h)[:, : 2 * pairs], dim=2)
    return (u[:, 0::2] - u[:, 1::2]).square().sum(2).mean()


def uniformity(h: Tensor) -> Tensor:
    """Logarithm of the mean of exp(-2 |u - u'|²) over all pairs of n >= 2 images in the same view, of h [n, q, D]."""
    n, q, _ = h.shape
    total = torch.zeros((), dtype=torch.float64, device=base.wide(h[:0]).device)
    for view in range(q):
        u = fn.normalize(base.wide(h[:, view]))
        square = u.square().sum(1)
        for rows in torch.arange(n, device=u.device).split(ROWS_AT_A_TIME):
            near = (square[rows, None] + square - 2 * u[rows] @ u.T).clamp_min(0).mul(-T).exp()
            total += near.sum() - near[torch.arange(len(rows), device=u.device), rows].sum()
    return (total / (q * n * (n - 1))).log()


def chosen(n: int, count: int) -> Tensor:
    """At most `count` of 0..n-1, ascending; the same every time.

    >>> chosen(3, 5).tolist()
    [0, 1, 2]
    """
    return torch.randperm(n, generator=torch.Generator().manual_seed(n))[:count].sort().values


def pixels(origin: Origin, rows: Tensor, epoch: int, seed: int) -> Tensor:
    """The first two views of the test images `rows` in an epoch, [len(rows), 2, C, S, S] on the encoder's device.

    They are drawn as those of training images are, by (seed, epoch, row); training also rounds crops of image files to
    bytes.
    """
    device, images = next(origin.encoder.parameters()).device, origin.test.images
    config = origin.config.model_copy(update={"count": 2, "local": Local()})

    def both(some: Tensor, index: Tensor) -> Tensor:
        where = {"seed": seed, "epoch": epoch, "size": origin.size}
        return torch.stack(apply.random_views(some.to(device), index, config, **where), 1)

    if isinstance(images, ImageList):
        return torch.cat([both(images.decode(int(i)).unsqueeze(0), i.view(1)) for i in rows])
    return both(images[rows.to(images.device)], rows)


@torch.no_grad()
def outputs(origin: Origin, rows: Tensor, q: int, seed: int) -> Iterator[tuple[str, Tensor]]:
    """What stands before the names of their scores, and what comes out for q views of the images `rows`, [n, q, D].

    First the features; then the projections, if there is a projector.
    """
    parts: dict[str, list[Tensor]] = {name: [] for name in ("", PROJECTION)[: 2 if origin.projector else 1]}
    for some in rows.split(max(1, VIEWS_AT_A_TIME // 2)):
        of_epochs: dict[str, list[Tensor]] = {name: [] for name in parts}
        for epoch in range((q + 1) // 2):
            h = origin.encoder(pixels(origin, some, epoch, seed).flatten(0, 1)).float()
            of_epochs[""].append(h.unflatten(0, (len(some), 2)))
            if origin.projector is not None:
                of_epochs[PROJECTION].append(origin.projector(h).float().unflatten(0, (len(some), 2)))
        for name, each in of_epochs.items():
            parts[name].append(torch.cat(each, 1)[:, :q])
    for name, each in parts.items():
        yield name, torch.cat(each)


def measured(subject: Subject, images: int, q: int, seed: int) -> tuple[dict[str, float], dict[str, Json]]:
    """Scores, and what they were taken over, of at most so many test images.

    Nothing of fewer than two, nor where only features are known.

    Raises:
        RunError: what comes out of the network is not finite.
    """
    score: dict[str, float] = {}
    extra: dict[str, Json] = {}
    origin, n = subject.origin, min(len(subject.test), images)
    if origin is None or n < 2:
        return score, extra
    rows = chosen(len(origin.test), n)
    for name, h in outputs(origin, rows, q, seed):
        base.check_split(Features(h.flatten(0, 1), rows), "test", labels=False)
        dim = h.shape[2]
        score |= {
            f"{name}lidar": float(lidar(h)),
            f"{name}view_alignment": float(alignment(h)),
            f"{name}uniformity": float(uniformity(h)),
        }
        few = n < IMAGES_A_DIMENSION * dim
        extra |= {
            f"{name}lidar": {"n": n, "views": q, "dim": dim, "at_most": min(dim, n - 1), "biased": few},
            f"{name}view_alignment": {"n": n, "pairs": n * (q // 2)},
            f"{name}uniformity": {"n": n, "pairs": q * comb(n, 2)},
        }
    if origin.projector is None:
        extra["projections"] = "not measured: the run folder has no checkpoint with the projector in it"
    return score, extra
