"""A network trained on the measurement that its output is made for: a Keras model whose step is an analysis.

A batch holds events of every sample. Their summary statistics become histograms, these the templates of a pyhf model,
whose expected sensitivity is the loss: the pipeline of Simpson and Heinrich, arXiv:2203.05570, Fig. 1 and Eq. (1).
"""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import ArrayLike

from neos_tf.binning import KernelBins, SoftBins
from neos_tf.edges import LearnableEdges
from neos_tf.fits import guarded_sqrt
from neos_tf.losses import Loss
from neos_tf.measurement import Counts, loss_and_slopes, measured
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
    mu = 1, `sigma_...` of every parameter. What comes of a fit that does not converge is infinite, the worst there is,
    and counted in `unconverged`; the step of a batch with one has no gradient. With a floor, `floored` counts the bins
    that it raised. Callbacks need a mode, as `EarlyStopping("val_cls", mode="min")`. The penalties of the network's
    regularizers are part of the loss.

    Args:
        network: a Keras model of features, with one output, or with one a bin of `SoftBins`; built, as one that begins
            with `keras.Input`.
        model: the measurement; its channels with templates of events have as many bins as `edges`.
        edges: (n_bins + 1,) of the network's output, or `LearnableEdges`, or `SoftBins`.
        bandwidth: of the kernels, in units of the output; None with `SoftBins`.
        yields: expected events of each sample of events, in all bins and beyond, before `selection`.
        relative: bandwidth in units of the mean bin width.
        outside: "drop" or "fold", what becomes of events beyond the edges.
        selection: a layer that gives a weight (n_events,) to features, as `SoftCut`; called with hard=True in
            evaluation.
        compile_statistics: compile histograms to loss by XLA: some seconds before the first step, then milliseconds
            less a step; pays after some thousand steps, or with tens of nuisance parameters.

    Raises:
        ValueError: a network that is not built; edges, bandwidth or outside that `binned_kde` refuses; yields for
            names that the model does not have, or not for all that it needs, or whose template has another number of
            bins.
    """

    def __init__(
        self,
        network: keras.Model,
        model: TemplateModel,
        edges: ArrayLike | LearnableEdges | SoftBins,
        bandwidth: float | None = None,
        *,
        yields: Mapping[str, float],
        relative: bool = False,
        outside: str = "drop",
        selection: keras.Layer | None = None,
        compile_statistics: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not network.built:
            raise ValueError("Expected a network that is built. Received: one that is not. Begin it with keras.Input.")
        self.network, self.selection = network, selection
        self.model = model
        if selection is not None and not selection.built:
            selection.build(network.input_shape)
        if isinstance(edges, SoftBins):
            if bandwidth is not None:
                raise ValueError(f"Expected no bandwidth with SoftBins. Received: bandwidth={bandwidth}.")
            self.bins, self.learnable_edges = edges, None
        else:
            self.bins = KernelBins(edges, bandwidth, relative=relative, outside=outside)
            self.learnable_edges = self.bins.learnable  # for Keras, which saves and trains it
        self.bandwidth, self.yields, self.relative, self.outside = bandwidth, dict(yields), relative, outside
        self.compile_statistics = compile_statistics
        self._uncertainties = {
            template.name: template.uncertainty_of
            for template in model.templates.values()
            if template.uncertainty_of in self.yields and template.required and template.name not in self.yields
        }
        self._check()
        self._loss_value = keras.metrics.Mean(name="loss", dtype="float64")
        self._unconverged, self._floored = keras.metrics.Sum(name="unconverged"), keras.metrics.Mean(name="floored")
        self._counts = {name: Counts(self.n_bins, name=f"counts_{name}") for name in self.yields}
        self._loss_of_events = keras.metrics.Mean(name="loss_of_events", dtype="float64")
        self._n_events = keras.metrics.Sum(name="events", dtype="float64")

        self.built = True  # its parts are

    @property
    def n_bins(self) -> int:
        return self.bins.n_bins

    @property
    def edges(self) -> tf.Tensor:
        """(n_bins + 1,) as they are now."""
        return self.bins.edges

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.network(features, training=training)

    def compile(
        self,
        optimizer: str | dict | keras.Optimizer = "adam",
        loss: Loss | None = None,
        *,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool = False,
    ) -> None:
        """As of any Keras model, without metrics; `loss` is one of `neos_tf.losses`.

        Raises:
            ValueError: another loss.
        """
        if not isinstance(loss, Loss):
            raise ValueError(f"Expected a loss of neos_tf, such as CLsLoss(). Received: loss={loss!r}.")
        super().compile(
            optimizer=optimizer,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=False,  # for float16, where what is scaled must also be kept finite
        )
        self.objective = loss
        self.optimizer.build(self.trainable_variables)  # now, as a step that creates variables is traced twice
        self._loss_and_slopes = loss_and_slopes(self.model, loss, self.compile_statistics)
        self._measured = measured(self.model, self.compile_statistics)

    @property
    def metrics(self) -> list[keras.Metric]:
        return [self._loss_value, self._unconverged, self._floored]

    def train_step(self, data: Mapping) -> dict[str, tf.Tensor]:
        features, weights = self._events(data)
        with tf.GradientTape() as tape:
            scores = self._scores(features, training=True)
            total, converged = self._without_histograms(scores), tf.constant(True)
            if self.objective.uses_likelihood:
                templates = self._templates(scores, self._selected(features, weights), weights)
                value, converged, n_floored = self._statistic(templates)
                total += value
        variables = self.trainable_variables
        gradients = tape.gradient(total, variables)
        usable = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients if g is not None]) & converged
        gradients = [None if g is None else tf.where(usable, g, tf.zeros_like(g)) for g in gradients]
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self._loss_value.update_state(tf.where(usable, total, 0), sample_weight=tf.cast(usable, tf.float64))
        self._unconverged.update_state(tf.cast(~usable, tf.float32))
        if self.objective.uses_likelihood:
            self._floored.update_state(n_floored)
        return self._logs()

    def test_step(self, data: Mapping) -> dict[str, tf.Tensor]:
        features, weights = self._events(data)
        scores = self._scores(features, training=False)
        selected = self._selected(features, weights, hard=True)
        for name, counts in self._counts.items():
            sums, squares = (self.bins.hard(scores[name], selected[name] ** power) for power in (1, 2))
            counts.update_state(sums, squares, tf.reduce_sum(weights[name]))
        n_events = tf.add_n([tf.size(weight) for weight in weights.values()])
        self._n_events.update_state(n_events)
        self._loss_of_events.update_state(self._without_histograms(scores), sample_weight=n_events)
        return {"events": self._n_events.result()}

    def evaluate(self, *args: Any, return_dict: bool = False, **kwargs: Any) -> dict[str, float] | list[float]:
        """Metrics of the measurement with histograms of all events; arguments as of any Keras model."""
        for metric in (*self._counts.values(), self._loss_of_events, self._n_events):
            metric.reset_state()
        super().evaluate(*args, return_dict=True, **kwargs)
        templates = self.histograms()
        logs = {name: float(value) for name, value in self._measured(templates).items()}
        logs = {name: logs.get(name, float(self._loss_of_events.result())) for name in self.metrics_names}
        if self.objective.uses_likelihood:
            value, converged, _, _ = self._loss_and_slopes(templates)
            logs["loss"] += float(value) if converged else float("inf")
            logs["unconverged"] = max(logs["unconverged"], float(~converged))
        return logs if return_dict else list(logs.values())

    @property
    def metrics_names(self) -> list[str]:
        """Of what `evaluate` gives, in its order."""
        sigmas = [f"sigma_{name}" for name in self.model.parameter_names]
        return [
            "loss",
            "cls",
            "significance",
            *sigmas,
            "unconverged",
            *([] if self.model.floor is None else ["floored"]),
        ]

    def histograms(self) -> dict[str, tf.Tensor]:
        """(n_bins,) templates, by name, of the events that `evaluate` saw last."""
        templates = {name: self.yields[name] * counts.share for name, counts in self._counts.items()}
        for name, sample in self._uncertainties.items():
            templates[name] = self.yields[sample] * self._counts[sample].error
        return templates

    def get_config(self) -> dict[str, Any]:
        bins = self.bins if isinstance(self.bins, SoftBins) else self.learnable_edges
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "model": self.model.get_config(),
            "edges": self.bins.start if bins is None else keras.saving.serialize_keras_object(bins),
            "bandwidth": self.bandwidth,
            "yields": self.yields,
            "relative": self.relative,
            "outside": self.outside,
            "selection": None if self.selection is None else keras.saving.serialize_keras_object(self.selection),
            "compile_statistics": self.compile_statistics,
        }

    @classmethod
    def from_config(cls, config: Mapping, custom_objects: Mapping | None = None) -> "SummaryStatistic":
        config = dict(config)
        for name in ("network", "selection", "edges"):
            if isinstance(config[name], dict):
                config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
        return cls(**config | {"model": TemplateModel.from_spec(**config["model"])})

    def get_compile_config(self) -> dict[str, Any] | None:
        if not self.compiled:
            return None
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "loss": keras.saving.serialize_keras_object(self.objective),
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": self.jit_compile,
        }

    def compile_from_config(self, config: Mapping) -> None:
        self.compile(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})

    def _check(self) -> None:
        unknown = [name for name in self.yields if name not in self.model.templates]
        if unknown or not self.yields:
            raise ValueError(
                f"Expected yields of templates of the model, {', '.join(self.model.templates)}. Received: "
                f"{', '.join(self.yields) or 'none'}."
            )
        missing = [name for name in self.model.template_names if name not in {**self.yields, **self._uncertainties}]
        if missing:
            raise ValueError(
                f"Expected yields of {', '.join(missing)} as well, which have no numbers in the model. Received: "
                f"{', '.join(self.yields)}."
            )
        for name in self.yields:
            shape = self.model.templates[name].shape
            if shape != (self.n_bins,):
                raise ValueError(
                    f"Expected template {name!r} of {self.n_bins} bins, as edges has. Received: shape {shape} in the "
                    "model."
                )

    def _events(self, data: Mapping) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Features (n_events, n_features) and weights (n_events,) float64 by sample."""
        data, label, _ = keras.utils.unpack_x_y_sample_weight(data)
        if not isinstance(data, dict) or set(data) != set(self.yields) or label is not None:
            received = (
                "labels" if label is not None else ", ".join(data) if isinstance(data, dict) else type(data).__name__
            )
            raise ValueError(
                f"Expected batches of a dict with events of {', '.join(self.yields)}. Received: {received}. See "
                "neos_tf.sample_batches."
            )
        pairs = {name: events if isinstance(events, tuple) else (events, None) for name, events in data.items()}
        features = {name: pairs[name][0] for name in self.yields}
        weights = {
            name: tf.ones(tf.shape(events)[:1], tf.float64)
            if weight is None
            else tf.reshape(tf.cast(weight, tf.float64), [-1])
            for name, (events, weight) in pairs.items()
        }
        return features, weights

    def _scores(self, features: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """(n_events, 1) by sample, from one call of the network."""
        sizes = [tf.shape(events)[0] for events in features.values()]
        scores = self.network(tf.concat(list(features.values()), axis=0), training=training)
        return dict(zip(features, tf.split(scores, sizes), strict=True))

    def _without_histograms(self, scores: dict[str, tf.Tensor]) -> tf.Tensor:
        """() float64 part of the loss that each event has a share in, and the network's penalties."""
        parts = [tf.zeros((), tf.float64), *(tf.cast(penalty, tf.float64) for penalty in self.losses)]
        if self.objective.uses_scores:
            parts.append(tf.cast(self.objective.of_scores(scores), tf.float64))
        return tf.add_n(parts)

    def _selected(
        self, features: dict[str, tf.Tensor], weights: dict[str, tf.Tensor], hard: bool = False
    ) -> dict[str, tf.Tensor]:
        if self.selection is None:
            return weights
        return {
            name: weights[name] * tf.cast(self.selection(features[name], hard=hard), tf.float64) for name in weights
        }

    def _templates(
        self, scores: dict[str, tf.Tensor], selected: dict[str, tf.Tensor], weights: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        scale = {name: self.yields[name] / tf.reduce_sum(weights[name]) for name in self.yields}
        templates = {name: scale[name] * self.bins.soft(scores[name], selected[name]) for name in self.yields}
        for name, sample in self._uncertainties.items():
            templates[name] = scale[sample] * guarded_sqrt(self.bins.soft(scores[sample], selected[sample] ** 2))
        return templates

    def _statistic(self, templates: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Loss, whether it converged and number of floored bins, with the gradient that was computed along."""
        names = list(templates)

        @tf.custom_gradient
        def statistic(*arrays):
            value, converged, n_floored, slopes = self._loss_and_slopes(dict(zip(names, arrays, strict=True)))
            return (value, converged, n_floored), lambda upstream, *_: [upstream * slopes[name] for name in names]

        return statistic(*(templates[name] for name in names))

    def _logs(self) -> dict[str, tf.Tensor]:
        loss = tf.where(self._loss_value.count > 0, self._loss_value.result(), float("inf"))
        logs = {"loss": loss, "unconverged": self._unconverged.result()}
        return logs if self.model.floor is None else logs | {"floored": self._floored.result()}
