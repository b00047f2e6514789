"""A network trained on the measurement that its output is made for: a Keras model whose step is an analysis.

A batch holds events of every sample. Their summary statistics become histograms, these the templates of a pyhf model,
whose expected sensitivity is the loss: the pipeline of Simpson and Heinrich, arXiv:2203.05570, Fig. 1 and Eq. (1).
"""

import functools
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from neos_tf.edges import LearnableEdges
from neos_tf.histogram import binned_kde, hard_histogram
from neos_tf.inference import cls, discovery_significance, guarded_sqrt, parameters_with_poi, uncertainties
from neos_tf.losses import Loss
from neos_tf.templates import TemplateModel


@keras.saving.register_keras_serializable(package="neos_tf")
class SummaryStatistic(keras.Model):
    """A network, and the measurement that is made with histograms of its output.

    `fit` takes batches {name: features} or {name: (features, weights)} with events of every sample, as of
    `sample_batches`, named as the templates of the model. A template is the share of the sample's weights in each bin,
    times its expected events; in training shares are those of a kernel density estimate, in evaluation plain counts.
    Templates without events in the batch keep the numbers of the specification, and absolute uncertainties (staterror,
    shapesys) without are the statistical ones of the histogram.

    `evaluate`, and validation, give of the whole data set: `loss`, the median expected `cls` and `significance` and, at
    mu = 1, `sigma_...` of every parameter. Fits that do not converge are counted in `unconverged`; the step of a batch
    with one has no gradient. With a floor, `floored` counts the bins that it raised.

    Args:
        network: a Keras model of features, with one output.
        model: the measurement; its channels with templates of events have as many bins as `edges`.
        edges: (n_bins + 1,) of the network's output, or `LearnableEdges`.
        bandwidth: of the kernels, in units of the output.
        yields: expected events of each sample of events, in all bins and beyond, before `selection`.
        relative: bandwidth in units of the mean bin width.
        outside: "drop" or "fold", what becomes of events beyond the edges.
        selection: a layer that gives a weight (n_events,) to features, as `SoftCut`; called with hard=True in
            evaluation.
        compile_statistics: compile histograms to loss by XLA: some seconds before the first step, then milliseconds
            less a step; pays after some thousand steps, or with tens of nuisance parameters.

    Raises:
        ValueError: yields for names that the model does not have, or whose template has another number of bins.
    """

    def __init__(
        self,
        network,
        model: TemplateModel,
        edges,
        bandwidth: float,
        *,
        yields: Mapping[str, float],
        relative: bool = False,
        outside: str = "drop",
        selection=None,
        compile_statistics: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.network, self.selection = network, selection
        self.model = model
        if selection is not None and not selection.built:
            selection.build(network.input_shape)
        self.learnable_edges = edges if isinstance(edges, LearnableEdges) else None
        self._edges = edges.edges if self.learnable_edges else np.asarray(edges, np.float64).tolist()
        self.bandwidth, self.yields, self.relative, self.outside = bandwidth, dict(yields), relative, outside
        self.compile_statistics = compile_statistics
        self._check()
        self._uncertainties = {
            template.name: template.uncertainty_of
            for template in model.templates.values()
            if template.uncertainty_of in self.yields and template.required and template.name not in self.yields
        }
        self._loss_value = keras.metrics.Mean(name="loss")
        self._unconverged, self._floored = keras.metrics.Sum(name="unconverged"), keras.metrics.Mean(name="floored")
        self._counts = {name: _Counts(self.n_bins, name=f"counts_{name}") for name in self.yields}
        self._losses_of_scores = keras.metrics.Mean(name="loss_of_scores")
        self._n_events = keras.metrics.Sum(name="events", dtype="float64")

        self.built = True  # its parts are

    @property
    def n_bins(self) -> int:
        return len(self._edges) - 1

    @property
    def edges(self) -> tf.Tensor:
        """(n_bins + 1,) as they are now."""
        return tf.constant(self._edges, tf.float64) if self.learnable_edges is None else self.learnable_edges()

    def call(self, features, training=False):
        return self.network(features, training=training)

    def compile(self, optimizer="adam", loss: Loss | None = None, *, jit_compile: bool = False, **kwargs):
        """As of any Keras model; `loss` is one of `neos_tf.losses`.

        Raises:
            ValueError: another loss.
        """
        if not isinstance(loss, Loss):
            raise ValueError(f"Expected a loss of neos_tf, such as CLsLoss(). Received: loss={loss!r}.")
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        self.objective = loss
        self._statistics = _loss_and_slopes(self.model, loss, self.compile_statistics)
        self._measure = _measurement(self.model, loss, self.compile_statistics)

    @property
    def metrics(self):
        return [self._loss_value, self._unconverged, self._floored]

    def train_step(self, data):
        features, weights = self._events(data)
        with tf.GradientTape() as tape:
            scores = self._scores(features, training=True)
            total, converged = tf.zeros((), tf.float64), tf.constant(True)
            if self.objective.uses_scores:
                total += tf.cast(self.objective.of_scores(scores), tf.float64)
            if self.objective.uses_likelihood:
                templates = self._templates(scores, self._selected(features, weights), weights)
                value, converged, n_floored = self._statistic(templates)
                total += value
        variables = self.trainable_variables
        gradients = tape.gradient(total, variables)
        usable = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients if g is not None]) & converged
        gradients = [None if g is None else tf.where(usable, g, tf.zeros_like(g)) for g in gradients]
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self._loss_value.update_state(tf.where(usable, total, 0), sample_weight=tf.cast(usable, tf.float32))
        self._unconverged.update_state(tf.cast(~usable, tf.float32))
        if self.objective.uses_likelihood:
            self._floored.update_state(n_floored)
        return self._logs()

    def test_step(self, data):
        features, weights = self._events(data)
        scores = self._scores(features, training=False)
        selected = self._selected(features, weights, hard=True)
        for name, counts in self._counts.items():
            histograms = [
                hard_histogram(scores[name], self.edges, selected[name] ** power, outside=self.outside)
                for power in (1, 2)
            ]
            counts.update_state(*histograms, tf.reduce_sum(weights[name]))
        self._n_events.update_state(tf.add_n([tf.size(weight) for weight in weights.values()]))
        if self.objective.uses_scores:
            self._losses_of_scores.update_state(self.objective.of_scores(scores))
        return {"events": self._n_events.result()}

    def evaluate(self, *args, return_dict: bool = False, **kwargs):
        """Metrics of the measurement with histograms of all events; arguments as of any Keras model."""
        for metric in (*self._counts.values(), self._losses_of_scores, self._n_events):
            metric.reset_state()
        super().evaluate(*args, return_dict=True, **kwargs)
        measured = self._measure(self.histograms())
        loss = 0.0 if not self.objective.uses_scores else float(self._losses_of_scores.result())
        logs = {name: float(value) for name, value in measured.items()}
        logs["loss"] += loss
        return logs if return_dict else list(logs.values())

    def histograms(self) -> dict[str, tf.Tensor]:
        """(n_bins,) templates, by name, of the events that `evaluate` saw last."""
        templates = {name: self.yields[name] * counts.share for name, counts in self._counts.items()}
        for name, sample in self._uncertainties.items():
            templates[name] = self.yields[sample] * self._counts[sample].error
        return templates

    def get_config(self):
        edges = self._edges if self.learnable_edges is None else self.learnable_edges
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "model": self.model.get_config(),
            "edges": edges if isinstance(edges, list) else keras.saving.serialize_keras_object(edges),
            "bandwidth": self.bandwidth,
            "yields": self.yields,
            "relative": self.relative,
            "outside": self.outside,
            "selection": None if self.selection is None else keras.saving.serialize_keras_object(self.selection),
            "compile_statistics": self.compile_statistics,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        for name in ("network", "selection", "edges"):
            if isinstance(config[name], dict):
                config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
        return cls(**config | {"model": TemplateModel.from_spec(**config["model"])})

    def get_compile_config(self):
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "loss": keras.saving.serialize_keras_object(self.objective),
        }

    def compile_from_config(self, config):
        self.compile(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})
        self.optimizer.build(self.trainable_variables)

    def _check(self):
        unknown = [name for name in self.yields if name not in self.model.templates]
        if unknown or not self.yields:
            raise ValueError(
                f"Expected yields of templates of the model, {', '.join(self.model.templates)}. Received: "
                f"{', '.join(self.yields) or 'none'}."
            )
        for name in self.yields:
            shape = self.model.templates[name].shape
            if shape != (self.n_bins,):
                raise ValueError(
                    f"Expected template {name!r} of {self.n_bins} bins, as edges has. Received: shape {shape} in the "
                    "model."
                )

    def _events(self, data):
        """Features (n_events, n_features) and weights (n_events,) float64 by sample."""
        if not isinstance(data, dict) or set(data) != set(self.yields):
            received = ", ".join(data) if isinstance(data, dict) else type(data).__name__
            raise ValueError(
                f"Expected batches of a dict with events of {', '.join(self.yields)}. Received: {received}. See "
                "neos_tf.sample_batches."
            )
        pairs = {name: events if isinstance(events, tuple) else (events, None) for name, events in data.items()}
        features = {name: pairs[name][0] for name in self.yields}
        weights = {
            name: tf.ones([tf.shape(features[name])[0]], tf.float64) if weight is None else tf.cast(weight, tf.float64)
            for name, (_, weight) in pairs.items()
        }
        return features, weights

    def _scores(self, features, training):
        """(n_events, 1) by sample, from one call of the network."""
        sizes = [tf.shape(events)[0] for events in features.values()]
        scores = self.network(tf.concat(list(features.values()), axis=0), training=training)
        return dict(zip(features, tf.split(scores, sizes), strict=True))

    def _selected(self, features, weights, hard=False):
        if self.selection is None:
            return weights
        return {
            name: weights[name] * tf.cast(self.selection(features[name], hard=hard), tf.float64) for name in weights
        }

    def _templates(self, scores, selected, weights):
        edges = self.edges
        options = {"relative": self.relative, "outside": self.outside}
        scale = {name: self.yields[name] / tf.reduce_sum(weights[name]) for name in self.yields}
        templates = {
            name: scale[name] * binned_kde(scores[name], edges, self.bandwidth, selected[name], **options)
            for name in self.yields
        }
        for name, sample in self._uncertainties.items():
            squared = binned_kde(scores[sample], edges, self.bandwidth, selected[sample] ** 2, **options)
            templates[name] = scale[sample] * guarded_sqrt(squared)
        return templates

    def _statistic(self, templates):
        """Loss, whether it converged and number of floored bins, with the gradient that was computed along."""
        names = list(templates)

        @tf.custom_gradient
        def statistic(*arrays):
            value, converged, n_floored, slopes = self._statistics(dict(zip(names, arrays, strict=True)))
            return (value, converged, n_floored), lambda upstream, *_: [upstream * slopes[name] for name in names]

        return statistic(*(templates[name] for name in names))

    def _logs(self):
        shown = self.metrics[:2] if self.model.floor is None else self.metrics
        return {metric.name: metric.result() for metric in shown}


# One graph for each measurement, so that a second network for it need not wait for it again.


@functools.lru_cache(maxsize=16)
def _loss_and_slopes(model: TemplateModel, loss: Loss, jit_compile: bool):
    @tf.function(autograph=False, jit_compile=jit_compile)
    def loss_and_slopes(templates):
        with tf.GradientTape() as tape:
            tape.watch(templates)
            likelihood = model.bind(templates)
            value, converged = loss.of_likelihood(likelihood)
        return value, converged, likelihood.n_floored, tape.gradient(value, templates, unconnected_gradients="zero")

    return loss_and_slopes


@functools.lru_cache(maxsize=16)
def _measurement(model: TemplateModel, loss: Loss, jit_compile: bool):
    @tf.function(autograph=False, jit_compile=jit_compile)
    def measurement(templates):
        likelihood = model.bind(templates)
        value, converged = tf.zeros((), tf.float64), tf.constant(True)
        if loss.uses_likelihood:
            value, converged = loss.of_likelihood(likelihood)
        limit, discovery = cls(likelihood), discovery_significance(likelihood)
        sigmas = uncertainties(likelihood, parameters_with_poi(likelihood, 1.0))
        return {
            "loss": value,
            "cls": tf.exp(limit.log_expected),
            "significance": discovery.significance,
            **{f"sigma_{name}": sigmas[i] for i, name in enumerate(model.parameter_names)},
            "unconverged": tf.cast(~(converged & limit.converged & discovery.converged), tf.int32),
            "floored": likelihood.n_floored,
        }

    return measurement


class _Counts(keras.metrics.Metric):
    """Sums of weights and of squared weights in each bin, and of all weights, over batches."""

    def __init__(self, n_bins, **kwargs):
        super().__init__(dtype="float64", **kwargs)
        self.weights_in = self.add_variable((n_bins,), "zeros", dtype="float64", name="weights_in")
        self.squares_in = self.add_variable((n_bins,), "zeros", dtype="float64", name="squares_in")
        self.total = self.add_variable((), "zeros", dtype="float64", name="total")

    def update_state(self, weights, squares, total):
        self.weights_in.assign_add(weights)
        self.squares_in.assign_add(squares)
        self.total.assign_add(total)

    @property
    def share(self):
        """(n_bins,) of all weights."""
        return tf.convert_to_tensor(self.weights_in) / tf.convert_to_tensor(self.total)

    @property
    def error(self):
        """(n_bins,) statistical uncertainty of `share`."""
        return tf.sqrt(tf.convert_to_tensor(self.squares_in)) / tf.convert_to_tensor(self.total)

    def result(self):
        return self.share
