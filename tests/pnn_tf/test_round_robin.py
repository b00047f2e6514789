import numpy as np
import pytest
import tensorflow as tf

from pnn_tf.round_robin import steps_of_block, stratum_and_rank, without_replacement


@pytest.mark.parametrize("n_strata", [[1], [1, 1], [3, 1], [5, 300], [2, 7, 1, 4]])
def test_strata_come_in_turn_and_ranks_count_them(n_strata):
    stratum, rank = (x.numpy() for x in stratum_and_rank(tf.range(2000, dtype=tf.int64), n_strata))
    seen = np.zeros(sum(n_strata), int)
    first = np.cumsum([0, *n_strata])
    for row, (own, place) in enumerate(zip(stratum, rank, strict=True)):
        of_class = slice(first[row % len(n_strata)], first[row % len(n_strata) + 1])
        assert of_class.start <= own < of_class.stop
        assert place == seen[own]
        seen[own] += 1
        assert np.ptp(seen[of_class]) <= 1


def test_late_rows_need_none_before_them():
    late = tf.range(10**13, 10**13 + 10, dtype=tf.int64)
    stratum, rank = stratum_and_rank(late, [2, 3])
    for row, own, place in zip(late.numpy().tolist(), stratum.numpy(), rank.numpy(), strict=True):
        n = (2, 3)[row % 2]
        assert own == (0, 2)[row % 2] + row // 2 % n and place == row // 2 // n


def test_places_do_not_depend_on_how_rows_are_cut_into_blocks():
    size, n_strata = [7, 100, 31, 55, 2], [3, 2]  # the strata come again after 36 rows
    found = []
    for n_rows in (36, 72, 40, 7):
        places = without_replacement(size, n_strata, n_rows, seed=3)
        blocks = [places(tf.constant(block, tf.int64)).numpy() for block in range(-(-2520 // n_rows))]
        found.append(np.concatenate(blocks)[:2520])
    assert all(np.array_equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize("batch_size", [1, 24, 100, 1000, 1024, 50_000])
@pytest.mark.parametrize("n_strata", [[1], [5, 1], [300, 1], [7, 11, 13]])
def test_a_block_is_of_whole_batches_and_not_much_larger_than_asked_for(batch_size, n_strata):
    n = steps_of_block(batch_size, n_strata, 16384)
    assert n >= 1 and n * batch_size <= max(2 * 16384, batch_size * 2)
