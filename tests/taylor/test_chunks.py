import numpy as np
import pytest
import tensorflow as tf

from taylor.chunks import (
    array_chunks,
    count_events,
    dataset_chunks,
    filled,
    n_workers,
    padded_size,
    require_finite,
    shared_out,
)


def test_sizes_are_few():
    assert [padded_size(n, 1024) for n in (1, 2, 16, 17, 512, 513, 1024, 1025, 10**6)] == [
        *(1, 16, 16, 32, 512, 1024, 1024, 1024, 1024)
    ]
    assert len({padded_size(n, 1024) for n in range(1, 5000)}) == 8


@pytest.mark.parametrize("n_events", [1, 15, 16, 64, 65, 128, 150])
@pytest.mark.parametrize("kind", [np.asarray, tf.constant], ids=["array", "tensor"])
def test_every_event_is_in_one_chunk_and_fillers_come_after(n_events, kind):
    x, theta = np.arange(2.0 * n_events).reshape(n_events, 2), np.array([[7.0]])
    chunks = list(array_chunks([kind(x), kind(theta)], [0], 64, [tf.float32, tf.float32]))
    assert len({tuple(t.shape for t in tensors) for tensors, _ in chunks}) == 1
    found = np.concatenate([tensors[0].numpy()[: rows.stop - rows.start] for tensors, rows in chunks])
    assert np.array_equal(found, x)
    for tensors, rows in chunks:
        assert tensors[0].dtype == tensors[1].dtype == tf.float32
        assert tensors[1].numpy().tolist() == [[7.0]]  # one row for all events stays one
        fillers = tensors[0].numpy()[rows.stop - rows.start :]
        assert np.array_equal(fillers, np.repeat(x[-1:], len(fillers), axis=0))


@pytest.mark.parametrize("n_events", [1, 1000, 1025, 8192, 10_000, 100_000])
def test_chunks_are_shared_out_evenly(n_events):
    n_together = shared_out(n_events, 8192, 1024, n_workers=2)
    n_chunks = -(-n_events // n_together)
    assert n_together <= 8192
    assert n_together % 1024 == 0
    assert n_chunks == 1 if n_events <= 1024 else n_chunks % 2 == 0
    assert n_chunks * n_together < n_events + 1024 * n_chunks  # less than a block too many in each


def test_fewer_events_together_than_a_chunk_holds():
    x = np.arange(150.0)[:, None]
    chunks = list(array_chunks([x], [0], 64, [tf.float32], n_together=48))
    assert [(rows.start, rows.stop) for _, rows in chunks] == [(0, 48), (48, 96), (96, 144), (144, 150)]
    for (tensor,), rows in chunks:
        assert tensor.shape == (64, 1)
        assert np.array_equal(tensor[: rows.stop - rows.start], x[rows])


def test_a_chunk_may_have_a_least_size():
    sizes = [next(array_chunks([np.ones((n, 1))], [0], 64, [tf.float32], smallest=32))[0][0].shape[0] for n in (1, 40)]
    assert sizes == [32, 64]


def test_workers_are_no_more_than_tensorflow_was_told(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    told = [0]
    monkeypatch.setattr("tensorflow.config.threading.get_intra_op_parallelism_threads", lambda: told[0])
    assert n_workers() == 8
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    assert n_workers() == 3
    told[0] = 1
    assert n_workers() == 1
    told[0] = 100
    assert n_workers() == 8


@pytest.mark.parametrize("batch_size", [1, 7, 64, 150, 1000])
def test_a_stream_of_any_batches_gives_the_same_chunks(batch_size):
    x = np.arange(300.0).reshape(150, 2)
    stream = tf.data.Dataset.from_tensor_slices((x, x[:, 0])).batch(batch_size)
    chunks = list(dataset_chunks(stream, lambda x, y, _: (x, y[:, None]), 64))
    assert [n for _, n in chunks] == [64, 64, 22]
    for part, expected in enumerate((x, x[:, :1])):
        assert all(tensors[part].shape == (64, expected.shape[1]) for tensors, _ in chunks)
        assert np.array_equal(np.concatenate([tensors[part][:n] for tensors, n in chunks]), expected)


@pytest.mark.parametrize("kind", [np.asarray, tf.constant], ids=["array", "tensor"])
def test_rows_that_suffice_are_not_filled(kind):
    rows = kind(np.ones((3, 2)))
    assert filled(rows, 3, tf.float64).shape == (3, 2)
    assert filled(rows, 5, tf.float64).numpy().tolist() == [[1, 1]] * 5


@pytest.mark.parametrize(
    ("shapes", "analysed"),
    [([(4, 2), (3, 2)], [0]), ([(0, 2)], [0]), ([(4, 2), (1, 2)], [0, 1]), ([(1, 2), (4, 1), (3, 1)], [1])],
)
def test_lengths_that_differ_and_no_events_are_named(shapes, analysed):
    with pytest.raises(ValueError, match=rf"Received: \[{shapes[0][0]}"):
        count_events([np.ones(shape) for shape in shapes], analysed)


def test_one_row_for_all_events_does_not_count():
    assert count_events([np.ones((4, 2)), np.ones((1, 2))], [0]) == 4
    assert count_events([np.ones((1, 2)), np.ones((1, 2))], [0]) == 1
    assert count_events([np.ones((0, 2)), np.ones((1, 2))], [0], may_be_none=True) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.asarray, tf.constant], ids=["array", "tensor"])
def test_what_is_not_finite_is_named(bad, kind):
    x = np.ones((6, 4))
    x[2, 1] = x[2, 3] = x[5, 1] = bad
    with pytest.raises(ValueError, match=r"'x'.*in 2 of 6 events \(the first: 2\), columns \[1, 3\]"):
        require_finite([np.ones((6, 1)), kind(x)], ["theta", "x"])
    require_finite([kind(np.ones((6, 4)))], ["x"])
