"""Batches that hold some events of every sample, as a measurement needs them."""

from collections.abc import Mapping

import tensorflow as tf


def sample_batches(samples: Mapping, batch_size: int, *, seed: int | None = 0) -> tf.data.Dataset:
    """A dataset of batches {name: features}, or {name: (features, weights)}, with as many events of every sample.

    Each sample is shuffled anew every epoch. An epoch ends with the smallest sample; what does not fill a batch is left
    out of it, as a smaller one would have less of the sensitivity.

    Args:
        samples: features (n_events, n_features), or a pair of them and weights (n_events,), by name.
        batch_size: events of each sample in a batch.
        seed: of the order of events; None for the order given.

    Raises:
        ValueError: no sample, a sample of less than a batch, weights of another length.
    """
    if not samples:
        raise ValueError("Expected at least one sample. Received: none.")
    datasets = {}
    for number, (name, arrays) in enumerate(samples.items()):
        arrays = tf.nest.map_structure(tf.convert_to_tensor, arrays)
        lengths = {len(array) for array in tf.nest.flatten(arrays)}
        if len(lengths) > 1:
            raise ValueError(f"Expected one weight an event of sample {name!r}. Received: lengths {sorted(lengths)}.")
        (n_events,) = lengths
        if not 0 < batch_size <= n_events:
            raise ValueError(
                f"Expected batch_size between 1 and the events of each sample, {n_events} of {name!r}. Received: "
                f"batch_size={batch_size}."
            )
        rows = tf.data.Dataset.range(n_events)
        if seed is not None:
            rows = rows.shuffle(n_events, seed=seed + number)
        rows = rows.batch(batch_size, drop_remainder=True)
        datasets[name] = rows.map(lambda row, arrays=arrays: tf.nest.map_structure(lambda a: tf.gather(a, row), arrays))
    return tf.data.Dataset.zip(datasets).prefetch(2)
