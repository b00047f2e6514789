"""Sums over the events of Parquet files: which tasks they make, and what one of them does.

A file is read in pieces that depend on the file alone, and tasks are whole row groups, so that the sum does not depend
on who computes what.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pnn_tf.parquet import LeftOut, Shard, TableReader, Unreadable, numbers
from pnn_tf.served import Stored, load_once

EVENTS_PER_PIECE = 1 << 16
ARRAYS = int | float | np.ndarray | np.generic


class Columns(dict):
    """Some events of a file: arrays (n_events,) by the name of the column.

    Attributes:
        rows: (n_events,) number of each event among those of all files, increasing.
        path: of the file.
    """

    def __init__(self, columns: Mapping[str, np.ndarray], rows: np.ndarray, path: str):
        super().__init__(columns)
        self.rows, self.path = rows, path

    def stacked(self, names: Iterable[str]) -> np.ndarray:
        """(n_events, n) float32 of columns with numbers, side by side."""
        return np.stack([np.asarray(self[name], np.float32) for name in names], axis=1)

    def where(self, mask: np.ndarray) -> "Columns":
        """The events of a mask (n_events,) of bool."""
        return Columns({name: column[mask] for name, column in self.items()}, self.rows[mask], self.path)


class Total(NamedTuple):
    """A sum over events.

    Attributes:
        value: the sum of what the function gave; None where it gave nothing.
        n_events: number of events in it.
        left_out: those that are not, with the file and the reason.
        is_whole: whether all row groups could be read; reading may succeed another time.
    """

    value: Any = None
    n_events: int = 0
    left_out: tuple[LeftOut, ...] = ()
    is_whole: bool = True

    def plus(self, other: "Total") -> "Total":
        """Of these events and of others."""
        counts: dict[tuple[str, str], int | None] = {}
        for path, n, reason in (*self.left_out, *other.left_out):
            counts[path, reason] = None if n is None else (counts.get((path, reason)) or 0) + n
        left_out = tuple(LeftOut(path, n, reason) for (path, reason), n in counts.items())
        n_events, is_whole = self.n_events + other.n_events, self.is_whole and other.is_whole
        return Total(added(self.value, other.value), n_events, left_out, is_whole)


def added(one: Any, other: Any) -> Any:
    """The sum of two results; of dicts name by name, with what one of them has alone.

    Raises:
        ValueError: arrays of other shapes, such as histograms of other bins, which NumPy would stretch.

    >>> added({"n": 1, "a": {"b": 2.0}}, {"n": 10, "c": 3.0})
    {'n': 11, 'a': {'b': 2.0}, 'c': 3.0}
    """
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {name: added(one.get(name), other.get(name)) for name in (*one, *(n for n in other if n not in one))}
    if isinstance(one, ARRAYS) and isinstance(other, ARRAYS) and np.shape(one) != np.shape(other):
        raise ValueError(f"Expected arrays of one shape from all events. Received: {np.shape(one)}, {np.shape(other)}.")
    return one + other


def lifted(value: Any) -> Any:
    """A result with its numbers and arrays in float64 or int64, so that sums are exact; else as it is.

    Raises:
        TypeError: a tuple, which `+` makes longer; an array of which some values are masked.
        ValueError: an unsigned number that int64 does not hold.

    >>> lifted({"n": np.float32(2), "bins": np.array([1, 2], np.int8)})
    {'n': np.float64(2.0), 'bins': array([1, 2])}
    """
    if isinstance(value, Mapping):
        return {name: lifted(of) for name, of in value.items()}
    if type(value) is tuple:
        raise TypeError(f"Expected a dict of what is to be added, by name. Received: a tuple of {len(value)}.")
    if np.ma.is_masked(value):
        raise TypeError("Expected an array without masked values. Received: a masked one. Fill it: `.filled(0)`.")
    if not isinstance(value, np.ndarray | np.generic) and not hasattr(value, "numpy"):
        return value
    array = np.asarray(value)
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"Expected numbers that int64 holds. Received: {array.max()}. Give them as floating point.")
    wide = {"b": np.int64, "i": np.int64, "u": np.int64, "f": np.float64}.get(array.dtype.kind, array.dtype)
    return array.astype(np.float64 if array.dtype.name == "bfloat16" else wide)[()]


class Part(NamedTuple):
    """The row groups of a file, from `start` to before `stop`, that are summed in one task."""

    shard: Shard
    start: int
    stop: int

    def __str__(self) -> str:
        return f"{self.shard.path}, row groups {self.start} to {self.stop - 1}"


def plan(
    paths: Sequence[str], reader: TableReader, on_error: str, events_per_task: int, first_row: int
) -> tuple[list[Part], tuple[LeftOut, ...]]:
    """The tasks, and files that cannot be read at all.

    Raises:
        ValueError: with on_error="raise", such a file.
    """
    parts: list[Part] = []
    left_out = []
    n_rows = first_row
    for path in paths:
        try:
            shard = reader.open(path, n_rows)._replace(metadata=None)  # which is much to send for a task
        except Unreadable as error:
            left_out.append(_quarantined(path, error.n_events, str(error), on_error))
            continue
        n_rows += sum(shard.sizes)
        start, size = 0, 0
        for stop, more in enumerate(shard.sizes):
            if size and size + more > events_per_task:
                parts.append(Part(shard, start, stop))
                start, size = stop, 0
            size += more
        if size:
            parts.append(Part(shard, start, len(shard.sizes)))
    return parts, tuple(left_out)


@dataclass(frozen=True)
class Work:
    """What is done with the events of a part.

    Attributes:
        function: of `Columns`, and of the model if there is one.
        reader: of their columns.
        may_be_missing: columns whose values are not looked at.
        model: the model, or several by name; None without.
        on_error: "raise" or "skip".
    """

    function: Callable
    reader: TableReader
    may_be_missing: Sequence[str]
    model: Stored | dict[str, Stored] | None
    on_error: str

    def __call__(self, part: Part) -> Total:
        """The sum over a part. A row group that cannot be read to its end is left out as a whole."""
        models = self._models()
        total = Total()
        for row_group in range(part.start, part.stop):
            of_row_group = Total()
            try:
                for events, left_out in self._pieces(part.shard, row_group):
                    value = lifted(self.function(events, *models)) if len(events.rows) else None
                    of_row_group = of_row_group.plus(Total(value, len(events.rows), left_out))
            except Unreadable as error:
                size = part.shard.sizes[row_group]
                left = _quarantined(part.shard.path, size, str(error), self.on_error)
                of_row_group = Total(left_out=(left,), is_whole=False)
            total = total.plus(of_row_group)
        return total

    def _models(self) -> tuple:
        if isinstance(self.model, dict):
            return ({name: load_once(model) for name, model in self.model.items()},)
        return () if self.model is None else (load_once(self.model),)

    def _pieces(self, shard: Shard, row_group: int) -> Iterator[tuple[Columns, tuple[LeftOut, ...]]]:
        for batch, row in self.reader.batches(shard, row_group, EVENTS_PER_PIECE):
            events = Columns(
                {name: _values(name, batch.column(name), kinds) for name, kinds in self.reader.kinds.items()},
                np.arange(row, row + len(batch)),
                shard.path,
            )
            good, left_out = np.ones(len(batch), bool), []
            for name, column in events.items():
                if name not in self.may_be_missing and (bad := good & ~_is_there(column)).any():
                    where = f" in {bad.sum()} events, the first of them in row {row - shard.first_row + bad.argmax()}"
                    reason = f"the column {name!r} is NaN, infinite or missing"
                    left_out.append(_quarantined(shard.path, int(bad.sum()), reason, self.on_error, where))
                    good &= ~bad
            yield events.where(good) if left_out else events, tuple(left_out)


def _quarantined(path: str, n_events: int | None, reason: str, on_error: str, where: str = "") -> LeftOut:
    if on_error == "raise":
        raise ValueError(f"{path}: {reason}{where}. Mend it, or go on without what is wrong by on_error='skip'.")
    return LeftOut(path, n_events, reason)


def _values(name: str, column: Any, kinds: Sequence[str]) -> np.ndarray:
    if kinds != ["text"]:
        return numbers(column)
    try:
        return np.array(column.to_pylist(), object)
    except UnicodeDecodeError as error:
        raise Unreadable(f"the column {name!r} has text that is not UTF-8") from error


def _is_there(column: np.ndarray) -> np.ndarray:
    """(n_events,) whether there is a value, and a finite one if it is a number."""
    return np.not_equal(column, None) if column.dtype == object else np.isfinite(column)
