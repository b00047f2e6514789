import keras
import numpy as np
import pytest
import tensorflow as tf

from taylor.activations import FIRST_DERIVATIVE, PIECEWISE_LINEAR, SMOOTH, derivatives, is_elementwise
from tests.problems import ACTIVATIONS

Z = np.linspace(-4, 4, 24)  # no kink of any activation is among these, but at several of them the branch differs


def computed(function, z, order):
    return derivatives(function, tf.constant(z), function(tf.constant(z)), order)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_to_the_fourth_are_those_by_hand(name):
    function = keras.activations.get(name)
    for ours, expected in zip(computed(function, Z, 4), ACTIVATIONS[name](Z)[1:], strict=True):
        ours = np.zeros_like(Z) if ours is None else ours
        # Polynomials of degree 5 in float64, with cancellation where the activation saturates.
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("function", sorted(SMOOTH | PIECEWISE_LINEAR, key=lambda f: f.__name__))
def test_first_and_second_derivative_are_central_differences(function):
    step = 1e-4
    z = tf.constant(Z)
    below, at, above = function(z - step), function(z), function(z + step)
    first, second = computed(function, Z, 2)
    # Truncation is of order step^2, with fourth derivatives below 10; rounding is of order eps / step and eps / step^2.
    np.testing.assert_allclose(first, (above - below) / (2 * step), atol=1e-7)
    second = np.zeros_like(Z) if second is None else second
    np.testing.assert_allclose(second, (above - 2 * at + below) / step**2, atol=1e-6)


def test_only_piecewise_linear_functions_say_that_their_second_derivative_vanishes():
    for function in PIECEWISE_LINEAR:
        assert computed(function, Z, 3)[1:] == [None, None]
    for function in SMOOTH:
        assert computed(function, Z, 2)[1] is not None


def test_functions_that_mix_units_are_not_elementwise():
    for name in ("softmax", "log_softmax", "glu", "sparsemax"):
        assert not is_elementwise(keras.activations.get(name))
    assert not is_elementwise(lambda z: z)
    assert set(FIRST_DERIVATIVE) <= SMOOTH


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_derivatives_are_of_the_type_of_the_argument(dtype):
    for function in (keras.activations.tanh, keras.activations.relu, keras.activations.silu):
        assert all(d is None or d.dtype == dtype for d in computed(function, Z.astype(dtype), 3))
