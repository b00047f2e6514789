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
from pnn_tf.columns import Features, names_of
from pnn_tf.leak import require_shared_theta
from pnn_tf.parquet import LeftOut
from pnn_tf.round_robin import steps_of_block, with_replacement, without_replacement
from pnn_tf.strata import Stratum, scale_weights, stratify
from pnn_tf.theta import ThetaStrategy

ALIGNMENT = 64  # bytes, the most that TensorFlow asks for
ROWS_PER_BLOCK = 16384  # batches are made in blocks of about this many events, to share the overhead of each operation
N_LOOKED_AT = 20_000  # background events whose theta is compared with the signal's before training


@dataclass(frozen=True)
class BalancedBatches:
    """An endless stream of batches.

    An element is ({"features": (batch_size, n_features), "theta": (batch_size, n_parameters)}, label (batch_size, 1)),
    followed by weight (batch_size,) if there are weights; all float32.

    Attributes:
        strata: name, size and quota per batch of each stratum.
        batch_size: number of events of a batch, the sum of the quotas.
        steps_per_epoch: number of batches that hold as many events as the data; `model.fit` needs it.
        feature_names: of the columns of features, in order, for `parametric_network`; None if they came as an array.
        left_out: what `sharded_batches` did not use, and why.
    """

    strata: tuple[Stratum, ...]
    batch_size: int
    steps_per_epoch: int
    feature_names: list[str] | None
    left_out: tuple[LeftOut, ...]
    _blocks: Callable[[int], tf.data.Dataset] = field(repr=False)  # of stacked batches, from the block of a number on
    _n_steps: int = field(repr=False)  # batches of a block

    @property
    def dataset(self) -> tf.data.Dataset:
        """The stream from its first batch on."""
        return self.dataset_from(0)

    def dataset_from(self, step: int | tf.Variable) -> tf.data.Dataset:
        """The stream from batch `step` on: what `dataset.skip(step)` gives, without making the batches before.

        An int64 variable is read whenever the stream is begun. For a training that goes on after a stop, see
        `BackupAndResume`.
        """

        def stream_from(step):
            return self._blocks(step // self._n_steps).prefetch(2).unbatch().skip(step % self._n_steps)

        if isinstance(step, tf.Variable):
            stream = tf.data.Dataset.from_tensors(0).flat_map(lambda _: stream_from(step.read_value()))
        elif operator.index(step) >= 0:
            stream = stream_from(operator.index(step))
        else:
            raise ValueError(f"Expected step >= 0. Received: step={step}")
        options = tf.data.Options()
        options.experimental_optimization.apply_default_optimizations = False  # they would copy the data once more
        return stream.with_options(options)


def balanced_batches(
    features: Features,
    theta: ArrayLike,
    label: ArrayLike,
    *,
    batch_size: int = 1024,
    balance: str = "full",
    n_classes: int = 2,
    backgrounds: Sequence[int] = (0,),
    process: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    weight_scale: str | None = "stratum",
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

    Of several classes, each has an equal part of a batch in place of a half. Where a part cannot be divided by the
    number of its strata, what remains goes to one after the other: over a few batches, each comes equally often.

    Each stratum is drawn without replacement: every one of its events comes once in a pass, in an order that is new in
    each pass, and a pass goes on where the one before ended, within a batch if need be. Within a batch the strata are
    interleaved, so that the parts of a batch that go to several devices are balanced too. float32 features are copied
    once, into one tensor that all batches are gathered from.

    Args:
        features: (n_events, n_features), or a table of columns, such as a dict or a DataFrame, as they come.
        theta: (n_events,) or (n_events, n_parameters), in physical units; what background_theta replaces may be NaN.
        label: (n_events,) 1 for signal, 0 for background; or the class from 0 to n_classes - 1.
        batch_size: number of events of a batch, on all devices together.
        balance: as above.
        n_classes: number of classes.
        backgrounds: the classes that are background; the others are signals, which have a theta of their own.
        process: (n_events,) process of each background event, a number or a name; what signal has is not looked at.
        weight: (n_events,) non-negative event weights to pass on; they do not change what is drawn.
        weight_scale: "stratum" scales them to a mean of 1 in each stratum: the strata then count as `balance` says, and
            a loss is as large as without weights beside penalties such as L2; the weights say what events count within
            a stratum. "mean" scales to a mean of 1 over all events, which lets the weights undo the balance; None
            leaves them.
        background_theta: `Identical`, `Uniform`, `Binned` or another strategy by which background events get their
            theta; None to leave them theirs.
        nuisances: columns of theta that the background has values of its own for, such as the jet energy scale that it
            was simulated with. They stay, and background_theta draws the other columns, in their order.
        replacement: draw each event of a batch independently of all others.
        seed: int from which all randomness follows.

    Returns:
        BalancedBatches.

    Warns:
        UserWarning: theta that only the background has, or only the signal: see `theta_leak`. Under `Uniform`, theta
            outside of the signal's hypotheses.

    Raises:
        ValueError: NaN or infinite values, lengths that differ, other labels, negative weights, an unknown balance, an
            empty stratum, a batch_size that is not an int >= 1 or no multiple of the devices of the `tf.distribute`
            strategy in whose scope it is called, a background_theta that is no strategy, or one for another number of
            parameters or for a feature that is not there, nuisances that are not columns of theta, background and
            signal without a theta in common, weights of a stratum that are all 0.

    >>> theta, label = [500, 500, 750, 500, 750, 750], [1, 1, 1, 0, 0, 0]
    >>> batches = balanced_batches(np.ones((6, 2)), theta, label, batch_size=4)
    >>> for stratum in batches.strata:
    ...     print(*stratum)
    signal 500 2 1.0
    signal 750 1 1.0
    background 3 2.0
    """
    feature_names = names_of(features)
    features = checks.as_features(features)
    n_events = len(features)
    batch_size, n_classes = checks.as_batch_size(batch_size), checks.as_count("n_classes", n_classes, 2)
    backgrounds = checks.as_columns("backgrounds", backgrounds, n_classes)
    label = checks.as_classes(label, n_events, n_classes)
    signal = ~np.isin(label, backgrounds)
    theta = checks.as_theta(theta, n_events, None if background_theta is None else signal, nuisances)
    if process is not None:
        process = checks.as_process(process, n_events, ~signal)
    if weight is not None:
        weight = checks.as_weight(weight, n_events)
    nuisances = checks.as_columns("nuisances", nuisances, theta.shape[1])
    check_strategy(background_theta, features, theta, nuisances)
    rng = np.random.default_rng(seed)
    row_seed, theta_seed = (int(number) for number in rng.integers(2**63, size=2))
    strata = stratify(
        theta,
        label,
        process,
        balance=balance,
        batch_size=batch_size,
        backgrounds=backgrounds,
        n_classes=n_classes,
        order=rng.permutation(np.arange(n_events, dtype=np.int32)),
    )
    weight = scale_weights(weight, strata, weight_scale)
    if background_theta is not None and not background_theta.sampled:
        drawn = background_theta.draw(n_events, [theta_seed, 0], features)
        theta = np.where(signal[:, np.newaxis], theta, joined(drawn, theta, nuisances))
    check_theta(theta, signal, background_theta, features, nuisances)

    n_steps = steps_of_block(batch_size, strata.n_strata, ROWS_PER_BLOCK)
    n_rows = n_steps * batch_size
    finished = finisher(
        background_theta, theta_seed, nuisances, ~np.isin(np.arange(n_classes), backgrounds), batch_size
    )
    draw_places = (with_replacement if replacement else without_replacement)(
        strata.sizes, strata.n_strata, n_rows, row_seed
    )
    event_at = _tensor(strata.event_at)
    columns = [_tensor(column) for column in (label, theta, features, weight) if column is not None]

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)], autograph=False)
    def block(number):
        event = tf.gather(event_at, draw_places(number))
        return finished(number, *[tf.gather(column, event) for column in columns])

    def blocks(first):
        return tf.data.Dataset.counter(first).map(block)

    steps_per_epoch = math.ceil(n_events / batch_size)
    return BalancedBatches(strata.strata, batch_size, steps_per_epoch, feature_names, (), blocks, n_steps)


def finisher(
    strategy: ThetaStrategy | None, seed: int, nuisances: Sequence[int], is_signal: np.ndarray, batch_size: int
) -> Callable:
    """What makes batches of the events of a block, given its number, label, theta, features and, if any, weight.

    Args:
        strategy: by which background gets its theta, if it is sampled.
        seed: of the strategy.
        nuisances: columns of theta that background keeps.
        is_signal: (n_classes,) bool.
        batch_size: number of events of a batch.

    Returns:
        A function for use in a graph, which gives elements of `BalancedBatches`, stacked.
    """
    is_signal = tf.constant(is_signal)

    def finished(number, label, theta, features, *weight):
        if strategy is not None and strategy.sampled:
            drawn = strategy.draw(label.shape[0], [seed, number], features)
            signal = tf.gather(is_signal, tf.cast(label, tf.int32))[:, tf.newaxis]
            theta = tf.where(signal, theta, joined(drawn, theta, nuisances))
        label = tf.cast(label, tf.float32)[:, tf.newaxis]
        stacked = [tf.reshape(x, [-1, batch_size, *x.shape[1:]]) for x in (features, theta, label, *weight)]
        features, theta, label, *weight = stacked
        return {"features": features, "theta": theta}, label, *weight

    return finished


def _tensor(array: np.ndarray) -> tf.Tensor:
    """A tensor with a copy of the array, in the memory of the host, which tf.data reads from.

    `tf.convert_to_tensor` makes two copies at a time, since numpy's memory is rarely aligned as TensorFlow wants it.
    """
    memory = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[:] = array
    return tf.experimental.dlpack.from_dlpack(copy.__dlpack__())


def joined(drawn: tf.Tensor, own: tf.Tensor, nuisances: Sequence[int]) -> tf.Tensor:
    """(n, n_parameters): the nuisances of `own`, and in the other columns those of `drawn`, in order."""
    columns = iter(tf.unstack(drawn, axis=1))
    return tf.stack([own[:, i] if i in nuisances else next(columns) for i in range(own.shape[1])], axis=1)


def check_strategy(
    strategy: ThetaStrategy | None, features: np.ndarray, theta: np.ndarray, nuisances: Sequence[int]
) -> None:
    if strategy is None:
        return
    if not (hasattr(strategy, "draw") and hasattr(strategy, "n_parameters") and hasattr(strategy, "sampled")):
        raise ValueError(
            "Expected background_theta to be a strategy, such as pnn_tf.Identical(hypotheses), or None. "
            f"Received: background_theta={strategy!r}"
        )
    if strategy.n_parameters + len(nuisances) != theta.shape[1]:
        besides = f" besides the {len(nuisances)} nuisances" if nuisances else ""
        raise ValueError(
            f"theta has {theta.shape[1]} parameters, but background_theta={strategy} draws "
            f"{strategy.n_parameters}{besides}."
        )
    column = getattr(strategy, "feature", 0)
    if not -features.shape[1] <= column < features.shape[1]:
        raise ValueError(f"background_theta={strategy} reads column {column} of {features.shape[1]} features.")


def check_theta(
    theta: np.ndarray,
    signal: np.ndarray,
    strategy: ThetaStrategy | None,
    features: np.ndarray,
    nuisances: Sequence[int],
) -> None:
    """Compares the theta of the signal with that of some of the background, as it will be in training."""
    background = np.flatnonzero(~signal)
    background = background[:: max(len(background) // N_LOOKED_AT, 1)]
    theirs = np.delete(theta[background], nuisances, axis=1)
    if strategy is not None and strategy.sampled:
        theirs = np.asarray(strategy.draw(len(background), [0, 0], features[background]))
    require_shared_theta(np.delete(theta[signal], nuisances, axis=1), theirs, strategy)
