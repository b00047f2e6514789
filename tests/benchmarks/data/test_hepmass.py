import os
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.data import hepmass
from benchmarks.data.cache import Cache, DamagedCache
from benchmarks.data.download import fetch
from benchmarks.data.hepmass import FEATURE_NAMES, FILES, download_hepmass, load_hepmass


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def load(files, home):
    return partial(load_hepmass, data_home=home, files=files)


def test_events_are_those_of_the_file(load, table):
    events = load()
    # The decimals of the file name each float32 exactly.
    np.testing.assert_array_equal(events.features, table[:, 1:-1])
    np.testing.assert_array_equal(events.label, table[:, 0])
    np.testing.assert_array_equal(events.theta[:, 0], table[:, -1])  # 499.999969 of the file is 500 again
    assert events.features.dtype == events.theta.dtype == np.float32
    assert (events.weight == 1).all() and events.names == FEATURE_NAMES
    assert [events.process_names[i] for i in events.process[:2]] == ["ttbar", "X"]


def test_official_files_and_order_of_the_features():
    assert [FEATURE_NAMES.index(f"jet{i}_btag") for i in (1, 2, 3, 4)] == [9, 13, 17, 21]
    assert (len(FEATURE_NAMES), FEATURE_NAMES[5], FEATURE_NAMES[26]) == (27, "n_jets", "m_wwbb")
    assert [(file.url.rsplit("/", 2)[1:], file.n_bytes, file.n_events, file.algorithm) for file in FILES.values()] == [
        (["00347", "all_train.csv.gz"], 1760680846, 7000000, "sha256"),
        (["00347", "all_test.csv.gz"], 880352641, 3500000, "sha256"),
    ]


def test_each_split_is_downloaded_once(load, server, home, files):
    for _ in range(2):
        assert (len(load("test")), len(load("train"))) == (100, 400)
    paths = download_hepmass(data_home=home, files=files)
    assert paths == [home / "hepmass" / f"all_{split}.parquet" for split in ("train", "test")]
    assert len(server.ranges) == 2


def test_n_events_are_the_first(load, table):
    np.testing.assert_array_equal(load(n_events=7).features, table[:7, 1:-1])
    for n_events in (0, 401):
        with pytest.raises(ValueError, match=rf"between 1 and 400 .* Received: {n_events}"):
            load(n_events=n_events)
    with pytest.raises(ValueError, match=r"one of \('train', 'test'\). Received: split='valid'"):
        load("valid")


def test_many_pieces_make_one_array(load, table, home, monkeypatch):
    monkeypatch.setattr(hepmass, "BLOCK", 4096)  # bytes of csv: some six events
    np.testing.assert_array_equal(load().features, table[:, 1:-1])
    assert pq.ParquetFile(home / "hepmass" / "all_train.parquet").num_row_groups > 40


def test_background_mass_off_the_hypotheses_is_kept(load, publish_table, table):
    table = table.copy()
    table[table[:, 0] == 0, -1] = 612.5
    events = load(files={"train": publish_table(table)})
    assert (events.theta[events.label == 0] == 612.5).all()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [(-1, 612.5, "signal masses .* Received: 612.5"), (5, np.nan, "finite features"), (0, 3, "label"), (0, 0.5, "0.5")],
)
def test_content_out_of_the_format_is_refused(load, publish_table, table, column, value, message):
    table = table.copy()
    table[1, column] = value
    with pytest.raises(ValueError, match=message):
        load(files={"train": publish_table(table)})


def test_missing_events_are_noticed(load, publish_table, table, home):
    file = replace(publish_table(table[:-1]), n_events=400)
    with pytest.raises(ValueError, match=r"400 events in .*all_train.csv.gz. Received: 399"):
        load(files={"train": file})
    assert os.listdir(home / "hepmass") == ["all_train.csv.gz"]


def test_corrupted_cache_never_gives_wrong_events(load, table, files, home):
    load()
    cache = Cache(files["train"], home / "hepmass")
    content, n_noticed = cache.path.read_bytes(), 0
    for position in np.linspace(0, len(content) - 1, 100).astype(int):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        cache.path.write_bytes(damaged)
        try:
            with cache.reading() as parquet:
                columns = hepmass._read(parquet, 400)
        except DamagedCache:
            n_noticed += 1
        else:  # a byte that the events do not depend on, such as of the column statistics
            np.testing.assert_array_equal(columns["features"], table[:, 1:-1])
            np.testing.assert_array_equal((columns["label"], columns["theta"]), table[:, [0, -1]].T)
    assert n_noticed > 50


@pytest.mark.parametrize("change", [{"checksum": "1" * 64}, {"n_events": 401}])
def test_cache_of_another_download_is_damaged(load, files, home, change):
    load()
    with (
        pytest.raises(DamagedCache, match=r"was not made from http.*all_train.csv.gz"),
        Cache(replace(files["train"], **change), home / "hepmass").reading(),
    ):
        pass


def test_errors_of_the_system_are_no_damage(files, home):
    with pytest.raises(FileNotFoundError), Cache(files["train"], home).reading():
        pass


def test_damaged_files_are_made_again(load, table, server, home):
    """The cache from the download, and the download from the server when it is damaged too."""
    load()
    folder = home / "hepmass"
    for names, n_downloads in ((["all_train.parquet"], 1), (["all_train.parquet", "all_train.csv.gz"], 2)):
        for name in names:
            (folder / name).write_bytes((folder / name).read_bytes()[:-100])
        with pytest.warns(UserWarning, match="kept as all_train"):
            np.testing.assert_array_equal(load().features, table[:, 1:-1])
        assert len(server.ranges) == n_downloads


def test_full_disk_leaves_no_cache_under_the_final_name(load, home, full_disk, table, files):
    source = fetch(files["train"], home / "hepmass")
    with full_disk(20_000), pytest.raises(OSError, match=r"while writing.*all_train\.parquet"):
        load()
    assert os.listdir(home / "hepmass") == [source.name]
    np.testing.assert_array_equal(load().features, table[:, 1:-1])
