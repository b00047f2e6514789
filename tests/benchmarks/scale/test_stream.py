"""Drawn events are the same each time, and what is timed is the importance of all of them."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.data.hepmass_like import load_hepmass_like
from benchmarks.scale import stream
from benchmarks.scale.stream import MEMORY, drawn_events, memory_kept, rate_kept, stream_rates

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def uncompiled():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_events_are_rows_and_follow_from_the_seed(monkeypatch):
    monkeypatch.setattr(stream, "BATCH", 100)
    one, same, other = (np.concatenate([*map(np.asarray, drawn_events(ROWS, 250, seed))]) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one[:100], one[100:200])
    assert one.shape == (250, 3)
    assert {tuple(row) for row in one.tolist()} == {tuple(row) for row in ROWS.tolist()}


@pytest.mark.parametrize("in_memory", [False, True])
def test_rates_are_of_all_events(in_memory, monkeypatch, uncompiled):
    few = load_hepmass_like(n_events=200)
    monkeypatch.setattr(stream, "load_hepmass_like", lambda: few)
    row = stream_rates(300, 2, 1, in_memory)
    assert row["n_events"] == 300
    assert len(row["events_a_core_second"]) == 2
    assert min(*row["events_a_core_second"], row["peak_bytes"]) > 0
    assert (row["drawing"] > 0) is not in_memory


def test_the_longest_is_held_against_the_shortest():
    rows = [
        {"row": name, "n_events": n, "events_a_core_second": rates, "peak_bytes": n_bytes}
        for name, n, rates, n_bytes in (
            (MEMORY, 100, [9.0, 10.0, 11.0], 40),
            ("100", 100, [3.0], 50),
            ("1,000", 1000, [7.0], 55),
            ("10,000", 10_000, [8.0], 60),
        )
    ]
    kept = rate_kept(rows)
    assert kept.value == pytest.approx(0.8)
    # Of the mean of three, by Student's t: 1 / sqrt(3) * 4.303 / 2 in 10.
    assert kept.error == pytest.approx(0.8 * 0.1242, rel=1e-3)
    assert memory_kept(rows).value == pytest.approx(1.2)
