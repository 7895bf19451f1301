"""The counter-based generator: SplitMix64 by image, uniform, independent across every part of its key."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dcp.data.views import random_numbers
from dcp.data.views.random_numbers import keys, numbers, steps, uniform
from dcp.method import splitmix64

MANY = torch.arange(20_000)
integers = st.integers(0, 2**63 - 1)


def test_the_scrambling_is_splitmix64_of_the_paper():
    # state 1234567, the first five outputs of the reference C code
    expected = (
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    )
    states = torch.tensor(1234567) + torch.arange(1, 6) * splitmix64.signed(splitmix64.STEP)
    words = splitmix64.scramble(states)
    assert [word % 2**64 for word in words.tolist()] == list(expected)


@settings(deadline=None)
@given(word=st.integers(0, 2**64 - 1))
def test_tensors_and_python_integers_scramble_alike(word):
    [got] = splitmix64.scramble(torch.tensor([splitmix64.signed(word)])).tolist()
    assert got % 2**64 == random_numbers._scramble_integer(word)


@settings(deadline=None)
@given(key=st.lists(integers, min_size=1, max_size=5), index=st.lists(integers, min_size=1, max_size=20))
def test_a_number_is_the_same_alone_in_any_batch_and_in_any_order(key, index):
    batch = torch.tensor(index)
    together = uniform(tuple(key), batch, 3)
    for b in range(len(index)):
        assert torch.equal(uniform(tuple(key), batch[b : b + 1], 3)[0], together[b])
    assert torch.equal(uniform(tuple(key), batch.flip(0), 3), together.flip(0))
    assert torch.equal(uniform(tuple(key), batch, 7)[:, :3], together)
    assert ((together >= 0) & (together < 1)).all()


@settings(deadline=None)
@given(seed=integers, epoch=integers, index=st.lists(integers, min_size=1, max_size=5))
def test_columns_of_many_streams_in_one_pass_are_the_numbers_of_each(seed, epoch, index):
    columns = [(3, 0), (1, 4), (3, 7), (0, 0)]
    state = torch.tensor([keys(seed, epoch, view, columns) for view in (0, 1)])
    together = numbers(state, torch.tensor(index)[:, None, None], steps(columns))
    for view in (0, 1):
        for column, (operation, place) in enumerate(columns):
            alone = uniform((seed, epoch, view, operation), torch.tensor(index), place + 1)[:, place]
            assert torch.equal(together[:, view, column], alone)


def test_numbers_are_uniform_over_images_and_over_the_numbers_of_an_image():
    for key in ((0, 0, 0, 0), (1, 2, 1, 5), (2**31 - 1, 999, 0, 3)):
        u = uniform(key, MANY, 8)
        for column in range(8):
            assert stats.kstest(u[:, column].numpy(), "uniform").pvalue > 1e-3
        rows = torch.histc(uniform(key, MANY[:10], 5_000).flatten().float(), bins=100, min=0, max=1)
        assert stats.chisquare(rows.numpy()).pvalue > 1e-3


def test_the_low_bits_are_as_random_as_the_high_ones():
    words = (uniform((3,), MANY, 1)[:, 0] * 2**53).long()
    for bit in range(53):
        ones = int(((words >> bit) & 1).sum())
        assert stats.binomtest(ones, len(MANY), 0.5).pvalue > 1e-4


@pytest.mark.parametrize(
    ("one", "other"),
    [((0, 0, 0, 0), key) for key in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))]
    + [((0, 1), (1, 0)), ((5, 5), (5, 5, 0)), ((0,), (2**63,))],
)
def test_numbers_of_neighbouring_keys_are_independent(one, other):
    a, b = uniform(one, MANY, 1)[:, 0], uniform(other, MANY, 1)[:, 0]
    _assert_independent(a, b)


def test_numbers_of_neighbouring_images_and_of_one_image_are_independent():
    u = uniform((7,), MANY, 3)
    _assert_independent(u[:-1, 0], u[1:, 0])
    _assert_independent(u[:-1, 0], u[1:, 1])  # the stream of an image must not be its neighbour's, moved by one
    _assert_independent(u[:-1, 1], u[1:, 0])
    _assert_independent(u[:, 0], u[:, 1])
    _assert_independent(u[:, 1], u[:, 2])


def test_no_number_occurs_twice():
    u = torch.cat([uniform((seed, epoch), MANY, 2) for seed in range(3) for epoch in range(3)])
    assert len(u.flatten().unique()) == u.numel()


def _assert_independent(a, b):
    table = torch.zeros(8, 8, dtype=torch.long)
    cells = (a * 8).long() * 8 + (b * 8).long()
    table.view(-1).index_add_(0, cells, torch.ones_like(cells))
    assert abs(torch.corrcoef(torch.stack((a, b)))[0, 1]) < 4 / len(a) ** 0.5
    assert stats.chi2_contingency(table.numpy()).pvalue > 1e-3
