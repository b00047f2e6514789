"""Expected counts per bin: the binned kernel density estimate of Simpson and Heinrich 2022 (arXiv:2203.05570),
section 2.1, and the ordinary histogram that it tends to.

Counts are float64 whatever comes in. The float32 outputs of networks are cast here, and nowhere else in the package.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from neos_tf.typing import TensorLike


def binned_kde(
    samples: TensorLike,
    edges: TensorLike,
    bandwidth: TensorLike,
    weights: TensorLike | None = None,
    *,
    relative: bool = False,
    outside: str = "drop",
) -> tf.Tensor:
    """Expected counts per bin of a Gaussian kernel density estimate: a histogram with a gradient.

    A bin holds the mass that the kernels around the samples t_i have between its edges,

        n_k = sum_i w_i (Phi((e_{k+1} - t_i) / h) - Phi((e_k - t_i) / h)),

    where Phi is the cumulative distribution of the standard normal and h the bandwidth; section 2.1 of Simpson and
    Heinrich 2022. As h tends to 0, it tends to `hard_histogram`. Differentiable in samples, edges, bandwidth and
    weights.

    No count is negative if no weight is. One below about 1e-16 per event can come out as exactly 0, whose logarithm
    has no gradient: a likelihood needs a floor there.

    Args:
        samples: (n_events,) or (n_events, 1) summary statistic, such as the output of a network.
        edges: (n_bins + 1,) bin edges, finite and strictly increasing, in the units of samples.
        bandwidth: standard deviation h of each kernel, a positive number, in the units of samples.
        weights: (n_events,) or (n_events, 1) expected events each sample stands for, of either sign; ones if None.
        relative: whether bandwidth is in units of the mean bin width instead.
        outside: what becomes of the mass beyond the outer edges: "drop" loses it, "fold" adds it to the first and the
            last bin, so that the counts sum to the weights.

    Returns:
        (n_bins,) float64 expected events.

    Raises:
        ValueError: a bandwidth that is not positive, edges that do not increase or are fewer than two, samples of more
            than one column, weights of another length, an unknown outside. Values that a graph knows only as it runs
            are not looked at.
        ImportError: TensorFlow Probability, or tf_keras, which it needs, is not installed.

    >>> binned_kde([0.25, 0.75, 0.75], [0.0, 0.5, 1.0], bandwidth=0.1, outside="fold").numpy().round(4).tolist()
    [1.0062, 1.9938]
    """
    samples, weights = flat_events(samples, weights)
    edges = _edges(edges)
    bandwidth = _bandwidth(bandwidth)
    if relative:
        bandwidth *= (edges[-1] - edges[0]) / tf.cast(tf.size(edges) - 1, tf.float64)
    kernel = _normal()(samples, bandwidth)
    if _is_dropped(outside):
        below = kernel.cdf(edges[:, tf.newaxis])  # (n_edges, n_events)
    else:
        below = kernel.cdf(edges[1:-1, tf.newaxis])
        below = tf.pad(tf.pad(below, [[1, 0], [0, 0]]), [[0, 1], [0, 0]], constant_values=1)
    # Differences before the sum, not after: none of them is negative, and none is lost beside the sum of all events.
    return tf.linalg.matvec(below[1:] - below[:-1], weights)


def hard_histogram(
    samples: TensorLike, edges: TensorLike, weights: TensorLike | None = None, *, outside: str = "drop"
) -> tf.Tensor:
    """Counts per bin, as a graph: the limit of `binned_kde` without bandwidth, for evaluation.

    As `numpy.histogram`, each bin is closed below and open above, but for the last, which is closed. Differentiable in
    weights alone.

    Args:
        samples, edges, weights, outside: as `binned_kde`.

    Returns:
        (n_bins,) float64 counts. All are NaN if a sample is (numpy drops it): has the network diverged?

    Raises:
        ValueError: as `binned_kde`.

    >>> hard_histogram([0.0, 0.5, 1.0, 1.5], [0.0, 0.5, 1.0]).numpy().tolist()
    [1.0, 2.0]
    """
    samples, weights = flat_events(samples, weights)
    edges = _edges(edges)
    if _is_dropped(outside):
        segment = tf.searchsorted(edges, samples, side="right")  # 0 below the first edge, n_edges from the last one on
        segment = tf.where(samples == edges[-1], tf.size(edges) - 1, segment)
        counts = tf.math.unsorted_segment_sum(weights, segment, tf.size(edges) + 1)[1:-1]
    else:
        segment = tf.searchsorted(edges[1:-1], samples, side="right")
        counts = tf.math.unsorted_segment_sum(weights, segment, tf.size(edges) - 1)
    return counts + tf.reduce_sum(tf.where(tf.math.is_nan(samples), samples, 0))


def flat_events(samples: TensorLike, weights: TensorLike | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Samples and weights, each (n_events,)."""
    sample = _column("samples", samples)
    if weights is None:
        return sample, tf.ones_like(sample)
    weight = _column("weights", weights)
    if not weight.shape.is_compatible_with(sample.shape):
        raise ValueError(
            f"Expected one weight for each of the {sample.shape[0]} samples. "
            f"Received: weights of shape {tuple(weight.shape)}"
        )
    return sample, weight


def _column(argument: str, values: TensorLike) -> tf.Tensor:
    """(n_events,) from (n_events,) or (n_events, 1)."""
    values = as_float64(values)
    if values.shape.rank == 2 and values.shape[1] in (1, None):
        return tf.squeeze(values, axis=1)
    if values.shape.rank != 1:
        raise ValueError(
            f"Expected {argument} of shape (n_events,) or (n_events, 1). Received: shape {values.shape}. "
            "Make one histogram of each column."
        )
    return values


def _edges(edges: TensorLike) -> tf.Tensor:
    """(n_bins + 1,), increasing as far as can be known."""
    edges = as_float64(edges)
    if edges.shape.rank != 1 or edges.shape[0] in (0, 1):
        raise ValueError(f"Expected edges of shape (n_bins + 1,), at least two. Received: shape {edges.shape}")
    known = tf.get_static_value(edges)
    if known is not None and not (np.isfinite(known).all() and (np.diff(known) > 0).all()):
        raise ValueError(
            f"Expected edges that are finite and strictly increasing. Received: {known.tolist()}. "
            "For bins without an end, use outside='fold'."
        )
    return edges


def _bandwidth(bandwidth: TensorLike) -> tf.Tensor:
    """A scalar, positive as far as can be known."""
    bandwidth = as_float64(bandwidth)
    known = tf.get_static_value(bandwidth)
    if bandwidth.shape.rank not in (0, None) or (known is not None and not 0 < known < np.inf):
        raise ValueError(
            f"Expected one bandwidth > 0. Received: {bandwidth.shape if known is None else known.tolist()}. "
            "For a histogram without kernels, use hard_histogram."
        )
    return bandwidth


def _is_dropped(outside: str) -> bool:
    if outside not in ("drop", "fold"):
        raise ValueError(f"Expected outside='drop' or 'fold'. Received: outside={outside!r}")
    return outside == "drop"


def as_float64(values: TensorLike) -> tf.Tensor:
    """Python's numbers at their full precision, which `tf.cast` alone would take through float32."""
    return tf.cast(tf.convert_to_tensor(values, dtype_hint=tf.float64), tf.float64)


def _normal() -> Any:
    """The normal distribution of TensorFlow Probability, imported by its first user: that takes a second."""
    try:
        from tensorflow_probability import distributions

        return distributions.Normal
    except ImportError as error:
        raise ImportError(
            "binned_kde needs TensorFlow Probability: pip install tensorflow-probability tf_keras"
        ) from error
