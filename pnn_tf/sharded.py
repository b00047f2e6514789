"""Balanced mini-batches from Parquet files that are larger than memory; as `pipeline.py` makes them of arrays."""

import functools
import math
import os
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from pnn_tf import checks, parquet, shards
from pnn_tf.pipeline import (
    ROWS_PER_BLOCK,
    BalancedBatches,
    check_strategy,
    check_theta,
    finisher,
    joined,
)
from pnn_tf.round_robin import steps_of_block
from pnn_tf.shard_index import FoundStrata, RowGroup, events_of, index
from pnn_tf.shard_source import Source
from pnn_tf.shard_stream import Columns
from pnn_tf.strata import mean_weights, require_balance, require_scale
from pnn_tf.theta import ThetaStrategy


def sharded_batches(
    paths: str | os.PathLike | Iterable[str | os.PathLike],
    *,
    features: Sequence[str],
    theta: str | Sequence[str],
    label: str,
    process: str | None = None,
    weight: str | None = None,
    batch_size: int = 1024,
    balance: str = "full",
    n_classes: int = 2,
    backgrounds: Sequence[int] = (0,),
    weight_scale: str | None = "stratum",
    background_theta: ThetaStrategy | None = None,
    nuisances: Sequence[int] = (),
    buffer_events: int = 1_000_000,
    on_error: str = "raise",
    seed: int = 0,
) -> BalancedBatches:
    """Streams balanced batches, as `balanced_batches` does, from Parquet files, of which little is in memory at a time.

    The strata, their shares of a batch, and what a pass, an order and a seed mean are those of `balanced_batches`. All
    files are read once at first, to count and to check the events. Strata that fit in an equal part of `buffer_events`
    are then kept in memory. Each larger one is read again in every pass: its row groups in a new order, mixed within a
    buffer of as many events as its part allows. Row groups without events of the stratum are not read. So files of one
    sample each, or row groups of one, are read fastest, and a file that is sorted is mixed best in small row groups,
    such as 50 000 rows.

    Files are read in Python, beside the training, which stays a graph: the only place of this package where that is so.
    In memory are `buffer_events` events for each iteration over the data set, and what pyarrow holds of the row group
    that each larger stratum is read from: for a column of float32, 0.8 MB of 65 536 rows and 2.5 MB of 1 048 576.

    Args:
        paths: of the files, or a folder that holds *.parquet, or a pattern such as "train/*.parquet".
        features: names of the columns of the features, in order.
        theta: name of the column of theta, or names, one a parameter, in physical units; what background_theta replaces
            may be NaN or missing.
        label: name of the column that is 1 for signal, 0 for background; or the class from 0 to n_classes - 1.
        process: name of the column that has the process of each background event, a number or a text.
        weight: name of the column of non-negative event weights.
        batch_size, balance, n_classes, backgrounds, weight_scale, background_theta, nuisances: as `balanced_batches`.
        buffer_events: number of events in memory.
        on_error: what to do with a file or row group that cannot be read, with a file that lacks a column or has one of
            another type, with events that are NaN, infinite or missing in a column, that have another label or a
            negative weight. "raise" stops with the file and the column; "skip" leaves these out, and `left_out` of the
            result says how many events of which file, and why. It is for what the first reading finds: a file that
            changes later always stops the training.
        seed: int from which all randomness follows.

    Returns:
        BalancedBatches. Its `dataset_from(step)` reads what the buffers hold at that step, not what was before.

    Warns:
        UserWarning: as `balanced_batches`; events that are left out.

    Raises:
        ValueError: as `balanced_batches`; no file, what on_error="raise" stops at, an unknown on_error, buffer_events
            too few for the strata that do not fit.
        ImportError: without pyarrow.
    """
    features, theta = ([names] if isinstance(names, str) else list(names) for names in (features, theta))
    for argument, names in (("features", features), ("theta", theta)):
        if not names or len(set(names)) < len(names):
            raise ValueError(f"Expected distinct names of columns in {argument}, at least one. Received: {names}")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"Expected on_error 'raise' or 'skip'. Received: on_error={on_error!r}")
    batch_size, n_classes = checks.as_batch_size(batch_size), checks.as_count("n_classes", n_classes, 2)
    buffer_events = checks.as_count("buffer_events", buffer_events)
    backgrounds = checks.as_columns("backgrounds", backgrounds, n_classes)
    nuisances = checks.as_columns("nuisances", nuisances, len(theta))
    require_balance(balance, process is not None)
    require_scale(weight_scale)
    check_strategy(background_theta, np.empty((0, len(features))), np.empty((0, len(theta))), nuisances)
    row_seed, theta_seed = (int(number) for number in np.random.default_rng(seed).integers(2**63, size=2))

    reader = shards.ShardReader(
        features,
        theta,
        label,
        process if balance in ("background", "full") else None,
        weight,
        classes=range(n_classes),
        backgrounds=backgrounds,
        theta_of_background=range(len(theta)) if background_theta is None else nuisances,
    )
    if background_theta is not None and not background_theta.sampled:
        reader.draw = functools.partial(_drawn, background_theta, theta_seed, backgrounds, nuisances)
    found = FoundStrata(balance, n_classes, backgrounds, reader.processes)
    paths = parquet.find(paths)
    events = index(paths, reader, found, on_error)
    parquet.warn_of(events.left_out, len(paths))
    signal = ~np.isin(events.sample.label, backgrounds)
    check_theta(events.sample.theta, signal, background_theta, events.sample.features, nuisances)
    numbers, strata, n_strata = found.in_order(events.n_events, batch_size)
    divisor = np.ones(max(numbers) + 1)
    if weight is not None:
        divisor[numbers] = mean_weights(strata, np.array([events.weight_sums[n] for n in numbers]), weight_scale)
    n_steps = steps_of_block(batch_size, n_strata, ROWS_PER_BLOCK)
    shapes = [(), (len(theta),), (len(features),), *([()] if weight is not None else [])]
    source = Source(
        events.row_groups,
        numbers,
        [stratum.size for stratum in strata],
        n_strata,
        functools.partial(_columns, reader, found, divisor),
        shapes,
        buffer_events,
        n_steps * batch_size,
        row_seed,
    )
    finished = finisher(
        background_theta, theta_seed, nuisances, ~np.isin(np.arange(n_classes), backgrounds), batch_size
    )
    signature = [tf.TensorSpec((), tf.int64), *(tf.TensorSpec((source.n_rows, *shape), tf.float32) for shape in shapes)]

    def blocks(first):
        rows = tf.data.Dataset.from_generator(
            source.blocks, args=(tf.cast(first, tf.int64),), output_signature=tuple(signature)
        )
        return rows.map(finished)

    steps_per_epoch = math.ceil(events.n_events.total() / batch_size)
    return BalancedBatches(tuple(strata), batch_size, steps_per_epoch, features, events.left_out, blocks, n_steps)


def _drawn(
    strategy: ThetaStrategy,
    seed: int,
    backgrounds: Sequence[int],
    nuisances: Sequence[int],
    events: shards.Events,
    row: int,
) -> np.ndarray:
    """theta (n_events, n_parameters), with that of background drawn once and for all."""
    with tf.device("CPU"):
        drawn = joined(strategy.draw(len(events.label), [seed, row], events.features), events.theta, nuisances)
    return np.where(np.isin(events.label, backgrounds)[:, np.newaxis], drawn, events.theta)


def _columns(
    reader: shards.ShardReader, found: FoundStrata, divisor: np.ndarray, row_group: RowGroup
) -> Iterator[tuple[Columns, np.ndarray]]:
    """The columns of the good events of a row group in parts, and the stratum of each event."""
    for events, of in events_of(row_group, reader, found):
        columns = [events.label, events.theta, events.features]
        yield columns if events.weight is None else [*columns, events.weight / divisor[of]], of
