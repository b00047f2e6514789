"""The monitor records what it is asked to, when it is asked to, and goes on where a training stopped."""

import json
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from taylor import TaylorMonitor, mean_abs_coefficients, read_monitor
from taylor.analysis import ENGINES
from tests.devices import printed_on_two_devices

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


def test_records_stay_when_the_disk_is_full(events, tmp_path, uncompiled, full_disk):
    whole, path, model = TaylorMonitor(events[0], every=3), tmp_path / "monitor.jsonl", network()
    weights = model.get_weights()
    fit(model, events, whole, epochs=1, shuffle=False)
    size = 0
    for n_bytes in (300, 1500, None):  # in the first record, in a later one, no limit
        model = network()
        model.set_weights(weights)
        monitor = TaylorMonitor(events[0], every=3, path=path)
        if n_bytes is None:
            fit(model, events, monitor, epochs=1, shuffle=False)
            continue
        with full_disk(n_bytes), pytest.raises(OSError, match=r"while writing.*monitor\.jsonl"):
            fit(model, events, monitor, epochs=1, shuffle=False)
        assert not path.exists() or len(read_monitor(path)) > size
        size = len(read_monitor(path)) if path.exists() else 0
    assert [record.step for record in read_monitor(path)] == whole.steps.tolist()


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


def test_tensorboard_is_shown_the_same_features_throughout(events, tmp_path, uncompiled, monkeypatch):
    monkeypatch.setattr("taylor.monitor.N_SCALARS", 1)
    model = network()
    model.layers[0].set_weights([np.array([[0.1] * 5, [0.3] * 5]), np.zeros(5)])  # x2 counts for more
    swap = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: model.layers[0].set_weights(
            [model.layers[0].get_weights()[0][::-1], np.zeros(5)]
        )
    )
    monitor = TaylorMonitor(events[0], order=1, log_dir=tmp_path)
    model.fit(*events, epochs=2, callbacks=[swap, monitor], verbose=0)
    assert {record.importance.ranking()[0].feature for record in monitor.records} == {"x1", "x2"}
    (file,) = tmp_path.glob("events.out.*")
    shown = [value.tag for event in tf.compat.v1.train.summary_iterator(str(file)) for value in event.summary.value]
    assert shown == ["taylor/x2"] * 3


def test_the_records_of_another_network_are_refused_and_stay(events, tmp_path, uncompiled):
    path, model = tmp_path / "monitor.jsonl", network()
    monitor = TaylorMonitor(events[0], path=path, order=1)
    start = model.get_weights()
    fit(model, events, monitor)
    before = path.read_text()
    wider = keras.Sequential([keras.Input((2,)), keras.layers.Dense(6, "tanh"), keras.layers.Dense(1, "sigmoid")])
    wider.compile("adam", "mse")
    relu = keras.Sequential([keras.Input((2,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(1, "sigmoid")])
    relu.compile("adam", "mse")
    relu.set_weights(start)
    for other in (network(), wider, relu):
        with pytest.raises(
            ValueError, match=r"Expected to go on with .*monitor.jsonl.*step 16.*at step 0. Choose another path"
        ):
            fit(other, events, TaylorMonitor(events[0], path=path, order=1))
        assert path.read_text() == before
    in_memory = TaylorMonitor(events[0], order=1)
    fit(model, events, in_memory, epochs=1)
    with pytest.raises(ValueError, match=r"this monitor has records of.* Make a new TaylorMonitor"):
        fit(network(), events, in_memory)
    assert in_memory.steps.tolist() == [16, 24]

    again = network()
    again.set_weights(start)  # the same from the start is no other training
    fit(again, events, TaylorMonitor(events[0], path=path, order=1), epochs=1)
    assert [record.step for record in read_monitor(path)] == [0, 8]


def test_a_second_fit_goes_on_in_the_same_records(events, tmp_path, uncompiled):
    model, monitor = network(), TaylorMonitor(events[0], path=tmp_path / "monitor.jsonl", order=1)
    for _ in range(2):
        fit(model, events, monitor, epochs=1)
    assert monitor.steps.tolist() == [0, 8, 16]
    assert [record.ends_here for record in read_monitor(tmp_path / "monitor.jsonl")] == [False, False, True]


def test_a_file_of_an_earlier_version_is_read(events, tmp_path, uncompiled):
    path, model = tmp_path / "monitor.jsonl", network()
    fit(model, events, TaylorMonitor(events[0], path=path, order=1), epochs=1)
    header, *lines = map(json.loads, path.read_text().splitlines())
    del header["architecture"]
    for line in lines:
        del line["weights"], line["ends_here"]
    path.write_text("".join(json.dumps(line) + "\n" for line in (header, *lines)))
    assert [(record.step, record.weights) for record in read_monitor(path)] == [(0, None), (8, None)]
    fit(model, events, TaylorMonitor(events[0], path=path, order=1), epochs=1)
    assert [record.step for record in read_monitor(path)] == [0, 8, 16]


class Rising(keras.callbacks.Callback):
    """A loss that rises from the second epoch on."""

    def on_epoch_end(self, epoch, logs):
        logs["val_loss"] = abs(epoch - 1.0)


@pytest.mark.parametrize(("first", "every"), [(False, "epoch"), (True, 5)])
def test_the_network_that_a_training_ends_with_is_marked(first, every, events, tmp_path, uncompiled):
    stop = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    model, path = network(), tmp_path / "monitor.jsonl"
    monitor = TaylorMonitor(events[0], every=every, path=path, order=1)
    callbacks = [Rising(), *((monitor, stop) if first else (stop, monitor))]
    model.fit(*events, batch_size=32, epochs=9, callbacks=callbacks, verbose=0)
    expected = mean_abs_coefficients(model, events[0], order=1).mean
    for records in (monitor.records, read_monitor(path)):
        (end,) = [record for record in records if record.ends_here]
        assert np.array_equal(end.importance.mean, expected)
        assert end.step == (
            16 if every == "epoch" else 32
        )  # of the second epoch, or an own one at the end of the fourth
    model.fit(*events, batch_size=32, epochs=1, callbacks=[monitor], verbose=0)
    assert monitor.records[-1].ends_here


def test_a_training_that_diverges_is_recorded_to_its_end(events):
    model, (x, y) = network(), events

    class Spoil(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                model.layers[0].bias.assign([np.nan] * 5)

    monitor = TaylorMonitor(x, order=1, label=y, metrics={"accuracy": accuracy}, regions={"signal": y == 1})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, batch_size=32, epochs=2, callbacks=[Spoil(), monitor], verbose=0)
    assert any("NaN or infinite at step 8" in str(warning.message) for warning in caught)
    assert monitor.steps.tolist() == [0, 8, 16]
    assert np.isfinite(monitor.mean[0]).all() and np.isnan(monitor.mean[1:]).all()
    assert np.isnan(monitor.metric("accuracy")[1:]).all()
    assert np.isnan(monitor.records[-1].importance.regions["signal"].mean).all()


def test_a_model_without_input_is_built_for_its_first_record(events, uncompiled):
    model = keras.Sequential([keras.layers.Dense(5, "tanh"), keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "mse")
    monitor = TaylorMonitor(events[0], order=1)
    fit(model, events, monitor, epochs=1)
    assert monitor.steps.tolist() == [0, 8]


def test_looks_at_a_network_in_training_are_traced_once(events, monkeypatch):
    traces = []
    engine = ENGINES["adjoint"]

    def counted(response, features):
        derivatives = engine(response, features)
        return lambda tensors: traces.append(tf.is_symbolic_tensor(tensors[0])) or derivatives(tensors)

    monkeypatch.setitem(ENGINES, "adjoint", counted)
    monitor = TaylorMonitor(events[0], every=2)
    fit(network(), events, monitor, validation_data=events)
    assert len(monitor.records) == 9
    assert traces == [False, True]


@pytest.mark.parametrize("every", [0, -1, 2.5, "step"])
def test_every_out_of_range_is_refused(events, every):
    with pytest.raises(ValueError, match=r"every .*Received"):
        TaylorMonitor(events[0], every=every)


def test_metrics_need_labels(events):
    with pytest.raises(ValueError, match=r"label.*metrics"):
        TaylorMonitor(events[0], metrics={"accuracy": accuracy})


@pytest.mark.slow
def test_records_of_a_training_on_two_devices_are_those_of_one():
    one, two = printed_on_two_devices("tests.taylor.two_devices")
    assert [record["step"] for record in one] == [
        0,
        3,
        6,
        9,
        10,
        13,
        16,
        19,
        20,
    ] * 2  # and in the file
    for expected, received in zip(one, two, strict=True):
        for name in ("step", "epoch", "ends_here", "metrics"):
            assert received[name] == expected[name], name
        for name in ("mean", "error"):
            np.testing.assert_allclose(received[name], expected[name], rtol=1e-5, atol=1e-7, err_msg=name)  # float32
