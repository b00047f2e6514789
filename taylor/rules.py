"""From Keras layers to elementary steps: one rule a layer class.

A rule is called while the network is evaluated, with the layer and its arguments, of which at least one is a `Step`;
what depends on no analysed input is a plain tensor. It returns a step, or raises `NoRule`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from taylor import keras_graph
from taylor.activations import canonical, is_elementwise
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
    if (of_call := keras_graph.definer(layer, "call")) is not None:
        if function := RULES.get(type(layer)):
            return function(layer, *arguments, **keywords)
        for attribute, function in PROTOCOLS.items():
            if getattr(layer, attribute, False) and _speaks_for_call(layer, attribute, of_call):
                return function(layer, *arguments, **keywords)
    raise NoRule(
        f"layer {layer.name!r} ({type(layer).__name__}) has no rule", "taylor.rule adds a layer to the engine."
    )


def _speaks_for_call(layer: keras.Layer, attribute: str, of_call: type) -> bool:
    """Whether a subclass has not given the layer a `call` that the attribute of its base class knows nothing of."""
    definer = keras_graph.definer(layer, attribute)
    return definer is None or issubclass(definer, of_call)


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
    return _activated(
        layer, Linear(x, as_constant(layer.kernel, x), None if layer.bias is None else as_constant(layer.bias, x))
    )


@rule(keras.layers.Activation)
def _activation(layer, x):
    return _activated(layer, x)


@rule(keras.layers.Softmax)
def _softmax(layer, x):
    require_units_axis(layer)
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
    scale = keras.ops.cast(layer.scale, x.value.dtype.name)  # rounded as the layer itself rounds it
    return Scale(_value(layer(x.value), x), x, _vector(scale, x))


@rule(keras.layers.BatchNormalization)
def _batch_normalization(layer, x):
    scale = tf.math.rsqrt(_vector(layer.moving_variance, x) + layer.epsilon)
    if layer.scale:
        scale *= _vector(layer.gamma, x)
    return Scale(_value(layer(x.value, training=False), x), x, scale)


@rule(keras.layers.LayerNormalization)
def _layer_normalization(layer, x):
    require_units_axis(layer)
    if getattr(layer, "rms_scaling", False):
        raise NoRule(f"layer {layer.name!r} has rms_scaling; RMSNormalization has a rule")
    centred = weighted_sum(layer, (x, total(x, 1 / x.units)), (1.0, -1.0))
    return _of_unit_length(layer, x, centred, 1 / x.units, layer.epsilon, layer.gamma if layer.scale else None)


@rule(keras.layers.RMSNormalization)
def _rms_normalization(layer, x):
    require_units_axis(layer)
    return _of_unit_length(layer, x, x, 1 / x.units, layer.epsilon, layer.scale)


@rule(keras.layers.UnitNormalization)
def _unit_normalization(layer, x):
    require_units_axis(layer)
    return _of_unit_length(layer, x, x, 1.0, 0.0, None)


def _of_unit_length(layer, x, centred, factor, epsilon, gamma):
    """The layer's value, a constant apart: gamma z / sqrt(factor sum z^2 + epsilon), for z the step `centred`."""
    squares = total(Product(centred, centred), factor)
    squares = Scale(squares.value + epsilon, squares, tf.ones(1, x.value.dtype))
    unit = multiplied(layer, (centred, Elementwise(squares, tf.math.rsqrt)))
    return Scale(_value(layer(x.value), x), unit, _vector(1.0 if gamma is None else gamma, x))


@rule(keras.layers.Add)
def _add(layer, operands):
    return weighted_sum(layer, operands, [1.0] * len(operands))


@rule(keras.layers.Subtract)
def _subtract(layer, operands):
    return weighted_sum(layer, operands, [1.0, -1.0])


@rule(keras.layers.Average)
def _average(layer, operands):
    return weighted_sum(layer, operands, [1 / len(operands)] * len(operands))


@rule(keras.layers.Multiply)
def _multiply(layer, operands):
    return multiplied(layer, operands)


@rule(keras.layers.Concatenate)
def _concatenate(layer, operands):
    require_units_axis(layer)
    return side_by_side(operands)


def _scaled_and_shifted(layer, operands):
    """Any layer that offers `scale_and_shift(theta)`: z * scale + shift, elementwise."""
    z, theta = _at_fixed_theta(layer, operands)
    scale, shift = layer.scale_and_shift(theta)
    return Scale(z.value * scale + shift, z, _one_row(scale))


def _appended(layer, operands):
    """Any layer that offers `appended(theta)`: z, with that as further units."""
    z, theta = _at_fixed_theta(layer, operands)
    return side_by_side([z, layer.appended(theta)])


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


def side_by_side(operands: Sequence[Step | tf.Tensor]) -> Step:
    """Steps and constants (n_events, width), one after the other."""
    values = [_value_of(operand) for operand in operands]
    n_events = tf.reduce_max([tf.shape(value)[0] for value in values])
    rows = [tf.broadcast_to(value, (n_events, value.shape[-1])) for value in values]
    parts = [operand if isinstance(operand, Step) else None for operand in operands]
    return Concatenation(tf.concat(rows, axis=-1), parts, [value.shape[-1] for value in values])


def total(x: Step, factor: float) -> Step:
    """The sum over units, as one unit, times a factor."""
    return Linear(x, tf.constant(factor, x.value.dtype, (x.units, 1)))


def _activated(layer, x):
    function = canonical(layer.activation)
    if function is None or function is keras.activations.linear:
        return x
    if function is keras.activations.softmax:
        return Softmax(x)
    if isinstance(function, keras.Layer):
        return apply_rule(function, x)
    if not is_elementwise(function):
        name = getattr(function, "__name__", type(function).__name__)
        raise NoRule(f"layer {layer.name!r} has the activation {name!r}, not known to be elementwise")
    return Elementwise(x, function)


def multiplied(layer: keras.Operation, operands: Sequence) -> Step:
    """The product of steps and constants; what has but one unit serves all units."""
    operands = _of_one_width(layer, operands)
    constants = [operand for operand in operands if not isinstance(operand, Step)]
    product, *others = [operand for operand in operands if isinstance(operand, Step)]
    for other in others:
        product = Product(product, other)
    for constant in constants:
        product = Scale(product.value * constant, product, _one_row(constant))
    return product


def weighted_sum(layer: keras.Operation, operands: Sequence, factors: Sequence[float]) -> Step:
    """The sum of steps and constants, each times its factor; what has but one unit serves all units."""
    operands = _of_one_width(layer, operands)
    value = sum(_value_of(operand) * factor for operand, factor in zip(operands, factors, strict=True))
    steps = [(o, f) for o, f in zip(operands, factors, strict=True) if isinstance(o, Step)]
    return Sum(value, *map(list, zip(*steps, strict=True)))


def _of_one_width(layer, operands):
    """Operands that are all as wide as the widest; constants as (n_events or 1, width)."""
    dtype = next(operand.value.dtype for operand in operands if isinstance(operand, Step))
    operands = [o if isinstance(o, Step) else keras.ops.convert_to_tensor(o, dtype=dtype.name) for o in operands]
    shapes = [tuple(_value_of(operand).shape) for operand in operands]
    widths = {shape[-1] for shape in shapes if shape} - {1}
    if len(widths) > 1 or max(map(len, shapes)) > 2:
        raise NoRule(f"layer {layer.name!r} combines operands of the shapes {shapes}")
    ones = tf.ones((1, *(widths or {1})), dtype)
    return [
        operand
        if shape[-1:] == ones.shape[1:] and len(shape) == 2
        else Linear(operand, ones)
        if isinstance(operand, Step)
        else operand * ones
        for operand, shape in zip(operands, shapes, strict=True)
    ]


def require_units_axis(layer: keras.Operation) -> None:
    """Raises NoRule for a layer that acts along another axis than that of the units."""
    axis = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    if list(axis) not in ([-1], [1]):
        raise NoRule(f"layer {layer.name!r} acts along the axis {layer.axis}, not along the units of an event")


def _value_of(operand) -> tf.Tensor:
    return operand.value if isinstance(operand, Step) else operand


def _one_row(scale: tf.Tensor) -> tf.Tensor:
    """Without the axis of events where there is but one row, so that it counts as common to all."""
    return scale[0] if scale.shape[0] == 1 else scale


def as_constant(values, x: Step) -> tf.Tensor:
    """Numbers of any kind as a tensor of the type of a step."""
    return keras.ops.convert_to_tensor(values, dtype=x.value.dtype.name)


def _vector(values, x: Step) -> tf.Tensor:
    """A number, or an array with one entry a unit, as (units,)."""
    return tf.broadcast_to(tf.reshape(as_constant(values, x), (-1,)), (x.units,))


def _value(result, x: Step) -> tf.Tensor:
    return tf.cast(result, x.value.dtype)
