"""Derivatives of elementwise functions, to any order.

tanh and sigmoid satisfy f' = p(f) with a polynomial p, so that all their derivatives are polynomials of the value,
which the forward pass has made already. Other functions are differentiated by nested tapes, which costs little for
functions of one unit.
"""

from collections.abc import Callable
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf
from numpy.polynomial import Polynomial

# f' as a polynomial of f, lowest power first.
FIRST_DERIVATIVE = {keras.activations.tanh: (1, 0, -1), keras.activations.sigmoid: (0, 1, -1)}

PIECEWISE_LINEAR = {
    keras.activations.linear,
    keras.activations.relu,
    keras.activations.leaky_relu,
    keras.activations.relu6,
    keras.activations.hard_sigmoid,
    keras.activations.hard_tanh,
    keras.activations.hard_shrink,
    keras.activations.soft_shrink,
}

SMOOTH = {
    *FIRST_DERIVATIVE,
    keras.activations.celu,
    keras.activations.elu,
    keras.activations.exponential,
    keras.activations.gelu,
    keras.activations.hard_silu,
    keras.activations.log_sigmoid,
    keras.activations.mish,
    keras.activations.selu,
    keras.activations.silu,
    keras.activations.softplus,
    keras.activations.softsign,
    keras.activations.sparse_plus,
    keras.activations.squareplus,
    keras.activations.tanh_shrink,
}

# Functions of TensorFlow and of keras.ops that are one of these.
SAME = {
    **dict.fromkeys((tf.nn.elu, keras.ops.elu), keras.activations.elu),
    **dict.fromkeys((tf.nn.gelu,), keras.activations.gelu),  # that of keras.ops is approximate by default
    **dict.fromkeys((tf.nn.leaky_relu, keras.ops.leaky_relu), keras.activations.leaky_relu),
    **dict.fromkeys((tf.nn.relu, keras.ops.relu), keras.activations.relu),
    **dict.fromkeys((tf.nn.relu6, keras.ops.relu6), keras.activations.relu6),
    **dict.fromkeys((tf.nn.selu, keras.ops.selu), keras.activations.selu),
    **dict.fromkeys((tf.nn.sigmoid, tf.math.sigmoid, keras.ops.sigmoid), keras.activations.sigmoid),
    **dict.fromkeys((tf.nn.silu, tf.nn.swish, keras.ops.silu, keras.ops.swish), keras.activations.silu),
    **dict.fromkeys((tf.nn.softmax, tf.math.softmax, keras.ops.softmax), keras.activations.softmax),
    **dict.fromkeys((tf.nn.softplus, tf.math.softplus, keras.ops.softplus), keras.activations.softplus),
    **dict.fromkeys((tf.nn.softsign, tf.math.softsign, keras.ops.softsign), keras.activations.softsign),
    **dict.fromkeys((tf.nn.tanh, tf.math.tanh, keras.ops.tanh), keras.activations.tanh),
    **dict.fromkeys((tf.exp, tf.math.exp, keras.ops.exp), keras.activations.exponential),
    **dict.fromkeys((tf.identity,), keras.activations.linear),
}

# TensorFlow's own softsign has but a first derivative.
TWICE_DIFFERENTIABLE = {keras.activations.softsign: lambda z: z / (1 + tf.abs(z))}


def canonical(function: Callable | None) -> Callable | None:
    """A function by the name that it has among `keras.activations`, where that is the same; else as it is."""
    if isinstance(function, keras.layers.Softmax) and function.axis in (-1, 1):
        return keras.activations.softmax
    try:
        return SAME.get(function, function)
    except TypeError:  # not hashable
        return function


def is_elementwise(function: Callable) -> bool:
    """Whether a function is known to act on each unit alone."""
    return function in PIECEWISE_LINEAR or function in SMOOTH


def derivatives(function: Callable, argument: tf.Tensor, value: tf.Tensor, order: int) -> list[tf.Tensor | None]:
    """First to `order`-th derivative of an elementwise function.

    Args:
        function: from tensor to tensor of the same shape.
        argument: where.
        value: `function(argument)`.
        order: the highest derivative, at least 1.

    Returns:
        One tensor a derivative, of the argument's shape; None from the second on if it vanishes wherever it exists.
    """
    if function in FIRST_DERIVATIVE:
        return [_horner(coefficients, value) for coefficients in _polynomials(function, order)]
    if function in PIECEWISE_LINEAR:
        return [_slope(function, argument), *[None] * (order - 1)]
    tapes = [tf.GradientTape() for _ in range(order)]
    return _nested(TWICE_DIFFERENTIABLE.get(function, function), argument, tapes)


@lru_cache
def _polynomials(function: Callable, order: int) -> tuple[tuple[float, ...], ...]:
    first = Polynomial(FIRST_DERIVATIVE[function])
    polynomials = [first]
    for _ in range(order - 1):
        polynomials.append(polynomials[-1].deriv() * first)  # d/dx p(f(x)) = p'(f) f'
    return tuple(tuple(p.coef) for p in polynomials)


def _horner(coefficients: tuple[float, ...], value: tf.Tensor) -> tf.Tensor:
    result = tf.fill(tf.shape(value), tf.cast(coefficients[-1], value.dtype))
    for coefficient in coefficients[-2::-1]:
        result = result * value
        if coefficient:
            result += np.asarray(coefficient, value.dtype.as_numpy_dtype)
    return result


def _slope(function: Callable, argument: tf.Tensor) -> tf.Tensor:
    if function is keras.activations.linear:
        return tf.ones_like(argument)
    if function is keras.activations.relu:
        return tf.cast(argument > 0, argument.dtype)
    with tf.GradientTape() as tape:
        tape.watch(argument)
        total = tf.reduce_sum(function(argument))
    return tape.gradient(total, argument)


def _nested(function: Callable, argument: tf.Tensor, tapes: list[tf.GradientTape]) -> list[tf.Tensor]:
    if not tapes:
        return []
    with tapes[0] as tape:
        tape.watch(argument)
        below = _nested(function, argument, tapes[1:])
        highest = below[-1] if below else function(argument)
        total = tf.reduce_sum(highest)
    return [*below, tape.gradient(total, argument, unconnected_gradients="zero")]
