import math

import numpy as np
import pytest
from scipy import stats

from pnn_tf.permutation import grid, permuted


def permutations(size, keys):
    """(n_keys, size): the whole permutation that belongs to each key."""
    rows, columns = grid(size)
    n = len(keys) * size
    constants = [np.full(n, value, np.uint32) for value in (size, rows, columns)]
    position = np.tile(np.arange(size, dtype=np.uint32), len(keys))
    return permuted(position, *constants, np.repeat(np.asarray(keys, np.uint32), size)).numpy().reshape(-1, size)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 12, 97, 1000, 65_537, 100_003])
def test_each_key_permutes_the_whole_range(size):
    assert np.array_equal(np.sort(permutations(size, [7, 2**32 - 1]), axis=1), [np.arange(size)] * 2)


@pytest.mark.parametrize("size", [*range(1, 200), 99_991, 3_500_000])
def test_grids_hold_all_with_few_cells_to_spare(size):
    rows, columns = grid(size)
    assert size <= rows * columns
    assert rows * columns - size <= math.isqrt(size)
    assert 0.5 <= rows / columns <= 2


def test_keys_in_sequence_give_unrelated_orders():
    size, n_keys = 2000, 200
    order = permutations(size, range(n_keys))
    # Where an element goes is uniform over keys, and tells nothing of where the next goes, or the same at the next key.
    cells = order // (size // 20)
    counts = np.stack([np.sum(cells == cell, axis=0) for cell in range(20)])
    chi_square = np.sum((counts - n_keys / 20) ** 2 / (n_keys / 20))
    assert abs(chi_square - 19 * size) < 4 * np.sqrt(2 * 19 * size)  # four standard deviations
    for pairs in (order[:, 1:] * 1.0, order[:, :-1]), (order[1:] * 1.0, order[:-1]):
        assert abs(np.corrcoef(*map(np.ravel, pairs))[0, 1]) < 4 / np.sqrt(order.size)


def test_small_ranges_reach_every_order():
    orders, counts = np.unique(permutations(4, range(5000)), axis=0, return_counts=True)
    assert len(orders) == math.factorial(4)
    # A hash of few values is not perfectly even: no order is more than a third off.
    assert np.all(abs(counts / (5000 / 24) - 1) < 1 / 3)


def test_batches_of_one_pass_share_no_more_events_with_those_of_the_next_than_by_chance():
    size, quota = 50_000, 100
    first, second = np.argsort(permutations(size, [10, 11]), axis=1) // quota  # batch of each event in two passes
    _, together = np.unique(first.astype(np.int64) * size + second, return_counts=True)
    pairs = np.sum(together * (together - 1) / 2)
    expected = (size * (quota - 1) / 2) * (quota - 1) / (size - 1)
    assert stats.poisson.cdf(pairs, expected) == pytest.approx(0.5, abs=0.499)
