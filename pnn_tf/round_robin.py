"""Which event each row of an endless stream of balanced batches holds, as a function of the row's number alone.

Rows go round robin over the classes, and the rows of a class round robin over its strata. So the strata of a class have
had the same number of rows at any time, to within one, whether or not a batch can be divided by them: none comes more
often than another, from which a network would learn its theta.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from pnn_tf.permutation import grid, permuted

Places = Callable[[tf.Tensor], tf.Tensor]  # from the number of a block, int64, to (n_rows,) int32


def stratum_and_rank(
    row: tf.Tensor | np.ndarray, n_strata: Sequence[int], take: Callable = tf.gather
) -> tuple[tf.Tensor, tf.Tensor]:
    """The stratum that a row belongs to, and how many rows of this stratum there are before it.

    Args:
        row: (n,) int64, the numbers of rows.
        n_strata: number of strata of each class; strata are counted class by class.
        take: `numpy.take` for an array.

    Returns:
        The stratum and the rank, each (n,) int64.

    >>> stratum, rank = stratum_and_rank(np.arange(8), [3, 1], np.take)
    >>> stratum.tolist(), rank.tolist()
    ([0, 3, 1, 3, 2, 3, 0, 3], [0, 0, 0, 1, 0, 2, 1, 3])
    """
    place = row // len(n_strata)  # among the rows of the class
    of_class = row - place * len(n_strata)
    n_here, first = (take(np.int64(x), of_class) for x in (n_strata, np.cumsum(n_strata) - n_strata))
    rank = place // n_here
    return first + place - rank * n_here, rank


def steps_of_block(batch_size: int, n_strata: Sequence[int], n_rows: int) -> int:
    """How many batches make a block of about n_rows: so many that each has the same strata in the same rows, if few do.

    >>> steps_of_block(1024, [5, 1], 16384), steps_of_block(1024, [1, 1], 16384), steps_of_block(1024, [301, 1], 16384)
    (15, 16, 16)
    """
    about = max(n_rows // batch_size, 1)
    needed = _period(n_strata) // math.gcd(_period(n_strata), batch_size)
    return about if needed > 2 * about else needed * max(round(about / needed), 1)


def without_replacement(size: Sequence[int], n_strata: Sequence[int], n_rows: int, seed: int) -> Places:
    """Every event of a stratum once in each pass over it, in an order that is new in each pass.

    Args:
        size: number of events of each stratum.
        n_strata: number of strata of each class.
        n_rows: number of rows of a block.
        seed: from which the orders follow.

    Returns:
        A function from the number of a block to the places of its events in the concatenated strata.
    """
    rows, columns = np.array([grid(n) for n in size], dtype=np.uint32).T
    key = np.random.default_rng(seed).integers(2**32, size=len(size), dtype=np.uint32)
    tables = [np.uint32(table) for table in (np.cumsum(size) - size, size, rows, columns, key)]
    if n_rows % _period(n_strata) == 0:
        return _same_in_each_block(np.int64(size), tables, n_strata, n_rows)

    def places(block):
        stratum, rank = stratum_and_rank(block * n_rows + tf.range(n_rows, dtype=tf.int64), n_strata)
        size_here = tf.gather(np.int64(size), stratum)
        n_passes = rank // size_here
        position, of_pass = (tf.cast(x, tf.uint32) for x in (rank - n_passes * size_here, n_passes))
        first, *of_stratum, key = (tf.gather(table, stratum) for table in tables)
        return tf.cast(first + permuted(position, *of_stratum, key + of_pass), tf.int32)

    return places


def _same_in_each_block(size: np.ndarray, tables: Sequence[np.ndarray], n_strata: Sequence[int], n_rows: int) -> Places:
    """The same where a row has the same stratum in each block: with constants in place of half of the operations."""
    stratum, rank = stratum_and_rank(np.arange(n_rows), n_strata, np.take)
    first, size_here, rows, columns, key = (table[stratum] for table in tables)
    per_block = n_rows // (len(n_strata) * np.repeat(n_strata, n_strata))  # rows of each stratum
    rank, stratum = rank.astype(np.uint32), stratum.astype(np.int32)

    def places(block):
        drawn = block * per_block
        start, n_passes = (tf.gather(tf.cast(x, tf.uint32), stratum) for x in (drawn % size, drawn // size))
        position = start + rank
        more = position // size_here
        place = permuted(position - more * size_here, size_here, rows, columns, key + n_passes + more)
        return tf.cast(first + place, tf.int32)

    return places


def _period(n_strata: Sequence[int]) -> int:
    """Number of rows after which their strata come again."""
    return math.lcm(*(len(n_strata) * n for n in n_strata))


def with_replacement(size: Sequence[int], n_strata: Sequence[int], n_rows: int, seed: int) -> Places:
    """Any event of the stratum, independently in each row; as `without_replacement`."""
    first = (np.cumsum(size) - size).astype(np.int32)

    def places(block):
        stratum, _ = stratum_and_rank(block * n_rows + tf.range(n_rows, dtype=tf.int64), n_strata)
        number = tf.random.stateless_uniform([n_rows], [seed, block], None, None, dtype=tf.uint64)
        return tf.gather(first, stratum) + tf.cast(number % tf.gather(np.uint64(size), stratum), tf.int32)

    return places
