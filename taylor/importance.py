"""<t_i>, the mean absolute Taylor coefficients over a stream of events: Wunsch et al. 2018, Eq. (1)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np
from numpy.typing import ArrayLike

from taylor.analysis import Analysis
from taylor.coefficients import warn_of_vanishing
from taylor.response import Events
from taylor.result import TaylorImportance
from taylor.sources import Stream, source_of
from taylor.streaming import Sums, sum_over_events


def mean_abs_coefficients(
    model: keras.Model,
    data: Events | Stream,
    *,
    order: int = 2,
    weight: ArrayLike | None = None,
    regions: Mapping | Callable | None = None,
    bootstrap: int = 0,
    seed: int = 0,
    names: Sequence[str] | None = None,
    output: int | Sequence[int | str] = 0,
    target: str = "output",
    inputs: str | Sequence[str] | None = None,
    features: Iterable[int | str | Sequence[int | str]] | None = None,
    scale: str | ArrayLike | None = None,
    engine: str = "auto",
) -> TaylorImportance:
    """The influence of each feature on the response: the weighted mean of |t_i| over events, with its standard error.

    Any number of events is read once, chunk by chunk, in constant memory.

    Args:
        model: as `taylor_coefficients`.
        data: events in memory, as `x` of `taylor_coefficients`; or batches x, (x, y) or (x, y, sample_weight) as for
            `fit`, by a finite `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator.
        order: highest order of the features, at least 1.
        weight: (n_events,) event weights; ones if None. They may be negative, as those of some generators, but not in
            sum. A dataset brings its own. An event of weight 0 may have NaN in its inputs.
        regions: further sets of events to be averaged over in the same pass: {name: (n_events,) of bool}, such as
            {"signal": y == 1}; for a dataset a function of (x, y) that returns the like as tensors.
        bootstrap: number of Poisson bootstrap replicas of the events, from which the uncertainty of the ranks follows;
            100 are enough for an interval of 68 per cent.
        seed: of the replicas.
        names: of the analysed inputs; by default those of a data frame, else x1, x2, ...
        output, target, inputs, features, scale, engine: as `taylor_coefficients`.

    Returns:
        TaylorImportance; its `regions` hold one for each region.

    Warns:
        UserWarning: as `taylor_coefficients`.

    Raises:
        ValueError: as `taylor_coefficients`; also a region without events, weights that sum to zero or less.
        MemoryError: more features than fit in memory.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid", kernel_initializer="ones")])
    >>> print(mean_abs_coefficients(model, np.zeros((4, 2)), order=1, names=["mass", "pt"]))
    Mean absolute Taylor coefficients of 2 features over 4 events
    rank  feature  order     <|t|>     error
       1  mass         1      0.25         0
       2  pt           1      0.25         0
    """
    arguments = {
        "order": order,
        "output": output,
        "target": target,
        "inputs": inputs,
        "names": names,
        "features": features,
        "scale": scale,
        "engine": engine,
    }
    source = source_of(model, data, weight, regions, arguments)
    (sums,) = sum_over_events(source.analysis, source.chunks, bootstrap, seed)
    return importance_of(source.analysis, source.region_names, sums)


def importance_of(analysis: Analysis, region_names: Sequence[str], sums: Sums) -> TaylorImportance:
    """The means and their errors, from sums over all events."""
    if sums.n_bad_inputs:
        raise ValueError(
            "Expected finite inputs. Received: NaN or infinity in some events. Drop these events or replace the values."
        )
    if sums.n_bad_responses:
        raise ValueError(
            "The coefficients of some events are NaN or infinite, although the inputs are finite. Has the network "
            "diverged, or do the inputs lack standardisation?"
        )
    results = []
    for r, name in enumerate(region_names):
        if sums.n_events[r] == 0:
            raise ValueError(f"Expected events of weight other than 0 in region {name!r}. Received: none.")
        if not sums.w[r] > 0:
            raise ValueError(f"Expected weights with a positive sum in region {name!r}. Received: {sums.w[r]:g}.")
        mean = sums.wt[r] / sums.w[r]
        variance = (sums.w2t2[r] - 2 * mean * sums.w2t[r] + mean**2 * sums.w2[r]) / sums.w[r] ** 2
        n_replicas = sums.cw.shape[1]
        results.append(
            TaylorImportance(
                features=analysis.features,
                mean=mean,
                error=np.sqrt(np.maximum(variance, 0)),
                n_events=int(sums.n_events[r]),
                engine=analysis.engine,
                replicas=sums.cwt[r] / sums.cw[r][:, None] if n_replicas else None,
            )
        )
    everything, *others = results
    warn_of_vanishing(analysis.features, everything.mean)
    return replace(everything, regions=dict(zip(region_names[1:], others, strict=True)))
