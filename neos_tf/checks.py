"""What a summary statistic is made of and fed with, checked: networks, expected events, batches."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from neos_tf.binning import KernelBins, SoftBins
from neos_tf.templates import TemplateModel
from neos_tf.typing import Features

UNBOUNDED = ("linear", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "relu", "softplus", "exponential")
RANGES = dict.fromkeys(UNBOUNDED, (-np.inf, np.inf)) | {
    **dict.fromkeys(("sigmoid", "hard_sigmoid", "softmax"), (0.0, 1.0)),
    **dict.fromkeys(("tanh", "hard_tanh", "softsign"), (-1.0, 1.0)),
    "relu6": (0.0, 6.0),
}


def check_network(network: keras.Model, bins: KernelBins | SoftBins) -> None:
    """Does the network's output fit the bins? Networks that do not know their output are taken as they are.

    Raises:
        ValueError: a network that is not built; another number of outputs; one without bounds, whose events beyond the
            edges would be dropped; an activation before the softmax of `SoftBins`.
    """
    if not network.built:
        raise ValueError("Expected a network that is built. Received: one that is not. Begin it with keras.Input.")
    outputs = getattr(network, "outputs", None) or []
    shapes = [tuple(output.shape) for output in outputs]
    if outputs and (len(shapes) > 1 or (shapes[0][1:] or (1,)) != (bins.n_outputs,)):
        raise ValueError(
            f"Expected a network with outputs (n_events, {bins.n_outputs}) for "
            f"{type(bins).__name__.replace('KernelBins', 'edges')}. Received: {', '.join(map(str, shapes))}."
        )
    activation = _last_activation(network)
    if isinstance(bins, SoftBins):
        if activation not in (None, "linear"):
            raise ValueError(
                f"Expected a network of logits for SoftBins, which takes the softmax itself. Received: {activation!r} "
                "in the last layer. Leave it out."
            )
        return
    lower, upper = RANGES.get(activation or "", (bins.start[0], bins.start[-1]))
    if bins.options["outside"] == "fold" or (bins.start[0] <= lower and upper <= bins.start[-1]):
        return
    between = f"outputs between {lower:g} and {upper:g} (activation {activation!r}), edges from {bins.start[0]:g} to "
    between += f"{bins.start[-1]:g}, outside='drop'. Events beyond the edges are in no bin: use outside='fold'"
    if np.isinf(upper):
        raise ValueError(f"Expected edges that cover the output of the network. Received: {between}, or a sigmoid.")
    warnings.warn(f"Edges do not cover the output of the network: {between}, unless it is meant.", stacklevel=4)


def check_quantiles(channel: str, bins: KernelBins | SoftBins, names: Sequence[str]) -> None:
    """Are bins that are quantiles those of a sample of events in this channel, one of `names`?

    Raises:
        ValueError: another sample.
    """
    quantiles = getattr(bins, "quantiles", None)
    if quantiles is not None and quantiles.of not in names:
        raise ValueError(
            f"Expected QuantileBins of one of the samples of events in channel {channel!r}, {', '.join(names)}. "
            f"Received: of={quantiles.of!r}."
        )


def check_scores(network: keras.Model, bins: KernelBins | SoftBins) -> None:
    """Is the output a score, that of one class against another?

    Raises:
        ValueError: the outputs of `SoftBins`, or one that is not between 0 and 1.
    """
    activation = _last_activation(network)
    lower, upper = RANGES.get(activation or "", (0.0, 1.0))
    if isinstance(bins, SoftBins) or lower < 0 or upper > 1:
        of = "SoftBins" if isinstance(bins, SoftBins) else f"activation {activation!r}"
        raise ValueError(f"Expected a network with one output between 0 and 1 for a loss of scores. Received: {of}.")


def check_yields(model: TemplateModel, yields: Mapping[str, float | None], uncertainties: Mapping[str, str]) -> None:
    """Are there expected events of all that has no numbers?

    Raises:
        ValueError: names that the model does not have or lacks; values that are negative or not finite.
    """
    unknown = [name for name in yields if name not in model.templates]
    if unknown or not yields:
        raise ValueError(
            f"Expected yields of templates of the model, {', '.join(model.templates)}. Received: "
            f"{', '.join(yields) or 'none'}."
        )
    numbers = {name: value for name, value in yields.items() if value is not None}
    wrong = {name: value for name, value in numbers.items() if not (np.isfinite(value) and value >= 0)}
    if wrong:
        raise ValueError(f"Expected yields that are finite and not negative. Received: {wrong}.")
    missing = [name for name in model.template_names if name not in {**yields, **uncertainties}]
    if missing:
        raise ValueError(
            f"Expected yields of {', '.join(missing)} as well, which have no numbers in the model. Received: "
            f"{', '.join(yields)}."
        )


def check_bins(model: TemplateModel, name: str, bins: KernelBins | SoftBins) -> None:
    """Has the template of events as many bins as the histogram?

    Raises:
        ValueError: another number.
    """
    shape, channels = model.templates[name].shape, ", ".join(model.templates[name].channels)
    if shape != (bins.n_bins,):
        raise ValueError(
            f"Expected as many bins as template {name!r} of {channels} has, shape {shape}. Received: "
            f"{bins.n_bins} bins, from edges."
        )


def without_lists(events: Any) -> Any:
    """Arrays in place of the lists of numbers that Keras does not take; the rest as it is."""
    if isinstance(events, Mapping):
        return {name: without_lists(of) for name, of in events.items()}
    if isinstance(events, tuple):
        return tuple(map(without_lists, events))
    return np.asarray(events, np.float64) if isinstance(events, list) else events


def inputs_of(network: keras.Model) -> dict[str, keras.KerasTensor]:
    """By name; empty if the network does not know its inputs, as one with a `call` of its own."""
    structure = getattr(network, "input", None)  # a sequential model has none before it is called
    if isinstance(structure, Mapping):
        return dict(structure)
    return {given.name: given for given in getattr(network, "inputs", None) or []}


def types_of_inputs(network: keras.Model) -> dict[str, str] | str:
    """By name of an input; one for all if the network does not know its inputs."""
    return {name: given.dtype for name, given in inputs_of(network).items()} or network.compute_dtype


def events_of(
    batch: Any, yields: Mapping[str, float | None], dtypes: Mapping[str, dict[str, str] | str]
) -> tuple[dict[str, Features], dict[str, tf.Tensor]]:
    """Features (n_events, n_features) in the types of the network's inputs, and weights (n_events,) float64 by sample.

    Raises:
        ValueError: a batch that is no dict of the samples in `yields`; labels; features of other inputs; no weights
            where the yield is None.
    """
    batch, label, _ = keras.utils.unpack_x_y_sample_weight(batch)
    if not isinstance(batch, dict) or set(batch) != set(yields) or label is not None:
        received = "labels" if label is not None else ", ".join(batch) if isinstance(batch, dict) else type(batch)
        raise ValueError(
            f"Expected batches of a dict with events of {', '.join(yields)}. Received: {received}. See "
            "neos_tf.sample_batches."
        )
    features, weights = {}, {}
    for name, expected in yields.items():
        events, weight = _pair(batch[name])
        if expected is None and weight is None:
            raise ValueError(
                f"Expected weights of sample {name!r} in each batch, as its yield is None: they are its expected "
                "events. Received: features alone. See sample_batches(..., scale_weights=True)."
            )
        features[name] = _features_of(name, events, dtypes[name])
        weights[name] = (
            tf.ones([n_events(features[name])], tf.float64)
            if weight is None
            else tf.reshape(tf.cast(weight, tf.float64), [-1])
        )
    return features, weights


def n_events(features: Features) -> tf.Tensor:
    """() int32."""
    return tf.shape(tf.nest.flatten(features)[0])[0]


def n_invalid(features: Features, weights: tf.Tensor) -> tf.Tensor:
    """() float64 number of events with a feature or a weight that is NaN or infinite."""
    valid = tf.math.is_finite(weights)
    for array in tf.nest.flatten(features):
        if array.dtype.is_floating:
            valid &= tf.reduce_all(tf.math.is_finite(array), axis=list(range(1, array.shape.rank)))
    return tf.math.count_nonzero(~valid, dtype=tf.float64)


def _pair(events: Any) -> tuple[Any, Any]:
    """(features, weights or None); a list is a pair if it holds two arrays, or inputs and an array; else features."""
    arrays = isinstance(events, list) and len(events) == 2 and (hasattr(events[0], "shape") or _is_named(events[0]))
    arrays = arrays and hasattr(events[1], "shape")
    return tuple(events) if arrays or isinstance(events, tuple) else (events, None)


def _is_named(features: Any) -> bool:
    return isinstance(features, Mapping)


def _features_of(name: str, features: Any, dtypes: dict[str, str] | str) -> Features:
    """Of a sample, cast to the types of the inputs."""
    if not isinstance(dtypes, str):
        expected = f"Expected features of sample {name!r} by the inputs of its network, {', '.join(dtypes)}. Received: "
        if not _is_named(features) and len(dtypes) > 1:
            raise ValueError(f"{expected}one array. Give {{input: array}}.")
        if _is_named(features) and set(features) != set(dtypes):
            raise ValueError(f"{expected}{', '.join(map(str, features)) or 'none'}.")
    if not _is_named(features):
        return _cast(features, dtypes if isinstance(dtypes, str) else next(iter(dtypes.values())))
    return {key: _cast(array, dtypes if isinstance(dtypes, str) else dtypes[key]) for key, array in features.items()}


def _cast(array: Any, dtype: str) -> tf.Tensor:
    array, kind = tf.convert_to_tensor(array), tf.as_dtype(dtype)
    return tf.cast(array, kind) if kind.is_floating else array


def _last_activation(network: keras.Model) -> str | None:
    """Name of the activation of the last layer, as far as it can be known."""
    if not getattr(network, "outputs", None) or not getattr(network, "layers", None):
        return None
    last = network.layers[-1]
    if isinstance(last, keras.Model):
        return _last_activation(last)
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    return getattr(getattr(last, "activation", None), "__name__", None)
