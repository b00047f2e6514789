"""One network trained by the recipe of TAYLOR, section 2: a hidden layer of tanh, and half of the events to stop by.

The paper gives neither batch size nor learning rate: here they are 100, and the default of Adam.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

import pnn_tf
from benchmarks.terminal import Display
from benchmarks.training import steps_together


@dataclass(frozen=True)
class Recipe:
    """What all networks of the paper share.

    Args:
        units: width of the hidden layer.
        batch_size: events in a batch; all that are trained on for full-batch steps.
        learning_rate: of Adam.
        validation_fraction: share of the events kept for the decision to stop.
        patience: stop after so many epochs without a smaller validation loss; None never stops.
        epochs: the most passes over the training events.
        steps_per_execution: the most training steps that are run in one call; 1 for callbacks at every step.
    """

    units: int = 100
    batch_size: int = 100
    learning_rate: float = 1e-3
    validation_fraction: float = 0.5
    patience: int | None = 3
    epochs: int = 200
    steps_per_execution: int = 64

    def n_gradients(self, n_events: int) -> int:
        """How many of some events gradients are made of; the others are for validation."""
        return n_events - round(self.validation_fraction * n_events)


def train(
    recipe: Recipe, x: np.ndarray, y: np.ndarray, *, seed: int, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> tuple[keras.Model, list[float]]:
    """Splits the events at random, trains a fresh network on one part, and stops by its loss on the other.

    The weights kept are the last ones, as in the paper, not those of the smallest validation loss. The cross-entropy
    has no event weights. The seed is that of the split, the order of the events and the initial weights; callbacks are
    told each epoch, and each step where `steps_per_execution` is 1.

    Args:
        recipe: the settings.
        x: (n_events, n_inputs) standardised inputs.
        y: (n_events,) 1 for signal, 0 for background.

    Returns:
        The network, with the input `features` (n_events, n_inputs) and one sigmoid output, and the mean cross-entropy
        over the validation events at the end of each epoch.

    Raises:
        ValueError: lengths that differ, NaN or infinite inputs, labels other than 0 and 1, or too few events to split.
    """
    x, y = np.asarray(x, np.float32), np.asarray(y)
    n_validation = len(x) - recipe.n_gradients(len(x))
    if not 0 < n_validation < len(x):
        raise ValueError(
            f"Expected events for training and validation. Received: {len(x)} events, of which "
            f"validation_fraction={recipe.validation_fraction} takes {n_validation}."
        )
    validation, training = np.split(np.random.default_rng(seed).permutation(len(x)), [n_validation])
    batches = pnn_tf.balanced_batches(
        x[training],
        np.zeros(len(training)),  # there is no theta
        y[training],
        batch_size=min(recipe.batch_size, len(training)),
        balance="none",
        seed=seed,
    )
    model = network(x.shape[1], recipe.units, seed)
    together = steps_together(batches.steps_per_epoch, recipe.steps_per_execution)
    optimizer = keras.optimizers.Adam(recipe.learning_rate)
    model.compile(optimizer, "binary_crossentropy", steps_per_execution=together, jit_compile=False)
    stop = [] if recipe.patience is None else [keras.callbacks.EarlyStopping("val_loss", patience=recipe.patience)]
    history = model.fit(
        batches.dataset.map(lambda inputs, label: ({"features": inputs["features"]}, label)),
        steps_per_epoch=batches.steps_per_epoch,
        epochs=recipe.epochs,
        callbacks=[ValidationLoss(x[validation], y[validation]), *stop, *callbacks],
        shuffle=False,
        verbose=0,
    ).history
    return model, history["val_loss"]


class ValidationLoss(keras.callbacks.Callback):
    """Adds `val_loss`, the mean cross-entropy over the given events, to the logs of each epoch.

    In one call of the network: what `fit` does for its own validation data takes 0.1 s an epoch to begin with.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray):
        super().__init__()
        self._x, self._y = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y[:, None], "float32")

    def on_epoch_end(self, epoch, logs):
        score = self.model({"features": self._x}, training=False)
        logs["val_loss"] = float(keras.ops.mean(keras.losses.binary_crossentropy(self._y, score)))


def epochs_shown(display: Display, title: str, work: float = 0.0) -> keras.callbacks.Callback:
    """Shows each epoch of what is called `title`, with its `work` for the display."""

    def show(epoch, logs):
        display.advance(work, f"{title}, epoch {epoch + 1}, validation loss {logs['val_loss']:.4f}")

    return keras.callbacks.LambdaCallback(on_epoch_end=show)


def network(n_inputs: int, units: int, seed: int) -> keras.Model:
    """Inputs, a hidden layer of tanh, and a sigmoid; untrained, with Glorot's uniform weights and zero biases."""
    seeds = np.random.SeedSequence(seed).generate_state(2).tolist()
    hidden, output = map(keras.initializers.GlorotUniform, seeds)
    features = keras.Input((n_inputs,), name="features")
    z = keras.layers.Dense(units, "tanh", kernel_initializer=hidden, name="hidden")(features)
    score = keras.layers.Dense(1, "sigmoid", kernel_initializer=output, name="score")(z)
    return keras.Model({"features": features}, score)
