"""Balanced mini-batches as tf.data: Anzalone et al. 2022, sections 4.2 and 4.3.

A batch is a function of its number alone: which events it holds follows from (seed, stratum, pass), what theta its
background gets from (seed, number). So a stream is reproducible, can be taken up anywhere, and has no state.
"""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.permutation import grid, permuted
from pnn_tf.strata import Stratum, stratify
from pnn_tf.theta import ThetaStrategy

ALIGNMENT = 64  # bytes, the most that TensorFlow asks for
ROWS_PER_BLOCK = 16384  # batches are made in blocks of about this many events, to share the overhead of each operation


@dataclass(frozen=True)
class BalancedBatches:
    """An endless stream of batches.

    An element is ({"features": (batch_size, n_features), "theta": (batch_size, n_parameters)}, label (batch_size, 1)),
    followed by weight (batch_size,) if there are weights; all float32.

    Attributes:
        strata: name, size and quota per batch of each stratum.
        batch_size: number of events of a batch, the sum of the quotas.
        steps_per_epoch: number of batches that hold as many events as the data; `model.fit` needs it.
    """

    strata: tuple[Stratum, ...]
    batch_size: int
    steps_per_epoch: int
    _block: Callable = field(repr=False)  # from the number of a block to its batches, stacked
    _n_steps: int = field(repr=False)

    @property
    def dataset(self) -> tf.data.Dataset:
        """The stream from its first batch on."""
        return self.dataset_from(0)

    def dataset_from(self, step: int) -> tf.data.Dataset:
        """The stream from batch `step` on: what `dataset.skip(step)` gives, without making the batches before.

        To go on after a stop, `model.fit(batches.dataset_from(n), ...)` with the number n of steps done. After k epochs
        that is k * steps_per_epoch, with steps_per_epoch rounded up to a multiple of `steps_per_execution`: Keras runs
        whole executions.
        """
        block, skipped = divmod(operator.index(step), self._n_steps)
        if block < 0:
            raise ValueError(f"Expected step >= 0. Received: step={step}")
        stream = tf.data.Dataset.counter(block).map(self._block).prefetch(2).unbatch().skip(skipped)
        options = tf.data.Options()
        options.experimental_optimization.apply_default_optimizations = False  # they would copy the data once more
        return stream.with_options(options)


def balanced_batches(
    features: ArrayLike,
    theta: ArrayLike,
    label: ArrayLike,
    *,
    batch_size: int = 1024,
    balance: str = "full",
    process: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    background_theta: ThetaStrategy | None = None,
    nuisances: Sequence[int] = (),
    replacement: bool = False,
    seed: int = 0,
) -> BalancedBatches:
    """Streams batches in which each stratum of the data holds a fixed share.

    | balance      | signal, half a batch      | background, half a batch |
    |--------------|---------------------------|--------------------------|
    | "none"       | events as they come, in the proportions of the data  |
    | "class"      | as it is                  | as it is                 |
    | "signal"     | equal parts by theta      | as it is                 |
    | "background" | as it is                  | equal parts by process   |
    | "full"       | equal parts by theta      | equal parts by process   |

    Each stratum is drawn without replacement: every one of its events comes once in a pass, in an order that is new in
    each pass, and a pass goes on where the one before ended, within a batch if need be. Within a batch the strata are
    interleaved, so that the parts of a batch that go to several devices are balanced too. float32 features are copied
    once, into one tensor that all batches are gathered from.

    Args:
        features: (n_events, n_features).
        theta: (n_events,) or (n_events, n_parameters), in physical units; what background_theta replaces may be NaN.
        label: (n_events,) 1 for signal, 0 for background.
        batch_size: number of events of a batch.
        balance: as above.
        process: (n_events,) process of each background event, a number or a name; what signal has is not looked at.
        weight: (n_events,) non-negative event weights to pass on; they do not change what is drawn.
        background_theta: `Identical`, `Uniform`, `Binned` or another strategy by which background events get their
            theta; None to leave them theirs.
        nuisances: columns of theta that the background has values of its own for, such as the jet energy scale that it
            was simulated with. They stay, and background_theta draws the other columns, in their order.
        replacement: draw each event of a batch independently of all others.
        seed: int from which all randomness follows.

    Returns:
        BalancedBatches.

    Raises:
        ValueError: NaN or infinite values, lengths that differ, labels other than 0 and 1, negative weights, an
            unknown balance, an empty stratum, a batch too small for the strata, a background_theta for another
            number of parameters or for a feature that is not there, nuisances that are not columns of theta.

    >>> theta, label = [500, 500, 750, 500, 750, 750], [1, 1, 1, 0, 0, 0]
    >>> batches = balanced_batches(np.ones((6, 2)), theta, label, batch_size=4)
    >>> for stratum in batches.strata:
    ...     print(*stratum)
    signal 500 2 1
    signal 750 1 1
    background 3 2
    """
    features = checks.as_features(features)
    n_events = len(features)
    label = checks.as_label(label, n_events)
    theta = checks.as_theta(theta, n_events, None if background_theta is None else label, nuisances)
    if process is not None:
        process = checks.as_process(process, n_events, label == 0)
    if weight is not None:
        weight = checks.as_weight(weight, n_events)
    nuisances = checks.as_columns("nuisances", nuisances, theta.shape[1])
    _check_strategy(background_theta, features, theta, nuisances)
    rng = np.random.default_rng(seed)
    row_seed, theta_seed = (int(number) for number in rng.integers(2**63, size=2))
    strata, event_at = stratify(
        theta, label, process, balance, batch_size, order=rng.permutation(np.arange(n_events, dtype=np.int32))
    )
    resampled = background_theta is not None and background_theta.sampled
    if background_theta is not None and not resampled:
        drawn = background_theta.draw(n_events, [theta_seed, 0], features)
        theta = np.where(label[:, np.newaxis] == 1, theta, _joined(drawn, theta, nuisances))

    n_signal = np.count_nonzero(label)
    n_steps = max(1, ROWS_PER_BLOCK // batch_size)
    draw_places = (_with_replacement if replacement else _without_replacement)(strata, n_steps, row_seed)
    event_at = _tensor(event_at)
    columns = [_tensor(column) for column in (theta, features, weight) if column is not None]

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)], autograph=False)
    def block(number):
        place = draw_places(number)
        event = tf.gather(event_at, place)
        theta, features, *weight = [tf.gather(column, event) for column in columns]
        signal = (place < n_signal)[:, tf.newaxis]  # event_at holds the signal first
        if resampled:
            drawn = background_theta.draw(n_steps * batch_size, [theta_seed, number], features)
            theta = tf.where(signal, theta, _joined(drawn, theta, nuisances))
        stacked = [tf.reshape(x, [n_steps, batch_size, *x.shape[1:]]) for x in (features, theta, signal, *weight)]
        features, theta, signal, *weight = stacked
        return {"features": features, "theta": theta}, tf.cast(signal, tf.float32), *weight

    return BalancedBatches(strata, batch_size, math.ceil(n_events / batch_size), block, n_steps)


def _tensor(array: np.ndarray) -> tf.Tensor:
    """A tensor with a copy of the array, in the memory of the host, which tf.data reads from.

    `tf.convert_to_tensor` makes two copies at a time, since numpy's memory is rarely aligned as TensorFlow wants it.
    """
    memory = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[:] = array
    return tf.experimental.dlpack.from_dlpack(copy.__dlpack__())


def _without_replacement(strata: Sequence[Stratum], n_steps: int, seed: int) -> Callable:
    """A function from the number of a block to the places of its events in the concatenated strata."""
    stratum, rank = _layout(strata, n_steps)
    size = np.array([stratum.size for stratum in strata])
    n_per_block = np.array([stratum.quota for stratum in strata]) * n_steps
    first = (np.cumsum(size) - size)[stratum].astype(np.int32)
    rows, columns = np.array([grid(n) for n in size], dtype=np.uint32)[stratum].T
    key = np.random.default_rng(seed).integers(2**32, size=len(strata), dtype=np.uint32)[stratum]
    size_here = size[stratum].astype(np.uint32)

    def places(block):
        n_drawn = block * n_per_block  # from each stratum in the blocks before
        position = tf.gather(tf.cast(n_drawn % size, tf.uint32), stratum) + rank
        n_passes = tf.gather(tf.cast(n_drawn // size, tf.uint32), stratum) + position // size_here
        place = permuted(position % size_here, size_here, rows, columns, key + n_passes)
        return first + tf.cast(place, tf.int32)

    return places


def _with_replacement(strata: Sequence[Stratum], n_steps: int, seed: int) -> Callable:
    """As `_without_replacement`."""
    stratum, _ = _layout(strata, n_steps)
    size = np.array([stratum.size for stratum in strata])
    first = (np.cumsum(size) - size)[stratum].astype(np.int32)
    size_here = size[stratum].astype(np.uint64)

    def places(block):
        number = tf.random.stateless_uniform([len(stratum)], [seed, block], None, None, dtype=tf.uint64)
        return first + tf.cast(number % size_here, tf.int32)

    return places


def _layout(strata: Sequence[Stratum], n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """For each row of a block its stratum, and its rank among the rows of that stratum in the block.

    The rows of a stratum are spread evenly over each batch.
    """
    quota = np.array([stratum.quota for stratum in strata])
    stratum = np.repeat(np.arange(len(strata)), quota)
    rank = np.concatenate([np.arange(n) for n in quota])
    order = np.argsort((rank + 0.5) / quota[stratum], kind="stable")
    stratum, rank = stratum[order], rank[order]
    ranks = rank + np.arange(n_steps)[:, np.newaxis] * quota[stratum]
    return np.tile(stratum, n_steps), ranks.ravel().astype(np.uint32)


def _joined(drawn: tf.Tensor, own: tf.Tensor, nuisances: Sequence[int]) -> tf.Tensor:
    """(n, n_parameters): the nuisances of `own`, and in the other columns those of `drawn`, in order."""
    columns = iter(tf.unstack(drawn, axis=1))
    return tf.stack([own[:, i] if i in nuisances else next(columns) for i in range(own.shape[1])], axis=1)


def _check_strategy(
    strategy: ThetaStrategy | None, features: np.ndarray, theta: np.ndarray, nuisances: Sequence[int]
) -> None:
    if strategy is None:
        return
    if strategy.n_parameters + len(nuisances) != theta.shape[1]:
        besides = f" besides the {len(nuisances)} nuisances" if nuisances else ""
        raise ValueError(
            f"theta has {theta.shape[1]} parameters, but background_theta={strategy} draws "
            f"{strategy.n_parameters}{besides}."
        )
    column = getattr(strategy, "feature", 0)
    if not -features.shape[1] <= column < features.shape[1]:
        raise ValueError(f"background_theta={strategy} reads column {column} of {features.shape[1]} features.")
