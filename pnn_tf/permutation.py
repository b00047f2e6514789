"""Pseudo-random permutations that are computed where they are needed: element by element, from a key, without state.

A stream of them needs no table of a stratum's order, can start anywhere, and costs the same at each position: nothing
stalls when a pass over millions of events ends and the next begins.
"""

import math

import numpy as np
import tensorflow as tf

N_ROUNDS = 3
MULTIPLIERS = np.array([0x9E3779B1, 0x85EBCA6B], dtype=np.uint32)  # of Fibonacci hashing and of MurmurHash3


def scramble(value: tf.Tensor) -> tf.Tensor:
    """A hash of 32-bit unsigned integers into [0, 2**24), elementwise."""
    value = value * MULTIPLIERS[0]
    value = tf.bitwise.bitwise_xor(value, tf.bitwise.right_shift(value, np.uint32(15)))
    return tf.bitwise.right_shift(value * MULTIPLIERS[1], np.uint32(8))


def grid(size: int) -> tuple[int, int]:
    """Rows and columns of a nearly square grid that holds `size` cells with few to spare."""
    root = math.isqrt(size - 1) + 1
    rows = min(range(root - root // 8, root + 1), key=lambda rows: (-size % rows, root - rows))
    return rows, -(-size // rows)


@tf.function(input_signature=[tf.TensorSpec([None], tf.uint32)] * 5, autograph=False)
def permuted(position: tf.Tensor, size: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Where the permutation of range(size) that belongs to a key takes a position.

    A Feistel network on a grid of rows x columns cells: each round moves the row by a hash of the column and then the
    column by a hash of the row, both cyclically, so that each is a bijection of the grid. A position that lands on one
    of the spare cells moves on until it lands within size, which keeps it a bijection (Black and Rogaway 2002).

    Args:
        position: (n,) uint32 in [0, size).
        size: (n,) uint32, number of elements that are permuted.
        rows: (n,) uint32, rows of `grid(size)`.
        columns: (n,) uint32, columns of `grid(size)`.
        key: (n,) uint32; each gives another permutation, unlike that of its neighbours.

    Returns:
        (n,) uint32 in [0, size).
    """

    def walk(cell):
        index = tf.where(cell >= size)
        strays = [tf.gather_nd(x, index) for x in (cell, rows, columns, key)]
        return [tf.tensor_scatter_nd_update(cell, index, _shuffled(*strays))]

    cell = _shuffled(position, rows, columns, key)
    (cell,) = tf.while_loop(lambda cell: tf.reduce_any(cell >= size), walk, [cell])
    return cell


def _shuffled(cell: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    key = scramble(key) * MULTIPLIERS[0]
    row = cell // columns
    column = cell - row * columns
    for i in range(N_ROUNDS):
        row = (row + scramble(column + key + np.uint32(2 * i * 0x632BE5AB % 2**32))) % rows
        column = (column + scramble(row + key + np.uint32((2 * i + 1) * 0x632BE5AB % 2**32))) % columns
    return row * columns + column
