import pytest
import torch

from dcp.data.datasets import base, cifar10
from dcp.data.datasets.base import Dataset, balanced
from dcp.data.image_lists import Files
from dcp.errors import RequestError


def made(n: int = 60, classes: int = 3) -> Dataset:
    images = torch.randint(0, 256, (n, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Dataset(images, torch.arange(n) % classes, tuple("abcdefghij"[:classes]))


@pytest.fixture
def serve(monkeypatch):
    """Let cifar10 answer with made-up data."""

    def answer(data: Dataset) -> None:
        monkeypatch.setattr(cifar10, "load", lambda config, split: data)

    return answer


# which images a limit takes


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 29, 59, 60])
def test_a_limit_takes_equally_many_of_each_class_but_for_one(limit):
    labels = torch.arange(60) % 3
    counts = labels[balanced(labels, 60, limit=limit)].bincount(minlength=3)
    assert int(counts.sum()) == limit
    assert int(counts.max() - counts.min()) <= 1


def test_a_class_with_too_few_images_gives_all_it_has():
    labels = torch.tensor([0] * 50 + [1] * 2 + [2] * 50)
    assert labels[balanced(labels, 102, limit=42)].bincount().tolist() == [20, 2, 20]


def test_a_choice_has_no_image_twice_is_ascending_and_the_smaller_lies_in_the_larger():
    labels = torch.randint(0, 7, (500,), generator=torch.Generator().manual_seed(1))
    small, large = balanced(labels, 500, limit=100), balanced(labels, 500, limit=200)
    assert torch.equal(small, small.unique())
    assert set(small.tolist()) < set(large.tolist())


def test_the_choice_is_random_within_a_class_and_the_same_each_time():
    labels = torch.zeros(1000, dtype=torch.int64)
    choice = balanced(labels, 1000, limit=100)
    assert torch.equal(choice, balanced(labels, 1000, limit=100))
    assert 350 < choice.float().mean() < 650  # the first hundred would give 50
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert torch.equal(choice, balanced(labels, 1000, limit=100))
    assert torch.equal(torch.get_rng_state(), state)


def test_without_labels_a_limit_is_a_plain_random_choice():
    choice = balanced(None, 1000, limit=100)
    assert len(choice.unique()) == 100
    assert 350 < choice.float().mean() < 650


# load


def test_pretrain_and_train_get_the_same_choice_and_test_is_never_cut(serve):
    serve(data := made())
    config = cifar10.Config(limit=30)
    pretrain, train, test = (base.load(config, split) for split in ("pretrain", "train", "test"))
    assert torch.equal(pretrain.images, train.images)
    assert torch.equal(train.labels.bincount(), torch.tensor([10, 10, 10]))
    assert train.classes == data.classes
    assert len(test) == 60


def test_images_and_labels_stay_together(serve):
    data = made()
    data.images[:, 0, 0, 0] = data.labels.to(torch.uint8)
    serve(data)
    cut = base.load(cifar10.Config(limit=20), "train")
    assert torch.equal(cut.images[:, 0, 0, 0].long(), cut.labels)


@pytest.mark.parametrize("split", ["pretrain", "train"])
def test_a_limit_equal_to_the_data_takes_all_and_a_larger_one_is_refused_with_both_numbers(serve, split):
    serve(made())
    assert len(base.load(cifar10.Config(limit=60), split)) == 60
    with pytest.raises(RequestError, match="the limit is 61, but cifar10 has 60 images in its") as caught:
        base.load(cifar10.Config(limit=61), split)
    assert (caught.value.slug, caught.value.where) == ("limit-too-large", "data.limit")


# fingerprint


def test_a_fingerprint_is_sixteen_digits_and_the_same_for_the_same_data():
    assert made().fingerprint() == made().fingerprint()
    assert len(made().fingerprint()) == 16
    assert int(made().fingerprint(), 16) >= 0


def test_a_fingerprint_changes_with_count_shape_labels_classes_order_and_pixels():
    data = made()
    changed = data.images.clone()
    changed[7, 1, 2, 3] ^= 1
    relabelled = data.labels.clone()
    relabelled[3] = (relabelled[3] + 1) % 3
    others = [
        made(59),
        data.subset(torch.arange(60).flip(0)),
        Dataset(data.images.reshape(60, 3, 2, 8), data.labels, data.classes),
        Dataset(data.images, None, ()),
        Dataset(data.images, data.labels, ("a", "b", "z")),
        Dataset(data.images, relabelled, data.classes),
        Dataset(changed, data.labels, data.classes),
    ]
    assert len({data.fingerprint(), *(other.fingerprint() for other in others)}) == len(others) + 1


def test_a_fingerprint_of_files_changes_with_names_sizes_and_labels_but_not_with_the_place(tmp_path):
    def fingerprint(place: str, contents: dict[str, bytes], labels: list[int]) -> str:
        for name, content in contents.items():
            (tmp_path / place).mkdir(exist_ok=True)
            (tmp_path / place / name).write_bytes(content)
        files = Files.listed(tmp_path / place, [name.encode() for name in contents])
        return Dataset(files, torch.tensor(labels), ("x", "y")).fingerprint()

    contents = {"a.png": b"1", "b.png": b"22"}
    reference = fingerprint("one", contents, [0, 1])
    assert fingerprint("two", contents, [0, 1]) == reference
    others = [
        fingerprint("three", contents, [1, 0]),
        fingerprint("four", {"a.png": b"1", "c.png": b"22"}, [0, 1]),
        fingerprint("five", {"a.png": b"1", "b.png": b"333"}, [0, 1]),
        fingerprint("six", {"a.png": b"1"}, [0]),
    ]
    assert reference not in others
    assert len(set(others)) == 4


def test_an_empty_data_set_has_a_fingerprint():
    assert len(made().subset(torch.tensor([], dtype=torch.int64)).fingerprint()) == 16
