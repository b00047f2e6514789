"""Scores of a Keras model for arrays of events, by functions that are compiled once a model for any number of them.

Keras' own `predict_on_batch` compiles anew for other numbers of events, and repeats them under `MirroredStrategy`.
"""

import weakref
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pnn_tf import checks, keras_graph
from pnn_tf.theta_grid import is_known, on_grid

SEVERAL_OUTPUTS = (
    "Expected a model with one output, (n_events, 1). It gives: {}. Of several classes, take the discriminant of a "
    "signal, or predict_classes and evaluate_classes."
)
_COMPILED: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # of each model, what it consists of and functions


def at_own_theta(model: keras.Model, features: np.ndarray, theta: np.ndarray, batch_size: int) -> np.ndarray:
    """Scores of events, each at its own theta.

    Args:
        model: with the named inputs `features` and `theta`, or `features` alone, and one output.
        features: (n_events, n_features) float32.
        theta: (n_events, n_parameters) float32.
        batch_size: number of events computed in one go, up to an eighth more.

    Returns:
        (n_events,) float32.

    Raises:
        ValueError: a model with other inputs, other numbers of features or parameters, or more than one output; a
            batch_size that is not an int of at least 1.
    """
    names = require_inputs(model, features.shape[1], theta.shape[1])
    if names == {"features"}:
        return at_points(model, features, np.arange(len(features)), theta[:1], batch_size)[0]
    score = _compiled(model, _at_own_theta, features.shape[1], theta.shape[1])
    scores = np.empty(len(features), np.float32)
    for part in _parts(len(features), batch_size):
        scores[part] = score(tf.constant(features[part]), tf.constant(theta[part])).numpy()
    return scores


def at_points(
    model: keras.Model, features: np.ndarray, rows: np.ndarray, points: np.ndarray, batch_size: int
) -> np.ndarray:
    """Scores of some events, each at every point of theta.

    Args:
        model: as in `at_own_theta`.
        features: (n_events, n_features) float32.
        rows: (n_rows,) the events.
        points: (n_points, n_parameters) float32.
        batch_size: number of events computed in one go, up to an eighth more.

    Returns:
        (n_points, n_rows) float32.

    Raises:
        ValueError: as `at_own_theta`.
    """
    names = require_inputs(model, features.shape[1], points.shape[1])
    takes_theta = "theta" in names
    together = takes_theta and is_known(model)
    kind = _at_points if together else _at_one_point if takes_theta else _without_theta
    score = _compiled(model, kind, features.shape[1], points.shape[1])
    scores = np.empty((len(points) if takes_theta else 1, len(rows)), np.float32)
    for part in _parts(len(rows), batch_size):
        x = tf.constant(features[rows[part]])
        if together:
            scores[:, part] = score(x, tf.constant(points)).numpy()
        else:
            for i in range(len(scores)):
                scores[i, part] = score(x, tf.constant(points[i : i + 1])).numpy()
    return scores if takes_theta else np.repeat(scores, len(points), axis=0)


def all_outputs(model: keras.Model, features: np.ndarray, theta: np.ndarray, batch_size: int) -> np.ndarray:
    """All outputs of a model of several classes, or several scores.

    Args:
        model: functional, as in `at_own_theta` but for the number of outputs.
        features: (n_events, n_features) float32.
        theta: (n_events, n_parameters) float32, or (1, n_parameters) for all events.
        batch_size: number of events computed in one go, up to an eighth more.

    Returns:
        (n_events, n_outputs) float32.

    Raises:
        ValueError: a batch_size that is not an int of at least 1.
    """
    outputs = _compiled(model, _all_outputs, features.shape[1], theta.shape[1])
    theta = np.broadcast_to(theta, (len(features), theta.shape[1]))
    values = np.empty((len(features), model.outputs[0].shape[1]), np.float32)
    for part in _parts(len(features), batch_size):
        values[part] = outputs(tf.constant(features[part]), tf.constant(theta[part])).numpy()
    return values


def require_inputs(model: keras.Model, n_features: int, n_parameters: int) -> set[str]:
    """The names of a model's inputs: features and theta, or features alone.

    A subclassed model does not say: it is taken to have both.

    Raises:
        ValueError: other inputs, or of other sizes; several outputs.
    """
    shapes = {tensor.name: tensor.shape for tensor in getattr(model, "inputs", None) or ()}
    names = set(shapes) or {"features", "theta"}
    if "features" not in names or not names <= {"features", "theta"}:
        raise ValueError(f"Expected a model with the inputs 'features' and 'theta', or 'features'. It has: {names}")
    outputs = [tuple(tensor.shape) for tensor in getattr(model, "outputs", None) or ()]
    if outputs and (len(outputs) > 1 or len(outputs[0]) != 2 or outputs[0][1] != 1):
        raise ValueError(SEVERAL_OUTPUTS.format(outputs))
    expected = shapes["features"][-1] if shapes else None
    if expected not in (None, n_features):
        raise ValueError(
            f"Expected features of {expected} columns, as the model was built with. Received: {n_features}. Give those "
            "that it was trained with, in their order."
        )
    expected = shapes["theta"][-1] if "theta" in shapes else None
    if expected not in (None, n_parameters):  # Keras takes one column for any number of them
        raise ValueError(f"Expected theta of {expected} parameters, as the model. Received: {n_parameters}")
    return names


def _parts(n: int, batch_size: int) -> Iterator[slice]:
    """Slices of n rows, of equal size: a few events more than a batch are not worth one of their own."""
    most = checks.as_count("batch_size", batch_size) * 9 // 8
    edges = np.linspace(0, n, -(-n // most) + 1).astype(int)
    return (slice(start, stop) for start, stop in pairwise(edges))


def _at_own_theta(model: keras.Model, features: tf.Tensor, theta: tf.Tensor) -> tf.Tensor:
    return _column(model({"features": features, "theta": theta}, training=False))


def _at_one_point(model: keras.Model, features: tf.Tensor, point: tf.Tensor) -> tf.Tensor:
    return _at_own_theta(model, features, tf.repeat(point, tf.shape(features)[0], axis=0))


def _without_theta(model: keras.Model, features: tf.Tensor, point: tf.Tensor) -> tf.Tensor:
    return _column(model(keras_graph.as_only_input(model, features), training=False))


def _at_points(model: keras.Model, features: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    return tf.transpose(on_grid(model, features, points))


def _all_outputs(model: keras.Model, features: tf.Tensor, theta: tf.Tensor) -> tf.Tensor:
    given = (
        {"features": features, "theta": theta} if len(model.inputs) > 1 else keras_graph.as_only_input(model, features)
    )
    return tf.cast(model(given, training=False), tf.float32)


def _column(output: tf.Tensor) -> tf.Tensor:
    if len(output.shape) != 2 or output.shape[1] != 1:
        raise ValueError(SEVERAL_OUTPUTS.format(output.shape))
    return tf.cast(output[:, 0], tf.float32)


def _compiled(model: keras.Model, kind: Callable, n_features: int, n_parameters: int) -> Callable:
    """`kind(model, ...)` for any number of events and of points, traced once a model; weights are read in each call."""
    parts, functions = _COMPILED.get(model, ([], {}))
    now = list(_traced_parts(model))
    if len(now) != len(parts) or not all(a is b for a, b in zip(now, parts, strict=True)):
        functions = {}
    key = kind, n_features, n_parameters
    if key not in functions:
        own = weakref.ref(model)  # what stands in a WeakKeyDictionary must not hold its key
        signature = [tf.TensorSpec((None, n), tf.float32) for n in (n_features, n_parameters)]
        functions[key] = tf.function(lambda *inputs: kind(own(), *inputs)).get_concrete_function(*signature)
        _COMPILED[model] = list(_traced_parts(model)), functions  # a model may make its variables in its first call
    return functions[key]


def _traced_parts(model: keras.Model) -> Iterator[Any]:
    """What the trace of a model depends on: with another layer, activation or variable it is traced anew.

    What `adapt` and `load_weights` replace is a constant of the trace, and no variable.
    """
    for layer in keras_graph.layers(model):
        yield type(layer)
        yield getattr(layer, "activation", None)
        yield from (vars(layer).get(name) for name in ("mean", "variance", "bin_boundaries"))
    yield from model.variables
