"""A training that is stopped at any step ends as one that is not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pnn_tf import BackupAndResume, Identical, StreamingAUC, balanced_batches, parametric_network
from tests.problems import GaussianOnUniform

EPOCHS, STEPS = 3, 8


class Stop(Exception):
    pass


class StopAfter(keras.callbacks.Callback):
    """Stops when so many batches are done, or at the end of an epoch."""

    def __init__(self, n_batches=None, epoch=None):
        super().__init__()
        self.n_batches, self.epoch = n_batches, epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.n_batches is not None and self.n_batches <= self.model.optimizer.iterations:
            raise Stop

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise Stop


def make_batches(n_events=400, seed=0):
    events = GaussianOnUniform().sample(n_events, seed=seed)
    return balanced_batches(*events, batch_size=50, background_theta=Identical(GaussianOnUniform().theta))


def compiled(**options):
    network = parametric_network(1, units=(8,), theta_scale=1.0, dropout=0.25, seed=1)
    options = {"metrics": [StreamingAUC(), "accuracy"], "run_eagerly": True, **options}
    network.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", **options)
    return network


def halved(epoch, rate):
    return rate / 2 if epoch else rate


def train(path, *stops, save_freq=5, model=None, epochs=EPOCHS, steps=STEPS, **options):
    model = model or compiled(**options)
    plateau = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=1.0)
    backup = BackupAndResume(path, make_batches(), save_freq=save_freq, others=[plateau])
    history = model.fit(
        backup.dataset,
        steps_per_epoch=steps,
        epochs=epochs,
        validation_data=make_batches(200, seed=1).dataset,
        validation_steps=2,
        callbacks=[keras.callbacks.LearningRateScheduler(halved), plateau, *stops, backup],
        shuffle=False,
        verbose=0,
    )
    return model, history


def assert_same(found, expected):
    (model, history), (other, of_other) = found, expected
    assert int(model.optimizer.iterations) == int(other.optimizer.iterations)
    for weight, right in zip(model.get_weights(), other.get_weights(), strict=True):
        # The same batches and the same dropout: only the order of float32 sums in several threads is free.
        np.testing.assert_allclose(weight, right, atol=1e-6)
    assert history.epoch == of_other.epoch and set(history.history) == set(of_other.history)
    for name, values in history.history.items():
        np.testing.assert_allclose(values, of_other.history[name], atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole") / "last.npz")


STOPS = {
    "before the first save": [StopAfter(3)],
    "in the first epoch": [StopAfter(7)],
    "when an epoch is done but for its end": [StopAfter(epoch=1)],
    "between epochs": [StopAfter(16)],
    "twice in an epoch, and in the next": [StopAfter(14), StopAfter(15), StopAfter(21)],
}


@pytest.mark.parametrize("stops", STOPS.values(), ids=STOPS)
def test_a_training_that_was_stopped_ends_as_one_that_was_not(whole, stops, tmp_path):
    for stop in stops:
        with pytest.raises(Stop):
            train(tmp_path / "last.npz", stop)
    assert_same(train(tmp_path / "last.npz"), whole)


@pytest.mark.slow
def test_several_steps_in_one_execution(tmp_path):
    """Keras runs whole executions: an epoch of 8 steps takes 9."""
    options = {"steps_per_execution": 3, "run_eagerly": False, "save_freq": 2}
    whole = train(tmp_path / "whole.npz", **options)
    assert int(whole[0].optimizer.iterations) == EPOCHS * 9
    with pytest.raises(Stop):
        train(tmp_path / "last.npz", StopAfter(15), **options)
    assert_same(train(tmp_path / "last.npz", **options), whole)
    with pytest.raises(ValueError, match=r"steps_per_execution \[8, 3\]. Received: \[8, 1\]"):
        train(tmp_path / "last.npz")


def test_a_training_that_is_done_is_given_at_once_and_goes_on_with_more_epochs(whole, tmp_path):
    train(tmp_path / "last.npz", epochs=2)
    again = train(tmp_path / "last.npz", epochs=2)
    assert int(again[0].optimizer.iterations) == 2 * STEPS and again[1].epoch == [0, 1]
    assert_same(train(tmp_path / "last.npz"), whole)
    again[0].fit(make_batches().dataset, steps_per_epoch=1, epochs=3, shuffle=False, verbose=0)  # as any other model
    assert int(again[0].optimizer.iterations) == 2 * STEPS + 3


def early_stopping(path, *stops):
    early = keras.callbacks.EarlyStopping("loss", mode="max", patience=2, restore_best_weights=True)
    best = keras.callbacks.ModelCheckpoint(
        path.with_suffix(".weights.h5"), "loss", mode="max", save_best_only=True, save_weights_only=True
    )
    backup = BackupAndResume(path, make_batches(), others=[early, best])
    model = compiled()
    callbacks = [early, best, *stops, backup]
    return model, model.fit(backup.dataset, steps_per_epoch=4, epochs=9, callbacks=callbacks, shuffle=False, verbose=0)


def test_a_training_that_was_stopped_early_stays_so(tmp_path):
    """Its loss falls, so that the first epoch is best where the loss is to be high."""
    whole = early_stopping(tmp_path / "whole.npz")
    assert whole[1].epoch == [0, 1, 2]
    with pytest.raises(Stop):
        early_stopping(tmp_path / "last.npz", StopAfter(10))
    for _ in range(2):
        found = early_stopping(tmp_path / "last.npz")
        assert_same(found, whole)
    saved = compiled()
    saved.load_weights(tmp_path / "last.weights.h5")  # of the first epoch, which a later one did not replace
    for weight, expected in zip(saved.get_weights(), found[0].get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_a_variable_is_read_when_the_stream_begins():
    batches, step = make_batches(), tf.Variable(5, dtype=tf.int64)
    stream = batches.dataset_from(step).map(lambda x, y: x["theta"])
    for n in (5, 400):
        step.assign(n)
        expected = next(iter(batches.dataset_from(n)))[0]["theta"]
        np.testing.assert_array_equal(next(iter(stream)), expected)


def test_what_cannot_go_on_is_named(tmp_path):
    path = tmp_path / "last.npz"
    train(path, epochs=1)
    other = parametric_network(1, units=(9,), theta_scale=1.0)
    other.compile("adam", "binary_crossentropy")
    with pytest.raises(ValueError, match=r"with 21 variables. Received: 21, and in place of \(1, 8\) .* \(1, 9\)"):
        train(path, model=other)
    with pytest.raises(ValueError, match=r"steps_per_execution \[8, 1\]. Received: \[7, 1\]"):
        train(path, steps=7)
    for backup, message in (
        (
            BackupAndResume(path, make_batches(399)),
            r"batch_size, strata and digest .*'signal 0', 40.* Received.*'signal 0', 39",
        ),
        (BackupAndResume(path, make_batches(seed=1)), r"digest of the first batch"),
        (BackupAndResume(tmp_path / "new.npz", make_batches()), "Expected batches from `dataset`"),
    ):
        with pytest.raises(ValueError, match=message):
            compiled().fit(make_batches().dataset, steps_per_epoch=1, callbacks=[backup], shuffle=False, verbose=0)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"last.npz, which cannot be used: .* Move it away"):
        train(path)
    for save_freq in (0, "batch", 1.5):
        with pytest.raises(ValueError, match="save_freq"):
            BackupAndResume(path, make_batches(), save_freq=save_freq)
