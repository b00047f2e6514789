"""Scores, batches, exported networks and the paper's scale, in tiny sizes."""

from dataclasses import replace

import pytest

from benchmarks.data.hepmass import FILES, load_hepmass
from benchmarks.speed import metrics, paper_memory, pipeline, scan, scoring, sharded


def test_metrics_of_each_kind_of_scores_and_weights():
    rows = metrics.run(n_events=1000, repetitions=1)
    assert len({row["row"] for row in rows}) == 4
    for row in rows:
        assert all(value > 0 for name, value in row.items() if name.endswith(("(s)", "sklearn")))
        assert row["AUC differs by"] < 1e-12  # sums of 1000 terms in float64


def test_scan_and_its_ratio():
    rows = scan.run(n_features=3, n_points=8, n_events=(50,), units=(8, 4))
    assert [row["row"] for row in rows] == ["affine, 50 events", "concat, 50 events"]
    for row in rows:
        assert row["scan (s)"] > 0
        assert row["scan / point / one theta"] == pytest.approx(row["scan (s)"] / 8 / row["one theta (s)"])
        assert row["scores differ by"] < 1e-6  # float32


def test_scoring_and_its_ratios():
    rows = scoring.run(n_features=3, n_scanned=50, n_points=3, n_evaluated=2000, units=(8, 4), repetitions=1)
    assert len(rows) == 6
    for row in rows:
        assert row["ratio"] == pytest.approx(row["ours (s)"] / row["theirs (s)"])
        assert row["differ by"] < 1e-3  # ties, which the loop puts in the order they come, and float32


def test_batches_and_training_take_turns():
    constant, *_ = rows = pipeline.run(n_events=500, n_features=2, batch_size=20, steps=4)
    assert [row["row"].split(",")[0] for row in rows] == ["training", "training", "balanced batches alone"]
    assert all(row["CPU us/event"] > 0 for row in rows)
    for row in rows:
        assert row["rate / that of one batch repeated"] == pytest.approx(row["k events/s"] / constant["k events/s"])


def test_files_and_memory_take_turns():
    memory, *rows = sharded.run(
        n_events=2000, n_features=2, batch_size=20, steps=4, row_group=100, buffer_events=100_000, repetitions=1
    )
    assert [row["row"].split(",")[0] for row in rows] == ["training", "files alone"] * 2
    for row in rows:
        assert row["rate / that of training, memory"] == pytest.approx(row["k events/s"] / memory["k events/s"])


@pytest.mark.slow
def test_memory_of_files_does_not_grow_with_the_events():
    few, many = sharded.run_memory(n_events=(1_000_000, 4_000_000), buffer_events=100_000)
    assert many["events (MB)"] == 4 * few["events (MB)"] == pytest.approx(464)
    grown = many["above TensorFlow and pyarrow (MB)"] - few["above TensorFlow and pyarrow (MB)"]
    # The events take 348 MB more. What allocators keep differs by some tens of MB from run to run.
    assert grown < (many["events (MB)"] - few["events (MB)"]) / 4


@pytest.mark.slow
def test_memory_of_a_stream_grows_with_the_events():
    row = pipeline.run_memory(n_events=2_000_000, n_features=27)
    # The events are held once, and a little more comes with them.
    assert 0.9 < row["above it / array"] < 2.5 and row["array (MB)"] == 216


def test_stand_in_is_read_as_hepmass(tmp_path):
    files = {split: replace(file, n_events=40) for split, file in FILES.items()}
    paper_memory.write_stand_in(tmp_path, files, n_together=20)
    for split in files:
        assert len(load_hepmass(split, data_home=tmp_path, files=files)) == 40
