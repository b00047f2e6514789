"""What docs/pnn.md says of a training that stops in the middle of an epoch."""

import keras
import numpy as np
import pytest

from pnn_tf import Identical, balanced_batches, parametric_network
from tests.problems import GaussianOnUniform

EPOCHS, STEPS = 3, 8


class Stop(Exception):
    pass


class StopAfter(keras.callbacks.Callback):
    def __init__(self, n_batches):
        super().__init__()
        self.n_left = n_batches

    def on_train_batch_begin(self, batch, logs=None):
        if self.n_left == 0:
            raise Stop
        self.n_left -= 1


def compiled():
    network = parametric_network(1, units=(8,), theta_scale=1.0, dropout=0.25, seed=1)
    network.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    return network


def train(model, path, stop=()):
    """As in docs/pnn.md, from the last save in `path` if there is one."""
    batches = balanced_batches(
        *GaussianOnUniform().sample(400, seed=0), batch_size=50, background_theta=Identical(GaussianOnUniform().theta)
    )
    if path.exists():
        model.optimizer.build(model.trainable_variables)
        model.load_weights(path)
    save = keras.callbacks.ModelCheckpoint(path, save_weights_only=True, save_freq=5)
    done = int(model.optimizer.iterations)
    epoch, step = divmod(done, STEPS)
    for steps, start, stop_at in ((STEPS - step, epoch, min(epoch + 1, EPOCHS)), (STEPS, epoch + 1, EPOCHS)):
        model.fit(
            batches.dataset_from(done),
            steps_per_epoch=steps,
            initial_epoch=start,
            epochs=stop_at,
            callbacks=[save, *stop],
            shuffle=False,
            verbose=0,
        )
        done += steps
    return model


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(compiled(), tmp_path_factory.mktemp("whole") / "last.weights.h5").get_weights()


# In the first epoch, in the last one after its save, before its save, at the end of an epoch, at the end of all.
@pytest.mark.parametrize("n_batches", [7, *(pytest.param(n, marks=pytest.mark.slow) for n in (19, 23, 16, 24))])
def test_a_training_that_was_stopped_ends_with_the_same_weights(whole, n_batches, tmp_path):
    path = tmp_path / "last.weights.h5"
    if n_batches < EPOCHS * STEPS:
        with pytest.raises(Stop):
            train(compiled(), path, [StopAfter(n_batches)])
    else:
        train(compiled(), path)
    resumed = train(compiled(), path)
    assert int(resumed.optimizer.iterations) == EPOCHS * STEPS
    for weight, expected in zip(resumed.get_weights(), whole, strict=True):
        # The same batches and the same dropout: only the order of float32 sums in several threads is free.
        np.testing.assert_allclose(weight, expected, atol=1e-6)
