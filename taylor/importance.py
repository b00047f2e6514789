"""<t_i>, the mean absolute Taylor coefficients over a stream of events: Wunsch et al. 2018, Eq. (1)."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import keras
import tensorflow as tf
from numpy.typing import ArrayLike

from taylor.median import Medians
from taylor.response import Events
from taylor.result import TaylorImportance
from taylor.sources import Stream
from taylor.sums import prepared, sums_of


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
    `importance_sums` does the same for parts of the events.

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
    >>> print(mean_abs_coefficients(model, [[0.0, 0.0]] * 4, order=1, names=["mass", "pt"]))
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
    source, of_events = prepared(model, data, keywords)
    dtypes = source.analysis.response.dtypes
    shown = [{i: tf.constant(row, dtypes[i]) for i, row in replacement.items()} for replacement in replacements]
    medians = Medians(source.analysis, of_events["median"], shown)
    all_sums = sums_of(source, medians.passing(source.chunks), of_events, shown)
    width = len(source.analysis.features)
    return [
        [medians.added_to(sums.importance(), i, slice(k * width, (k + 1) * width)) for k, sums in enumerate(of_outputs)]
        for i, of_outputs in enumerate(all_sums)
    ]
