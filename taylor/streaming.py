"""Sums over events of |t_i| and of its square, a chunk at a time, in a graph: what means and their errors are made of.

Weights, regions and bootstrap replicas are columns of one matrix R, so that a chunk's contribution is the product
R^T |t|; the coefficients of single events never leave the graph.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import reduce
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from taylor.analysis import Analysis, kept_with_analysis
from taylor.bootstrap import draw_copies
from taylor.chunks import in_blocks, n_workers
from taylor.compiled import compiled
from taylor.faults import Faults, faults_of
from taylor.sources import Chunk

N_FOLDED = 8  # parts of a block that are added to each other in one loop with what makes them


class Sums(NamedTuple):
    """Sums over events, float64. Here w is the weight of an event in a region, c its number of copies in a replica.

    Attributes:
        n_events: (n_regions,) events with a weight other than 0.
        w: (n_regions,) sum of w.
        w2: (n_regions,) sum of w^2.
        size: (n_regions,) sum of |w|.
        wt: (n_regions, n_columns) sum of w |t|.
        w2t: (n_regions, n_columns) sum of w^2 |t|.
        w2t2: (n_regions, n_columns) sum of w^2 t^2.
        ws: (n_regions, n_columns) sum of w t; (n_regions, 0) if that was not asked for.
        w2s: likewise sum of w^2 t.
        cw: (n_regions, n_replicas) sum of c w.
        cwt: (n_regions, n_replicas, n_columns) sum of c w |t|.
        n_bad_inputs: () events that count with NaN or infinity in an input.
    """

    n_events: tf.Tensor
    w: tf.Tensor
    w2: tf.Tensor
    size: tf.Tensor
    wt: tf.Tensor
    w2t: tf.Tensor
    w2t2: tf.Tensor
    ws: tf.Tensor
    w2s: tf.Tensor
    cw: tf.Tensor
    cwt: tf.Tensor
    n_bad_inputs: tf.Tensor

    def of_columns(self, columns: slice) -> "Sums":
        """Those of some of the columns, such as those of one output."""
        fields = ("wt", "w2t", "w2t2", "ws", "w2s", "cwt")
        return self._replace(**{field: getattr(self, field)[..., columns] for field in fields})

    def of_region(self, region: int) -> "Sums":
        """Those of one region, without the dimension of regions."""
        return Sums(*(sums[region] if sums.ndim else sums for sums in self))

    def plus(self, other: "Sums") -> "Sums":
        """Those of these events and of others."""
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))


@kept_with_analysis
def make_summation(analysis: Analysis, signed: bool = False) -> Callable:
    """The compiled function from (tensors, weight, copies) of a chunk to its Sums.

    `weight` is (n_events, n_regions), the first region that of all events, and 0 for events that only fill up the
    chunk; `copies` as from `draw_copies`. A chunk that is longer than a block of the analysis is a whole number of
    them; those after the last event that counts are left out.
    """

    def sum_chunk(tensors, weight, copies) -> Sums:
        n_blocks = weight.shape[0] // analysis.block_size
        if n_blocks <= 1:
            return sum_block(analysis, tensors, weight, copies, signed)
        # An input of one row is the same for all events.
        blocks = [t if t.shape[0] == 1 else in_blocks(t, n_blocks) for t in (*tensors, weight, copies)]
        in_use = tf.reduce_any(in_blocks(weight[:, :1], n_blocks) != 0, axis=(1, 2))
        n_used = tf.reduce_max(tf.where(in_use, tf.range(1, n_blocks + 1), 0))

        def add_block(i, sums):
            *tensors, weight, copies = [t if t.shape[0] == 1 else t[i] for t in blocks]
            added = sum_block(analysis, tensors, weight, copies, signed)
            return i + 1, sums.plus(added)

        sums = no_sums(weight.shape[1], analysis.n_columns, copies.shape[1], signed)
        return tf.while_loop(lambda i, _: i < n_used, add_block, (0, sums), parallel_iterations=1)[1]

    return compiled(sum_chunk, jit_compile=analysis.jit_compile)


def no_sums(n_regions: int, n_columns: int, n_replicas: int, signed: bool) -> Sums:
    """Those of no event."""
    of_region, of_column, of_signed = (n_regions,), (n_regions, n_columns), (n_regions, n_columns * signed)
    of_replicas = (n_regions, n_replicas), (n_regions, n_replicas, n_columns)
    shapes = (*4 * [of_region], *3 * [of_column], *2 * [of_signed], *of_replicas, ())
    return Sums(*(tf.zeros(shape, tf.float64) for shape in shapes))


def sum_block(analysis: Analysis, tensors: Sequence, weight: tf.Tensor, copies: tf.Tensor, signed: bool) -> Sums:
    """The Sums of so few events that the coefficients of all of them are there at once.

    All is added up in float64, since these sums are to be added to those of other events, and a mean of few of them is
    to be that of all of them to 1e-10. Events of weight 0 are shown as one that counts, since 0 times NaN is NaN.
    """
    counts = weight[:, 0] != 0
    any_counts, first = tf.reduce_any(counts), tf.argmax(tf.cast(counts, tf.int32))
    tensors = [t if t.shape[0] == 1 else tf.where(counts[:, None], t, tf.gather(t, first)) for t in tensors]
    bad_inputs = reduce(tf.logical_or, [_bad_rows(tensor) for tensor in tensors if tensor.dtype.is_floating])
    t = tf.transpose(analysis.coefficients(tensors))  # (n_columns, n_events): sums are over what is contiguous
    t = tf.cast(t, tf.float64)
    w = tf.cast(tf.transpose(weight), tf.float64)  # (n_regions, n_events)
    wt = tf.abs(t) * w[:, None]
    ws = t * w[:, None] if signed else tf.zeros((w.shape[0], 0, w.shape[1]), tf.float64)
    cw, cwt = _of_replicas(tf.abs(t), w, copies)
    sums = Sums(
        n_events=tf.math.count_nonzero(weight, axis=0),
        w=tf.reduce_sum(w, axis=1),
        w2=tf.reduce_sum(w**2, axis=1),
        size=tf.reduce_sum(tf.abs(w), axis=1),
        wt=_total(wt),
        w2t=_total(wt * w[:, None]),
        w2t2=_total(wt**2),
        ws=_total(ws),
        w2s=_total(ws * w[:, None]),
        cw=cw,
        cwt=cwt,
        n_bad_inputs=tf.math.count_nonzero(bad_inputs & counts),
    )
    return Sums(*(tf.where(any_counts, tf.cast(total, tf.float64), 0.0) for total in sums))


def _total(values: tf.Tensor) -> tf.Tensor:
    """(..., n_events) to (...): a tree, which is fused with what makes the terms."""
    n_events = values.shape[-1]
    parts = tf.split(values, N_FOLDED if n_events % N_FOLDED == 0 else 1, axis=-1)
    while len(parts) > 1:
        parts = [left + right for left, right in zip(parts[::2], parts[1::2], strict=True)]
    return tf.tensordot(parts[0], tf.ones(parts[0].shape[-1], tf.float64), 1)


def _of_replicas(t: tf.Tensor, w: tf.Tensor, copies: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The sums of c w, and of c w |t|."""
    n_regions, n_replicas, n_columns = w.shape[0], copies.shape[1], t.shape[0]
    if n_replicas == 0:
        return tf.zeros((n_regions, 0), tf.float64), tf.zeros((n_regions, 0, n_columns), tf.float64)
    columns = [tf.cast(copies, tf.float64) * w[r, :, None] for r in range(n_regions)]  # (n_events, n_replicas) each
    products = [tf.matmul(cw, t, transpose_a=True, transpose_b=True) for cw in columns]
    return tf.stack([tf.reduce_sum(cw, axis=0) for cw in columns]), tf.stack(products)


def sum_over_events(
    analysis: Analysis,
    chunks: Iterable[Chunk],
    n_replicas: int,
    seed: int,
    replacements: Sequence[Mapping] = ({},),
    *,
    signed: bool = False,
    first_event: int | np.ndarray = 0,
) -> list[Sums]:
    """The Sums of all chunks, as numpy arrays; none if there is no chunk.

    Args:
        analysis: what to compute; tried out on the first chunk.
        chunks: the events.
        n_replicas: number of bootstrap replicas.
        seed: of the replicas.
        replacements: input tensors to put in place of the chunk's, by position; the sums of each are in the result.
        signed: whether the sums of t itself are wanted too.
        first_event: as from `event_numbers`.

    Raises:
        ValueError: an event that counts with NaN or infinity in its inputs or coefficients.
    """

    def sums_of(chunk: Chunk) -> list[tuple[Sums, Faults]]:
        start, size = chunk.start, len(chunk.weight)
        numbers = first_event + start if isinstance(first_event, int) else first_event[start : start + size]
        copies = draw_copies(numbers, size, n_replicas, seed)
        summation, results = make_summation(analysis, signed), []
        for new in replacements:
            tensors = tuple(new.get(i, tensor) for i, tensor in enumerate(chunk.tensors))
            sums = Sums(*map(np.asarray, summation(tensors, chunk.weight, copies)))
            fine = sums.n_bad_inputs == 0 and np.isfinite(sums.wt).all()
            results.append((sums, Faults() if fine else faults_of(analysis, chunk._replace(tensors=tensors))))
        return results

    totals: list[tuple[Sums, Faults]] = []
    for results in in_order(sums_of, _tried_out(analysis, chunks)):
        if totals:
            pairs = zip(totals, results, strict=True)
            results = [(sums.plus(more), faults.and_those(others)) for (sums, faults), (more, others) in pairs]
        totals = results
    for sums, faults in totals:
        faults.require_none(int(sums.n_events[0]))
    return [sums for sums, _ in totals]


def _tried_out(analysis: Analysis, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    for chunk in chunks:
        chunk.try_out(analysis)
        yield chunk


def in_order(function: Callable, items: Iterable) -> Iterator:
    """Results for a stream of items, made by a thread for each core, in the order of the items.

    A chunk's loop over blocks runs on one core; TensorFlow lets go of Python's lock meanwhile.
    """
    items = iter(items)
    first = list(islice(items, 2))
    if len(first) < 2:  # threads take longer to start than a small job
        yield from map(function, first)
        return
    n_threads = n_workers()
    with ThreadPoolExecutor(n_threads) as pool:
        waiting: deque[Future] = deque()
        for item in chain(first, items):
            waiting.append(pool.submit(function, item))
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _bad_rows(rows: tf.Tensor) -> tf.Tensor:
    """(n_events,) whether an event has NaN or infinity."""
    return tf.reduce_any(~tf.math.is_finite(rows), axis=1)
