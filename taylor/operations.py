"""From Keras' operations on tensors, such as `a + b` or `keras.ops.tanh(x)` in a functional model, to elementary steps.

One rule an operation, by the name of its class; arguments as for the rules of layers.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from taylor import keras_graph
from taylor.rules import as_constant, multiplied, require_units_axis, side_by_side, total, weighted_sum
from taylor.steps import Elementwise, Linear, NoRule, Softmax, Step

OPERATIONS: dict[str, Callable] = {}

# Operations that are an activation without further parameters.
ACTIVATIONS = {
    "HardSigmoid": keras.activations.hard_sigmoid,
    "LogSigmoid": keras.activations.log_sigmoid,
    "Relu": keras.activations.relu,
    "Relu6": keras.activations.relu6,
    "Selu": keras.activations.selu,
    "Sigmoid": keras.activations.sigmoid,
    "Silu": keras.activations.silu,
    "Softplus": keras.activations.softplus,
    "Softsign": keras.activations.softsign,
    "Tanh": keras.activations.tanh,
}

# Operations of one tensor that act on each unit alone, with parameters of their own.
SMOOTH = (
    *("Celu", "Cos", "Cosh", "Elu", "Erf", "Exp", "Expm1", "Gelu", "Log", "Log10", "Log1p", "Log2", "Reciprocal"),
    *("Rsqrt", "Sin", "Sinh", "SparsePlus", "Sqrt", "Square", "Squareplus", "TanhShrink"),
)
PIECEWISE = ("Absolute", "Clip", "HardShrink", "HardTanh", "LeakyRelu", "ReLU", "SoftShrink")


def operation(*names: str) -> Callable[[Callable], Callable]:
    """Decorator: makes a function the rule of the operations of these names."""

    def register(function):
        OPERATIONS.update(dict.fromkeys(names, function))
        return function

    return register


def apply_operation(called: keras.Operation, *arguments: Any, **keywords: Any) -> Step | list[Step]:
    """The step, or steps, that an operation makes of its arguments.

    Raises:
        NoRule: no rule for this operation, or for this use of it.
    """
    name = keras_graph.operation_name(called)
    if name not in OPERATIONS or keywords:
        raise NoRule(f"operation {called.name!r} ({type(called).__name__}) has no rule")
    return OPERATIONS[name](called, *arguments)


@operation(*ACTIVATIONS)
def _activation(called, x):
    return Elementwise(x, ACTIVATIONS[type(called).__name__])


@operation(*SMOOTH)
def _smooth(called, x):
    return Elementwise(x, called)


@operation(*PIECEWISE)
def _piecewise_linear(called, x):
    step = Elementwise(x, called)
    step.second = None
    return step


@operation("Softmax")
def _softmax(called, x):
    require_units_axis(called)
    return Softmax(x)


@operation("Power")
def _power(called, x, exponent):
    exponent = _constant(called, exponent, x, rank=0)
    return Elementwise(x, lambda z: tf.pow(z, exponent))


@operation("Maximum", "Minimum")
def _bounded(called, *operands):
    x, bound = operands if isinstance(operands[0], Step) else operands[::-1]
    bound = _constant(called, bound, x, rank=0)
    return _piecewise_linear(lambda z: called(z, bound), x)


@operation("Add")
def _add(called, *operands):
    return weighted_sum(called, operands, (1.0, 1.0))


@operation("Subtract")
def _subtract(called, *operands):
    return weighted_sum(called, operands, (1.0, -1.0))


@operation("Negative")
def _negative(called, x):
    return weighted_sum(called, (x,), (-1.0,))


@operation("Multiply")
def _multiply(called, *operands):
    return multiplied(called, operands)


@operation("Divide", "TrueDivide")
def _divide(called, numerator, denominator):
    if isinstance(denominator, Step):
        return multiplied(called, (numerator, Elementwise(denominator, tf.math.reciprocal)))
    return multiplied(called, (numerator, 1 / as_constant(denominator, numerator)))


@operation("Dot", "Matmul")
def _matmul(called, x, kernel):
    if not isinstance(x, Step):
        raise NoRule(f"operation {called.name!r} has the events on its right side")
    return Linear(x, _constant(called, kernel, x, rank=2))


@operation("Mean", "Sum")
def _total(called, x):
    require_units_axis(called)
    if not called.keepdims:
        raise NoRule(f"operation {called.name!r} gives an event no axis; use keepdims=True")
    return total(x, 1 / x.units if type(called).__name__ == "Mean" else 1.0)


@operation("Concatenate")
def _concatenate(called, operands):
    require_units_axis(called)
    return side_by_side(operands)


@operation("GetItem")
def _columns(called, x, key):
    events, units = key if isinstance(key, tuple) and len(key) == 2 else (None, None)
    if events not in (slice(None), Ellipsis) or not isinstance(units, slice):
        raise NoRule(f"operation {called.name!r} is not a slice of units, such as x[:, 2:5]")
    return _selected(x, np.arange(x.units)[units])


@operation("Split")
def _split(called, x):
    require_units_axis(called)
    return [_selected(x, units) for units in np.split(np.arange(x.units), called.indices_or_sections)]


@operation("Take")
def _take(called, x, indices):
    require_units_axis(called)
    if np.ndim(indices) != 1:
        raise NoRule(f"operation {called.name!r} does not take a list of units")
    return _selected(x, np.arange(x.units)[np.asarray(indices)])


@operation("Reshape")
def _reshape(called, x):
    if called(x.value).shape[1:] != x.value.shape[1:]:
        raise NoRule(f"operation {called.name!r} changes the shape of an event")
    return x


def _constant(called: keras.Operation, value: Any, x: Step, rank: int) -> tf.Tensor:
    constant = None if isinstance(value, Step) else as_constant(value, x)
    if constant is None or constant.shape.rank != rank:
        raise NoRule(f"operation {called.name!r} has another operand than {('a number', '', 'a matrix')[rank]}")
    return constant


def _selected(x: Step, units: Sequence[int] | np.ndarray) -> Step:
    return Linear(x, tf.gather(tf.eye(x.units, dtype=x.value.dtype), units, axis=1))
