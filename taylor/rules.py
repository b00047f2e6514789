"""From Keras layers to elementary steps: one rule a layer class.

A rule is called while the network is evaluated, with the layer and its arguments, of which at least one is a `Step`;
what depends on no analysed input is a plain tensor. It returns a step, or raises `NoRule`.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from taylor.activations import is_elementwise
from taylor.steps import Concatenation, Elementwise, Linear, NoRule, Product, Scale, Softmax, Step, Sum

RULES: dict[type, Callable] = {}


def rule(*layer_classes: type) -> Callable[[Callable], Callable]:
    """Decorator: makes a function the rule of layers of these very classes; a later rule replaces an earlier one.

    >>> @rule(keras.layers.Identity)
    ... def _identity(layer, x):
    ...     return x
    """

    def register(function):
        RULES.update(dict.fromkeys(layer_classes, function))
        return function

    return register


def apply_rule(layer: keras.Layer, *arguments: Any, **keywords: Any) -> Step:
    """The step that a layer makes of its arguments.

    Raises:
        NoRule: no rule for this class, or for this use of it.
    """
    if function := RULES.get(type(layer)):
        return function(layer, *arguments, **keywords)
    for attribute, function in PROTOCOLS.items():
        if hasattr(layer, attribute):
            return function(layer, *arguments, **keywords)
    raise NoRule(f"layer {layer.name!r} ({type(layer).__name__}) has no rule")


@rule(
    keras.layers.ActivityRegularization,
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
)
def _unchanged(layer, x):
    return x


@rule(keras.layers.Flatten, keras.layers.Reshape)
def _flat(layer, x):
    if len(layer(x.value).shape) != 2:
        raise NoRule(f"layer {layer.name!r} gives an event more than one axis")
    return x


@rule(keras.layers.Dense)
def _dense(layer, x):
    return _activated(layer, Linear(x, _cast(layer.kernel, x), None if layer.bias is None else _cast(layer.bias, x)))


@rule(keras.layers.Activation)
def _activation(layer, x):
    return _activated(layer, x)


@rule(keras.layers.Softmax)
def _softmax(layer, x):
    return Softmax(x)


@rule(keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.PReLU, keras.layers.ELU)
def _activation_layer(layer, x):
    step = Elementwise(x, layer)
    if not isinstance(layer, keras.layers.ELU):
        step.second = None
    return step


@rule(keras.layers.Normalization)
def _normalization(layer, x):
    deviation = tf.maximum(tf.sqrt(_vector(layer.variance, x)), keras.config.epsilon())
    return Scale(_value(layer(x.value), x), x, deviation if layer.invert else 1 / deviation)


@rule(keras.layers.Rescaling)
def _rescaling(layer, x):
    return Scale(_value(layer(x.value), x), x, _vector(layer.scale, x))


@rule(keras.layers.BatchNormalization)
def _batch_normalization(layer, x):
    scale = tf.math.rsqrt(_vector(layer.moving_variance, x) + layer.epsilon)
    if layer.scale:
        scale *= _vector(layer.gamma, x)
    return Scale(_value(layer(x.value, training=False), x), x, scale)


@rule(keras.layers.Add)
def _add(layer, operands):
    return _weighted_sum(layer, operands, [1.0] * len(operands))


@rule(keras.layers.Subtract)
def _subtract(layer, operands):
    return _weighted_sum(layer, operands, [1.0, -1.0])


@rule(keras.layers.Average)
def _average(layer, operands):
    return _weighted_sum(layer, operands, [1 / len(operands)] * len(operands))


@rule(keras.layers.Multiply)
def _multiply(layer, operands):
    _require_one_width(layer, operands)
    constants = [operand for operand in operands if not isinstance(operand, Step)]
    product, *others = [operand for operand in operands if isinstance(operand, Step)]
    for other in others:
        product = Product(product, other)
    for constant in constants:
        product = Scale(product.value * constant, product, _one_row(constant))
    return product


@rule(keras.layers.Concatenate)
def _concatenate(layer, operands):
    if layer.axis not in (-1, 1):
        raise NoRule(f"layer {layer.name!r} concatenates events")
    return _side_by_side(operands)


def _scaled_and_shifted(layer, operands):
    """Any layer that offers `scale_and_shift(theta)`: z * scale + shift, elementwise."""
    z, theta = _at_fixed_theta(layer, operands)
    scale, shift = layer.scale_and_shift(theta)
    return Scale(z.value * scale + shift, z, _one_row(scale))


def _appended(layer, operands):
    """Any layer that offers `appended(theta)`: z, with that as further units."""
    z, theta = _at_fixed_theta(layer, operands)
    return _side_by_side([z, layer.appended(theta)])


PROTOCOLS = {  # by the attribute that a layer offers
    "scale_and_shift": _scaled_and_shifted,
    "appended": _appended,
    "identity_at_inference": _unchanged,
}


def _at_fixed_theta(layer, operands):
    z, theta = operands
    if isinstance(theta, Step):
        raise NoRule(f"layer {layer.name!r} ({type(layer).__name__}) is analysed in theta too")
    if not isinstance(z, Step):
        raise NoRule(f"layer {layer.name!r} ({type(layer).__name__}) conditions what is not analysed")
    return z, theta


def _side_by_side(operands):
    values = [_value_of(operand) for operand in operands]
    n_events = tf.reduce_max([tf.shape(value)[0] for value in values])
    rows = [tf.broadcast_to(value, (n_events, value.shape[-1])) for value in values]
    parts = [operand if isinstance(operand, Step) else None for operand in operands]
    return Concatenation(tf.concat(rows, axis=-1), parts, [value.shape[-1] for value in values])


def _activated(layer, x):
    function = layer.activation
    if function is None or function is keras.activations.linear:
        return x
    if function is keras.activations.softmax:
        return Softmax(x)
    if not is_elementwise(function):
        name = getattr(function, "__name__", type(function).__name__)
        raise NoRule(f"layer {layer.name!r} has the activation {name!r}, not known to be elementwise")
    return Elementwise(x, function)


def _weighted_sum(layer, operands, factors):
    _require_one_width(layer, operands)
    value = sum(_value_of(operand) * factor for operand, factor in zip(operands, factors, strict=True))
    steps = [(o, f) for o, f in zip(operands, factors, strict=True) if isinstance(o, Step)]
    return Sum(value, *map(list, zip(*steps, strict=True)))


def _require_one_width(layer, operands):
    widths = {_value_of(operand).shape[-1] for operand in operands}
    if len(widths) > 1:
        raise NoRule(f"layer {layer.name!r} broadcasts operands of the widths {sorted(widths)}")


def _value_of(operand) -> tf.Tensor:
    return operand.value if isinstance(operand, Step) else operand


def _one_row(scale: tf.Tensor) -> tf.Tensor:
    """Without the axis of events where there is but one row, so that it counts as common to all."""
    return scale[0] if scale.shape[0] == 1 else scale


def _cast(values, x: Step) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(values), x.value.dtype)


def _vector(values, x: Step) -> tf.Tensor:
    """A number, or an array with one entry a unit, as (units,)."""
    return tf.broadcast_to(tf.reshape(_cast(values, x), (-1,)), (x.units,))


def _value(result, x: Step) -> tf.Tensor:
    return tf.cast(result, x.value.dtype)
