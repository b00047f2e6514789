"""How a summary statistic becomes a histogram: kernels between edges, or the outputs of a network as bins.

Each way has a soft histogram for training, with a gradient, and a hard one for evaluation.
"""

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from neos_tf import replicas
from neos_tf.edges import LearnableEdges
from neos_tf.histogram import as_float64, binned_kde, hard_histogram
from neos_tf.quantiles import QuantileBins, quantile_edges


@keras.saving.register_keras_serializable(package="neos_tf")
@dataclass(frozen=True)
class SoftBins:
    """Bins that a network with one output a bin makes itself: INFERNO, de Castro and Dorigo 2019, Eq. (7).

    The outputs z (n_events, n) are logits: the last layer has no activation. In training an event counts in bin k by

        p_k = exp(z_k / temperature) / sum_j exp(z_j / temperature),

    in evaluation as a whole in the bin of its largest output.

    Args:
        n: number of bins, at least 2.
        temperature: above 0. A low one is closer to the evaluation, but lets bins die that no event is near.

    Raises:
        ValueError: fewer than two bins; a temperature that is not positive.
    """

    n: int
    temperature: float = 1.0

    def __post_init__(self):
        if not isinstance(self.n, int | np.integer) or self.n < 2 or not 0 < self.temperature < np.inf:
            raise ValueError(
                "Expected a whole number n of at least two bins and temperature > 0. Received: "
                f"n={self.n!r}, temperature={self.temperature!r}."
            )

    @property
    def n_bins(self) -> int:
        return self.n

    @property
    def n_outputs(self) -> int:
        return self.n

    @property
    def edges(self) -> tf.Tensor:
        """(n + 1,) whole numbers, as the bins have no scale."""
        return tf.range(self.n + 1.0, dtype=tf.float64)

    def soft(self, outputs: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """(n,) float64 sums of the weights (n_events,), shared out by the softmax."""
        return tf.linalg.matvec(tf.nn.softmax(as_float64(outputs) / self.temperature), weights, transpose_a=True)

    def hard(self, outputs: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """(n,) float64 sums of the weights (n_events,) of the events whose output is largest; NaN if an output is."""
        counts = tf.math.unsorted_segment_sum(weights, tf.argmax(outputs, axis=-1), self.n)
        return counts + as_float64(tf.reduce_sum(tf.where(tf.math.is_nan(outputs), outputs, 0)))

    def in_batch(self, scores: Mapping[str, tf.Tensor], weights: Mapping[str, tf.Tensor]) -> "SoftBins":
        """Itself, as these bins are the same in every batch."""
        return self

    def get_config(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_config(cls, config: dict) -> "SoftBins":
        return cls(**config)


class KernelBins:
    """Between edges of one output: `binned_kde` in training, `hard_histogram` in evaluation, with their arguments."""

    n_outputs = 1

    def __init__(
        self,
        edges: ArrayLike | LearnableEdges | QuantileBins,
        bandwidth: float | None,
        *,
        relative: bool = False,
        outside: str,
    ):
        self.learnable = edges if isinstance(edges, LearnableEdges) else None
        self.quantiles = edges if isinstance(edges, QuantileBins) else None
        self._of_batch: tf.Tensor | None = None
        if isinstance(edges, QuantileBins):
            self.start, outside = np.arange(edges.n + 1.0).tolist(), "fold"  # only their number counts
        else:
            self.start = edges.edges if isinstance(edges, LearnableEdges) else np.asarray(edges, np.float64).tolist()
        if bandwidth is None:
            raise ValueError("Expected a bandwidth of the kernels, with edges. Received: None.")
        self.bandwidth = bandwidth
        self.options: dict[str, Any] = {"relative": relative, "outside": outside}
        binned_kde([0.0], self.start, bandwidth, **self.options)  # refuses what it cannot work with, now and not later
        if self.learnable is not None:
            self.learnable()  # only now Keras takes the layer for built

    @property
    def n_bins(self) -> int:
        return len(self.start) - 1

    @property
    def edges(self) -> tf.Tensor:
        """(n_bins + 1,) as they are now.

        Raises:
            ValueError: `QuantileBins`, which have edges in a batch alone.
        """
        if self.quantiles is not None and self._of_batch is None:
            raise ValueError(
                "Expected edges that do not depend on the batch. Received: QuantileBins. Give the statistic "
                "edges=quantile_edges(outputs, bins, weights) of training events, and outside='fold'."
            )
        if self._of_batch is not None:
            return self._of_batch
        return tf.constant(self.start, tf.float64) if self.learnable is None else self.learnable()

    def in_batch(self, scores: Mapping[str, tf.Tensor], weights: Mapping[str, tf.Tensor]) -> "KernelBins":
        """These bins; with the edges that a batch of outputs and weights by sample has, if they are `QuantileBins`."""
        if self.quantiles is None:
            return self
        bins, of = copy.copy(self), self.quantiles.of
        outputs, weight = replicas.gathered((scores[of], weights[of]))
        bins._of_batch = tf.stop_gradient(quantile_edges(outputs, self.quantiles.bins, weight))
        return bins

    def soft(self, outputs: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return binned_kde(outputs, self.edges, self.bandwidth, weights, **self.options)

    def hard(self, outputs: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return hard_histogram(outputs, self.edges, weights, outside=self.options["outside"])


def plain_edges(edges: Any) -> Any:
    """Edges of `SummaryStatistic`, by channel or not, with lists of numbers in place of arrays."""
    if isinstance(edges, Mapping):
        return {channel: plain_edges(of) for channel, of in edges.items()}
    known = isinstance(edges, LearnableEdges | QuantileBins | SoftBins)
    return edges if known else np.asarray(edges, np.float64).tolist()
