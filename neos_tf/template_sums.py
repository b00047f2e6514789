"""Histograms of a summary statistic as sums over events, which parts of the events add up to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import tensorflow as tf

from neos_tf import checks
from neos_tf.evaluation import templates_of
from neos_tf.training import SummaryStatistic


class SampleSums(NamedTuple):
    """Sums over the events of one sample.

    Attributes:
        weights: (n_bins,) of the weights in each bin, after the selection.
        squares: (n_bins,) of their squares.
        total: of all weights, before the selection.
        n_events: number of events.
    """

    weights: np.ndarray
    squares: np.ndarray
    total: float
    n_events: int


@dataclass(frozen=True, eq=False)
class TemplateSums:
    """What templates are made of, from some events; made by `template_sums`.

    `a + b` is of the events of both, whatever their parts: a sample may be in one of them alone.

    Attributes:
        samples: by name.
    """

    samples: Mapping[str, SampleSums]

    def __add__(self, other: "TemplateSums") -> Self:
        """Raises ValueError for histograms of other bins."""
        if not isinstance(other, TemplateSums):
            return NotImplemented
        samples = dict(self.samples)
        for name, more in other.samples.items():
            if (own := samples.get(name)) is None:
                samples[name] = more
                continue
            if own.weights.shape != more.weights.shape:
                raise ValueError(
                    f"Expected histograms of {name!r} with the same bins. Received: {len(own.weights)} and "
                    f"{len(more.weights)}."
                )
            samples[name] = SampleSums(*(a + b for a, b in zip(own, more, strict=True)))
        return type(self)(samples)

    def merge(self, others: Iterable["TemplateSums"]) -> Self:
        """Of these events and of all others."""
        return sum(others, start=self)

    def templates(self, statistic: SummaryStatistic) -> dict[str, tf.Tensor]:
        """(n_bins,) templates by name, for `TemplateModel.bind`: as `SummaryStatistic.histograms` of all the events.

        Of a sample whose yield is None, the weights of all events are its expected events.

        Args:
            statistic: whose histograms they are.

        Raises:
            ValueError: no events of a sample that the statistic has, or weights without a positive sum.
        """
        regions = statistic.regions
        sums = {name: self.samples.get(name) for name in regions.yields}
        without = [name for name, of in sums.items() if of is None or not of.total > 0]
        if without:
            raise ValueError(
                "Expected events of every sample, whose weights sum to a positive number. Received: none of "
                f"{', '.join(without)}."
            )
        norms = {name: 1.0 if regions.yields[name] is None else of.total for name, of in sums.items()}
        return templates_of(
            regions,
            {name: tf.constant(of.weights / norms[name]) for name, of in sums.items()},
            {name: tf.constant(np.sqrt(of.squares) / norms[name]) for name, of in sums.items()},
        )


def template_sums(statistic: SummaryStatistic, samples: Mapping[str, Any]) -> TemplateSums:
    """Ordinary histograms of some events, as in evaluation.

    Args:
        statistic: trained; its edges do not depend on the batch.
        samples: features, or (features, weights), by name of a sample; not all samples need be there.

    Raises:
        ValueError: a name that is no sample of the statistic; features or weights that are NaN or infinite; no weights
            where the yield is None; `QuantileBins`.
    """
    regions, sums = statistic.regions, {}
    if unknown := [name for name in samples if name not in regions.yields]:
        raise ValueError(f"Expected samples among {', '.join(regions.yields)}. Received: {', '.join(unknown)}.")
    for name, events in samples.items():
        of = {name: regions.yields[name]}
        features, weights = checks.events_of({name: events}, of, {name: regions.dtypes[name]})
        n_invalid = int(checks.n_invalid(features[name], weights[name]))
        if n_invalid:
            raise ValueError(
                f"Expected finite features and weights. Received: NaN or infinite values in {n_invalid} events of "
                f"{name!r}. Leave these events out, or fill the values in."
            )
        in_bins = regions.counting(name)(features[name], weights[name])
        total = float(np.sum(weights[name].numpy()))
        sums[name] = SampleSums(*(array.numpy() for array in in_bins), total, len(weights[name]))
    return TemplateSums(sums)
