"""Bin edges that training moves, as suggested in section 4 of Simpson and Heinrich 2022 (arXiv:2203.05570)."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike


@keras.saving.register_keras_serializable(package="neos_tf")
class LearnableEdges(keras.layers.Layer):
    """Strictly increasing bin edges: the outer two stay, the inner ones are learned.

    The width of bin k is a share of the whole range [e_0, e_n],

        width_k = min_width + (e_n - e_0 - n_bins min_width) softmax(logits + c)_k,

    where c is such that logits = 0, where they start, are the given edges. For `binned_kde(samples, layer(), ...)`.

    Args:
        edges: (n_bins + 1,) edges to start from, strictly increasing, in the units of the summary statistic.
        min_width: what no bin gets narrower than, in the same units; None for a thousandth of the mean width.

    Call arguments: none: `layer()`. An input, as a functional model needs one, is ignored.

    Output shape: (n_bins + 1,), in the type of the weights also under mixed precision.
    """

    def __init__(self, edges: ArrayLike, min_width: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        edges = np.asarray(edges, dtype="float64")
        if edges.ndim != 1 or len(edges) < 3 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
            raise ValueError(
                "Expected edges of shape (n_bins + 1,), finite and strictly increasing, and at least three, as the "
                f"outer two stay. Received: edges={edges.tolist()}"
            )
        self.edges = edges.tolist()
        widths = np.diff(edges)
        self.min_width = 1e-3 * float(widths.mean()) if min_width is None else float(min_width)
        if not 0 < self.min_width < widths.min():
            raise ValueError(
                f"Expected 0 < min_width < {widths.min():g}, the narrowest bin of edges. Received: "
                f"min_width={self.min_width:g}. Give a smaller min_width, or edges further apart."
            )
        self._free = float(widths.sum()) - len(widths) * self.min_width
        self._start = np.log((widths - self.min_width) / self._free)
        self.logits = self.add_weight((len(widths),), "zeros", autocast=False, name="logits")

    def call(self, inputs: tf.Tensor | None = None) -> tf.Tensor:
        start = keras.ops.convert_to_tensor(self._start, dtype=self.variable_dtype)
        widths = self.min_width + self._free * keras.ops.softmax(self.logits + start)
        inner = self.edges[0] + keras.ops.cumsum(widths)[:-1]
        first, last = (keras.ops.full((1,), edge, dtype=inner.dtype) for edge in (self.edges[0], self.edges[-1]))
        return keras.ops.concatenate([first, inner, last])

    def compute_output_shape(self, input_shape: tuple[int | None, ...] | None = None) -> tuple[int | None, ...]:
        return (len(self.edges),)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "edges": self.edges, "min_width": self.min_width}
