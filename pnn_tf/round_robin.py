"""Which event each row of an endless stream of balanced batches holds, as a function of the row's number alone.

Rows go round robin over the classes, and the rows of a class round robin over its strata. So the strata of a class have
had the same number of rows at any time, to within one, whether or not a batch can be divided by them: none comes more
often than another, from which a network would learn its theta.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from pnn_tf.permutation import grid, permuted


def stratum_and_rank(row: tf.Tensor, n_strata: Sequence[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """The stratum that a row belongs to, and how many rows of this stratum there are before it.

    Args:
        row: (n,) int64, the numbers of rows.
        n_strata: number of strata of each class; strata are counted class by class.

    Returns:
        The stratum and the rank, each (n,) int64.

    >>> stratum, rank = stratum_and_rank(tf.range(8, dtype=tf.int64), [3, 1])
    >>> stratum.numpy().tolist(), rank.numpy().tolist()
    ([0, 3, 1, 3, 2, 3, 0, 3], [0, 0, 0, 1, 0, 2, 1, 3])
    """
    place = row // len(n_strata)  # among the rows of the class
    of_class = row - place * len(n_strata)
    n_here, first = (tf.gather(np.int64(x), of_class) for x in (n_strata, np.cumsum(n_strata) - n_strata))
    rank = place // n_here
    return first + place - rank * n_here, rank


def without_replacement(size: Sequence[int], n_strata: Sequence[int], seed: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Every event of a stratum once in each pass over it, in an order that is new in each pass.

    Args:
        size: number of events of each stratum.
        n_strata: number of strata of each class.
        seed: from which the orders follow.

    Returns:
        A function from the numbers of rows (n,) int64 to places (n,) int32 in the concatenated strata.
    """
    first = np.cumsum(size) - size
    rows, columns = np.array([grid(n) for n in size], dtype=np.uint32).T
    key = np.random.default_rng(seed).integers(2**32, size=len(size), dtype=np.uint32)

    def places(row):
        stratum, rank = stratum_and_rank(row, n_strata)
        size_here = tf.gather(np.int64(size), stratum)
        n_passes = rank // size_here
        position, of_pass = (tf.cast(x, tf.uint32) for x in (rank - n_passes * size_here, n_passes))
        args = [tf.gather(np.uint32(x), stratum) for x in (first, size, rows, columns, key)]
        return tf.cast(args[0] + permuted(position, *args[1:4], args[4] + of_pass), tf.int32)

    return places


def with_replacement(size: Sequence[int], n_strata: Sequence[int], seed: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Any event of the stratum, independently in each row; as `without_replacement`, for blocks of rows."""
    first = (np.cumsum(size) - size).astype(np.int32)

    def places(row):
        stratum, _ = stratum_and_rank(row, n_strata)
        number = tf.random.stateless_uniform(tf.shape(row), [seed, row[0]], None, None, dtype=tf.uint64)
        return tf.gather(first, stratum) + tf.cast(number % tf.gather(np.uint64(size), stratum), tf.int32)

    return places
