"""A network trained on the measurement that its output is made for: a Keras model whose step is an analysis.

A batch holds events of every sample. Their summary statistics become histograms, these the templates of a pyhf model,
whose expected sensitivity is the loss: the pipeline of Simpson and Heinrich, arXiv:2203.05570, Fig. 1 and Eq. (1).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import ArrayLike

from neos_tf import checks, replicas, steps
from neos_tf.binning import SoftBins, plain_edges
from neos_tf.by_channel import deserialized, serialized
from neos_tf.cross_entropy import StopAfter, cross_entropy
from neos_tf.edges import LearnableEdges
from neos_tf.evaluation import Evaluation
from neos_tf.losses import Loss
from neos_tf.measurement import loss_and_slopes, measured, metrics_of, with_slopes
from neos_tf.quantiles import QuantileBins
from neos_tf.regions import Regions
from neos_tf.templates import TemplateModel
from neos_tf.typing import Features

METRICS = ("cls", "significance", "sigma")


@keras.saving.register_keras_serializable(package="neos_tf")
class SummaryStatistic(keras.Model):
    """A network, and the measurement that is made with histograms of its output.

    `fit` takes batches {name: features} or {name: (features, weights)} with events of every sample, as of
    `sample_batches`, named as the templates of the model. Features are an array, or a dict of arrays by input for a
    network of several named inputs, as a parametric one. A template is the share of the sample's weights in each bin,
    times its expected events; with a yield of None, the weights of each batch are its expected events, and may differ
    from batch to batch as hypotheses do. In training shares are those of a kernel density estimate or of `SoftBins`, in
    evaluation plain counts. Templates without events in the batch keep the numbers of the specification, and absolute
    uncertainties (staterror, shapesys) without are the statistical ones of the histogram.

    `evaluate`, and validation, give of the whole data set: `loss`, the median expected `cls` and `significance` and, at
    mu = 1, `sigma_...` of every parameter; `compile(metrics=...)` chooses. What comes of a fit that does not converge
    is infinite, the worst there is, and counted in `unconverged`. With a floor, `floored` counts the bins that it
    raised. Callbacks need a mode, as `EarlyStopping("val_cls", mode="min")`. The penalties of the network's
    regularizers are part of the loss.

    A step leaves everything as it was, and is counted in `unconverged`, if a fit does not converge, if a gradient is
    not finite, or if an event has a NaN or infinite feature or weight. Such events end `fit` after the epoch, and
    `evaluate`, with an error that names their samples.

    On several devices: what is made and compiled in the scope of a `tf.distribute.MirroredStrategy` trains, and is
    evaluated, as on one, whatever part of a batch each device has. The sums of all parts make the histograms, so that a
    step is one analysis of all events. `BatchNormalization` needs synchronized=True.

    Several regions: a template belongs to one channel and has events of its own in each batch. `network`, `edges`,
    `bandwidth` and `selection` may be dicts by channel; a network that several channels share is given to each. Where
    regions share events, give these under each name, and the cuts as `selection` or weights of 0.

    Args:
        network: a Keras model of features, with one output, or with one a bin of `SoftBins`; built, as one that begins
            with `keras.Input`. Or a dict of models by channel.
        model: the measurement; its channels with templates of events have as many bins as `edges`.
        edges: (n_bins + 1,) of the network's output, or `LearnableEdges`, `QuantileBins` or `SoftBins`. Or a dict of
            these by channel.
        bandwidth: of the kernels, in units of the output; None with `SoftBins`. Or a dict by channel.
        yields: expected events of each sample of events, in all bins and beyond, before `selection`; of samples whose
            weights sum to them, `expected_yields(samples)`. None where the weights of each batch sum to them, as of
            `sample_batches(..., scale_weights=True)`; a histogram of `evaluate` is then the mean over its batches.
        relative: bandwidth in units of the mean bin width.
        outside: "drop" or "fold", what becomes of events beyond the edges.
        selection: a layer that gives a weight (n_events,) to features, as `SoftCut`; called with hard=True in
            evaluation. Or a dict by channel, of None where there is none.
        compile_statistics: compile histograms to loss by XLA: some seconds before the first step, then milliseconds
            less a step; pays after some thousand steps, or with tens of nuisance parameters.

    Raises:
        ValueError: a network that is not built, has another number of outputs or one that the edges do not bound;
            edges, bandwidth or outside that `binned_kde` refuses; yields that are negative, for names that the model
            does not have, or not for all that it needs, or whose template has another number of bins; a dict of
            other channels.

    Warns:
        UserWarning: edges that drop a part of a bounded output.
    """

    def __init__(
        self,
        network: keras.Model | Mapping[str, keras.Model],
        model: TemplateModel,
        edges: ArrayLike | LearnableEdges | QuantileBins | SoftBins | Mapping,
        bandwidth: float | Mapping[str, float | None] | None = None,
        *,
        yields: Mapping[str, float | None],
        relative: bool = False,
        outside: str = "drop",
        selection: keras.Layer | Mapping[str, keras.Layer | None] | None = None,
        compile_statistics: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.network, self.selection = network, selection
        self.model = model
        self._edges = plain_edges(edges)
        self.bandwidth, self.yields, self.relative, self.outside = bandwidth, dict(yields), relative, outside
        self.compile_statistics = compile_statistics
        parts = {"network": network, "edges": self._edges, "bandwidth": bandwidth, "selection": selection}
        self.regions = Regions(model, self.yields, **parts, relative=relative, outside=outside)
        self._loss_value = steps.LossOfSteps(name="loss", dtype="float64")
        self._unconverged, self._floored = steps.StepsWithout(name="unconverged"), keras.metrics.Mean(name="floored")
        self._invalid_in_training, self._evaluation = steps.Invalid(self.yields), Evaluation(self.regions)
        self._metrics = metrics_of(model, METRICS)

        self.built = True  # its parts are

    @property
    def edges(self) -> tf.Tensor | dict[str, tf.Tensor]:
        """(n_bins + 1,) as they are now; by channel if they were given so.

        Raises:
            ValueError: `QuantileBins`, which have edges in a batch alone.
        """
        edges = {channel: part.bins.edges for channel, part in self.regions.parts.items()}
        return edges if isinstance(self._edges, Mapping) else next(iter(edges.values()))

    @property
    def learnable_edges(self) -> LearnableEdges | None:
        """The layer that was given as `edges`, if one was."""
        return self._edges if isinstance(self._edges, LearnableEdges) else None

    def call(self, features: Features, training: bool = False) -> tf.Tensor:
        if isinstance(self.network, Mapping):
            raise ValueError("Expected one network. Received: one a channel. Call statistic.network[channel] instead.")
        return self.network(features, training=training)

    def under(self, model: TemplateModel, yields: Mapping[str, float | None] | None = None) -> "SummaryStatistic":
        """The same network, edges and selection in another measurement. Nothing is copied: to train one trains both.

        Compiled, if this one is, with the same loss and metrics and a new optimizer of the same settings.

        Args:
            model: with as many bins in its channels.
            yields: expected events of its samples; None for those of this statistic's that it has.

        Raises:
            ValueError: as for `SummaryStatistic`.
        """
        with self.distribute_strategy.scope():
            other = self._under(model, yields)
            if (settings := self.get_compile_config()) is not None:
                known = {"cls", "significance", *(f"sigma_{name}" for name in model.parameter_names)}
                other.compile_from_config(settings | {"metrics": [name for name in self._metrics if name in known]})
        return other

    def compile(
        self,
        optimizer: str | dict | keras.Optimizer = "adam",
        loss: Loss | None = None,
        *,
        metrics: Sequence[str] = METRICS,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool = False,
    ) -> None:
        """As of any Keras model; `loss` is one of `neos_tf.losses`.

        Args:
            metrics: what `evaluate` gives besides the loss, each with fits of its own: "cls", "significance", "sigma"
                for the uncertainties of all parameters, "sigma_..." of one; () for none.

        Raises:
            ValueError: `loss` is not a neos_tf loss; an unknown metric; a loss of scores with `SoftBins` or with an
                output that is not between 0 and 1.
        """
        if not isinstance(loss, Loss):
            raise ValueError(f"Expected a loss of neos_tf, such as CLsLoss(). Received: loss={loss!r}.")
        if loss.uses_scores:
            for network, bins, _ in self.regions.parts.values():
                checks.check_scores(network, bins)
        self._metrics = metrics_of(self.model, metrics)
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
        self._measured = measured(self.model, self._metrics, self.compile_statistics)

    @property
    def metrics(self) -> list[keras.Metric]:
        return [self._loss_value, self._unconverged, *([] if self.model.floor is None else [self._floored])]

    def fit(
        self,
        x: Any = None,
        *,
        cross_entropy_steps: int = 0,
        callbacks: list[keras.callbacks.Callback] | None = None,
        **options: Any,
    ) -> keras.callbacks.History:
        """Trains; other arguments as of any Keras model.

        Args:
            x: batches {name: features} or {name: (features, weights)}, or arrays so.
            cross_entropy_steps: so many steps on cross-entropy first: kernels that start from random weights can end
                in a poor minimum. Signal are the samples that the parameter of interest scales, background the
                others, without variations. They have an optimizer of their own, with the same settings.

        Raises:
            ValueError: events with NaN or infinite values, after the epoch; cross_entropy_steps with `SoftBins`,
                or without events of both classes.
        """
        x = checks.without_lists(x)
        if "validation_data" in options:
            options["validation_data"] = checks.without_lists(options["validation_data"])
        if not isinstance(x, Mapping | keras.utils.PyDataset):
            options.setdefault("shuffle", False)  # datasets and generators have their order, and Keras warns of True
        if cross_entropy_steps:
            loss = keras.saving.serialize_keras_object(cross_entropy(self.model, self.yields))
            with self.distribute_strategy.scope():
                start = self._under(self.model, self.yields)
                start.compile_from_config({**(self.get_compile_config() or {}), "loss": loss, "steps_per_execution": 1})
            quiet = {name: options[name] for name in ("batch_size", "shuffle", "steps_per_epoch") if name in options}
            stop = StopAfter(cross_entropy_steps)
            start.fit(x, epochs=cross_entropy_steps, callbacks=[stop], verbose=0, **quiet)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            given = callbacks if isinstance(callbacks, list | tuple) else [] if callbacks is None else [callbacks]
            callbacks = [steps.RefuseInvalid(self._invalid_in_training), *given]
        return super().fit(x, callbacks=callbacks, **options)

    def train_step(self, data: Mapping) -> dict[str, tf.Tensor]:
        features, weights = checks.events_of(data, self.yields, self.regions.dtypes)
        state = [(variable, tf.identity(variable.value)) for variable in self.non_trainable_weights]
        with tf.GradientTape() as tape:
            scores = self.regions.scores(features, training=True)
            total, usable = self._without_histograms(scores), tf.constant(True)
            if self.objective.uses_likelihood:
                templates = self.regions.templates(scores, self.regions.selected(features, weights), weights)
                value, usable, n_floored = with_slopes(self._loss_and_slopes, templates)
                total += value
                self._floored.update_state(n_floored)
        variables = self.trainable_variables
        pairs = [(g, v) for g, v in zip(tape.gradient(total, variables), variables, strict=True) if g is not None]
        n_invalid = tf.stack([checks.n_invalid(features[name], weights[name]) for name in self.yields])
        shares = [name for name, value in self.yields.items() if value is not None]
        sums, n_refused = replicas.summed(([tf.reduce_sum(weights[name]) for name in shares], tf.reduce_sum(n_invalid)))
        positive = tf.reduce_all([True, *(weight > 0 for weight in sums)])
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g, _ in pairs])
        usable &= finite & tf.math.is_finite(total) & positive & (n_refused == 0)
        usable = replicas.everywhere(usable)
        steps.take(usable, self.optimizer, pairs, state)
        self._invalid_in_training.update_state(n_invalid)
        self._loss_value.update_state(tf.where(usable, total, 0), sample_weight=tf.cast(usable, tf.float64))
        self._unconverged.update_state(usable)
        return {metric.name: metric.result() for metric in self.metrics}

    def test_step(self, data: Mapping) -> dict[str, tf.Tensor]:
        features, weights = checks.events_of(data, self.yields, self.regions.dtypes)
        scores = self.regions.scores(features, training=False)
        self._evaluation.add(features, weights, scores, self._without_histograms(scores))
        return {"events": replicas.summed(self._evaluation.n_events.result())}

    def evaluate(self, x: Any = None, *, return_dict: bool = False, **options: Any) -> dict[str, float] | list[float]:
        """Metrics of the measurement with histograms of all events; arguments as of any Keras model.

        Raises:
            ValueError: a sample without events, or whose weights do not sum to a positive number; events with NaN or
                infinite values.
        """
        self._evaluation.reset()
        super().evaluate(checks.without_lists(x), return_dict=True, **options)
        of_histograms = self._loss_and_slopes if self.objective.uses_likelihood else None
        logs = self._evaluation.results(self.metrics_names, self._measured, of_histograms)
        return logs if return_dict else list(logs.values())

    @property
    def metrics_names(self) -> list[str]:
        """Of what `evaluate` gives, in its order."""
        return ["loss", *self._metrics, "unconverged", *([] if self.model.floor is None else ["floored"])]

    def histograms(self) -> dict[str, tf.Tensor]:
        """(n_bins,) templates, by name, of the events that `evaluate` saw last.

        Raises:
            ValueError: there are none, or their weights do not sum to a positive number.
        """
        return self._evaluation.histograms()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "network": serialized(self.network),
            "model": self.model.get_config(),
            "edges": serialized(self._edges),
            "bandwidth": self.bandwidth,
            "yields": self.yields,
            "relative": self.relative,
            "outside": self.outside,
            "selection": serialized(self.selection),
            "compile_statistics": self.compile_statistics,
        }

    @classmethod
    def from_config(cls, config: Mapping, custom_objects: Mapping | None = None) -> "SummaryStatistic":
        parts = {name: deserialized(config[name], custom_objects) for name in ("network", "selection", "edges")}
        return cls(**{**config, **parts, "model": TemplateModel.from_spec(**config["model"])})

    def get_compile_config(self) -> dict[str, Any] | None:
        if not self.compiled:
            return None
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "loss": keras.saving.serialize_keras_object(self.objective),
            "metrics": list(self._metrics),
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": self.jit_compile,
        }

    def compile_from_config(self, config: Mapping) -> None:
        self.compile(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})

    def _maybe_symbolic_build(self, *_: Any, **__: Any) -> None:
        """Nothing: all is built. Keras would average a batch over replicas, whose parts may differ in size."""

    def _under(self, model: TemplateModel, yields: Mapping[str, float | None] | None) -> "SummaryStatistic":
        if yields is None:
            yields = {name: value for name, value in self.yields.items() if name in model.templates}
        others = ("bandwidth", "relative", "outside", "selection", "compile_statistics")
        same = {name: getattr(self, name) for name in others}
        return type(self)(self.network, model, self._edges, yields=yields, **same)

    def _without_histograms(self, scores: dict[str, tf.Tensor]) -> tf.Tensor:
        """() float64 part of the loss that each event has a share in, and the network's penalties; of all replicas."""
        parts = [tf.zeros((), tf.float64)]
        if penalties := self.losses:
            n_events = tf.add_n([tf.shape(score)[0] for score in scores.values()])
            parts.append(replicas.averaged(tf.add_n([tf.cast(one, tf.float64) for one in penalties]), n_events))
        if self.objective.uses_scores:
            parts.append(tf.cast(self.objective.of_scores(replicas.gathered(scores)), tf.float64))
        return tf.add_n(parts)
