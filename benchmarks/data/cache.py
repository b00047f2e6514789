"""Converted downloads: Parquet files that know what they were made from, and never give wrong events when damaged."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data import storage
from benchmarks.data.download import EventFile, fetch


class DamagedCache(Exception):
    """The converted file is not what was written: truncated, corrupted, or made from another download."""


@dataclass(frozen=True)
class Cache:
    """The Parquet file that a download is converted to, once.

    Args:
        file: the download.
        folder: where both are kept.
        convert: convert(source, cache) writes what it finds at the path `source`, by `cache.writing`.
    """

    file: EventFile
    folder: Path
    convert: Callable[[Path, "Cache"], None] | None = None

    @property
    def path(self) -> Path:
        return self.folder / f"{self.file.name.removesuffix('.csv.gz')}.parquet"

    def prepare(self) -> Path:
        """Downloads and converts, unless that has been done; returns the path of the Parquet file."""
        if not self.path.exists():
            self.convert(fetch(self.file, self.folder), self)
        return self.path

    def load(self, read: Callable[[pq.ParquetFile], Any]) -> Any:
        """What `read` makes of the open file; a damaged one is kept aside, and made again."""
        self.prepare()
        try:
            with self.reading() as parquet:
                return read(parquet)
        except DamagedCache as error:
            storage.set_aside(self.path, str(error))
        self.prepare()
        with self.reading() as parquet:
            return read(parquet)

    @contextmanager
    def writing(self, schema: pa.Schema, **options) -> Iterator[pq.ParquetWriter]:
        """Yields a writer, with further options of `pq.ParquetWriter`; the file gets its name when complete."""
        schema = schema.with_metadata({"source_checksum": self.file.checksum})
        options |= {"compression": "zstd", "write_page_checksum": True}
        with storage.write_whole(self.path) as temporary, pq.ParquetWriter(temporary, schema, **options) as writer:
            yield writer

    @contextmanager
    def reading(self) -> Iterator[pq.ParquetFile]:
        """Yields the open file, after a look at what it was made from.

        Raises:
            DamagedCache: at once or while the content is read.
            OSError: the system's, such as of a broken disk.
        """
        try:
            # pre_buffer would hold the whole compressed file in memory beside the arrays.
            with pq.ParquetFile(self.path, page_checksum_verification=True, pre_buffer=False) as parquet:
                source = (parquet.schema_arrow.metadata or {}).get(b"source_checksum", b"").decode()
                if (parquet.metadata.num_rows, source) != (self.file.n_events, self.file.checksum):
                    raise DamagedCache(f"was not made from {self.file.url}")
                yield parquet
        except (ValueError, KeyError, NotImplementedError, OSError) as error:  # what Arrow says of a damaged file
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the system's, not the format's
            raise DamagedCache(f"cannot be read ({error})") from error
