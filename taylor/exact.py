"""What TensorFlow's own gradients lack at the second order, and what takes its place while a model is differentiated.

Softsign has no second derivative. `tf.nn.moments` takes the mean in its variance for a constant: the first derivative
is right all the same, the second is not, and with it those of LayerNormalization and GroupNormalization.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import tensorflow as tf

_lock = RLock()


@contextmanager
def exact_gradients() -> Iterator[None]:
    """Within it, operations are made that can be differentiated more than once. Their values are the same."""
    with _lock:
        _register_softsign()
        modules = {tf.nn: tf.nn.moments, tf.compat.v2.nn: tf.compat.v2.nn.moments}
        try:
            for module in modules:
                module.moments = _moments
            yield
        finally:
            for module, moments in modules.items():
                module.moments = moments


def _moments(x, axes, shift=None, keepdims=False, name=None):
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=True)
    return (mean, variance) if keepdims else (tf.squeeze(mean, axes), tf.squeeze(variance, axes))


def _register_softsign() -> None:
    try:
        tf.RegisterGradient("SoftsignGrad")(_of_softsign_gradient)
    except KeyError:  # it is registered, by us or by TensorFlow
        return


def _of_softsign_gradient(operation, gradient):
    """Of the operation f(g, z) = g / (1 + |z|)^2."""
    g, z = operation.inputs
    distance = 1 + tf.abs(z)
    return gradient / distance**2, -2 * gradient * g * tf.sign(z) / distance**3
