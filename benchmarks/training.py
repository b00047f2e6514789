"""A parametric network trained by a recipe, with the best epoch chosen on validation events.

The default recipe is that of AFFINE, section 6.3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import keras
import numpy as np

import pnn_tf
from benchmarks.data.events import Events
from benchmarks.terminal import Display

# AFFINE's 25 epochs of 5.25M events are 128 000 steps. On the small sample, its batch of 1024 and rate of 3e-4 would
# stop far from convergence: the scales below the paper's take smaller batches and a larger rate.
QUICK = {"batch_size": 512, "learning_rate": 2e-3}


@dataclass(frozen=True)
class Recipe:
    """What all networks of an experiment share: architecture, optimiser and length of the training.

    A subclass with another `network` or `optimizer` is another recipe.

    Args:
        epochs: passes over the training events.
        batch_size: events in a batch.
        learning_rate: of Adam, constant.
        units: width of each hidden layer.
        dropout: rate after each hidden layer.
        kernel_l2: strength of the L2 penalty on the kernels of the hidden layers.
        bias_l2: the same on their biases.
        affine_start: of `pnn_tf.parametric_network`; "glorot_uniform" as in AFFINE, section 6.3.
        theta_scale: theta is divided by this inside the model, after `theta_offset` was subtracted; one number, or one
            a parameter, of each.
        validation_fraction: share of the events kept for choosing the epoch.
        balance: mode of `pnn_tf.balanced_batches`.
        steps_per_execution: the most training steps that are run in one call.
    """

    epochs: int = 25
    batch_size: int = 1024
    learning_rate: float = 3e-4
    units: tuple[int, ...] = (300, 150, 100, 50)
    dropout: float = 0.25
    kernel_l2: float = 1e-4
    bias_l2: float = 1e-5
    affine_start: str = "glorot_uniform"
    theta_scale: tuple[float, ...] = (1000.0,)
    theta_offset: tuple[float, ...] = (0.0,)
    validation_fraction: float = 0.25
    balance: str = "none"
    steps_per_execution: int = 64

    patience: ClassVar[int | None] = None
    """Epochs without a rise of the validation AUC after which training stops; a subclass may make it a field."""

    def network(self, n_features: int, n_parameters: int, conditioning: str | None, seed: int) -> keras.Model:
        """A new network, not compiled."""
        return pnn_tf.parametric_network(
            n_features,
            n_parameters,
            conditioning=conditioning,
            units=self.units,
            dropout=self.dropout,
            theta_scale=self.theta_scale,
            theta_offset=self.theta_offset,
            affine_start=self.affine_start,
            kernel_l2=self.kernel_l2,
            bias_l2=self.bias_l2,
            seed=seed,
        )

    def batches(
        self, events: Events, background_theta, seed: int, nuisances: tuple[int, ...] = ()
    ) -> pnn_tf.BalancedBatches:
        """Batches of training events, with the strategy, the seed and the nuisances of `train`."""
        return pnn_tf.balanced_batches(
            events.features,
            events.theta,
            events.label,
            batch_size=self.batch_size,
            balance=self.balance,
            background_theta=background_theta,
            nuisances=nuisances,
            seed=seed,
        )

    def optimizer(self, n_steps: int) -> keras.optimizers.Optimizer:
        """A new optimiser, for epochs of `n_steps`."""
        return keras.optimizers.Adam(self.learning_rate)


class Trained(NamedTuple):
    """A trained network with two sets of weights: of the epoch with the best validation AUC, and of the last.

    The model holds the last; it is valid until the next call of `train`, which may train the same object anew.
    `n_train` counts its training events, without validation; `auc` is of the validation events after each epoch.
    """

    model: keras.Model
    best_weights: list[np.ndarray]
    best_epoch: int
    n_train: int
    auc: list[float]


def train(
    recipe: Recipe,
    events: Events,
    *,
    conditioning: str | None,
    background_theta=None,
    nuisances: tuple[int, ...] = (),
    seed: int,
    on_epoch: Callable[[int, float], None],
) -> Trained:
    """Splits the events, trains a network on the larger part and follows its AUC on the other.

    Args:
        recipe: the settings.
        events: training events, whose background carries its assigned theta. The validation part keeps it.
        conditioning: "affine", "concat", or None for a network that is not told theta.
        background_theta: a pnn_tf strategy that replaces the theta of the training background; None leaves it.
        nuisances: columns of theta that it leaves.
        seed: of the split, the batches, the initial weights and dropout.
        on_epoch: told the number of the epoch, from 1, and the validation AUC.
    """
    training, validation = events.split(recipe.validation_fraction, seed)
    if conditioning is None and background_theta is None:
        background_theta = pnn_tf.Identical(events.hypotheses)  # which nobody is told
    batches = recipe.batches(training, background_theta, seed, nuisances)
    n_steps = batches.steps_per_epoch
    shape = training.features.shape[1], training.theta.shape[1]
    model = _fresh_network(recipe, shape, conditioning, n_steps, seed)
    best = BestEpoch(validation, on_epoch, recipe.patience)
    model.fit(
        batches.dataset, steps_per_epoch=n_steps, epochs=recipe.epochs, callbacks=[best], shuffle=False, verbose=0
    )
    return Trained(model, best.weights, best.epoch, len(training), best.auc)


def show_epochs(display: Display, title: str, work: float) -> Callable[[int, float], None]:
    """An `on_epoch` for `train` that shows each epoch of what is called `title`, with its `work` for the display."""

    def on_epoch(epoch: int, auc: float) -> None:
        display.advance(work, f"{title}: epoch {epoch}, validation AUC {100 * auc:.2f} %")

    return on_epoch


def steps_together(n_steps: int, most: int) -> int:
    """How many steps to run in one call: between `most` / 4 and `most`, so that they fill an epoch best.

    Keras runs whole calls, so the last one of an epoch may go beyond `n_steps`.

    >>> steps_together(220, 64), steps_together(15, 64), steps_together(15, 3)
    (55, 15, 3)
    """
    choices = range(min(max(most // 4, 1), n_steps), min(most, n_steps) + 1)
    return max(choices, key=lambda together: (-(-n_steps % together), together))


class BestEpoch(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the largest validation AUC, in memory.

    Args:
        validation: the events, with the theta that each is to be shown with.
        on_epoch: told the number of the epoch, from 1, and its AUC.
        patience: epochs without a larger AUC after which training stops; None to go on to the end.
    """

    def __init__(self, validation: Events, on_epoch: Callable[[int, float], None], patience: int | None = None):
        super().__init__()
        self._validation, self._on_epoch, self._patience = validation, on_epoch, patience
        self.auc, self.epoch, self.weights = [], 0, None

    def on_epoch_end(self, epoch, logs=None):
        score = pnn_tf.predict_scores(self.model, self._validation.features, self._validation.theta)
        auc = float(pnn_tf.roc_auc(self._validation.label, score))
        if auc > max(self.auc, default=-np.inf):
            self.epoch, self.weights = epoch + 1, self.model.get_weights()
        self.auc.append(auc)
        self._on_epoch(epoch + 1, auc)
        if self._patience is not None and epoch + 1 - self.epoch >= self._patience:
            self.model.stop_training = True


def _fresh_network(recipe, shape, conditioning, n_steps, seed) -> keras.Model:
    """A network as if newly built, in a model whose training step may have been traced before.

    Tracing takes longer than many epochs on a small sample, and depends on neither the seed nor the events.
    """
    model = _traced_once(recipe, shape, conditioning, n_steps)
    new = _compiled(recipe, shape, conditioning, n_steps, seed)
    for variable, initial in zip(_state(model), _state(new), strict=True):
        variable.assign(initial)
    return model


def _compiled(recipe, shape, conditioning, n_steps, seed=0) -> keras.Model:
    model = recipe.network(*shape, conditioning, seed)
    together = steps_together(n_steps, recipe.steps_per_execution)
    model.compile(recipe.optimizer(n_steps), "binary_crossentropy", steps_per_execution=together)
    model.optimizer.build(model.trainable_variables)
    return model


_traced_once = lru_cache(maxsize=4)(_compiled)


def _state(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]
