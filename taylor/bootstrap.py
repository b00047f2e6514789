"""Copies of events in the replicas of a Poisson bootstrap. They follow from the seed and the number of the event alone.

So replicas are the same however events are shared out among chunks and processes. The generator of random numbers,
Philox of Salmon et al. 2011, is a function of a count: the copies of each event begin at a count of its own.
"""

from functools import reduce

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

# P(k <= n) of the Poisson distribution of mean 1, among the numbers of 16 bits: right to 1e-5, and no k above 8.
POISSON = np.round(2**16 * np.cumsum(np.exp(-1.0) / np.cumprod([1, *range(1, 8)]))).astype(int) - 2**15
PHILOX = 1  # what tf.random.Algorithm.PHILOX is to TensorFlow's operations
IN_A_COUNT = 8  # numbers of 16 bits
MOST_GAPS = 16  # events left out for each that is there, up to which drawing for them too is faster than one by one


def event_numbers(first_event: int | ArrayLike, n_events: int | None) -> int | np.ndarray:
    """`first_event` of `importance_sums`, checked.

    Args:
        first_event: the number of the first event, or the number of each.
        n_events: how many events there are; None if it is not known beforehand.

    Raises:
        ValueError: anything else, or numbers of events that are not known beforehand.
    """
    numbers = np.asarray(first_event)
    whole = numbers.dtype.kind in "iu"
    if whole and numbers.ndim == 0 and numbers >= 0:
        return int(numbers)
    if n_events is None:
        raise ValueError(f"Expected first_event as a number of at least 0, for a stream. Received: {first_event!r}")
    if (n_events == numbers.size == 0) or (
        whole and numbers.shape == (n_events,) and numbers[0] >= 0 and (np.diff(numbers.astype(np.int64)) > 0).all()
    ):
        return numbers.astype(np.int64)
    raise ValueError(
        f"Expected first_event as a number of at least 0, or as the increasing numbers of {n_events} events. Received: "
        f"{numbers.dtype} of shape {numbers.shape}."
    )


def draw_copies(numbers: int | np.ndarray, n_events: int, n_replicas: int, seed: int) -> tf.Tensor:
    """(n_events, n_replicas) how often each event is in each replica; the mean is 1.

    Args:
        numbers: that of the first of n_events that follow each other; or of each, and if they are fewer than n_events,
            the others only fill up.
        n_events: number of rows.
        n_replicas: number of columns.
        seed: of the draw.
    """
    if n_replicas == 0:
        return tf.constant(np.zeros((n_events, 0), np.int8))
    key = tf.constant((seed, 0), tf.int64)
    if isinstance(numbers, int):
        return _in_a_row(tf.constant(numbers, tf.uint64), tf.constant(n_events), n_replicas, key)
    numbers = np.concatenate([numbers, np.repeat(numbers[-1:], n_events - len(numbers))])
    span = int(numbers[-1] - numbers[0]) + 1
    if span > (1 + MOST_GAPS) * n_events:
        return _one_by_one(tf.constant(numbers, tf.uint64), n_replicas, key)
    rows = _in_a_row(tf.constant(numbers[0], tf.uint64), tf.constant(span), n_replicas, key)
    return tf.gather(rows, numbers - numbers[0])


@tf.function(autograph=False)  # not under XLA, whose random numbers take thirty times longer on a CPU
def _in_a_row(first: tf.Tensor, n_events: tf.Tensor, n_replicas: int, seed: tf.Tensor) -> tf.Tensor:
    n_counts = -(-n_replicas // IN_A_COUNT)  # of each event
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    counter += tf.stack([first * n_counts, tf.zeros((), tf.uint64)])
    numbers = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=(n_events, n_counts, IN_A_COUNT // 2), key=key, counter=counter, alg=PHILOX, dtype=tf.int32
    )
    numbers = tf.reshape(tf.bitcast(numbers, tf.int16), (n_events, n_counts * IN_A_COUNT))[:, :n_replicas]
    return reduce(tf.add, [tf.cast(numbers >= threshold, tf.int8) for threshold in POISSON])


@tf.function(autograph=False)
def _one_by_one(numbers: tf.Tensor, n_replicas: int, seed: tf.Tensor) -> tf.Tensor:
    return tf.map_fn(
        lambda number: _in_a_row(number, tf.constant(1), n_replicas, seed)[0], numbers, fn_output_signature=tf.int8
    )
