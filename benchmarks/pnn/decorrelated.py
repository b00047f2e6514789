"""A trained network, trained on with its background's score decorrelated from the reconstructed mass.

Kasieczka and Shih, PRL 125 (2020) 122001, arXiv:2001.05310.
"""

import keras
import tensorflow as tf

import pnn_tf
from benchmarks.affine.networks import M_WWBB
from benchmarks.data.events import Events
from benchmarks.training import Recipe, steps_together


def decorrelated(
    recipe: Recipe, model: keras.Model, events: Events, seed: int, strength: float, at_fixed_mass: bool, epochs: int
) -> keras.Model:
    """A copy of a network, trained with a penalty.

    Args:
        recipe: by which the network was trained.
        model: the network, trained on these events with this seed.
        events: training events; the same part of them is left out for validation. Background masses are drawn from the
            hypotheses.
        seed: of the split and the batches.
        strength: of the penalty.
        at_fixed_mass: whether the correlation is of background that is told the same mass, or of all at once.
        epochs: how many.
    """
    training, _ = events.split(recipe.validation_fraction, seed)
    batches = recipe.batches(training, pnn_tf.Identical(events.hypotheses), seed)
    column, n_steps = events.names.index(M_WWBB), batches.steps_per_epoch

    def target(x, label):
        beside = [x["features"][:, column : column + 1], *([x["theta"]] if at_fixed_mass else [])]
        return x, tf.concat([label, *beside], axis=1)

    new = keras.models.clone_model(model)
    new.set_weights(model.get_weights())
    together = steps_together(n_steps, recipe.steps_per_execution)
    loss = pnn_tf.DecorrelatedCrossentropy(strength)
    new.compile(recipe.optimizer(n_steps), loss, steps_per_execution=together)
    new.fit(batches.dataset.map(target), steps_per_epoch=n_steps, epochs=epochs, shuffle=False, verbose=0)
    return new
