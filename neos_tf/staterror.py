"""Bin-wise statistical uncertainties, profiled in closed form.

The factor gamma of a staterror modifier scales the counts s of its samples in one bin, beside r of the others, and is
measured as a with width sigma. Where the likelihood of the n counts observed there has no slope in gamma,

    s - n s / (gamma s + r) + (gamma - a) / sigma^2 = 0,

which is a quadratic equation with one positive root. Conway, arXiv:1103.0354, for a Gaussian constraint.
"""

import numpy as np
import tensorflow as tf

from neos_tf.templates import Likelihood


@tf.autograph.experimental.do_not_convert
def profile_staterrors(points: tf.Tensor, likelihood: Likelihood, data: tf.Tensor) -> tf.Tensor:
    """Points with each gamma of a staterror modifier at its best for the other parameters.

    Args:
        points: (n_points, n_parameters); their gammas do not matter.
        likelihood: the likelihood.
        data: (n_data,) with auxiliary data.

    Returns:
        (n_points, n_parameters), differentiable.

    Raises:
        ValueError: a bin with two gammas.
    """
    model = likelihood.model
    free = ~model.fixed[model.staterrors.parameters]
    parameters, bins, samples, measurements = (array[free] for array in model.staterrors)
    if len(np.unique(bins)) < len(bins):
        raise ValueError(
            "Expected at most one staterror parameter a bin. Received: several of "
            f"{', '.join(model.parameter_names[i] for i in parameters)} in one. Do without profile_staterror."
        )
    if not len(bins):
        return points
    with_ones = _replaced(points, parameters, tf.ones([points.shape[0], len(bins)], tf.float64))
    rates = tf.gather(likelihood.rates(with_ones), bins, axis=2)  # (n_points, n_samples, n_gammas)
    scaled = tf.einsum("psg,gs->pg", rates, samples)
    others = tf.reduce_sum(rates, axis=1) - scaled
    observed = tf.gather(data, bins)
    measured = tf.gather(data, measurements)
    variance = tf.gather(likelihood.constraint_widths, parameters) ** 2
    gamma = _positive_root(scaled, others, observed, measured, variance)
    gamma = tf.clip_by_value(gamma, model.lower[parameters], model.upper[parameters])
    return _replaced(points, parameters, gamma)


def _positive_root(
    scaled: tf.Tensor, others: tf.Tensor, observed: tf.Tensor, measured: tf.Tensor, variance: tf.Tensor
) -> tf.Tensor:
    """Of s g^2 + b g + c = 0; the constraint's own value where s is 0."""
    there = scaled > 0
    scaled = tf.where(there, scaled, 1)
    slope = scaled * variance - measured
    b, c = others + scaled * slope, others * slope - observed * scaled * variance
    root = tf.sqrt(b**2 - 4 * scaled * c)
    without_cancellation = tf.where(b > 0, -2 * c / (b + root), (root - b) / (2 * scaled))
    return tf.where(there, without_cancellation, measured)


def _replaced(points: tf.Tensor, parameters: np.ndarray, values: tf.Tensor) -> tf.Tensor:
    """Columns of `points` replaced."""
    n_parameters = points.shape[1]
    columns = np.eye(n_parameters)[parameters]
    return points * (1 - columns.sum(axis=0)) + values @ columns
