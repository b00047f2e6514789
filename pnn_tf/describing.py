"""What an exported network says of itself, and what it has to be: the same for a SavedModel and for ONNX."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.columns import trained_names
from pnn_tf.hull import trained_points

PROBED = (1.0, 1e2, 1e4, 1e6)  # sizes of the features and theta that a model's output is tried at
ROUNDING = 1e-3  # by which an output in [0, 1] may leave it, in a network of low precision


def description_of(
    model: keras.Model,
    feature_names: list[str] | None,
    theta_names: list[str] | None,
    theta_units: list[str] | None,
    class_names: list[str] | None,
    of_theta: Mapping[str, Any] | None = None,
    outputs: Mapping[str, str] | None = None,
) -> str:
    """Names, units and shapes of what goes into a parametric model and comes out, and its trained theta, as JSON.

    Args:
        model: the model.
        feature_names, theta_names, theta_units, class_names: None where they are not known.
        of_theta: what else is known of theta.
        outputs: what comes out, in words, by name.
    """
    n_features, n_parameters, n_classes = sizes(model)
    said = {
        "features": {"names": feature_names, "shape": [None, n_features], "dtype": "float32"},
        "theta": {
            "names": theta_names,
            "units": theta_units,
            "shape": [None, n_parameters],
            "dtype": "float32",
            "trained_points": decimals(next(iter(trained_points(model, n_parameters)), None)),
            **(of_theta or {}),
        },
        "classes": None if n_classes == 1 else {"names": class_names, "number": n_classes},
        "outputs": outputs or outputs_of(n_classes),
    }
    return json.dumps(said, indent=1)


def outputs_of(n_classes: int) -> dict[str, str]:
    """What `score` is, in words."""
    if n_classes > 1:
        return {"score": "probability of each class: (n_events, n_classes)"}
    return {"score": "from 0, like background, to 1, like signal: (n_events, 1)"}


def decimals(points: ArrayLike | None) -> list | None:
    """Theta as it was given: the shortest decimals that are the same float32."""
    return None if points is None else checks.plain(points).tolist()


def where_finite(score: tf.Tensor, *inputs: tf.Tensor) -> tf.Tensor:
    """The score (n_events, ...) of events with finite inputs (n_events, m), NaN for others.

    A network need not say so itself: TensorFlow's ReLU, in one operation with its product on a CPU, makes 0 of NaN.
    """
    for values in inputs:
        finite = tf.reduce_all(tf.math.is_finite(values), axis=1)
        score = tf.where(tf.reshape(finite, [-1] + [1] * (len(score.shape) - 1)), score, np.nan)
    return score


def sizes(model: keras.Model) -> tuple[int, int, int]:
    """Numbers of features, of parameters, and of outputs of a parametric model."""
    inputs = {tensor.name: tensor.shape for tensor in getattr(model, "inputs", None) or ()}
    outputs = [tensor.shape for tensor in getattr(model, "outputs", None) or ()]
    shapes = [*inputs.values(), *outputs]
    if (
        set(inputs) != {"features", "theta"}
        or len(outputs) != 1
        or any(len(shape) != 2 or shape[1] is None for shape in shapes)
    ):
        raise ValueError(
            "Expected a functional model with the inputs 'features' and 'theta' and one output, (None, 1) or "
            "(None, n_classes), all of known width. "
            f"Received: {type(model).__name__} with the inputs {inputs} and the outputs {outputs}."
        )
    return inputs["features"][1], inputs["theta"][1], outputs[0][1]


def require_probability(model: keras.Model) -> None:
    """Refuses a model whose output leaves [0, 1] somewhere, tried at features of the order of 1 to a million.

    A logit does, whatever layer or operation it comes from, unless it is constant.
    """
    generator = np.random.default_rng(0)
    n_events = len(PROBED) * 64
    probe = {
        tensor.name: generator.normal(size=(n_events, tensor.shape[1])) * np.repeat(PROBED, 64)[:, np.newaxis]
        for tensor in model.inputs
    }
    output = np.asarray(model({k: v.astype(np.float32) for k, v in probe.items()}, training=False), np.float64)
    low, high = np.nanmin(output, initial=0), np.nanmax(output, initial=1)
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise ValueError(
            f"Expected a model whose output is a score from 0 to 1, as a sigmoid gives. Received: outputs from {low:g} "
            f"to {high:g}, as of a logit. Export a model with a sigmoid at its end: "
            "keras.Model(model.input, keras.layers.Activation('sigmoid')(model.output)); a softmax for several classes."
        )


def names_of(argument: str, names: Iterable[str] | None, expected: int, distinct: bool = True) -> list[str] | None:
    """The names as a list, or None."""
    if names is None:
        return None
    names = [str(name) for name in names]
    if len(names) != expected or (distinct and len(set(names)) != expected):
        raise ValueError(f"Expected {expected} {argument}{', all distinct' if distinct else ''}. Received: {names}")
    return names


def feature_names_of(names: Iterable[str] | None, model: keras.Model, n_features: int) -> list[str] | None:
    """The names, or those known to the model, which may be given others but not another order."""
    known = trained_names(model)
    names = names_of("feature_names", known if names is None else names, n_features)
    if known is not None and names != known and sorted(names or ()) == sorted(known):
        raise ValueError(f"Expected feature_names in the order of the training, {known}. Received: {names}")
    return names


def class_names_of(names: Iterable[str] | None, n_classes: int) -> list[str] | None:
    """The names of several classes as a list, or None."""
    if n_classes == 1 and names is not None:
        raise ValueError("Expected no class_names for a model of one score, which is that of signal. Received some.")
    return names_of("class_names", names, n_classes)
