"""A parametric network for use elsewhere: an ONNX file, which onnxruntime scores without TensorFlow."""

import os
from collections.abc import Iterable
from pathlib import Path

import keras
import tensorflow as tf

from pnn_tf.describing import (
    class_names_of,
    description_of,
    feature_names_of,
    names_of,
    require_probability,
    sizes,
    where_finite,
)


def export_onnx(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    feature_names: Iterable[str] | None = None,
    theta_names: Iterable[str] | None = None,
    theta_units: Iterable[str] | None = None,
    class_names: Iterable[str] | None = None,
) -> None:
    """Writes an ONNX file of a parametric network, its scaling of features and theta inside. Needs the package onnx.

    It takes `features` (n_events, n_features) and `theta` (n_events, n_parameters), float32, any number of events, and
    gives `score` (n_events, n_outputs), NaN for an event whose features or theta are not all finite:

        session = onnxruntime.InferenceSession("network.onnx")
        (score,) = session.run(["score"], {"features": features, "theta": theta})

    Its scores are Keras' to 1e-6. All is computed in float32: the scores of a model of lower precision differ by its
    rounding. TensorFlow's operations are translated one by one, without tf2onnx, which `model.export(format="onnx")`
    needs and which fails with a Normalization inside the model.

    Args:
        model: functional, with the inputs `features` and `theta` and one output (n_events, n_outputs).
        path: file to write; what is there is replaced.
        feature_names: one a feature, in the order of the columns; None for those that the model remembers.
        theta_names: one a parameter.
        theta_units: one a parameter, such as "GeV".
        class_names: one a class, of a model of several. Names, units and trained theta go into the file's metadata, as
            the JSON text "description": `session.get_modelmeta().custom_metadata_map["description"]`.

    Raises:
        ImportError: the package onnx is not installed.
        ValueError: a model with other inputs or outputs, whose output leaves [0, 1], such as a logit, or with an
            operation that is not translated; a wrong number of names or units, names that are not distinct, or the
            model's own in another order.
    """
    from pnn_tf import onnx_graph  # here, since it needs the package onnx

    n_features, n_parameters, n_classes = sizes(model)
    require_probability(model)
    text = description_of(
        model,
        feature_names_of(feature_names, model, n_features),
        names_of("theta_names", theta_names, n_parameters),
        names_of("theta_units", theta_units, n_parameters, distinct=False),
        class_names_of(class_names, n_classes),
    )
    state = [[weight.numpy() for weight in of] for of in (model.trainable_variables, model.non_trainable_variables)]

    @tf.function(autograph=False)
    def score(features, theta):
        constants = [[tf.constant(weight) for weight in weights] for weights in state]
        found, _ = model.stateless_call(*constants, {"features": features, "theta": theta}, training=False)
        return where_finite(tf.cast(found, tf.float32), features, theta)

    inputs = [
        tf.TensorSpec((None, size), tf.float32, name)
        for name, size in (("features", n_features), ("theta", n_parameters))
    ]
    translated = onnx_graph.to_onnx(score.get_concrete_function(*inputs), output="score")
    translated.metadata_props.add(key="description", value=text)
    Path(path).write_bytes(translated.SerializeToString())
