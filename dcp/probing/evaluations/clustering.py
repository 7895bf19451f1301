"""k-means on frozen features: do the classes lie in clusters that nobody named?

Clusters are fitted to training features without labels, by scikit-learn's k-means (Lloyd 1982; starts by k-means++,
Arthur, Vassilvitskii 2007), the best of several starts; test images go to the nearest centre.

    nmi       mutual information of clusters and classes over the mean of their entropies, in [0, 1]
    ari       Rand index less what chance gives (Hubert, Arabie 1985), at most 1, 0 for chance
    accuracy  share of the test images whose cluster is matched with their class

Features are scaled to length 1: the objectives compare directions, and so does `knn`. Standardising each dimension
instead would raise those that hardly vary to the rank of the others. Clusters and classes are matched one to one on the
*training* images (Hungarian method, Kuhn 1955), so that the test labels only count; the literature as a rule matches
on the test images themselves, which is a little kinder. A cluster beyond the number of classes has no class.

The interval of nmi and ari is score ± z times its deviation over bootstrap samples of the test images.

Shapes: N images, D features, K classes, C clusters.
"""

import warnings
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from dcp.catalogue import IMAGES, VariantConfig
from dcp.probing.evaluations import base
from dcp.probing.evaluations.base import Scores, Subject

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

labels = True


class Config(VariantConfig):
    """Settings of the clustering."""

    name: Literal["clustering"] = "clustering"
    clusters: int | None = Field(None, ge=1, le=10**6, description="number of clusters; default: the number of classes")
    starts: int = Field(10, ge=1, le=10**4, description="random restarts, of which the best is kept")
    images: int = Field(
        20_000, ge=1, le=IMAGES, description="cluster at most this many training images, a random subset"
    )
    resamples: int = Field(200, ge=2, le=10**5, description="bootstrap samples of the test images for the intervals")


def clustered(train: Tensor, test: Tensor, count: int, config: Config, seed: int) -> "tuple[NDArray[np.int32], ...]":
    """Cluster numbers of train [N, D] and of test [n, D] in `count` <= N clusters; `seed` chooses starts and images."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    unit, unit_test = (fn.normalize(x).cpu().numpy() for x in (train, test))
    rows = torch.randperm(len(unit), generator=torch.Generator().manual_seed(seed))[: max(config.images, count)]
    means = KMeans(count, n_init=config.starts, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct images than clusters: some stay empty
        means.fit(unit[rows.numpy()])
    return means.predict(unit), means.predict(unit_test)


def matched(cluster: "NDArray[np.int32]", y: "NDArray[np.int64]", clusters: int, classes: int) -> Tensor:
    """The class of each cluster, int64 [C]: one to one, such that most images fit; -1 for a cluster that gets none."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    contingency = np.zeros((clusters, classes), dtype=np.int64)
    np.add.at(contingency, (cluster, y), 1)
    class_of = torch.full((clusters,), base.UNLABELLED)
    for number, label in zip(*linear_sum_assignment(contingency, maximize=True), strict=True):
        class_of[number] = int(label)
    return class_of


def agreement(y: "NDArray[np.int64]", cluster: "NDArray[np.int32]") -> dict[str, float]:
    """Nmi and ari of classes y [n] and clusters [n]."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    return {"nmi": float(normalized_mutual_info_score(y, cluster)), "ari": float(adjusted_rand_score(y, cluster))}


def intervals(
    y: "NDArray[np.int64]", cluster: "NDArray[np.int32]", resamples: int, seed: int
) -> dict[str, tuple[float, float]]:
    """95 % intervals of nmi and ari by bootstrap over the images."""
    import numpy as np

    draw = np.random.default_rng(seed)
    samples = [draw.integers(len(y), size=len(y)) for _ in range(resamples)]
    resampled = [agreement(y[rows], cluster[rows]) for rows in samples]
    reach = {name: base.Z * float(np.std([scores[name] for scores in resampled], ddof=1)) for name in resampled[0]}
    score, least = agreement(y, cluster), {"nmi": 0.0, "ari": -0.5}
    return {name: (max(least[name], score[name] - r), min(1.0, score[name] + r)) for name, r in reach.items()}


@torch.no_grad()
def evaluate(subject: Subject, config: Config, *, seed: int) -> Scores:
    """NMI, ARI and matched accuracy on the test images; `seed` decides k-means, its images, and the bootstrap."""
    base.check(subject, labels=True)
    classes = base.class_count(subject)
    count = min(config.clusters or classes, len(subject.train))
    train, test = clustered(subject.train.x, subject.test.x, count, config, seed)
    y, y_test = subject.train.y.cpu().numpy(), subject.test.y.cpu().numpy()
    predictions = matched(train, y, count, classes)[torch.from_numpy(test).long()]
    right, n = int((predictions == subject.test.y.cpu()).sum()), len(subject.test)
    return Scores(
        score={**agreement(y_test, test), "accuracy": right / n},
        n=n,
        interval={**intervals(y_test, test, config.resamples, seed), "accuracy": base.accuracy_interval(right, n)},
        settings={**config.model_dump(mode="json"), "train_images": len(y), "classes": classes},
        predictions=predictions,
        extra={"seed": seed, "clusters": count, "test_images_by_cluster": torch.from_numpy(test).bincount().tolist()},
    )
