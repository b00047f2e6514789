"""<t_i>, the mean absolute Taylor coefficients over a stream of events: Wunsch et al. 2018, Eq. (1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from taylor.analysis import Analysis, analysis_of
from taylor.chunks import array_chunks, count_events, dataset_chunks
from taylor.coefficients import warn_of_vanishing
from taylor.result import TaylorImportance
from taylor.streaming import Sums, draw_copies, make_summation

ALL = "all"  # the region that every event is in


def mean_abs_coefficients(
    model: keras.Model,
    data,
    *,
    order: int = 2,
    weight=None,
    regions: Mapping | Callable | None = None,
    bootstrap: int = 0,
    seed: int = 0,
    names: Sequence[str] | None = None,
    output=0,
    target: str = "output",
    inputs=None,
    features=None,
    scale=None,
    engine: str = "auto",
) -> TaylorImportance:
    """The influence of each feature on the response: the weighted mean of |t_i| over events, with its standard error.

    Any number of events is read once, chunk by chunk, in constant memory.

    Args:
        model: as `taylor_coefficients`.
        data: events in memory, as `x` of `taylor_coefficients`; or a finite `tf.data.Dataset` of batches x, (x, y) or
            (x, y, sample_weight), as for `fit`.
        order: highest order of the features, at least 1.
        weight: (n_events,) event weights; ones if None. They may be negative, as those of some generators, but not in
            sum. A dataset brings its own.
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
    if isinstance(data, tf.data.Dataset):
        if weight is not None:
            raise ValueError("Expected weight=None: a dataset brings its weights as (x, y, sample_weight).")
        analysis, region_names, chunks = _dataset_source(model, data, regions, arguments)
    else:
        if callable(regions):
            raise ValueError("Expected regions as {name: mask} for events in memory. Received: a function.")
        analysis, region_names, chunks = _array_source(model, data, weight, regions or {}, arguments)
    if not isinstance(bootstrap, int) or bootstrap < 0:
        raise ValueError(f"Expected bootstrap, the number of replicas, to be at least 0. Received: {bootstrap!r}")
    sums = None
    for number, (tensors, rows) in enumerate(chunks):
        analysis.try_out(tensors)
        copies = draw_copies(len(rows), bootstrap, (seed, number))
        of_chunk = [np.asarray(total) for total in make_summation(analysis)(tensors, rows, copies)]
        sums = of_chunk if sums is None else [total + more for total, more in zip(sums, of_chunk, strict=True)]
    if sums is None:
        raise ValueError("Expected at least one event. Received: an empty dataset.")
    return _result(analysis, region_names, Sums(*sums))


def _array_source(model, data, weight, regions: Mapping, arguments: dict):
    """The analysis, the names of the regions, and chunks (tensors, weight (n, n_regions)) of events in memory."""
    analysis, parts = analysis_of(model, data, **arguments)
    response = analysis.response
    n_events = count_events(parts, response.analysed)
    weight = np.ones(n_events) if weight is None else np.asarray(weight, float)
    masks = {name: np.asarray(mask) for name, mask in regions.items()}
    if weight.shape != (n_events,) or not np.isfinite(weight).all():
        raise ValueError(f"Expected {n_events} finite weights. Received: shape {weight.shape}, or NaN among them.")
    for name, mask in masks.items():
        if mask.shape != (n_events,) or mask.dtype != bool:
            raise ValueError(
                f"Expected region {name!r} as a mask of {n_events} bool. Received: {mask.dtype} {mask.shape}"
            )

    def chunks():
        for tensors, rows in array_chunks(parts, response.analysed, analysis.chunk_size, response.dtype):
            size = len(tensors[response.analysed[0]])
            columns = np.zeros((size, 1 + len(masks)), response.dtype.as_numpy_dtype)
            for column, mask in zip(columns.T, [True, *(mask[rows] for mask in masks.values())], strict=True):
                column[: rows.stop - rows.start] = weight[rows] * mask
            yield tensors, tf.constant(columns)

    return analysis, (ALL, *masks), chunks()


def _dataset_source(model, dataset: tf.data.Dataset, regions: Callable | None, arguments: dict):
    """The same for a stream."""
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("Expected a finite dataset. Received: an endless one. Use dataset.take(n_batches).")
    if regions is not None and not callable(regions):
        raise ValueError("Expected regions as a function of (x, y) that returns {name: mask}, for a dataset.")
    x_spec, *_ = keras.utils.unpack_x_y_sample_weight(dataset.element_spec)
    analysis, _ = analysis_of(model, x_spec, **arguments)
    response, region_names = analysis.response, [ALL]

    def columns(x, y, sample_weight):
        parts = [tf.cast(part, response.dtype) for part in response.arrange(x)]
        n_events = tf.shape(parts[0])[0]
        weight = tf.ones(n_events) if sample_weight is None else tf.reshape(sample_weight, (-1,))
        weight = tf.cast(weight, response.dtype)
        masks = {} if regions is None else dict(regions(x, y))
        region_names[1:] = masks
        masks = [tf.cast(tf.reshape(mask, (-1,)), response.dtype) for mask in masks.values()]
        return *parts, tf.stack([weight, *(weight * mask for mask in masks)], axis=1)

    rows = dataset_chunks(dataset, columns, analysis.chunk_size)
    return analysis, region_names, ((tensors[:-1], _without_fillers(tensors[-1], n)) for tensors, n in rows)


def _without_fillers(weight: tf.Tensor, n_events: int) -> tf.Tensor:
    return tf.where(tf.range(len(weight))[:, None] < n_events, weight, 0)


def _result(analysis: Analysis, region_names: Sequence[str], sums: Sums) -> TaylorImportance:
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
