"""Converted downloads: Parquet files that know what they were made from, and never give wrong events when damaged."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data import storage
from benchmarks.data.download import RemoteFile

Content = TypeVar("Content")


@dataclass(frozen=True)
class EventFile(RemoteFile):
    """A file of events on the web, with their number."""

    n_events: int


class DamagedCache(Exception):
    """The converted file is not what was written: truncated, corrupted, or made from another download."""


@contextmanager
def writing(path: Path, schema: pa.Schema, file: EventFile, **options) -> Iterator[pq.ParquetWriter]:
    """Yields a writer of float32 columns, compressed and with a checksum a page; the file gets its name when complete.

    Args:
        path: where the cache belongs.
        schema: names and types of the columns.
        file: the download that it is made from.
        options: of `pyarrow.parquet.ParquetWriter`.
    """
    with (
        storage.write_whole(path) as temporary,
        pq.ParquetWriter(
            temporary,
            schema.with_metadata({"source_checksum": file.checksum}),
            compression="zstd",
            write_page_checksum=True,
            **options,
        ) as writer,
    ):
        yield writer


@contextmanager
def reading(path: Path, file: EventFile) -> Iterator[pq.ParquetFile]:
    """Yields the open cache, after a look at what it was made from.

    Raises:
        DamagedCache: at once or while the content is read.
        OSError: the system's, such as of a broken disk.
    """
    try:
        # pre_buffer would hold the whole compressed file in memory beside the arrays.
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as cache:
            source = (cache.schema_arrow.metadata or {}).get(b"source_checksum", b"").decode()
            if (cache.metadata.num_rows, source) != (file.n_events, file.checksum):
                raise DamagedCache(f"was not made from {file.url}")
            yield cache
    except (ValueError, KeyError, NotImplementedError, OSError) as error:  # what Arrow says of a damaged file
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's, not the format's
        raise DamagedCache(f"cannot be read ({error})") from error


def read_or_rebuild(path: Path, make: Callable[[], object], read: Callable[[Path], Content]) -> Content:
    """What `read` returns of the cache; a damaged one is kept aside and made again.

    Args:
        path: the cache, which exists.
        make: makes it again under this path.
        read: raises DamagedCache where it is damaged.
    """
    try:
        return read(path)
    except DamagedCache as error:
        storage.set_aside(path, str(error))
        make()
        return read(path)
