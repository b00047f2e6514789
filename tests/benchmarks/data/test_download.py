import gzip
import hashlib
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.data.download import DownloadError, EventFile, fetch

CONTENT = gzip.compress(np.random.default_rng(0).bytes(3_000_000))  # three chunks of the download


@pytest.fixture
def file(publish):
    return publish(CONTENT, "events.csv.gz")


def half(body):
    return body[: len(body) // 2]


def corrupt(body):
    return body[:1000] + bytes([body[1000] ^ 1]) + body[1001:]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_download_and_reuse(file, server, tmp_path):
    folder = tmp_path / "made" / "on demand"
    for known in (file, replace(file, checksum=hashlib.sha1(CONTENT).hexdigest())):
        assert fetch(known, folder) == folder / "events.csv.gz"
    assert (folder / "events.csv.gz").read_bytes() == CONTENT  # although the server declares an encoding to undo
    assert names(folder) == ["events.csv.gz"]
    assert server.ranges == [None]  # the second call asked for nothing


@pytest.mark.parametrize("gives_ranges", [True, False])
def test_broken_connection_is_continued(file, server, tmp_path, gives_ranges):
    server.gives_ranges = gives_ranges
    server.faults = [half]
    assert fetch(file, tmp_path, pause=0).read_bytes() == CONTENT
    # What had arrived is asked for no more; a server without ranges sends all again.
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]
    assert names(tmp_path) == ["events.csv.gz"]


@pytest.mark.parametrize(("n_bytes", "asked"), [(12345, ["bytes=12345-"]), (len(CONTENT), [])])
def test_next_run_continues_an_interrupted_one(file, server, tmp_path, n_bytes, asked):
    (tmp_path / "events.csv.gz.part").write_bytes(CONTENT[:n_bytes])
    assert fetch(file, tmp_path).read_bytes() == CONTENT
    assert server.ranges == asked  # nothing, where all had come


def test_corrupted_download_is_kept_aside_and_fetched_again(file, server, tmp_path):
    server.faults = [corrupt, corrupt]
    with pytest.warns(UserWarning, match=r"does not have the sha256.*corrupt-[12]"):
        assert fetch(file, tmp_path, pause=0).read_bytes() == CONTENT
    assert names(tmp_path) == ["events.csv.gz", "events.csv.gz.part.corrupt-1", "events.csv.gz.part.corrupt-2"]
    assert (tmp_path / "events.csv.gz.part.corrupt-1").read_bytes() == corrupt(CONTENT)


@pytest.mark.parametrize("damage", [half, corrupt], ids=["truncated", "corrupted"])
def test_damaged_file_under_the_final_name_is_replaced(file, tmp_path, damage):
    (tmp_path / "events.csv.gz").write_bytes(damage(CONTENT))
    with pytest.warns(UserWarning, match="kept as events.csv.gz.corrupt-1"):
        assert fetch(file, tmp_path).read_bytes() == CONTENT
    assert (tmp_path / "events.csv.gz.corrupt-1").read_bytes() == damage(CONTENT)


def test_tries_are_bounded_and_nothing_is_lost(file, server, tmp_path):
    server.faults = [half] * 3
    with pytest.raises(DownloadError, match=r"in 3 tries.*again to continue.*place a copy"):
        fetch(file, tmp_path, tries=3, pause=0)
    assert (tmp_path / "events.csv.gz.part").stat().st_size > 0.8 * len(CONTENT)  # 1 - 1/2^3
    assert fetch(file, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(("digits", "name"), [(64, "sha256"), (40, "sha1")])
def test_file_that_is_always_wrong_ends_in_an_error(file, tmp_path, digits, name):
    wrong = replace(file, checksum=digits * "0")
    with pytest.warns(UserWarning), pytest.raises(DownloadError, match=f"The content had another {name} than 0000"):
        fetch(wrong, tmp_path, tries=2, pause=0)
    assert names(tmp_path) == ["events.csv.gz.part.corrupt-1", "events.csv.gz.part.corrupt-2"]


def test_content_longer_than_expected_does_not_fill_the_disk(publish, tmp_path):
    file = replace(publish(bytes(20_000_000), "events.csv.gz"), n_bytes=10, checksum="0" * 64)
    with pytest.warns(UserWarning), pytest.raises(DownloadError):
        fetch(file, tmp_path, tries=1)
    assert (tmp_path / "events.csv.gz.part.corrupt-1").stat().st_size <= 1 << 20


def test_part_beyond_the_end_of_the_servers_file(file, server, tmp_path):
    server.files["events.csv.gz"] = CONTENT[:1000]
    (tmp_path / "events.csv.gz.part").write_bytes(CONTENT[:2000])
    with pytest.warns(UserWarning, match="is longer than"), pytest.raises(DownloadError, match="1000 of"):
        fetch(file, tmp_path, tries=2, pause=0)


def test_missing_page_is_refused_at_once_and_an_overloaded_server_asked_again(file, server, tmp_path):
    server.faults = [404, 503]
    with pytest.raises(DownloadError, match=r"refused .*404.*place a copy"):
        fetch(file, tmp_path)
    assert server.ranges == [None]
    assert fetch(file, tmp_path, pause=0).read_bytes() == CONTENT


def test_no_server(tmp_path):
    with pytest.raises(DownloadError, match="Could not download http://127"):
        fetch(EventFile("http://127.0.0.1:9/events.csv.gz", 10, "0" * 64, 1), tmp_path, tries=2, pause=0)


def test_full_disk_names_the_file_and_keeps_what_came(file, tmp_path, full_disk):
    with full_disk(100_000), pytest.raises(OSError, match=r"while writing.*events\.csv\.gz\.part"):
        fetch(file, tmp_path)
    assert 0 < (tmp_path / "events.csv.gz.part").stat().st_size <= 100_000
    assert fetch(file, tmp_path).read_bytes() == CONTENT
