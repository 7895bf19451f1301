"""On features of a realistic spectrum, of the size of a small data set: the same answers as scikit-learn's."""

import numpy as np
import pytest
import torch

from benchmarks.probes import made
from dcp.probing.evaluations import _logistic, knn, linear
from dcp.probing.evaluations._logistic import Curvature
from dcp.probing.evaluations.base import Features, Subject


@pytest.fixture(scope="module")
def data():
    return made(5000)


@pytest.mark.slow
@pytest.mark.parametrize("l2", [1e-2, 1e-3])
def test_the_optimum_has_the_accuracy_of_scikit_learns_and_no_larger_objective(data, l2):
    from sklearn.linear_model import LogisticRegression

    start = torch.zeros(10, 513, dtype=torch.float64)
    fit = _logistic.fit(data.train, l2, Curvature.of(data.train.x), start, linear.TOLERANCE, 1000)
    x, y = data.train.x.double().numpy(), data.train.y.numpy()
    peer = LogisticRegression(C=1 / (l2 * len(y)), tol=1e-5, max_iter=10_000).fit(x, y)
    theirs = torch.cat([torch.tensor(peer.coef_), torch.tensor(peer.intercept_).unsqueeze(1)], 1)
    accuracy = _logistic.accuracy(fit.weight, data.test)
    assert 0.7 < accuracy < 0.9
    assert accuracy == pytest.approx(_logistic.accuracy(theirs, data.test), abs=0.002)
    assert fit.objective < _logistic.objective(theirs, data.train, l2)[0] + 1e-6
    assert fit.converged


@pytest.mark.slow
def test_no_prediction_of_the_neighbours_is_another(data):
    from sklearn.neighbors import KNeighborsClassifier

    peer = KNeighborsClassifier(200, weights=lambda distance: np.exp((1 - distance) / 0.1), metric="cosine")
    expected = peer.fit(data.train.x.numpy(), data.train.y.numpy()).predict(data.test.x.numpy())
    subject = Subject(Features(data.train.x, data.train.y), Features(data.test.x, data.test.y), tuple("abcdefghij"))
    found = knn.evaluate(subject, knn.Config(k=200, temperature=0.1), seed=0)
    assert found.predictions.tolist() == expected.tolist()
