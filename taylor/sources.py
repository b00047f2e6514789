"""Where events come from: arrays in memory or a `tf.data.Dataset`, with their weights and regions, as chunks."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from taylor.analysis import Analysis, analysis_of
from taylor.chunks import array_chunks, count_events, dataset_chunks, n_workers, shared_out
from taylor.response import Events

ALL = "all"  # the region that every event is in


class Chunk(NamedTuple):
    """Some events of a source.

    Attributes:
        tensors: one for each input of the model.
        weight: (n_events, n_regions), 0 for events that only fill up the chunk.
        start: number of events of the source before them.
    """

    tensors: tuple[tf.Tensor, ...]
    weight: tf.Tensor
    start: int


class Source(NamedTuple):
    """Events to analyse.

    Attributes:
        analysis: what to do with them.
        region_names: ALL, and the names of the further regions; those of a dataset are known once it is read.
        chunks: the events.
    """

    analysis: Analysis
    region_names: list[str]
    chunks: Iterator[Chunk]


def source_of(
    model: keras.Model,
    data: Events | tf.data.Dataset,
    weight: ArrayLike | None,
    regions: Mapping | Callable | None,
    arguments: dict,
) -> Source:
    """The events that the arguments of `mean_abs_coefficients` describe; `arguments` are those of `analysis_of`."""
    if isinstance(data, tf.data.Dataset):
        if weight is not None:
            raise ValueError("Expected weight=None: a dataset brings its weights as (x, y, sample_weight).")
        return _dataset_source(model, data, regions, arguments)
    if callable(regions):
        raise ValueError("Expected regions as {name: mask} for events in memory. Received: a function.")
    return _array_source(model, data, weight, regions or {}, arguments)


def _array_source(
    model: keras.Model, data: Events, weight: ArrayLike | None, regions: Mapping, arguments: dict
) -> Source:
    analysis, parts = analysis_of(model, data, **arguments)
    response = analysis.response
    n_events = count_events(parts, response.analysed)
    weight = np.broadcast_to(1.0, n_events) if weight is None else np.asarray(weight, float)  # the ones take no memory
    masks = {name: np.asarray(mask) for name, mask in regions.items()}
    if weight.shape != (n_events,) or not np.isfinite(weight).all():
        raise ValueError(f"Expected {n_events} finite weights. Received: shape {weight.shape}, or NaN among them.")
    for name, mask in masks.items():
        if mask.shape != (n_events,) or mask.dtype != bool:
            raise ValueError(
                f"Expected region {name!r} as a mask of {n_events} bool. Received: {mask.dtype} {mask.shape}"
            )

    n_together = shared_out(n_events, analysis.chunk_size, analysis.block_size, n_workers())

    def chunks():
        for tensors, rows in array_chunks(parts, response.analysed, analysis.chunk_size, response.dtypes, n_together):
            size = len(tensors[response.analysed[0]])
            columns = np.zeros((size, 1 + len(masks)), response.dtype.as_numpy_dtype)
            for column, mask in zip(columns.T, [True, *(mask[rows] for mask in masks.values())], strict=True):
                column[: rows.stop - rows.start] = weight[rows] * mask
            yield Chunk(tensors, tf.constant(columns), rows.start)

    return Source(analysis, [ALL, *masks], chunks())


def _dataset_source(
    model: keras.Model, dataset: tf.data.Dataset, regions: Mapping | Callable | None, arguments: dict
) -> Source:
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("Expected a finite dataset. Received: an endless one. Use dataset.take(n_batches).")
    if regions is not None and not callable(regions):
        raise ValueError("Expected regions as a function of (x, y) that returns {name: mask}, for a dataset.")
    x_spec, *_ = keras.utils.unpack_x_y_sample_weight(dataset.element_spec)
    analysis, _ = analysis_of(model, x_spec, **arguments)
    response, region_names = analysis.response, [ALL]

    def columns(x, y, sample_weight):
        parts = [tf.cast(part, dtype) for part, dtype in zip(response.arrange(x), response.dtypes, strict=True)]
        n_events = tf.shape(parts[0])[0]
        weight = tf.ones(n_events) if sample_weight is None else tf.reshape(sample_weight, (-1,))
        weight = tf.cast(weight, response.dtype)
        masks = {} if regions is None else dict(regions(x, y))
        region_names[1:] = masks
        masks = [tf.cast(tf.reshape(mask, (-1,)), response.dtype) for mask in masks.values()]
        return *parts, tf.stack([weight, *(weight * mask for mask in masks)], axis=1)

    rows = dataset_chunks(dataset, columns, analysis.chunk_size)
    chunks = (
        Chunk(tensors[:-1], _without_fillers(tensors[-1], n), number * analysis.chunk_size)
        for number, (tensors, n) in enumerate(rows)
    )
    return Source(analysis, region_names, chunks)


def _without_fillers(weight: tf.Tensor, n_events: int) -> tf.Tensor:
    return tf.where(tf.range(len(weight))[:, None] < n_events, weight, 0)
