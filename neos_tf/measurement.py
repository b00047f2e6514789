"""What a measurement makes of templates, as graphs: loss, gradient and metrics.

There is one graph for each measurement, so that a second network for it need not wait for the tracing again.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

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
def measured(model: TemplateModel, metrics: tuple[str, ...], jit_compile: bool) -> Callable:
    """A function of templates by name: the metrics () asked for, by name, infinite where a fit did not converge."""

    @tf.function(autograph=False, jit_compile=jit_compile)
    def measured(templates):
        likelihood, results = model.bind(templates), {}
        infinite, converged = tf.constant(float("inf"), tf.float64), tf.constant(True)
        if "cls" in metrics:
            limit = cls(likelihood)
            results["cls"] = tf.where(limit.converged, tf.exp(limit.log_expected), infinite)
            converged &= limit.converged
        if "significance" in metrics:
            discovery = discovery_significance(likelihood)
            results["significance"] = tf.where(discovery.converged, discovery.significance, -infinite)
            converged &= discovery.converged
        if any(name.startswith("sigma_") for name in metrics):
            sigmas = uncertainties(likelihood, parameters_with_poi(likelihood, 1.0))
            sigmas = tf.where(tf.math.is_finite(sigmas), sigmas, infinite)
            results |= {f"sigma_{name}": sigmas[i] for i, name in enumerate(model.parameter_names)}
        return results | {"unconverged": tf.cast(~converged, tf.int32), "floored": likelihood.n_floored}

    return measured


def with_slopes(
    loss_and_slopes: Callable, templates: Mapping[str, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Loss, whether it converged and number of floored bins, whose gradient is that of `loss_and_slopes`."""
    names = list(templates)

    @tf.custom_gradient
    def statistic(*arrays):
        value, converged, n_floored, slopes = loss_and_slopes(dict(zip(names, arrays, strict=True)))
        return (value, converged, n_floored), lambda upstream, *_: [upstream * slopes[name] for name in names]

    return statistic(*(templates[name] for name in names))


def metrics_of(model: TemplateModel, metrics: Sequence[str]) -> tuple[str, ...]:
    """Names of metrics, with "sigma" for the uncertainties of all parameters.

    Raises:
        ValueError: an unknown name.
    """
    sigmas = [f"sigma_{name}" for name in model.parameter_names]
    asked = [name for metric in metrics for name in (sigmas if metric == "sigma" else [metric])]
    unknown = [name for name in asked if name not in ("cls", "significance", *sigmas)]
    if unknown or isinstance(metrics, str):
        raise ValueError(
            f"Expected metrics among cls, significance, sigma, {', '.join(sigmas)}. Received: metrics={metrics!r}."
        )
    return tuple(dict.fromkeys(asked))
