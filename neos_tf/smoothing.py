"""Variations freed of statistical fluctuations: the ratio to the nominal template, fitted locally by straight lines.

Kernel-weighted local linear regression, Cleveland, J. Am. Stat. Assoc. 74 (1979) 829, with a Gaussian kernel over bins.
"""

import tensorflow as tf

from neos_tf.histogram import as_float64
from neos_tf.typing import TensorLike


def smooth_variation(variation: TensorLike, nominal: TensorLike, bandwidth: float = 1.0) -> tf.Tensor:
    """A variation whose ratio to the nominal template is smooth, with the same number of events in all.

    In bin k the ratio is the value at k of a straight line, fitted to the ratios variation / nominal with the weights

        nominal_j exp(-(j - k)^2 / (2 bandwidth^2)),

    as bins with more events know their ratio better. Ratios that lie on one line stay. Give each channel by itself.
    Both templates should be made of the same events, so that most fluctuations cancel in the ratio. Differentiable.

    Args:
        variation: (n_bins,) expected events of the systematic variation.
        nominal: (n_bins,) expected events without it; not negative. Bins without have no weight, and stay as they are.
        bandwidth: standard deviation of the kernel in bins; a small one leaves the variation as it is.

    Returns:
        (n_bins,) float64.

    Raises:
        ValueError: templates of several axes or of unequal length, a bandwidth that is not positive.

    >>> smooth_variation([11.0, 10.0, 12.0, 11.0], [10.0, 10.0, 10.0, 10.0], bandwidth=2.0).numpy().round(2)
    array([10.66, 10.88, 11.12, 11.34])
    """
    variation, nominal = as_float64(variation), as_float64(nominal)
    if variation.shape.rank != 1 or not variation.shape.is_compatible_with(nominal.shape):
        raise ValueError(
            f"Expected variation and nominal of one shape (n_bins,). Received: {variation.shape} and {nominal.shape}."
        )
    if not bandwidth > 0:
        raise ValueError(f"Expected a bandwidth above 0. Received: bandwidth={bandwidth}.")
    there = nominal > 0
    ratio = tf.where(there, variation, 1) / tf.where(there, nominal, 1)
    bins = tf.range(tf.size(nominal, tf.int32))
    distance = tf.cast(bins[None, :] - bins[:, None], tf.float64)  # (at, of)
    weights = tf.where(there, nominal, 0) * tf.exp(-((distance / bandwidth) ** 2) / 2)

    total = tf.reduce_sum(weights, axis=1, keepdims=True)
    weights /= tf.where(total > 0, total, 1)
    centre = tf.reduce_sum(weights * distance, axis=1, keepdims=True)
    spread = tf.reduce_sum(weights * (distance - centre) ** 2, axis=1)
    level = tf.linalg.matvec(weights, ratio)
    slope = tf.linalg.matvec(weights * (distance - centre), ratio) / tf.where(spread > 0, spread, 1)
    smooth = tf.where(there, nominal * (level - slope * centre[:, 0]), variation)
    events, kept = tf.reduce_sum(tf.where(there, variation, 0)), tf.reduce_sum(tf.where(there, smooth, 0))
    scale = tf.where(kept > 0, events / tf.where(kept > 0, kept, 1), 1)
    return tf.where(there, scale * smooth, smooth)
