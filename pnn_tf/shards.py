"""Events in Parquet files: found, read in parts of a bounded size, and checked as `checks.py` checks arrays."""

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROWS_PER_PART = 16384
BYTES_AHEAD = 1 << 18  # of each column that is read, in place of the whole column of a row group


class LeftOut(NamedTuple):
    """Events of a file that are not used.

    Attributes:
        path: of the file.
        n_events: how many; None where the file does not say.
        reason: what is wrong with them.
    """

    path: str
    n_events: int | None
    reason: str


class Shard(NamedTuple):
    """A file whose columns are as they should be.

    Attributes:
        path: of the file.
        metadata: of Parquet, as pyarrow has it.
        version: what tells whether it has been written again.
        first_row: number of its first row among the rows of all files.
        sizes: number of rows of each row group.
    """

    path: str
    metadata: Any
    version: tuple[int, int]
    first_row: int
    sizes: list[int]


class Events(NamedTuple):
    """Some rows of a file.

    Attributes:
        features: (n_events, n_features) float32.
        theta: (n_events, n_parameters) float32.
        label: (n_events,) as in the file.
        process: (n_events,) int32 index into the reader's `processes`, -1 where it is missing; None if there is none.
        weight: (n_events,) float64; None if there is none.
    """

    features: np.ndarray
    theta: np.ndarray
    label: np.ndarray
    process: np.ndarray | None
    weight: np.ndarray | None


def rows_of(events: Events, rows: np.ndarray) -> Events:
    """Some of the events, by index or by bool."""
    return Events(*(None if values is None else values[rows] for values in events))


class Unreadable(Exception):
    """A file, or a row group of it, that cannot be used; the text is the reason."""

    def __init__(self, reason: str, n_events: int | None = None):
        super().__init__(reason)
        self.n_events = n_events


def find(paths: str | os.PathLike | Iterable[str | os.PathLike]) -> list[str]:
    """Paths from a list of them, a folder (all *.parquet in it and below it) or a pattern such as "train/*.parquet".

    Raises:
        ValueError: no file.
    """
    if not isinstance(paths, (str, os.PathLike)):
        found = [os.fspath(path) for path in paths]
    elif os.path.isdir(paths):
        found = sorted(map(str, Path(paths).rglob("*.parquet")))
    else:
        found = sorted(glob.glob(os.fspath(paths), recursive=True)) or [os.fspath(paths)]
    if not found:
        raise ValueError(f"Expected paths of Parquet files, a folder with *.parquet, or a pattern. Received: {paths}")
    return found


@dataclass
class ShardReader:
    """Reads columns by name.

    Attributes:
        features: names of the feature columns, in order.
        theta: names of the columns of theta, in order.
        label: name of the label's column.
        process: name of the column with the process of background, which is then needed; or None.
        weight: name of the weight's column, or None.
        classes: the labels that there may be.
        backgrounds: those of background.
        theta_of_background: the columns of theta that are looked at in background; others may be NaN.
        draw: gives background its theta once and for all, from Events and the number of their first row; or None.
        processes: the processes met so far, with their number.
    """

    features: list[str]
    theta: list[str]
    label: str
    process: str | None
    weight: str | None
    classes: Sequence[int]
    backgrounds: Sequence[int]
    theta_of_background: Sequence[int]
    draw: Callable[[Events, int], np.ndarray] | None = None
    processes: dict[Any, int] = field(default_factory=dict)
    _process_kind: str | None = None

    @property
    def columns(self) -> list[str]:
        """All names, each once."""
        others = [self.label, *(name for name in (self.process, self.weight) if name is not None)]
        return list(dict.fromkeys([*self.features, *self.theta, *others]))

    def open(self, path: str, first_row: int) -> Shard:
        """A file, after a look at its columns.

        Raises:
            Unreadable: it is not there or no whole Parquet file, or it lacks a column, or has one of another type.
        """
        pa, parquet = _pyarrow()
        try:
            version = _version(path)
            with parquet.ParquetFile(path) as file:
                metadata, schema = file.metadata, file.schema_arrow
        except (OSError, pa.ArrowException) as error:
            raise Unreadable(f"it cannot be read: {_first_line(error)}") from error
        if missing := [name for name in self.columns if schema.names.count(name) != 1]:
            raise Unreadable(
                f"it lacks the columns {missing}, or has them twice; it has {schema.names}", metadata.num_rows
            )
        for name in self.columns:
            kind, expected = _kind(schema.field(name).type), ["number"]
            if name == self.process:
                expected = ["text", "number"] if self._process_kind is None else [self._process_kind]
            if kind not in [*expected, "missing"]:
                raise Unreadable(
                    f"the column {name!r} is of the type {schema.field(name).type}, not {' or '.join(expected)}",
                    metadata.num_rows,
                )
        if self.process is not None and (kind := _kind(schema.field(self.process).type)) != "missing":
            self._process_kind = kind  # of the first file, for all
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        return Shard(path, metadata, version, first_row, sizes)

    def parts(self, shard: Shard, row_group: int) -> Iterator[Events]:
        """The events of a row group, at most ROWS_PER_PART at a time.

        Raises:
            Unreadable: the row group cannot be read, or has values beyond those that the file says are its extremes, or
                the file has changed since it was opened.
        """
        pa, parquet = _pyarrow()
        row = shard.first_row + sum(shard.sizes[:row_group])
        extremes = _extremes(shard, row_group, self.features)
        try:
            if _version(shard.path) != shard.version:
                raise Unreadable("it has changed since it was first read")
            # Without these, pyarrow reads the row group as a whole.
            reading = {"pre_buffer": False, "buffer_size": BYTES_AHEAD}
            with parquet.ParquetFile(
                shard.path, metadata=shard.metadata, page_checksum_verification=True, **reading
            ) as file:
                for batch in file.iter_batches(
                    ROWS_PER_PART, row_groups=[row_group], columns=self.columns, use_threads=False
                ):
                    events = self._events(batch, row)
                    beyond = (events.features < extremes[0]) | (events.features > extremes[1])
                    if beyond.any():
                        name = self.features[np.argmax(beyond.any(axis=0))]
                        raise Unreadable(f"its row group {row_group} is damaged: {name!r} passes its stated extremes")
                    yield events
                    row += len(batch)
        except (OSError, pa.ArrowException) as error:
            what = f"its row group {row_group}" if os.path.exists(shard.path) else "it"
            raise Unreadable(f"{what} cannot be read: {_first_line(error)}") from error

    def _events(self, batch: Any, row: int) -> Events:
        def numbers(names):
            rows = np.empty((len(batch), len(names)), np.float32)
            with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and a fault
                for i, name in enumerate(names):
                    rows[:, i] = _numbers(batch.column(name))
            return rows

        events = Events(
            numbers(self.features),
            numbers(self.theta),
            _numbers(batch.column(self.label)),
            None if self.process is None else self._processes(batch.column(self.process)),
            None if self.weight is None else _numbers(batch.column(self.weight)).astype(np.float64),
        )
        return events if self.draw is None else events._replace(theta=self.draw(events, row))

    def _processes(self, column: Any) -> np.ndarray:
        if not hasattr(column, "dictionary"):
            column = column.dictionary_encode()
        numbers = [
            -1 if name is None or name != name else self.processes.setdefault(name, len(self.processes))
            for name in column.dictionary.to_pylist()
        ]
        return np.array([*numbers, -1], np.int32)[column.indices.fill_null(-1).to_numpy()]

    def faults(self, events: Events) -> Iterator[tuple[str, np.ndarray]]:
        """What is wrong with events: a text for each kind of fault, and which events (n_events,) have it."""
        background = np.isin(events.label, self.backgrounds)
        yield from self._not_finite(self.features, events.features)
        known = np.isin(events.label, self.classes)
        yield f"the label {self.label!r} is none of {list(self.classes)}", ~known
        looked_at = np.isin(np.arange(len(self.theta)), self.theta_of_background)
        theta = np.where(known[:, np.newaxis] & (~background[:, np.newaxis] | looked_at), events.theta, 0)
        yield from self._not_finite(self.theta, theta)
        if events.weight is not None:
            wrong = ~(np.isfinite(events.weight) & (events.weight >= 0))
            yield f"the weight {self.weight!r} is negative, NaN or infinite", wrong
        if events.process is not None:
            yield f"the process {self.process!r} of background is missing", background & (events.process < 0)

    @staticmethod
    def _not_finite(names: Sequence[str], rows: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        finite = np.isfinite(rows)
        if not finite.all():
            for i in np.flatnonzero(~finite.all(axis=0)):
                yield f"the column {names[i]!r} is NaN, infinite or missing", ~finite[:, i]


def _extremes(shard: Shard, row_group: int, names: Sequence[str]) -> np.ndarray:
    """(2, n_names) least and largest value of each column as the file states them; NaN where it does not."""
    chunks = [shard.metadata.row_group(row_group).column(i) for i in range(shard.metadata.num_columns)]
    stated = {chunk.path_in_schema: chunk.statistics for chunk in chunks}
    extremes = np.full((2, len(names)), np.nan)
    for i, name in enumerate(names):
        found = stated[name]
        if found is not None and found.has_min_max and isinstance(found.min, (int, float)):  # half floats are bytes
            extremes[:, i] = found.min, found.max
    with np.errstate(over="ignore"):
        return extremes.astype(np.float32)


def _version(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _numbers(column: Any) -> np.ndarray:
    pa, _ = _pyarrow()
    if column.null_count and not pa.types.is_floating(column.type):
        column = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
        column = column.cast(pa.float64(), safe=False)
    return column.to_numpy(zero_copy_only=False)


def _kind(arrow_type: Any) -> str:
    types = _pyarrow()[0].types
    if types.is_null(arrow_type):  # of a column without a value
        return "missing"
    if types.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
        if not (types.is_string(arrow_type) or types.is_large_string(arrow_type)):
            return "other"
    if types.is_string(arrow_type) or types.is_large_string(arrow_type):
        return "text"
    is_number = types.is_integer(arrow_type) or types.is_floating(arrow_type) or types.is_boolean(arrow_type)
    return "number" if is_number else "other"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("sharded_batches needs pyarrow: pip install keras-hep[parquet].") from error
    return pyarrow, pyarrow.parquet
