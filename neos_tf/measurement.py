"""What a measurement makes of templates, as graphs, and the ordinary histograms of many batches.

There is one graph for each measurement, so that a second network for it need not wait for the tracing again.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
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


class LossOfSteps(keras.metrics.Mean):
    """Mean over the steps that had a gradient; infinite if none had."""

    def result(self) -> tf.Tensor:
        return tf.where(tf.convert_to_tensor(self.count) > 0, super().result(), float("inf"))


class Invalid(keras.metrics.Metric):
    """(n_samples,) number of events that have NaN or infinite values, of each of some samples."""

    def __init__(self, names: Iterable[str], **kwargs: Any):
        super().__init__(dtype="float64", **kwargs)
        self.samples = tuple(names)
        self.events = self.add_variable((len(self.samples),), "zeros", dtype="float64", name="events")

    def update_state(self, counts: tf.Tensor) -> None:
        self.events.assign_add(counts)

    def result(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.events)

    def refuse(self) -> None:
        """Raises ValueError, which names them, if there are any."""
        counts = zip(self.samples, self.result().numpy(), strict=True)
        named = [f"{int(count)} events of {name!r}" for name, count in counts if count]
        if named:
            raise ValueError(
                f"Expected finite features and weights. Received: NaN or infinite values in {', '.join(named)}. Leave "
                "these events out, or fill the values in."
            )


class RefuseInvalid(keras.callbacks.Callback):
    """Ends a training after an epoch with such events."""

    def __init__(self, invalid: Invalid):
        super().__init__()
        self.invalid = invalid

    def on_epoch_begin(self, epoch: int, logs: Mapping | None = None) -> None:
        self.invalid.reset_state()

    def on_epoch_end(self, epoch: int, logs: Mapping | None = None) -> None:
        self.invalid.refuse()


class Counts(keras.metrics.Metric):
    """Sums of weights and of squared weights in each bin, and of what they are shares of, over batches."""

    def __init__(self, n_bins: int, **kwargs: Any):
        super().__init__(dtype="float64", **kwargs)
        self.weights_in = self.add_variable((n_bins,), "zeros", dtype="float64", name="weights_in")
        self.squares_in = self.add_variable((n_bins,), "zeros", dtype="float64", name="squares_in")
        self.total = self.add_variable((), "zeros", dtype="float64", name="total")

    def update_state(self, weights: tf.Tensor, squares: tf.Tensor | None, total: tf.Tensor) -> None:
        self.weights_in.assign_add(weights)
        if squares is not None:
            self.squares_in.assign_add(squares)
        self.total.assign_add(total)

    @property
    def share(self) -> tf.Tensor:
        """(n_bins,) of all weights, or expected events of a batch."""
        return tf.convert_to_tensor(self.weights_in) / tf.convert_to_tensor(self.total)

    @property
    def error(self) -> tf.Tensor:
        """(n_bins,) statistical uncertainty of `share`."""
        return tf.sqrt(tf.convert_to_tensor(self.squares_in)) / tf.convert_to_tensor(self.total)

    def result(self) -> tf.Tensor:
        return self.share
