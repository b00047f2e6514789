from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.data import cache
from benchmarks.data.cache import DamagedCache, EventFile

FILE = EventFile("http://example.org/events.csv", n_bytes=1, checksum="0" * 64, n_events=3)
TABLE = pa.table({"x": pa.array([1, 2, 3], pa.float32())})


def make(path, table=TABLE, file=FILE):
    with cache.writing(path, table.schema, file) as writer:
        writer.write_table(table)


def read(path, file=FILE):
    with cache.reading(path, file) as parquet:
        return parquet.read().column("x").to_pylist()


@pytest.fixture
def path(tmp_path):
    make(tmp_path / "events.parquet")
    return tmp_path / "events.parquet"


def test_what_is_read_is_what_was_written(path):
    assert read(path) == [1, 2, 3]


@pytest.mark.parametrize("change", [{"checksum": "1" * 64}, {"n_events": 4}])
def test_cache_of_another_download_is_damaged(path, change):
    with pytest.raises(DamagedCache, match=r"was not made from http://example.org/events.csv"):
        read(path, replace(FILE, **change))


def test_flipped_byte_is_noticed(path):
    content = bytearray(path.read_bytes())
    content[content.index(np.float32(3).tobytes())] ^= 1  # in the only page, which comes first
    path.write_bytes(content)
    with pytest.raises(DamagedCache, match="cannot be read"):
        read(path)


def test_damaged_cache_is_kept_aside_and_made_again(path):
    path.write_bytes(b"rubbish")
    with pytest.warns(UserWarning, match="kept as events.parquet.corrupt-1"):
        assert cache.read_or_rebuild(path, make=lambda: make(path), read=read) == [1, 2, 3]
    assert path.with_name("events.parquet.corrupt-1").read_bytes() == b"rubbish"
    assert cache.read_or_rebuild(path, make=None, read=read) == [1, 2, 3]  # intact: made no more


def test_errors_of_the_system_are_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nowhere.parquet")


def test_failure_leaves_no_cache(tmp_path):
    with pytest.raises(ZeroDivisionError), cache.writing(tmp_path / "x.parquet", TABLE.schema, FILE) as writer:
        writer.write_table(TABLE)
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
