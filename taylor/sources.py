"""Where events come from: arrays in memory, datasets or generators, with their weights and regions, as chunks."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from time import monotonic
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from taylor.analysis import N_TRIED, Analysis, analysis_of
from taylor.chunks import array_chunks, batch_chunks, count_events, dataset_chunks, n_workers, shared_out
from taylor.response import Events
from taylor.signature import signature_of
from taylor.warning import warn

ALL = "all"  # the region that every event is in
# Rows of a chunk, at least, so that an event's coefficients do not depend on its place: XLA rounds products of few rows
# in another way, those of 32 with most networks, of 64 with one of 17, of 128 and more with none.
SMALLEST_SUMMED = 256
LONG = 60  # seconds after which a generator may be one without an end

# Batches x, (x, y) or (x, y, sample_weight), as for `fit`.
Stream: TypeAlias = tf.data.Dataset | keras.utils.PyDataset | Iterator


class Chunk(NamedTuple):
    """Some events of a source.

    Attributes:
        tensors: one for each input of the model.
        weight: (n_events, n_regions), 0 for events that only fill up the chunk.
        start: number of events of the source before them.
        n_events: number of rows that do not only fill it up.
    """

    tensors: tuple[tf.Tensor, ...]
    weight: tf.Tensor
    start: int
    n_events: int

    def try_out(self, analysis: Analysis) -> None:
        """Settles the engine of an analysis on a few events, of weight other than 0 if there are some."""
        if not analysis.is_settled:
            rows = np.argsort(np.asarray(self.weight)[:, 0] == 0, kind="stable")[:N_TRIED]
            analysis.try_out([tensor if len(tensor) == 1 else tf.gather(tensor, rows) for tensor in self.tensors])


class Source(NamedTuple):
    """Events to analyse.

    Attributes:
        analysis: what to do with them.
        region_names: ALL, and the names of the further regions; those of a dataset are known once it is read.
        chunks: the events.
        n_events: how many they are; None of a stream.
    """

    analysis: Analysis
    region_names: list[str]
    chunks: Iterator[Chunk]
    n_events: int | None


def source_of(
    model: keras.Model,
    data: Events | Stream,
    weight: ArrayLike | None,
    regions: Mapping | Callable | None,
    arguments: dict,
) -> Source:
    """The events that the arguments of `mean_abs_coefficients` describe; `arguments` are those of `analysis_of`."""
    if is_stream(data):
        if weight is not None:
            raise ValueError("Expected weight=None: a dataset brings its weights as (x, y, sample_weight).")
        if regions is not None and not callable(regions):
            raise ValueError("Expected regions as a function of (x, y) that returns {name: mask}, for a dataset.")
        return _stream_source(model, data, regions, arguments)
    if callable(regions):
        raise ValueError("Expected regions as {name: mask} for events in memory. Received: a function.")
    return _array_source(model, data, weight, regions or {}, arguments)


def is_stream(data: Any) -> bool:
    """Whether events come in batches, from a dataset or a generator, rather than all at once."""
    return isinstance(data, (tf.data.Dataset, keras.utils.PyDataset, Iterator))


def _array_source(
    model: keras.Model, data: Events, weight: ArrayLike | None, regions: Mapping, arguments: dict
) -> Source:
    analysis, parts = analysis_of(model, data, **arguments)
    response = analysis.response
    n_events = count_events(parts, response.analysed, may_be_none=True)
    weight = np.broadcast_to(1.0, n_events) if weight is None else np.asarray(weight, float)  # the ones take no memory
    masks = {name: np.asarray(mask) for name, mask in regions.items()}
    if weight.shape != (n_events,) or not np.isfinite(weight).all():
        raise ValueError(f"Expected {n_events} finite weights. Received: shape {weight.shape}, or NaN among them.")
    for name, mask in masks.items():
        if mask.shape != (n_events,) or mask.dtype != bool:
            raise ValueError(
                f"Expected region {name!r} as a mask of {n_events} bool. Received: {mask.dtype} {mask.shape}"
            )

    def chunks():
        if n_events == 0:
            return
        most, dtypes = analysis.chunk_size, response.dtypes
        together = shared_out(n_events, most, analysis.block_size, n_workers())
        for tensors, rows in array_chunks(parts, response.analysed, most, dtypes, together, smallest=SMALLEST_SUMMED):
            size = len(tensors[response.analysed[0]])
            columns = np.zeros((size, 1 + len(masks)), response.dtype.as_numpy_dtype)
            for column, mask in zip(columns.T, [True, *(mask[rows] for mask in masks.values())], strict=True):
                column[: rows.stop - rows.start] = weight[rows] * mask
            yield Chunk(tensors, tf.constant(columns), rows.start, rows.stop - rows.start)

    return Source(analysis, [ALL, *masks], chunks(), n_events)


def _stream_source(model: keras.Model, stream: Stream, regions: Callable | None, arguments: dict) -> Source:
    if isinstance(stream, tf.data.Dataset):
        if stream.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError("Expected a finite dataset. Received: an endless one. Use dataset.take(n_batches).")
        x, *_ = keras.utils.unpack_x_y_sample_weight(stream.element_spec)
    else:
        batches = _batches(stream)
        first = next(batches, None)
        x, *_ = (_no_events(model),) if first is None else keras.utils.unpack_x_y_sample_weight(first)
    analysis, _ = analysis_of(model, x, **arguments)
    response, region_names = analysis.response, [ALL]

    def columns(x, y, sample_weight):
        parts = [tf.cast(part, dtype) for part, dtype in zip(response.arrange(x), response.dtypes, strict=True)]
        n_events = tf.shape(parts[response.analysed[0]])[0]
        weight = tf.ones(n_events) if sample_weight is None else _one_an_event(sample_weight, n_events, "sample_weight")
        weight = tf.cast(weight, response.dtype)
        masks = {} if regions is None else dict(regions(x, y))
        region_names[1:] = masks
        masks = [_mask(name, mask, n_events) for name, mask in masks.items()]
        return *parts, tf.stack([weight, *(weight * tf.cast(mask, weight.dtype) for mask in masks)], axis=1)

    if isinstance(stream, tf.data.Dataset):
        rows = dataset_chunks(stream, columns, analysis.chunk_size)
    else:
        rows = batch_chunks(chain([] if first is None else [first], batches), columns, analysis.chunk_size)
    chunks = (
        Chunk(tensors[:-1], _without_fillers(tensors[-1], n), number * analysis.chunk_size, n)
        for number, (tensors, n) in enumerate(rows)
    )
    return Source(analysis, region_names, chunks, None)


def _no_events(model: keras.Model) -> dict[str, np.ndarray]:
    """Events as a model takes them, but none."""
    names, shapes, dtypes, _ = signature_of(model)
    if any(shape is None or None in shape for shape in shapes):
        raise ValueError("Expected at least one event, to know the features. Received: an empty dataset.")
    return {
        name: np.zeros([0, *(n or 0 for n in shape or ())], dtype.as_numpy_dtype if dtype else float)
        for name, shape, dtype in zip(names, shapes, dtypes, strict=True)
    }


def _batches(stream: keras.utils.PyDataset | Iterator) -> Iterator:
    """One batch after another, as long as there are some.

    Warns:
        UserWarning: a generator that goes on for long, and may have no end.
    """
    if isinstance(stream, keras.utils.PyDataset):
        if stream.num_batches is None:
            raise ValueError(
                "Expected a PyDataset of a finite number of batches. Received: None. Use "
                "itertools.islice(dataset, n_batches)."
            )
        yield from (stream[i] for i in range(stream.num_batches))
        return
    start, warned = monotonic(), False
    for n, batch in enumerate(stream):
        if not warned and monotonic() - start > LONG:
            warned = True
            warn(
                f"A generator has been read for {LONG} s, {n} batches, and goes on. If it has no end, stop, and use "
                "itertools.islice(generator, n_batches) or a tf.data.Dataset."
            )
        yield batch


def _mask(name: str, mask: Any, n_events: tf.Tensor) -> tf.Tensor:
    mask = tf.convert_to_tensor(mask)
    if mask.dtype != tf.bool:
        raise ValueError(f"Expected region {name!r} as a mask of bool, such as y == 1. Received: {mask.dtype.name}")
    return _one_an_event(mask, n_events, f"region {name}")


def _one_an_event(values: Any, n_events: tf.Tensor, what: str) -> tf.Tensor:
    values = tf.reshape(values, (-1,))
    message = f"Expected one entry of {what} for each event of a batch. Received: another number."
    with tf.control_dependencies([tf.debugging.assert_equal(tf.size(values), n_events, message)]):
        return tf.identity(values)


def _without_fillers(weight: tf.Tensor, n_events: int) -> tf.Tensor:
    return weight if n_events == len(weight) else tf.where(tf.range(len(weight))[:, None] < n_events, weight, 0)
