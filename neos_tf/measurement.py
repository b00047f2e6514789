"""What a measurement makes of templates, as graphs, and the ordinary histograms of many batches.

There is one graph for each measurement, so that a second network for it need not wait for the tracing again.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from neos_tf.fits import uncertainties
from neos_tf.inference import cls, discovery_significance
from neos_tf.losses import Loss
from neos_tf.parameters import parameters_with_poi
from neos_tf.templates import TemplateModel


@functools.lru_cache(maxsize=16)
def loss_and_slopes(model: TemplateModel, loss: Loss, jit_compile: bool) -> Callable:
    """A function of templates by name: () loss, () whether it converged, () number of floored bins, slopes by name."""

    @tf.function(autograph=False, jit_compile=jit_compile)
    def loss_and_slopes(templates):
        with tf.GradientTape() as tape:
            tape.watch(templates)
            likelihood = model.bind(templates)
            value, converged = loss.of_likelihood(likelihood)
        return value, converged, likelihood.n_floored, tape.gradient(value, templates, unconnected_gradients="zero")

    return loss_and_slopes


@functools.lru_cache(maxsize=16)
def measured(model: TemplateModel, jit_compile: bool) -> Callable:
    """A function of templates by name: metrics () by name, infinite where a fit did not converge."""

    @tf.function(autograph=False, jit_compile=jit_compile)
    def measured(templates):
        likelihood = model.bind(templates)
        limit, discovery = cls(likelihood), discovery_significance(likelihood)
        sigmas = uncertainties(likelihood, parameters_with_poi(likelihood, 1.0))
        infinite = tf.constant(float("inf"), tf.float64)
        sigmas = tf.where(tf.math.is_finite(sigmas), sigmas, infinite)
        return {
            "cls": tf.where(limit.converged, tf.exp(limit.log_expected), infinite),
            "significance": tf.where(discovery.converged, discovery.significance, -infinite),
            **{f"sigma_{name}": sigmas[i] for i, name in enumerate(model.parameter_names)},
            "unconverged": tf.cast(~(limit.converged & discovery.converged), tf.int32),
            "floored": likelihood.n_floored,
        }

    return measured


class Counts(keras.metrics.Metric):
    """Sums of weights and of squared weights in each bin, and of all weights, over batches."""

    def __init__(self, n_bins: int, **kwargs: Any):
        super().__init__(dtype="float64", **kwargs)
        self.weights_in = self.add_variable((n_bins,), "zeros", dtype="float64", name="weights_in")
        self.squares_in = self.add_variable((n_bins,), "zeros", dtype="float64", name="squares_in")
        self.total = self.add_variable((), "zeros", dtype="float64", name="total")

    def update_state(self, weights: tf.Tensor, squares: tf.Tensor, total: tf.Tensor) -> None:
        self.weights_in.assign_add(weights)
        self.squares_in.assign_add(squares)
        self.total.assign_add(total)

    @property
    def share(self) -> tf.Tensor:
        """(n_bins,) of all weights."""
        return tf.convert_to_tensor(self.weights_in) / tf.convert_to_tensor(self.total)

    @property
    def error(self) -> tf.Tensor:
        """(n_bins,) statistical uncertainty of `share`."""
        return tf.sqrt(tf.convert_to_tensor(self.squares_in)) / tf.convert_to_tensor(self.total)

    def result(self) -> tf.Tensor:
        return self.share
