"""Events of a stratum that is larger than its part of the memory, in an order that is new in each pass.

A pass is cut into chunks that fit. The row groups of the files come in a random order, and the events of a chunk, which
may be from many row groups or from a part of one, in a random order too. Both follow from (seed, pass, chunk): the
sequence can be taken up anywhere, by reading the chunk that it goes on in.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pnn_tf.shard_index import RowGroup

Columns = list[np.ndarray]  # of some events, each (n_events, ...)


class Stream:
    """The endless sequence.

    As events are taken, those of the next chunk take their places: reading is spread evenly, and no more than
    `capacity` events are held, besides the part of a file that is being read.

    Args:
        stratum: its number.
        row_groups: those that have events of it.
        read: gives the columns of the events of a row group in parts, and the stratum of each event.
        shapes: of an event in each column.
        capacity: number of events to hold at most.
        seed: ints from which the order follows.
    """

    def __init__(
        self,
        stratum: int,
        row_groups: Sequence[RowGroup],
        read: Callable[[RowGroup], Iterator[tuple[Columns, np.ndarray]]],
        shapes: Sequence[tuple[int, ...]],
        capacity: int,
        seed: Sequence[int],
    ):
        self._stratum, self._row_groups, self._read, self._seed = stratum, row_groups, read, list(seed)
        self._n_events = np.array([row_group.counts[stratum] for row_group in row_groups])
        size = int(self._n_events.sum())
        self._n_chunks = -(-size // capacity)
        self._starts = np.arange(self._n_chunks + 1) * size // self._n_chunks
        self._columns = [np.empty((capacity, *shape), np.float32) for shape in shapes]

    def seek(self, rank: int) -> None:
        """Goes to a place in the sequence, from 0 on."""
        n_passes, place = divmod(rank, int(self._starts[-1]))
        chunk = int(np.searchsorted(self._starts, place, side="right")) - 1
        self._chunk = n_passes * self._n_chunks + chunk
        self._arriving = self._arrivals(n_passes, int(self._starts[chunk]))
        self._part: Columns = [column[:0] for column in self._columns]  # read, but not yet in a slot
        slots = np.arange(len(self._columns[0]))
        n = self._size(self._chunk)
        self._fill(slots[:n])
        self._spare = slots[n:]
        self._begin(slots[:n])
        self._skip(place - int(self._starts[chunk]))

    def take(self, out: Columns, rows: np.ndarray) -> None:
        """Writes the next len(rows) events into those rows of columns."""
        for slots, done in self._next_slots(len(rows)):
            for to, column in zip(out, self._columns, strict=True):
                to[rows[done : done + len(slots)]] = column[slots]

    def _skip(self, n: int) -> None:
        for _ in self._next_slots(n):
            pass

    def _next_slots(self, n: int) -> Iterator[tuple[np.ndarray, int]]:
        """Slots of the next n events, some at a time, and how many came before; filled anew when the caller is done."""
        done = 0
        while done < n:
            slots = self._slots[self._order[self._place : self._place + n - done]]
            yield slots, done
            done += len(slots)
            self._place += len(slots)
            room = self._size(self._chunk + 1) - self._n_next
            self._fill(slots[:room])
            self._next.append(slots[:room])
            self._n_next += len(slots[:room])
            self._spare = np.concatenate([self._spare, slots[room:]])
            if self._place == len(self._slots):
                missing = self._size(self._chunk + 1) - self._n_next
                self._fill(self._spare[:missing])
                next_slots = np.concatenate([*self._next, self._spare[:missing]])
                self._spare = self._spare[missing:]
                self._chunk += 1
                self._begin(next_slots)

    def _begin(self, slots: np.ndarray) -> None:
        self._slots, self._place = slots, 0  # of this chunk in the order of arrival; how many events were taken
        self._order = np.random.default_rng([*self._seed, 1, self._chunk]).permutation(len(slots))
        self._next: list[np.ndarray] = []  # slots of the next chunk
        self._n_next = 0

    def _size(self, chunk: int) -> int:
        own = chunk % self._n_chunks
        return int(self._starts[own + 1] - self._starts[own])

    def _fill(self, slots: np.ndarray) -> None:
        """Reads events into slots."""
        done = 0
        while done < len(slots):
            if len(self._part[0]) == 0:
                self._part = next(self._arriving)
            n = min(len(slots) - done, len(self._part[0]))
            for column, values in zip(self._columns, self._part, strict=True):
                column[slots[done : done + n]] = values[:n]
            self._part = [values[n:] for values in self._part]
            done += n

    def _arrivals(self, n_passes: int, skipped: int) -> Iterator[Columns]:
        """The events as they are read from a pass on, without the first `skipped` of it."""
        for number in itertools.count(n_passes):
            for i in np.random.default_rng([*self._seed, 0, number]).permutation(len(self._row_groups)):
                if skipped >= self._n_events[i]:
                    skipped -= int(self._n_events[i])
                    continue
                for columns, of in self._read(self._row_groups[i]):
                    own = np.flatnonzero(of == self._stratum)[skipped:]
                    skipped -= min(skipped, np.count_nonzero(of == self._stratum))
                    yield columns if len(own) == len(of) else [column[own] for column in columns]
