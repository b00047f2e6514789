"""Bin edges that follow a sample: its quantiles, so that it has the same share of events in every bin."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from neos_tf.histogram import flat_events
from neos_tf.typing import TensorLike


@keras.saving.register_keras_serializable(package="neos_tf")
@dataclass(frozen=True)
class QuantileBins:
    """Edges of a `SummaryStatistic` that are the `quantile_edges` of one sample in each batch, in evaluation as well.

    The events beyond the first and the last edge are in the first and the last bin, whatever `outside` is. Edges have
    no gradient: they follow the network, as any output that orders events alike has the same bins, and a quantile
    depends on the two events beside it alone, whose gradient would be noise.

    In evaluation, a histogram is the sum over batches of bins that differ. For a final one, take `quantile_edges` of
    training events and give them as edges, with outside="fold".

    Args:
        bins: number of bins with the same share, at least 2; or the shares of the sample below each inner edge, such as
            (0.5, 0.9, 0.99) for four bins.
        of: name of the sample of events, of the same channel. Its weights count, after the selection.

    Raises:
        ValueError: fewer than two bins, shares that do not increase within (0, 1).
    """

    bins: int | tuple[float, ...]
    of: str

    def __post_init__(self):
        if isinstance(self.bins, Sequence | np.ndarray):
            object.__setattr__(self, "bins", tuple(map(float, self.bins)))
        if self.n < 2:
            raise ValueError(f"Expected a whole number of at least two bins. Received: bins={self.bins!r}.")

    @property
    def n(self) -> int:
        """Number of bins."""
        return len(_shares(self.bins)) - 1

    def get_config(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_config(cls, config: dict) -> "QuantileBins":
        return cls(**config)


def quantile_edges(outputs: TensorLike, bins: int | Sequence[float], weights: TensorLike | None = None) -> tf.Tensor:
    """Edges of bins that have given shares of the weights, to about half an event at each edge.

    Ordered by output, event i lies at the share p_i = (w_1 + ... + w_i - w_i / 2) / (w_1 + ... + w_N) of all weights.
    The edges are the outputs at given shares, linear between events: without weights numpy.quantile(outputs, share,
    method="hazen"). Equal outputs count as one event, and events without weight as none. The first and the last edge
    are the least and the largest output; of other samples, `hard_histogram(..., outside="fold")` keeps what is beyond.

    Works in a graph and under XLA. There, edges that are equal make an empty bin, a negative weight counts as 0, and
    without any weight all edges are NaN.

    Args:
        outputs: (n_events,) or (n_events, 1), of a network.
        bins: number n of bins with the same share, 1 / n; or the shares (n - 1,) below each inner edge, increasing.
        weights: (n_events,) or (n_events, 1), not negative; ones if None.

    Returns:
        (n + 1,) float64 edges.

    Raises:
        ValueError: bins below 1, shares that do not increase within (0, 1), a negative weight, outputs or weights that
            are not finite, or too few different outputs for edges that increase.

    >>> quantile_edges([0.1, 0.2, 0.4, 0.8], 2).numpy().round(3).tolist()
    [0.1, 0.3, 0.8]
    >>> quantile_edges([0.1, 0.2, 0.4, 0.8], [0.75]).numpy().round(3).tolist()
    [0.1, 0.6, 0.8]
    >>> quantile_edges([0.1, 0.2, 0.4, 0.8], 2, weights=[1.0, 1.0, 2.0, 4.0]).numpy().round(3).tolist()
    [0.1, 0.533, 0.8]
    """
    shares = tf.constant(_shares(bins), tf.float64)
    output, weight = flat_events(outputs, weights)
    _check(tf.get_static_value(output), tf.get_static_value(weight))
    weight = tf.maximum(weight, 0)
    counted = weight > 0
    output = tf.where(counted, output, np.inf)  # so that they come last
    order = tf.argsort(output)
    output, weight = tf.gather(output, order), tf.gather(weight, order)
    total, last = tf.reduce_sum(weight), tf.math.count_nonzero(counted, dtype=tf.int32) - 1
    group = tf.cumsum(tf.cast(tf.concat([[False], output[1:] != output[:-1]], 0), tf.int32))  # of equal outputs
    together = tf.math.unsorted_segment_sum(weight, group, tf.size(output))
    places = tf.gather((tf.cumsum(together) - together / 2) / total, group)
    upper = tf.searchsorted(places, shares, side="right")
    lower, upper = tf.clip_by_value(upper - 1, 0, last), tf.clip_by_value(upper, 0, last)
    gap = tf.gather(places, upper) - tf.gather(places, lower)
    way = tf.where(gap > 0, (shares - tf.gather(places, lower)) / tf.where(gap > 0, gap, 1), 0)
    below, above = tf.gather(output, lower), tf.gather(output, upper)
    edges = tf.where(total > 0, below + way * (above - below), np.nan)
    known = tf.get_static_value(edges)
    if known is not None and not (np.diff(known) > 0).all():
        raise ValueError(
            f"Expected outputs whose quantiles increase. Received: {known.tolist()}, as too many events have the same "
            f"output, or one event a large part of the weights. Take fewer bins than {len(shares) - 1}."
        )
    return edges


def _shares(bins: int | Sequence[float]) -> np.ndarray:
    """(n + 1,) shares below each edge, from 0 to 1."""
    if isinstance(bins, int | np.integer) and bins >= 1:
        return np.arange(bins + 1) / bins
    if not isinstance(bins, int | np.integer) and np.ndim(bins) == 1:
        shares = np.array([0.0, *bins, 1.0])
        if (np.diff(shares) > 0).all():
            return shares
    raise ValueError(
        f"Expected a whole number of at least one bin, or increasing shares within (0, 1). Received: bins={bins!r}."
    )


def _check(outputs: np.ndarray | None, weights: np.ndarray | None) -> None:
    """Is there something that quantiles can be taken of? In a graph, nobody knows."""
    if outputs is None or weights is None:
        return
    wrong = {
        "outputs that are not finite": not np.isfinite(outputs).all(),
        "weights that are not finite": not np.isfinite(weights).all(),
        "a negative weight": (weights < 0).any(),
        "no weight above 0": not (weights > 0).any(),
    }
    received = [what for what, there in wrong.items() if there]
    if received:
        raise ValueError(
            f"Expected finite outputs of events, with weights that are not negative. Received: {', '.join(received)}."
        )
