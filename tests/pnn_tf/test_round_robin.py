import numpy as np
import pytest
import tensorflow as tf

from pnn_tf.round_robin import stratum_and_rank


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
