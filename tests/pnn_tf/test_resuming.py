"""A training that is stopped at any step ends as one that is not."""

import itertools

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
