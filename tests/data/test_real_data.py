import time

import pytest
import torch

from dcp.data.datasets import base, cifar10, folder


def test_real_cifar10_has_its_published_mean_counts_and_a_quick_fingerprint(real_cifar10):
    data = base.load(cifar10.Config(root=str(real_cifar10)), "pretrain")
    assert data.images.shape == (50_000, 3, 32, 32)
    assert data.labels.bincount().tolist() == [5000] * 10
    assert data.classes[:2] == ("airplane", "automobile")
    mean = data.images[::10].double().mean((0, 2, 3)) / 255
    assert mean.tolist() == pytest.approx([0.4914, 0.4822, 0.4465], abs=0.005)
    start = time.perf_counter()
    data.fingerprint()
    assert time.perf_counter() - start < 1


def test_real_cifar10_test_split_stays_whole_under_a_limit(real_cifar10):
    test = base.load(cifar10.Config(root=str(real_cifar10), limit=100), "test")
    assert test.labels.bincount().tolist() == [1000] * 10


def test_real_imagenette96_is_a_labelled_folder(real_imagenette96):
    config = folder.Config(root=str(real_imagenette96 / "imagenette96"), limit=500)
    train, test = (base.load(config, split) for split in ("train", "test"))
    assert (len(train), len(test), len(train.classes)) == (500, 3925, 10)
    assert train.labels.bincount().tolist() == [50] * 10
    sample = torch.stack([train.images.decode(i) for i in range(0, 500, 10)])
    assert sample.shape == (50, 3, 96, 96)
    assert 80 < sample.float().mean() < 150
