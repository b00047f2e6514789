"""<t_i>, the mean absolute Taylor coefficients over a stream of events: Wunsch et al. 2018, Eq. (1)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from taylor.analysis import Analysis
from taylor.coefficients import warn_of_vanishing
from taylor.median import Medians
from taylor.response import Events
from taylor.result import TaylorImportance
from taylor.sources import Stream, source_of
from taylor.streaming import Sums, sum_over_events
from taylor.warning import warn

# Arguments of `mean_abs_coefficients` that say what to do with events, rather than what to differentiate.
OF_EVENTS = {"weight": None, "regions": None, "bootstrap": 0, "seed": 0, "signed": False, "median": False}
MOST_UNCERTAIN = 0.3  # standard deviation of a sum of weights over the sum, beyond which no error describes the tails


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
    output: int | str | Sequence[int | str] = 0,
    target: str = "output",
    inputs: str | Sequence[str] | None = None,
    features: Iterable[int | str | Sequence[int | str]] | None = None,
    scale: str | ArrayLike | None = None,
    engine: str = "auto",
    signed: bool = False,
    median: bool = False,
) -> TaylorImportance:
    """The influence of each feature on the response: the weighted mean of |t_i| over events, with its standard error.

    Any number of events is read once, chunk by chunk, in constant memory; but for the median, which keeps all |t_i|.

    Args:
        model: as `taylor_coefficients`.
        data: events in memory, as `x` of `taylor_coefficients`; or batches x, (x, y) or (x, y, sample_weight) as for
            `fit`, by a finite `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator.
        order: highest order of the features, at least 1.
        weight: (n_events,) event weights; ones if None. They may be negative, as those of some generators, but not in
            sum. A dataset brings its own. Nothing is asked of events of weight 0: they may hold NaN.
        regions: further sets of events to be averaged over in the same pass: {name: (n_events,) of bool}, such as
            {"signal": y == 1}; for a dataset a function of (x, y) that returns the like as tensors.
        bootstrap: number of Poisson bootstrap replicas of the events, from which the uncertainty of the ranks follows;
            100 are enough for an interval of 68 per cent.
        seed: of the replicas.
        names: of the analysed inputs; by default those of a data frame, else x1, x2, ...
        output, target, inputs, features, scale, engine: as `taylor_coefficients`.
        signed: whether to compute the mean of t_i itself too, in which signs cancel.
        median: whether the exact weighted median of |t_i| is computed too, which a few wild events do not move. The
            coefficients of all events are kept in memory, in the type of the response.

    Returns:
        TaylorImportance; its `regions` hold one for each region.

    Warns:
        UserWarning: as `taylor_coefficients`; also weights that nearly cancel.

    Raises:
        ValueError: as `taylor_coefficients`; also a region without events, weights that sum to zero or less, negative
            weights with `median`.
        MemoryError: more features than fit in memory, or more coefficients with `median`.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid", kernel_initializer="ones")])
    >>> print(mean_abs_coefficients(model, np.zeros((4, 2)), order=1, names=["mass", "pt"]))
    Mean absolute Taylor coefficients of 2 features over 4 events
    rank  feature  order     <|t|>     error
       1  mass         1      0.25         0
       2  pt           1      0.25         0
    """
    keywords = {
        "order": order,
        "weight": weight,
        "regions": regions,
        "bootstrap": bootstrap,
        "seed": seed,
        "signed": signed,
        "median": median,
        "output": output,
        "target": target,
        "inputs": inputs,
        "names": names,
        "features": features,
        "scale": scale,
        "engine": engine,
    }
    ((importance,),) = importances_of(model, data, keywords)
    return importance


def importances_of(
    model: keras.Model, data: Events | Stream, keywords: Mapping, replacements: Sequence[Mapping] = ({},)
) -> list[list[TaylorImportance]]:
    """What `mean_abs_coefficients` gives, of several networks at once: the events are read once for all.

    Args:
        model, data: as of `mean_abs_coefficients`.
        keywords: its other arguments; `output` may be `Outputs`.
        replacements: arrays (1, width) to put in place of inputs that are held fixed, by the position of the input.

    Returns:
        For each of the replacements a list of one importance an output.
    """
    of_events = OF_EVENTS | {name: value for name, value in keywords.items() if name in OF_EVENTS}
    arguments = {name: value for name, value in keywords.items() if name not in OF_EVENTS}
    source = source_of(model, data, of_events["weight"], of_events["regions"], arguments)
    analysis = source.analysis
    shown = [
        {i: tf.constant(row, analysis.response.dtypes[i]) for i, row in replacement.items()}
        for replacement in replacements
    ]
    medians = Medians(analysis, of_events["median"], shown)
    all_sums = sum_over_events(
        analysis,
        medians.passing(source.chunks),
        of_events["bootstrap"],
        of_events["seed"],
        shown,
        signed=of_events["signed"],
    )

    def importance(i: int, sums: Sums, k: int) -> TaylorImportance:
        columns = slice(k * len(analysis.features), (k + 1) * len(analysis.features))
        return medians.added_to(_importance_of(analysis, source.region_names, sums.of_columns(columns)), i, columns)

    return [[importance(i, sums, k) for k in range(analysis.response.n_outputs)] for i, sums in enumerate(all_sums)]


def _importance_of(analysis: Analysis, region_names: Sequence[str], sums: Sums) -> TaylorImportance:
    """The means and their errors, from sums over all events."""
    results = []
    for r, name in enumerate(region_names):
        if sums.n_events[r] == 0:
            raise ValueError(f"Expected events of weight other than 0 in region {name!r}. Received: none.")
        if not sums.w[r] > 0:
            raise ValueError(f"Expected weights with a positive sum in region {name!r}. Received: {sums.w[r]:g}.")
        _warn_of_cancelling(sums, r, name)
        mean, error = _mean_and_error(sums, r, sums.wt[r], sums.w2t[r])
        signed = _mean_and_error(sums, r, sums.ws[r], sums.w2s[r]) if sums.ws.size else (None, None)
        n_replicas = sums.cw.shape[1]
        results.append(
            TaylorImportance(
                features=analysis.features,
                mean=mean,
                error=error,
                n_events=int(sums.n_events[r]),
                engine=analysis.engine,
                replicas=sums.cwt[r] / sums.cw[r][:, None] if n_replicas else None,
                signed=signed[0],
                signed_error=signed[1],
                target=analysis.response.target,
            )
        )
    everything, *others = results
    warn_of_vanishing(analysis.features, everything.mean)
    return replace(everything, regions=dict(zip(region_names[1:], others, strict=True)))


def _mean_and_error(sums: Sums, r: int, wt: np.ndarray, w2t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weighted mean of t or |t| in region r, and its standard error.

    With A = sum w (t - mean) and B = sum w of a replica of the events, its mean is off by A / B: var A / (sum w)^2, and
    (3 var A var B + 5 cov(A, B)^2) / (sum w)^4 from the expansion of 1 / B to the next order. That counts where weights
    of both signs leave a sum that is small beside its fluctuation; for weights of one sign it is of the order of
    1 / n_events, as are other terms, and is left out.
    """
    total, w2 = sums.w[r], sums.w2[r] / sums.w[r] ** 2
    mean = wt / total
    covariance = w2t / total**2 - mean * w2
    variance = np.maximum(sums.w2t2[r] / total**2 - mean**2 * w2 - 2 * mean * covariance, 0)
    cancelled = 1 - (total / sums.size[r]) ** 2
    return mean, np.sqrt(variance + cancelled * (3 * variance * w2 + 5 * covariance**2))


def _warn_of_cancelling(sums: Sums, r: int, name: str) -> None:
    """Warns if the sum of the weights is too uncertain for the mean to have a variance worth the name."""
    cancelled, relative = 1 - (sums.w[r] / sums.size[r]) ** 2, np.sqrt(sums.w2[r]) / sums.w[r]
    if cancelled > 0.5 and relative > MOST_UNCERTAIN:
        warn(
            f"The positive and negative weights in region {name!r} cancel so far that their sum is known to "
            f"{100 * relative:.0f} % only. Means over these events, and their errors, are unreliable: take more events."
        )
