"""What the tests of engines share: float64, and derivatives that owe nothing to the engines."""

import keras
import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture(scope="module")
def float64():
    """Keras makes layers in float64, in all of the module."""
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


@pytest.fixture(scope="session")
def forward_over_reverse():
    """A function from (respond, x) to gradient (n_events, n_inputs) and Hessian (n_events, n_inputs, n_inputs).

    Each event is repeated once an input; the gradient is by a tape, and its change along that input by a forward
    accumulator: exact, on the model's own operations.
    """

    def derivatives(respond, x):
        n_events, n_inputs = x.shape
        rows = tf.constant(np.repeat(x, n_inputs, axis=0))
        directions = tf.constant(np.tile(np.eye(n_inputs), (n_events, 1)))
        with tf.autodiff.ForwardAccumulator(rows, directions) as forward:
            with tf.GradientTape() as tape:
                tape.watch(rows)
                total = tf.reduce_sum(respond(rows))
            gradient = tape.gradient(total, rows)
        hessian = forward.jvp(gradient, unconnected_gradients="zero")
        return gradient.numpy()[::n_inputs], hessian.numpy().reshape(n_events, n_inputs, n_inputs)

    return derivatives
