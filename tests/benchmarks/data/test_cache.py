from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.data.cache import Cache, DamagedCache, EventFile

FILE = EventFile("http://example.org/events.csv.gz", n_bytes=1, checksum="0" * 64, n_events=3)
TABLE = pa.table({"x": pa.array([1, 2, 3], pa.float32())})


def values(parquet):
    return parquet.read().column("x").to_pylist()


def read(cache):
    with cache.reading() as parquet:
        return values(parquet)


@pytest.fixture
def cache(tmp_path):
    """A cache that is there; what makes it again is given by `convert`, which none needs when it is intact."""
    cache = Cache(FILE, tmp_path)
    with cache.writing(TABLE.schema) as writer:
        writer.write_table(TABLE)
    return cache


def test_what_is_read_is_what_was_written(cache):
    assert cache.path.name == "events.parquet"
    assert read(cache) == cache.load(values) == [1, 2, 3]


@pytest.mark.parametrize("change", [{"checksum": "1" * 64}, {"n_events": 4}])
def test_cache_of_another_download_is_damaged(cache, change):
    with pytest.raises(DamagedCache, match=r"was not made from http://example.org/events.csv"):
        read(replace(cache, file=replace(FILE, **change)))


def test_flipped_byte_is_noticed(cache):
    content = bytearray(cache.path.read_bytes())
    content[content.index(np.float32(3).tobytes())] ^= 1  # in the only page, which comes first
    cache.path.write_bytes(content)
    with pytest.raises(DamagedCache, match="cannot be read"):
        read(cache)


def test_damaged_cache_is_kept_aside_and_made_again(cache, monkeypatch):
    intact = cache.path.read_bytes()
    monkeypatch.setattr("benchmarks.data.cache.fetch", lambda file, folder: folder / file.name)
    again = replace(cache, convert=lambda source, made: made.path.write_bytes(intact))
    cache.path.write_bytes(b"rubbish")
    with pytest.warns(UserWarning, match="kept as events.parquet.corrupt-1"):
        assert again.load(values) == [1, 2, 3]
    assert cache.path.with_name("events.parquet.corrupt-1").read_bytes() == b"rubbish"


def test_errors_of_the_system_are_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(Cache(FILE, tmp_path / "nowhere"))


def test_failure_leaves_no_cache(tmp_path):
    with pytest.raises(ZeroDivisionError), Cache(FILE, tmp_path).writing(TABLE.schema) as writer:
        writer.write_table(TABLE)
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
