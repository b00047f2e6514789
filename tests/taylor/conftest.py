"""What the tests of engines share: float64, and derivatives that owe nothing to the engines."""

import keras
import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture(scope="module")
def float64():
    """Keras makes inputs and layers in float64, in all of the module."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def uncompiled():
    """Graphs run operation by operation, where a test is not about what a compiler makes of them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def small_chunks(monkeypatch):
    """Blocks of 128 events for 9 features, and so chunks of about a thousand."""
    monkeypatch.setattr("taylor.analysis.CPU_BLOCK", (1 << 10, 1 << 12))


@pytest.fixture(scope="session")
def differences():
    """A function from (respond, x, *fixed) to gradient (n_events, n_inputs) and Hessian (n_events, n_inputs, n_inputs).

    The gradient is by a tape on the model's own operations; the Hessian are its differences to fourth order,

        (8 g(x + h) - 8 g(x - h) - g(x + 2 h) + g(x - 2 h)) / 12 h.

    With h = 1e-3 they are exact to h^4 / 30 times a sixth derivative and to 2 eps / h: 1e-11 for networks as here.
    """
    step, shifts, factors = 1e-3, (1, -1, 2, -2), (8, -8, -1, 1)

    def derivatives(respond, x, *fixed):
        n_events, n_inputs = x.shape
        moved = np.array([np.zeros((n_inputs, n_inputs)), *(shift * step * np.eye(n_inputs) for shift in shifts)])
        rows = tf.constant((x + moved[:, :, None]).reshape(-1, n_inputs))
        fixed = [tf.tile(part, (len(rows) // n_events, 1)) for part in fixed]
        with tf.GradientTape() as tape:
            tape.watch(rows)
            total = tf.reduce_sum(respond(rows, *fixed))
        gradient, *gradients = tape.gradient(total, rows).numpy().reshape(-1, n_inputs, n_events, n_inputs)
        hessian = np.tensordot(factors, gradients, axes=1) / (12 * step)
        return gradient[0], hessian.swapaxes(0, 1)

    return derivatives
