"""The general engine: nested gradient tapes on the model itself, for any differentiable Keras model and any order."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from taylor.features import FeatureSet
from taylor.response import Response


def autodiff(response: Response, features: FeatureSet, vectorised: bool = True) -> Callable:
    """A function from the model's input tensors to the partial derivatives (n_events, n_features).

    Each order differentiates only those derivatives of the order below that a feature needs, and each of them once,
    whatever the order of its inputs.
    """
    needed = _needed(features)

    def compute(tensors):
        widths = [tensors[i].shape[1] for i in response.analysed]
        parts = list(tensors)

        def respond(x):
            for i, part in zip(response.analysed, tf.split(x, widths, axis=1), strict=True):
                parts[i] = part
            return response(parts)

        x = tf.concat([tensors[i] for i in response.analysed], axis=1)
        columns = []
        for order, derivatives in enumerate(_derivatives(respond, x, needed, vectorised), start=1):
            wanted = np.array([needed[order - 1].index(tuple(index)) for index in features.of_order(order)], np.int64)
            columns.append(tf.transpose(tf.gather(derivatives, wanted, axis=1)))
        return features.in_order(columns)

    return compute


def _needed(features: FeatureSet) -> list[list[tuple[int, ...]]]:
    """For each order, the index tuples whose derivative is a feature, or on the way to one."""
    needed: list[list[tuple[int, ...]]] = []
    above: set[tuple[int, ...]] = set()
    for order in range(features.order, 0, -1):
        above = {tuple(index) for index in features.of_order(order).tolist()} | {index[:-1] for index in above}
        needed.insert(0, sorted(above))
    return needed


def _derivatives(
    respond: Callable, x: tf.Tensor, needed: list[list[tuple[int, ...]]], vectorised: bool
) -> list[tf.Tensor]:
    """One tensor (n_events, len(needed)) an order."""
    with tf.GradientTape(persistent=not vectorised) as tape:
        tape.watch(x)
        if len(needed) == 1:
            total = tf.reduce_sum(respond(x))
        else:
            below = _derivatives(respond, x, needed[:-1], vectorised)
            prefixes = sorted({index[:-1] for index in needed[-1]})
            lower = tf.gather(below[-1], [needed[-2].index(prefix) for prefix in prefixes], axis=1)
    if len(needed) == 1:
        gradient = tape.gradient(total, x, unconnected_gradients="zero")
        return [tf.gather(gradient, [i for (i,) in needed[0]], axis=1)]
    # (n_events, prefixes, inputs)
    rows = tape.batch_jacobian(lower, x, unconnected_gradients="zero", experimental_use_pfor=vectorised)
    n_inputs = x.shape[1]
    positions = [prefixes.index(index[:-1]) * n_inputs + index[-1] for index in needed[-1]]
    flat = tf.reshape(rows, (-1, len(prefixes) * n_inputs))
    return [*below, tf.gather(flat, positions, axis=1)]
