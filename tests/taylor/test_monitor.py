"""The monitor records what it is asked to, when it is asked to, and goes on where a training stopped."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from taylor import TaylorMonitor, mean_abs_coefficients, read_monitor

N_STEPS = 8  # in an epoch


def network():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    return model


@pytest.fixture(scope="module")
def events():
    generator = np.random.default_rng(3)
    y = np.tile([0.0, 1.0], 128)
    x = generator.normal(size=(256, 2)) + y[:, None]
    return x.astype("float32"), y


def fit(model, events, monitor, epochs=2, **keywords):
    model.fit(*events, batch_size=256 // N_STEPS, epochs=epochs, callbacks=[monitor], verbose=0, **keywords)


def accuracy(label, score):
    return np.mean((score > 0.5) == label)


@pytest.mark.parametrize(
    ("every", "steps", "epochs"),
    [("epoch", [0, 8, 16], [0, 1, 2]), (5, [0, 5, 10, 15, 16], [0, 0, 1, 1, 2])],
)
def test_records_are_made_when_asked_for(events, every, steps, epochs, uncompiled):
    monitor = TaylorMonitor(events[0], every=every)
    fit(network(), events, monitor)
    assert monitor.steps.tolist() == steps
    assert [record.epoch for record in monitor.records] == epochs
    assert monitor.mean.shape == (len(steps), 5)


def test_steps_that_keras_runs_together_are_counted(events):
    model = network()
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", steps_per_execution=3)
    monitor = TaylorMonitor(events[0], every=1)
    fit(model, events, monitor, epochs=1)
    assert monitor.steps[:3].tolist() == [0, 3, 6] and monitor.steps[-1] == int(model.optimizer.iterations)


def test_the_last_record_is_of_the_trained_network(events, uncompiled):
    model, (x, y) = network(), events
    monitor = TaylorMonitor(x, label=y, metrics={"accuracy": accuracy}, order=1, regions={"signal": y == 1})
    fit(model, events, monitor)
    expected = mean_abs_coefficients(model, x, order=1, regions={"signal": y == 1})
    last = monitor.records[-1].importance
    assert np.array_equal(last.mean, expected.mean)
    assert np.array_equal(last.regions["signal"].mean, expected.regions["signal"].mean)
    score = model.predict(x, verbose=0)[:, 0]
    assert monitor.metric("accuracy")[-1] == accuracy(y, score)
    assert monitor.metric("accuracy")[-1] > monitor.metric("accuracy")[0]


def test_history_is_on_disk_and_goes_on_from_a_checkpoint(events, tmp_path, uncompiled):
    path, checkpoint = tmp_path / "monitor.jsonl", tmp_path / "model.keras"
    model = network()
    fit(model, events, TaylorMonitor(events[0], path=path), epochs=2)
    model.save(checkpoint)
    fit(model, events, TaylorMonitor(events[0], path=path), epochs=4, initial_epoch=2)
    assert [record.step for record in read_monitor(path)] == [0, 8, 16, 24, 32]

    # Killed while it wrote, and started again from the checkpoint of the second epoch.
    path.write_text(path.read_text() + '{"step": 40, "ep')
    before = read_monitor(path)
    monitor = TaylorMonitor(events[0], path=path)
    fit(keras.saving.load_model(checkpoint), events, monitor, epochs=3, initial_epoch=2)
    after = read_monitor(path)
    assert [record.step for record in after] == monitor.steps.tolist() == [0, 8, 16, 24]
    assert [record.epoch for record in after] == [0, 1, 2, 3]
    for old, new in zip(before[:3], after[:3], strict=True):
        assert np.array_equal(old.importance.mean, new.importance.mean)


def test_a_file_of_something_else_is_refused(events, tmp_path, uncompiled):
    (tmp_path / "other.json").write_text(json.dumps({"format": 77}))
    with pytest.raises(ValueError, match=r"Expected records of TaylorMonitor.*other.json"):
        fit(network(), events, TaylorMonitor(events[0], path=tmp_path / "other.json"))
    path, model = tmp_path / "first.jsonl", network()
    fit(model, events, TaylorMonitor(events[0], path=path, order=1), epochs=1)
    with pytest.raises(ValueError, match=r"Expected the features of .*first.jsonl"):
        fit(model, events, TaylorMonitor(events[0], path=path, order=2), epochs=1)


def test_tensorboard_is_shown_means_and_metrics(events, tmp_path, uncompiled):
    monitor = TaylorMonitor(events[0], label=events[1], metrics={"accuracy": accuracy}, log_dir=tmp_path)
    fit(network(), events, monitor, epochs=1)
    shown = {}
    (file,) = tmp_path.glob("events.out.*")
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            shown[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    assert shown["taylor/x1, x2", 8] == pytest.approx(monitor.records[-1].importance.of(0, 1).mean, rel=1e-6)  # float32
    assert shown["taylor_metrics/accuracy", 0] == pytest.approx(monitor.metric("accuracy")[0], rel=1e-6)


@pytest.mark.parametrize("every", [0, -1, 2.5, "step"])
def test_every_out_of_range_is_refused(events, every):
    with pytest.raises(ValueError, match=r"every .*Received"):
        TaylorMonitor(events[0], every=every)


def test_metrics_need_labels(events):
    with pytest.raises(ValueError, match=r"label.*metrics"):
        TaylorMonitor(events[0], metrics={"accuracy": accuracy})
