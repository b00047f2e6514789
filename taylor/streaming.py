"""Sums over events of |t_i| and of its square, a chunk at a time, in a graph: what means and their errors are made of.

Weights, regions and bootstrap replicas are columns of one matrix R, so that a chunk's contribution is the product
R^T |t|; the coefficients of single events never leave the graph.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, reduce
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from taylor.analysis import Analysis
from taylor.chunks import in_blocks
from taylor.compiled import compiled

# P(k <= n) of the Poisson distribution of mean 1; a count above 9 has the probability 1e-7, the resolution of the draw.
POISSON = np.cumsum(np.exp(-1.0) / np.cumprod([1.0, *range(1, 10)]))


class Sums(NamedTuple):
    """Sums over events, float64. Here w is the weight of an event in a region, c its number of copies in a replica.

    Attributes:
        n_events: (n_regions,) events with a weight other than 0.
        w: (n_regions,) sum of w.
        w2: (n_regions,) sum of w^2.
        wt: (n_regions, n_features) sum of w |t|.
        w2t: (n_regions, n_features) sum of w^2 |t|.
        w2t2: (n_regions, n_features) sum of w^2 t^2.
        cw: (n_regions, n_replicas) sum of c w.
        cwt: (n_regions, n_replicas, n_features) sum of c w |t|.
        n_bad_inputs: () events with NaN or infinity in an input.
        n_bad_responses: () events with NaN or infinity in a coefficient.
    """

    n_events: tf.Tensor
    w: tf.Tensor
    w2: tf.Tensor
    wt: tf.Tensor
    w2t: tf.Tensor
    w2t2: tf.Tensor
    cw: tf.Tensor
    cwt: tf.Tensor
    n_bad_inputs: tf.Tensor
    n_bad_responses: tf.Tensor


@lru_cache(maxsize=32)
def make_summation(analysis: Analysis) -> Callable:
    """The compiled function from (tensors, weight, copies) of a chunk to its Sums.

    `weight` is (n_events, n_regions), 0 for events that only fill up the chunk; `copies` as from `draw_copies`. A chunk
    that is longer than a block of the analysis is a whole number of them.
    """

    def sum_block(tensors, weight, copies) -> Sums:
        t = tf.abs(analysis.coefficients(tensors))
        squared = weight * weight
        sums = Sums(
            n_events=tf.math.count_nonzero(weight, axis=0),
            w=tf.reduce_sum(weight, axis=0),
            w2=tf.reduce_sum(squared, axis=0),
            wt=tf.matmul(weight, t, transpose_a=True),
            w2t=tf.matmul(squared, t, transpose_a=True),
            w2t2=tf.matmul(squared, t * t, transpose_a=True),
            **_of_replicas(t, weight, copies),
            n_bad_inputs=tf.math.count_nonzero(reduce(tf.logical_or, map(_bad_rows, filter(_floating, tensors)))),
            n_bad_responses=tf.math.count_nonzero(_bad_rows(t)),
        )
        return Sums(*(tf.cast(total, tf.float64) for total in sums))

    def sum_chunk(tensors, weight, copies) -> Sums:
        n_blocks = weight.shape[0] // analysis.block_size
        if n_blocks <= 1:
            return sum_block(tensors, weight, copies)
        # An input of one row is the same for all events.
        blocks = [t if t.shape[0] == 1 else in_blocks(t, n_blocks) for t in (*tensors, weight, copies)]

        def add_block(i, sums):
            *tensors, weight, copies = [t if t.shape[0] == 1 else t[i] for t in blocks]
            added = sum_block(tensors, weight, copies)
            return i + 1, Sums(*(total + more for total, more in zip(sums, added, strict=True)))

        sums = _no_sums(weight.shape[1], len(analysis.features), copies.shape[1])
        return tf.while_loop(lambda i, _: i < n_blocks, add_block, (0, sums), parallel_iterations=1)[1]

    return compiled(sum_chunk, jit_compile=analysis.jit_compile)


def _no_sums(n_regions: int, n_features: int, n_replicas: int) -> Sums:
    of_region, of_feature = (n_regions,), (n_regions, n_features)
    of_replicas = (n_regions, n_replicas), (n_regions, n_replicas, n_features)
    shapes = (of_region, of_region, of_region, of_feature, of_feature, of_feature, *of_replicas, (), ())
    return Sums(*(tf.zeros(shape, tf.float64) for shape in shapes))


def sum_over_events(
    analysis: Analysis, chunks: Iterable, n_replicas: int, seed: int, replacements: Sequence[Mapping] = ({},)
) -> list[Sums]:
    """The Sums of all chunks, as numpy arrays.

    Args:
        analysis: what to compute; tried out on the first chunk.
        chunks: of (tensors, weight (n_events, n_regions)).
        n_replicas: number of bootstrap replicas.
        seed: of the replicas.
        replacements: input tensors to put in place of the chunk's, by position; the sums of each are in the result.

    Raises:
        ValueError: no event, a negative number of replicas.
    """
    if not isinstance(n_replicas, int) or n_replicas < 0:
        raise ValueError(f"Expected bootstrap, the number of replicas, to be at least 0. Received: {n_replicas!r}")

    def sums_of(numbered) -> list[list[np.ndarray]]:
        number, (tensors, weight) = numbered
        copies = draw_copies(len(weight), n_replicas, (seed, number))
        summation = make_summation(analysis)
        shown = [tuple(new.get(i, tensor) for i, tensor in enumerate(tensors)) for new in replacements]
        return [[np.asarray(total) for total in summation(tensors, weight, copies)] for tensors in shown]

    totals = None
    for sums in in_order(sums_of, _tried_out(analysis, enumerate(chunks))):
        if totals is None:
            totals = sums
        else:
            totals = [[a + b for a, b in zip(*both, strict=True)] for both in zip(totals, sums, strict=True)]
    if totals is None:
        raise ValueError("Expected at least one event. Received: an empty dataset.")
    return [Sums(*total) for total in totals]


def _tried_out(analysis: Analysis, numbered: Iterable) -> Iterator:
    for number, (tensors, weight) in numbered:
        analysis.try_out(tensors)
        yield number, (tensors, weight)


def in_order(function: Callable, items: Iterable) -> Iterator:
    """Results for a stream of items, made by a thread for each core, in the order of the items.

    A chunk's loop over blocks runs on one core; TensorFlow lets go of Python's lock meanwhile.
    """
    items = iter(items)
    first = list(islice(items, 2))
    if len(first) < 2:  # threads take longer to start than a small job
        yield from map(function, first)
        return
    n_workers = os.cpu_count() or 1
    with ThreadPoolExecutor(n_workers) as pool:
        waiting: deque[Future] = deque()
        for item in chain(first, items):
            waiting.append(pool.submit(function, item))
            if len(waiting) > n_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def draw_copies(n_events: int, n_replicas: int, seed: tuple[int, int]) -> tf.Tensor:
    """(n_events, n_replicas) how often each event is in each replica of a Poisson bootstrap; the mean is 1."""
    if n_replicas == 0:
        return tf.constant(np.zeros((n_events, 0), np.float32))
    return _draw_copies(n_events, n_replicas, tf.constant(seed))


@tf.function(autograph=False)  # not under XLA, whose random numbers take thirty times longer on a CPU
def _draw_copies(n_events: int, n_replicas: int, seed: tf.Tensor) -> tf.Tensor:
    uniform = tf.random.stateless_uniform((n_events, n_replicas), seed)
    return tf.add_n([tf.cast(uniform > threshold, tf.float32) for threshold in POISSON])


def _of_replicas(t: tf.Tensor, weight: tf.Tensor, copies: tf.Tensor) -> dict[str, tf.Tensor]:
    if copies.shape[1] == 0:
        n_regions = weight.shape[1]
        return {"cw": tf.zeros((n_regions, 0)), "cwt": tf.zeros((n_regions, 0, t.shape[1]))}
    columns = [tf.cast(copies, t.dtype) * weight[:, r, None] for r in range(weight.shape[1])]
    return {
        "cw": tf.stack([tf.reduce_sum(c, axis=0) for c in columns]),
        "cwt": tf.stack([tf.matmul(c, t, transpose_a=True) for c in columns]),
    }


def _floating(tensor: tf.Tensor) -> bool:
    return tensor.dtype.is_floating


def _bad_rows(rows: tf.Tensor) -> tf.Tensor:
    """(n_events,) whether an event has NaN or infinity."""
    return tf.reduce_any(~tf.math.is_finite(rows), axis=1)
