"""One signal against some backgrounds, out of a network of several classes: p_s / (p_s + sum of p_b).

Where p are the class probabilities for equal numbers of each class, as in `balanced_batches`, this is the probability
of the signal among equal numbers of it and of each background: the best score to tell it from them, in equal parts.
"""

import operator
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pnn_tf import checks, keras_graph
from pnn_tf.precision import at_least_float32


def discriminant(model: keras.Model, signal: int, backgrounds: Sequence[int] = (0,)) -> keras.Model:
    """A model with one output, the score of one signal against some backgrounds: for all that takes a single score.

    It shares the layers of the network, and what is trained in one is trained in the other. The score is the sigmoid
    of z_s - log(sum of exp z_b): of the logits z where the network ends in a linear Dense layer, or in a softmax that
    is a layer of its own, as that of `parametric_network` is; else of the logarithms of its outputs, among which those
    below the smallest float32 are lost.

    Args:
        model: functional, with one output (n_events, n_classes): probabilities, or logits of a linear Dense layer.
        signal: the class that is signal, from 0.
        backgrounds: the classes that it is held against.

    Returns:
        keras.Model with the inputs of the network and one output (n_events, 1), from 0, like background, to 1, like
        signal. Not compiled.

    Raises:
        ValueError: a model that is not functional, or has not one output of at least two classes; classes that it does
            not have, no background, a signal among the backgrounds.
    """
    n_classes = number_of_classes(model)
    backgrounds = checks.as_columns("backgrounds", backgrounds, n_classes)
    (signal,) = checks.as_columns("signal", (signal,), n_classes)
    if not backgrounds or signal in backgrounds:
        raise ValueError(
            f"Expected at least one background, and the signal not among them. Received: signal={signal}, "
            f"backgrounds={backgrounds}"
        )
    (score,) = _scores(model, [(signal, backgrounds)])
    return keras.Model(model.input, score, name=f"class_{signal}_of_{model.name}")


def discriminants(model: keras.Model, pairs: Sequence[tuple[int, Sequence[int]]]) -> keras.Model:
    """A model with a column for each pair of a signal and backgrounds, as they are in `discriminant`."""
    return keras.Model(model.input, keras.layers.Concatenate()(_scores(model, pairs)))


def number_of_classes(model: keras.Model) -> int:
    """Of a functional model with one output (n_events, n_classes), of at least two.

    Raises:
        ValueError: another model.
    """
    outputs = [tuple(tensor.shape) for tensor in getattr(model, "outputs", None) or ()]
    if len(outputs) != 1 or len(outputs[0]) != 2 or outputs[0][1] in (None, 1):
        raise ValueError(
            "Expected a functional model with one output (None, n_classes), of at least two classes, such as "
            f"parametric_network(..., n_classes=3). Received: {type(model).__name__} with the outputs {outputs}."
        )
    return outputs[0][1]


@keras.saving.register_keras_serializable(package="pnn_tf")
class LogOdds(keras.layers.Layer):
    """The logarithm of p_s / sum of p_b, from class probabilities p or from their logits.

    It computes in float32 where the dtype policy has float16 or bfloat16.

    Args:
        signal: the class s.
        backgrounds: the classes b.
        from_logits: whether its inputs are logits, which are probabilities' logarithms but for one term common to all.

    Input shape: (n_events, n_classes). Output shape: (n_events, 1).
    """

    def __init__(self, signal: int, backgrounds: Sequence[int], from_logits: bool = True, **kwargs: Any):
        super().__init__(**kwargs | {"dtype": at_least_float32(kwargs.get("dtype"))})
        self.signal = operator.index(signal)
        self.backgrounds = [operator.index(background) for background in backgrounds]
        self.from_logits = from_logits

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        z = inputs if self.from_logits else keras.ops.log(keras.ops.maximum(inputs, np.finfo(np.float32).tiny))
        of_backgrounds = keras.ops.take(z, self.backgrounds, axis=-1)
        return keras.ops.take(z, [self.signal], axis=-1) - keras.ops.logsumexp(of_backgrounds, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], 1)

    def get_config(self) -> dict[str, Any]:
        config = {"signal": self.signal, "backgrounds": self.backgrounds, "from_logits": self.from_logits}
        return {**super().get_config(), **config}


def _scores(model: keras.Model, pairs: Sequence[tuple[int, Sequence[int]]]) -> list[keras.KerasTensor]:
    """The symbolic score (n_events, 1) of each pair of a signal and its backgrounds."""
    tensor, from_logits = _logits(model)
    dtype = at_least_float32(tensor.dtype)
    scores = []
    for i, (signal, backgrounds) in enumerate(pairs, start=1):
        log_odds = LogOdds(signal, backgrounds, from_logits, dtype=dtype, name=f"log_odds_{i}")(tensor)
        scores.append(keras.layers.Activation("sigmoid", dtype=dtype, name=f"discriminant_{i}")(log_odds))
    return scores


def _logits(model: keras.Model) -> tuple[keras.KerasTensor, bool]:
    """The symbolic tensor of a model that says most about its classes, and whether it holds logits."""
    output = model.outputs[0]
    operation, arguments = keras_graph.producer(output)
    activation = getattr(operation, "activation", None)
    if isinstance(operation, keras.layers.Softmax) or (
        isinstance(operation, keras.layers.Activation) and activation is keras.activations.softmax
    ):
        return arguments[0], True
    return output, isinstance(operation, keras.layers.Dense) and activation in (None, keras.activations.linear)
