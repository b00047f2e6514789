"""Drawn events are the same each time, and what is timed is the importance of them."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.data.hepmass_like import load_hepmass_like
from benchmarks.scale import taylor_stream
from benchmarks.scale.taylor_stream import drawn_events, stream_rate

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def uncompiled():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_events_are_rows_and_follow_from_the_seed(monkeypatch):
    monkeypatch.setattr(taylor_stream, "BATCH", 100)
    one, same, other = (np.concatenate([*map(np.asarray, drawn_events(ROWS, 250, seed))]) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one[:100], one[100:200])
    assert one.shape == (250, 3)
    assert {tuple(row) for row in one.tolist()} == {tuple(row) for row in ROWS.tolist()}


@pytest.mark.parametrize("network", ["tanh", "affine"])
def test_rates_are_of_the_same_events(network, monkeypatch, uncompiled):
    few = load_hepmass_like(n_events=200)
    monkeypatch.setattr(taylor_stream, "load_hepmass_like", lambda: few)
    stream, memory = (stream_rate(300, network, source) for source in ("stream", "memory"))
    assert stream.keys() == memory.keys()
    assert stream["largest"] == memory["largest"]
    assert (stream["n_events"], stream["n_inputs"], memory["draw_cpu_s"]) == (300, 27, 0)
    assert min(stream["events_a_cpu_second"], stream["events_a_core_second"], stream["peak_bytes"]) > 0


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="Received: 'relu', 'stream'"):
        stream_rate(1, "relu")
