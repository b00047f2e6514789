"""Files that are empty, small, damaged or of another kind, as they come."""

import os

import numpy as np
import pytest
import tensorflow as tf

from pnn_tf import Identical, sharded_batches
from tests.problems import GaussianOnUniform

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

SIZE = 2000


def table(n_events=SIZE, seed=0):
    features, theta, label = GaussianOnUniform().sample(n_events, seed=seed)
    return pyarrow.table({"x": features[:, 0].astype("float32"), "theta": theta, "label": label})


def read(folder, **options):
    return sharded_batches(
        sorted(folder.glob("*.parquet")),
        features=["x"],
        theta="theta",
        label="label",
        batch_size=50,
        background_theta=Identical(GaussianOnUniform().theta),
        **options,
    )


def features_of(batches):
    """Of two passes."""
    steps = 2 * batches.steps_per_epoch
    return np.concatenate([x["features"][:, 0] for x, _ in batches.dataset.take(steps).as_numpy_iterator()])


@pytest.fixture
def folder(tmp_path):
    parquet.write_table(table(), tmp_path / "a.parquet", row_group_size=500)
    return tmp_path


def no_row_groups(path):
    parquet.ParquetWriter(path, table().schema).close()


@pytest.mark.parametrize(
    ("write", "n_events"),
    [
        (lambda path: parquet.write_table(table()[:0], path), 0),
        (no_row_groups, 0),
        (lambda path: parquet.write_table(table()[:1], path), 1),
        (lambda path: parquet.write_table(table(7, 1), path, row_group_size=1), 7),
        (lambda path: parquet.write_table(table(10).cast(halves(10)), path), 10),
    ],
    ids=["no rows", "no row groups", "one row", "a row group for each row", "half floats"],
)
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_small_and_empty_files_are_files(folder, write, n_events, on_error):
    write(folder / "b.parquet")
    batches = read(folder, on_error=on_error)
    assert batches.left_out == () and sum(stratum.size for stratum in batches.strata) == SIZE + n_events
    features_of(batches)


def halves(n_events):
    schema = table(n_events).schema
    return schema.set(0, pyarrow.field("x", pyarrow.float16()))


def flip(path, row_group, bit, **options):
    """A file of 2000 events, of which some bits of the highest byte of one float32 are flipped."""
    parquet.write_table(table(seed=1), path, row_group_size=500, use_dictionary=False, compression="none", **options)
    column = parquet.read_metadata(path).row_group(row_group).column(0)
    content = bytearray(path.read_bytes())
    values = table(seed=1)["x"].to_numpy()[row_group * 500 : (row_group + 1) * 500].tobytes()
    content[content.index(values, column.data_page_offset) + 4 * 150 + 3] ^= bit
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("options", "bit", "message"),
    [
        # With checksums any bit is found; without, a high bit of the exponent, since the file states its extremes.
        ({"write_page_checksum": True}, 0x01, "its row group 2 cannot be read: .*CRC checksum"),
        ({}, 0x40, "its row group 2 is damaged: 'x' passes its stated extremes"),
    ],
)
def test_a_flipped_bit_is_found_and_its_row_group_left_out(folder, options, bit, message):
    flip(folder / "b.parquet", 2, bit, **options)
    with pytest.raises(ValueError, match=rf"b\.parquet: {message}"):
        read(folder)
    with pytest.warns(UserWarning, match="500 events of 1 out of 2 files"):
        batches = read(folder, on_error="skip")
    ((path, n_events, _),) = batches.left_out
    assert (path, n_events) == (str(folder / "b.parquet"), 500)
    good = np.concatenate([table()["x"].to_numpy(), np.delete(table(seed=1)["x"].to_numpy(), np.s_[1000:1500])])
    assert np.isin(features_of(batches), good).all()


def test_a_bit_that_flips_in_training_stops_it(folder, monkeypatch):
    monkeypatch.setattr("pnn_tf.parquet.ROWS_PER_PART", 40)
    path = folder / "b.parquet"
    flip(path, 2, 0, write_page_checksum=True)
    batches, before = read(folder, buffer_events=1000, on_error="skip"), path.stat()
    flip(path, 2, 1, write_page_checksum=True)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # the disk goes bad, and nobody has written
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"b\.parquet: its row group 2 cannot be read.*was whole"):
        features_of(batches)


def test_nothing_good_at_all_is_an_error(folder):
    (folder / "a.parquet").write_bytes(b"PAR1")
    (folder / "b.parquet").write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.parquet: it cannot be read.*on_error='skip'"):
        read(folder)
    with pytest.raises(ValueError, match=r"Expected events in the 2 files.*a\.parquet.*b\.parquet"):
        read(folder, on_error="skip")
    parquet.write_table(table()[:0], folder / "a.parquet")
    (folder / "b.parquet").unlink()
    with pytest.raises(ValueError, match="Expected events in the 1 files"):
        read(folder)
