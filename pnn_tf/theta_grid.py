"""The output of a network for each event at every point of a grid of theta, as a graph."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from pnn_tf import keras_graph
from pnn_tf.columns import FeatureNames
from pnn_tf.discriminants import LogOdds
from pnn_tf.dropout import FastDropout
from pnn_tf.layers import AffineConditioning, ConcatConditioning, ThetaScale

KNOWN = (
    keras.layers.InputLayer,
    keras.layers.Activation,
    keras.layers.Dense,
    keras.layers.Dropout,
    FastDropout,
    keras.layers.Normalization,
    FeatureNames,
    ThetaScale,
    AffineConditioning,
    ConcatConditioning,
    LogOdds,
)
TOGETHER = 1 << 14  # rows of a hidden layer in one go: enough for all cores of a processor, little in memory


def on_grid(model: keras.Model, features: tf.Tensor, grid: tf.Tensor) -> tf.Tensor:
    """The model's output for each event at every point of a grid.

    In a network of the layers of `parametric_network`, the grid is one more axis: what comes before theta is computed
    once, and functions of theta once for each point rather than for each event. The second is up to half of an
    affine network's time on a CPU; with concatenated theta the first layer is a tenth, and the rest remains. A layer
    with a method `on_grid`, as that of `load_savedmodel`, is asked itself. In any other model the events are repeated
    at each point.

    Args:
        model: functional, with the inputs `features` and `theta` and one output tensor.
        features: (n_events, n_features) float32; either number may be unknown in a graph.
        grid: (n_points, n_parameters) float32, likewise.

    Returns:
        (n_events, n_points) float32; of a model of several classes (n_events, n_points, n_classes).
    """
    n_points, n_classes = tf.shape(grid)[0], model.outputs[0].shape[-1]
    if not is_known(model):

        def at(point):
            theta = tf.repeat(point[tf.newaxis], tf.shape(features)[0], axis=0)
            return tf.cast(model({"features": features, "theta": theta}, training=False), tf.float32)

        spec = tf.TensorSpec((None, n_classes), tf.float32)
        return _by_event(tf.map_fn(at, grid, fn_output_signature=spec))

    def along_grid(features):
        theta = grid[:, tf.newaxis]  # (n_points, 1, n_parameters), beside the events' (n_events, n_features)
        inputs = [{"features": features, "theta": theta}[tensor.name] for tensor in model.inputs]
        (score,) = keras_graph.evaluate(model, inputs, _call)
        return _by_event(tf.broadcast_to(score, [n_points, tf.shape(features)[0], n_classes]))

    shape = (grid.shape[0],) if n_classes == 1 else (grid.shape[0], n_classes)
    return _in_parts(along_grid, features, tf.maximum(TOGETHER // tf.maximum(n_points, 1), 1), shape)


def _by_event(score: tf.Tensor) -> tf.Tensor:
    """(n_points, n_events, n_classes) as (n_events, n_points, n_classes), without the last axis if it is of one."""
    score = tf.transpose(score, [1, 0, 2])
    return score[..., 0] if score.shape[-1] == 1 else score


def is_known(model: keras.Model) -> bool:
    """Whether theta of one row beside features of many is right in every layer of a model."""
    return (
        keras_graph.is_functional(model)
        and all(type(layer) in KNOWN or hasattr(layer, "on_grid") for layer in model.operations)
        and all(layer.compute_dtype == "float32" for layer in model.operations)
        and all(
            _feeds_dense_layers(layer)
            for layer in model.layers
            if isinstance(layer, (ConcatConditioning, AffineConditioning))
        )
    )


def _feeds_dense_layers(layer: keras.Layer) -> bool:
    """Whether a layer's output goes to Dense layers alone, directly or through dropout."""
    following = keras_graph.followers(layer)
    return bool(following) and all(
        _feeds_dense_layers(other) if isinstance(other, keras.layers.Dropout) else type(other) is keras.layers.Dense
        for other in following
    )


def _call(layer: keras.Layer, inputs: Any, **keywords: Any) -> Any:
    """A layer, called on features (n_events, n), on functions of theta (n_points, 1, n), or (n_points, n_events, n)."""
    if hasattr(layer, "on_grid"):
        return layer.on_grid(inputs)
    if isinstance(layer, keras.layers.Dropout):
        return inputs
    if isinstance(layer, ConcatConditioning):
        x, theta = inputs
        return _Concatenated(x, layer.appended(theta))
    if isinstance(layer, AffineConditioning):
        z, theta = inputs
        scale, shift = layer.scale_and_shift(theta)
        return _Affine(z, scale if layer.scaling else None, shift)
    if isinstance(inputs, (_Concatenated, _Affine)):
        return inputs.dense(layer)
    if isinstance(layer, keras.layers.Dense) and len(inputs.shape) == 3:
        # As a matrix, for which TensorFlow computes product, bias and activation in one.
        rows = layer(tf.reshape(inputs, [-1, inputs.shape[-1]]))
        return tf.reshape(rows, [*tf.unstack(tf.shape(inputs)[:2]), layer.units])
    return layer(inputs)


class _Concatenated:
    """x beside what ConcatConditioning appends to it; their product with a kernel is the sum of a product of each."""

    def __init__(self, x, appended):
        self.x, self.appended = x, appended

    def dense(self, layer):
        of_x, of_appended = tf.split(layer.kernel, [self.x.shape[-1], self.appended.shape[-1]])
        row = tf.matmul(self.appended, of_appended)
        if layer.use_bias:
            row += layer.bias
        # With an axis for the points already: of a product (n_events, units) and a row (1, 1, units), TensorFlow's
        # optimizer makes one operation whose result has lost that axis.
        return layer.activation(tf.matmul(self.x, of_x)[tf.newaxis] + row)


class _Affine:
    """z * scale + shift; with a kernel W, (z * scale + shift) W = z (diag(scale) W) + shift W.

    So a block costs one product an event and point, as a block without conditioning does. scale is None for 1.
    """

    def __init__(self, z, scale, shift):
        self.z, self.scale, self.shift = z, scale, shift

    def dense(self, layer):
        kernel = tf.convert_to_tensor(layer.kernel)
        row = tf.matmul(self.shift, kernel)
        if layer.use_bias:
            row += layer.bias
        if self.scale is not None:
            kernel = tf.linalg.matrix_transpose(self.scale) * kernel  # (n_points, n_units, layer.units)
        product = tf.matmul(self.z, kernel)
        if len(product.shape) == 2:
            # Of a product (n_events, units) and a row (1, 1, units), TensorFlow's optimizer would make one operation
            # whose result has lost the axis of points.
            product = product[tf.newaxis]
        return layer.activation(product + row)


def _in_parts(function: Callable, events: tf.Tensor, size: tf.Tensor, shape: tuple[int | None, ...]) -> tf.Tensor:
    """function(events) (n_events, *shape), computed for `size` events after the other."""
    n_parts = tf.maximum((tf.shape(events)[0] + size - 1) // size, 1)
    parts = tf.TensorArray(tf.float32, n_parts, infer_shape=False, element_shape=(None, *shape))
    _, parts = tf.while_loop(
        lambda i, _: i < n_parts,
        lambda i, parts: (i + 1, parts.write(i, function(events[i * size : (i + 1) * size]))),
        (0, parts),
        parallel_iterations=1,
    )
    return parts.concat()
