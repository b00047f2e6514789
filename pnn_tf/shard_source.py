"""Blocks of rows of balanced batches: of small strata from memory, of larger ones from files."""

import atexit
import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from pnn_tf import parquet
from pnn_tf.round_robin import stratum_and_rank, without_replacement
from pnn_tf.shard_index import RowGroup
from pnn_tf.shard_stream import Columns, Stream

MAKING = threading.Lock()  # a block


class Source:
    """Blocks of rows: those of small strata from memory, those of larger ones from files.

    Args:
        row_groups: of all files.
        numbers: what `read` calls the strata.
        sizes: of the strata.
        n_strata: number of strata of each class.
        read: gives the columns of the events of a row group in parts, and the stratum of each event.
        shapes: of an event in each column.
        buffer_events: number of events in memory.
        n_rows: of a block.
        seed: from which the order follows.
    """

    def __init__(
        self,
        row_groups: Sequence[RowGroup],
        numbers: Sequence[int],
        sizes: Sequence[int],
        n_strata: Sequence[int],
        read: Callable[[RowGroup], Iterator[tuple[Columns, np.ndarray]]],
        shapes: Sequence[tuple[int, ...]],
        buffer_events: int,
        n_rows: int,
        seed: int,
    ):
        self.n_rows = n_rows
        self._row_groups, self._numbers, self._read, self._shapes, self._seed = row_groups, numbers, read, shapes, seed
        self._capacity = part_of_memory(sizes, buffer_events)
        self._streamed = [i for i, size in enumerate(sizes) if size > self._capacity]
        held_sizes = [1 if i in self._streamed else size for i, size in enumerate(sizes)]  # 1 is a place to be ignored
        self._held = self._hold(held_sizes)
        places = without_replacement(held_sizes, n_strata, n_rows, seed)
        none_held = len(self._streamed) == len(sizes)

        @tf.function(input_signature=[tf.TensorSpec([], tf.int64)], autograph=False)
        def layout(number):
            rows = number * n_rows + tf.range(n_rows, dtype=tf.int64)
            return *stratum_and_rank(rows, n_strata), rows if none_held else places(number)

        self._layout = layout

    def blocks(self, first: int) -> Iterator[tuple]:
        """The number of each block from `first` on, and its columns."""
        streams: dict[int, Stream] = {}
        python_ends = _python_ends()
        for number in itertools.count(first):
            with MAKING:
                if python_ends.is_set():
                    return
                columns = self._block(number, streams)
            yield number, *columns

    def _block(self, number: int, streams: dict[int, Stream]) -> Columns:
        with tf.device("CPU"):
            stratum, rank, place = (x.numpy() for x in self._layout(tf.constant(number, tf.int64)))
        out = [np.empty((self.n_rows, *shape), np.float32) for shape in self._shapes]
        held = np.flatnonzero(~np.isin(stratum, self._streamed))
        for to, column in zip(out, self._held, strict=True):
            to[held] = column[place[held]]
        for i in self._streamed:
            rows = np.flatnonzero(stratum == i)
            if len(rows) == 0:
                continue
            if i not in streams:
                streams[i] = self._stream(i)
                streams[i].seek(int(rank[rows[0]]))
            streams[i].take(out, rows)
        return out

    def _stream(self, i: int) -> Stream:
        own = [row_group for row_group in self._row_groups if self._numbers[i] in row_group.counts]
        return Stream(self._numbers[i], own, self._read, self._shapes, self._capacity, (self._seed, i))

    def _hold(self, sizes: Sequence[int]) -> Columns:
        """The columns of the strata that are kept in memory, one stratum after the other, each in a random order."""
        columns = [np.empty((sum(sizes), *shape), np.float32) for shape in self._shapes]
        first = np.cumsum(sizes) - sizes
        left = {
            self._numbers[i]: first[i] + np.random.default_rng([self._seed, i]).permutation(sizes[i])
            for i in range(len(sizes))
            if i not in self._streamed
        }
        for row_group in self._row_groups:
            if not left.keys() & row_group.counts.keys():
                continue
            for part, of in self._read(row_group):
                for number in left.keys() & set(np.unique(of).tolist()):
                    rows = np.flatnonzero(of == number)
                    places, left[number] = np.split(left[number], [len(rows)])
                    for to, values in zip(columns, part, strict=True):
                        to[places] = values[rows]
        return columns


@functools.cache
def _python_ends() -> threading.Event:
    """Set when the interpreter ends, which waits until no block is being made.

    A thread of TensorFlow that is in Python at that time never leaves it, and TensorFlow waits for it forever.
    """
    ends = threading.Event()

    def end():
        ends.set()
        with MAKING:
            pass
        time.sleep(0.2)  # for the way back of who was in there

    atexit.register(end)
    return ends


def part_of_memory(sizes: Sequence[int], buffer_events: int) -> int:
    """The number of events up to which a stratum is kept in memory, and of which larger ones hold so many.

    >>> part_of_memory([1_000, 5_000_000, 9_000, 2_000_000], 1_000_000)
    495000
    """
    left = buffer_events
    for i, size in enumerate(sorted(sizes)):
        part = left // (len(sizes) - i)
        if size > part:
            break
        left -= size
    else:
        return max(sizes)
    if part < parquet.ROWS_PER_PART:
        needed = sum(min(size, parquet.ROWS_PER_PART) for size in sizes)
        raise ValueError(
            f"buffer_events={buffer_events} leaves {part} events for each of the {len(sizes) - i} strata that do not "
            f"fit, which are read {parquet.ROWS_PER_PART} at a time. Use buffer_events >= {needed}, or a coarser "
            "balance."
        )
    return part
