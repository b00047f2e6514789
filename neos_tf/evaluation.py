"""What a summary statistic is worth on a whole data set: its ordinary histograms, and the measurement with them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from neos_tf import checks
from neos_tf.regions import Regions, Tensors
from neos_tf.steps import Invalid
from neos_tf.typing import Features


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


class Evaluation:
    """Sums over the batches of a data set, and what they give together; of the `Regions` of a statistic."""

    def __init__(self, regions: Regions):
        self.regions = regions
        self.counts = {name: Counts(regions.bins(name).n_bins, name=f"counts_{name}") for name in regions.yields}
        self.invalid = Invalid(regions.yields)
        self.loss_of_events = keras.metrics.Mean(name="loss_of_events", dtype="float64")
        self.n_events = keras.metrics.Sum(name="events", dtype="float64")

    def reset(self) -> None:
        for metric in (*self.counts.values(), self.invalid, self.loss_of_events, self.n_events):
            metric.reset_state()

    def add(self, features: Mapping[str, Features], weights: Tensors, scores: Tensors, loss: tf.Tensor) -> None:
        """Adds a batch, whose events have the part `loss` () of the loss that needs no histograms."""
        selected = self.regions.selected(features, weights, hard=True)
        bins = self.regions.in_batch(scores, selected)
        for name, counts in self.counts.items():
            counts.update_state(
                bins[name].hard(scores[name], selected[name]),
                bins[name].hard(scores[name], selected[name] ** 2)
                if name in self.regions.uncertainties.values()
                else None,
                self.regions.norm(name, weights[name]),
            )
        n_events = tf.add_n([tf.size(weight) for weight in weights.values()])
        self.n_events.update_state(n_events)
        self.invalid.update_state(tf.stack([checks.n_invalid(features[name], weights[name]) for name in self.counts]))
        self.loss_of_events.update_state(loss, sample_weight=n_events)

    def histograms(self) -> Tensors:
        """(n_bins,) templates, by name; see `SummaryStatistic.histograms`."""
        without = [name for name, counts in self.counts.items() if not counts.total > 0]
        if without:
            raise ValueError(
                "Expected events of every sample in evaluate(batches), whose weights sum to a positive number. "
                f"Received: none of {', '.join(without)}."
            )
        shares = {name: counts.share for name, counts in self.counts.items()}
        return templates_of(self.regions, shares, {name: counts.error for name, counts in self.counts.items()})

    def results(self, names: Sequence[str], measured: Callable, loss_and_slopes: Callable | None) -> dict[str, float]:
        """By name, in this order, of all batches.

        Args:
            names: "loss" and those of `measured`.
            measured: metrics by name, of templates.
            loss_and_slopes: the part of the loss that histograms have, of templates; None if they have none.

        Raises:
            ValueError: as `SummaryStatistic.evaluate`.
        """
        self.invalid.refuse()
        templates = self.histograms()
        logs = {name: float(value) for name, value in measured(templates).items()}
        logs = {name: logs.get(name, float(self.loss_of_events.result())) for name in names}
        if loss_and_slopes is not None:
            value, converged, _, _ = loss_and_slopes(templates)
            logs["loss"] += float(value) if converged else float("inf")
            logs["unconverged"] = max(logs["unconverged"], float(~converged))
        return logs


def templates_of(regions: Regions, shares: Tensors, errors: Tensors) -> Tensors:
    """(n_bins,) templates by name, from the shares of samples in bins, and their statistical errors."""
    templates = {name: regions.scale(name) * share for name, share in shares.items()}
    for name, sample in regions.uncertainties.items():
        templates[name] = regions.scale(sample) * errors[sample]
    return templates
