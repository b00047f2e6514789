"""Tables in Parquet files: found, and read by columns in parts of a bounded size."""

import functools
import glob
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
        metadata: of Parquet, as pyarrow has it; None to be read again.
        version: what tells whether it has been written again.
        first_row: number of its first row among the rows of all files.
        sizes: number of rows of each row group.
    """

    path: str
    metadata: Any
    version: tuple[int, int]
    first_row: int
    sizes: list[int]


class Unreadable(Exception):
    """A file, or a row group of it, that cannot be used; the text is the reason."""

    def __init__(self, reason: str, n_events: int | None = None):
        super().__init__(reason)
        self.n_events = n_events


def find(paths: str | os.PathLike | Iterable[str | os.PathLike]) -> list[str]:
    """Paths from a list of them, a folder (all *.parquet in it and below it) or a pattern such as "train/*.parquet".

    Raises:
        ValueError: no file, or one that is given twice.
    """
    if not isinstance(paths, (str, os.PathLike)):
        found = [os.fspath(path) for path in paths]
    elif os.path.isdir(paths):
        found = sorted(map(str, Path(paths).rglob("*.parquet")))
    else:
        found = sorted(glob.glob(os.fspath(paths), recursive=True)) or [os.fspath(paths)]
    if not found:
        raise ValueError(f"Expected paths of Parquet files, a folder with *.parquet, or a pattern. Received: {paths}")
    twice = [path for path, n in Counter(map(os.path.realpath, found)).items() if n > 1]
    if twice:
        raise ValueError(f"Expected paths of different files. Received twice: {twice[:5]}, {len(twice)} in all.")
    return found


def warn_of(left_out: Sequence[LeftOut], n_files: int) -> None:
    """Warns the caller of the caller that some events of `n_files` files are left out, if there are any."""
    if not left_out:
        return
    n = [out.n_events for out in left_out]
    unknown = f", and files of unknown size: {n.count(None)}" if None in n else ""
    warnings.warn(
        f"{sum(filter(None, n))} events of {len({out.path for out in left_out})} out of {n_files} files are left "
        f"out{unknown}: see `left_out`. The first of it is {left_out[0]}",
        UserWarning,
        stacklevel=3,
    )


@dataclass
class TableReader:
    """Reads columns by name.

    Attributes:
        kinds: of each column, what it may be: "number", "text". Of several, that of the first file is it for all.
    """

    kinds: dict[str, list[str]]

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
        if missing := [name for name in self.kinds if schema.names.count(name) != 1]:
            raise Unreadable(
                f"it lacks the columns {missing}, or has them twice; it has {schema.names}", metadata.num_rows
            )
        found = {name: _kind(schema.field(name).type) for name in self.kinds}
        for name, kind in found.items():
            if kind not in [*self.kinds[name], "missing"]:
                raise Unreadable(
                    f"the column {name!r} is of the type {schema.field(name).type}, not "
                    f"{' or '.join(self.kinds[name])}",
                    metadata.num_rows,
                )
        self.kinds |= {name: [kind] for name, kind in found.items() if kind != "missing"}
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        return Shard(path, metadata, version, first_row, sizes)

    def batches(self, shard: Shard, row_group: int, n_rows: int | None = None) -> Iterator[tuple[Any, int]]:
        """The rows of a row group, as batches of Arrow of at most `n_rows`, with the number of the first row of each.

        Raises:
            Unreadable: the row group cannot be read, or has values beyond those that the file says are its extremes, or
                the file has changed since it was opened.
        """
        pa, parquet = _pyarrow()
        row = shard.first_row + sum(shard.sizes[:row_group])
        try:
            if _version(shard.path) != shard.version:
                raise Unreadable("it has changed since it was first read")
            # Without these, pyarrow reads the row group as a whole.
            reading = {"pre_buffer": False, "buffer_size": BYTES_AHEAD}
            with parquet.ParquetFile(
                shard.path,
                metadata=shard.metadata or _metadata(shard.path, shard.version),
                page_checksum_verification=True,
                **reading,
            ) as file:
                extremes = _extremes(file.metadata.row_group(row_group), self.kinds)
                for batch in file.iter_batches(
                    n_rows or ROWS_PER_PART, row_groups=[row_group], columns=list(self.kinds), use_threads=False
                ):
                    for name, (low, high) in extremes.items():
                        values = numbers(batch.column(name))
                        if ((values < low) | (values > high)).any():
                            raise Unreadable(
                                f"its row group {row_group} is damaged: {name!r} passes its stated extremes"
                            )
                    yield batch, row
                    row += len(batch)
            if row != shard.first_row + sum(shard.sizes[: row_group + 1]):  # headers of pages have no checksum
                raise Unreadable(f"its row group {row_group} is damaged: it has other numbers of rows than it says")
        except (OSError, pa.ArrowException) as error:
            what = f"its row group {row_group}" if os.path.exists(shard.path) else "it"
            raise Unreadable(f"{what} cannot be read: {_first_line(error)}") from error


def _extremes(row_group: Any, names: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Least and largest value of each column of numbers, as the file states them; without those where it does not."""
    columns = [row_group.column(i) for i in range(row_group.num_columns)]
    stated = {column.path_in_schema: column.statistics for column in columns}
    return {
        name: (found.min, found.max)
        for name in names
        if (found := stated[name]) is not None and found.has_min_max and isinstance(found.min, int | float)
    }


@functools.lru_cache(maxsize=4)
def _metadata(path: str, version: tuple[int, int]) -> Any:
    """Of a file whose row groups are read one after another."""
    with _pyarrow()[1].ParquetFile(path) as file:
        return file.metadata


def _version(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def numbers(column: Any) -> np.ndarray:
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
        raise ImportError("Parquet files need pyarrow: pip install keras-hep[parquet].") from error
    return pyarrow, pyarrow.parquet
