"""Cuts with a gradient, as suggested in section 4 of Simpson and Heinrich 2022 (arXiv:2203.05570)."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from neos_tf.typing import TensorLike


def soft_cut(values: TensorLike, threshold: TensorLike, width: TensorLike) -> tf.Tensor:
    """The smooth step sigmoid((values - threshold) / width), which tends to values > threshold as width tends to 0.

    "One can differentiably approximate a cut with a sigmoid function" (Simpson and Heinrich 2022, section 4). To keep
    what is below instead, take 1 - soft_cut.

    Args:
        values: (n_events,) or any shape, in any unit.
        threshold: where the step is 1/2, in that unit; a number, or of a shape that broadcasts.
        width: positive, in that unit; likewise. The step is 0.12 two widths below threshold, and 0.88 two above.

    Returns:
        What broadcasting gives, within [0, 1]: weights of events.

    Raises:
        ValueError: a width that is not positive, as far as a graph knows it.

    >>> print(soft_cut([20.0, 25.0, 30.0], threshold=25.0, width=1.0).numpy().round(3))
    [0.007 0.5   0.993]
    """
    known = tf.get_static_value(keras.ops.convert_to_tensor(width))
    if known is not None and not (known > 0).all():
        raise ValueError(f"Expected width > 0. Received: {known.tolist()}. For a sharp cut, compare the values.")
    return keras.ops.sigmoid(keras.ops.divide(keras.ops.subtract(values, threshold), width))


@keras.saving.register_keras_serializable(package="neos_tf")
class SoftCut(keras.layers.Layer):
    """Weights of events under several cuts at once, whose thresholds are learned.

    The product of one `soft_cut` for each chosen feature; as weights of `binned_kde`, it selects the events that the
    measurement is made of. A feature may be named twice, for a window.

    Args:
        features: columns to cut on, counted from 0.
        thresholds: where to start, in the units of the features; one for all or one for each. An optimiser moves them
            by about its learning rate a step, so features should be of the order of one, as for any network.
        width: of the steps, positive, in the units of the features; likewise.
        keep: "above" or "below", the side that passes; likewise.
        input_name: the input that the columns are of, where features are a dict by input.

    Call arguments:
        x: the features.
        hard: whether the steps are sharp, for evaluation; there is then no gradient.

    Input shape: (n_events, n_features). Output shape: (n_events,), within [0, 1]; 0 or 1 if hard.
    """

    def __init__(
        self,
        features: ArrayLike,
        thresholds: ArrayLike,
        width: ArrayLike,
        keep: str | Sequence[str] = "above",
        *,
        input_name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.features = [int(column) for column in np.atleast_1d(features)]
        if not self.features or min(self.features) < 0:
            raise ValueError(f"Expected features >= 0, at least one. Received: features={features}")
        self._start = self._one_for_each("thresholds", np.asarray(thresholds, dtype="float64"))
        if not np.isfinite(self._start).all():
            raise ValueError(f"Expected finite thresholds. Received: thresholds={thresholds}")
        self.width = self._one_for_each("width", np.asarray(width, dtype="float64"))
        if not all(0 < value < np.inf for value in self.width):
            raise ValueError(f"Expected width > 0. Received: width={width}")
        self.input_name = input_name
        self.keep = self._one_for_each("keep", np.asarray(keep))
        if not set(self.keep) <= {"above", "below"}:
            raise ValueError(f"Expected keep='above' or 'below'. Received: keep={keep}")

    def _one_for_each(self, argument: str, values: np.ndarray) -> list:
        if values.shape not in ((), (1,), (len(self.features),)):
            raise ValueError(
                f"Expected one, or one for each of the {len(self.features)} features, in {argument}. "
                f"Received: {argument}={values.tolist()}"
            )
        return np.broadcast_to(values, len(self.features)).tolist()

    def build(self, input_shape: tuple[int | None, ...] | Mapping[str, tuple[int | None, ...]]) -> None:
        input_shape = self._chosen(input_shape)
        if input_shape[-1] is None or max(self.features) >= input_shape[-1]:
            raise ValueError(f"Expected features < {input_shape[-1]}, the columns of x. Received: {self.features}")
        start = keras.initializers.Constant(np.asarray(self._start))
        self.thresholds = self.add_weight((len(self.features),), start, name="thresholds")

    def call(self, x: tf.Tensor | Mapping[str, tf.Tensor], hard: bool = False) -> tf.Tensor:
        x = self._chosen(x)
        sign = keras.ops.convert_to_tensor([1.0 if keep == "above" else -1.0 for keep in self.keep], dtype=x.dtype)
        values = sign * keras.ops.take(x, self.features, axis=-1)
        thresholds = sign * keras.ops.cast(self.thresholds, x.dtype)
        if hard:
            return keras.ops.cast(keras.ops.all(values > thresholds, axis=-1), x.dtype)
        width = keras.ops.convert_to_tensor(self.width, dtype=x.dtype)
        return keras.ops.prod(soft_cut(values, thresholds, width), axis=-1)

    def _chosen(self, inputs: Any) -> Any:
        """What belongs to the input that is cut on."""
        if not isinstance(inputs, Mapping):
            return inputs
        if self.input_name not in inputs:
            raise ValueError(
                f"Expected input_name to be one of the inputs {', '.join(inputs)}. Received: {self.input_name!r}."
            )
        return inputs[self.input_name]

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...] | Mapping[str, tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        return self._chosen(input_shape)[:-1]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "features": self.features,
            "thresholds": self._start,
            "width": self.width,
            "keep": self.keep,
            "input_name": self.input_name,
        }
