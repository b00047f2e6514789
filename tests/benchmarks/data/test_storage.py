from pathlib import Path

import pytest

from benchmarks.data.storage import checksum, data_home, set_aside, write_whole


def test_data_home_argument_wins_over_environment_over_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_HEP_DATA", raising=False)
    assert data_home() == tmp_path / ".cache" / "keras-hep"
    monkeypatch.setenv("KERAS_HEP_DATA", "~/elsewhere")
    assert data_home() == tmp_path / "elsewhere"
    assert data_home("/given") == Path("/given")


def test_checksum(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")  # FIPS 180, appendices A and B
    assert checksum(tmp_path / "file", "sha1") == "a9993e364706816aba3e25717850c26c9cd0d89d"
    assert checksum(tmp_path / "file").startswith("ba7816bf8f01cfea")


def test_set_aside_never_overwrites(tmp_path):
    for content in ("first", "second"):
        (tmp_path / "file").write_text(content)
        with pytest.warns(UserWarning, match=r"file is odd. It is kept as file.corrupt-"):
            set_aside(tmp_path / "file", "is odd")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "file.corrupt-1": "first",
        "file.corrupt-2": "second",
    }


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, full_disk):
    path = tmp_path / "made" / "file"
    with write_whole(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(ZeroDivisionError), write_whole(path) as temporary:
        temporary.write_text("new, half")
        raise ZeroDivisionError
    with full_disk(10), pytest.raises(OSError, match="while writing") as failure, write_whole(path) as temporary:
        temporary.write_text("more than ten bytes")
    assert failure.value.filename == str(path)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
