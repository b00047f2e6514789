"""Batches that hold some events of every sample, as a measurement needs them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf


def sample_batches(
    samples: Mapping,
    batch_size: int,
    *,
    seed: int | None = 0,
    paired: Sequence[Sequence[str]] = (),
    variations: Mapping[str, tuple[str, Callable]] | None = None,
    scale_weights: bool = False,
) -> tf.data.Dataset:
    """A dataset of batches {name: features}, or {name: (features, weights)}, with as many events of every sample.

    Each sample is shuffled anew every epoch. An epoch ends with the smallest sample; what does not fill a batch is left
    out of it, as a smaller one would have less of the sensitivity.

    Where the variations of a sample are the same events, calibrated or weighted otherwise, a batch has to hold the same
    ones of each: what differs between two sets of events is noise, which a measurement takes for a systematic effect.
    `paired` keeps such samples together; `variations` makes them of the batch.

    Args:
        samples: features (n_events, n_features), or a pair of them and weights (n_events,), by name. Features are a
            dict of arrays, by input, for a network of several inputs.
        batch_size: events of each sample in a batch.
        seed: of the order of events; None for the order given.
        paired: groups of names of samples whose events belong together row by row, and are shuffled as one.
        variations: by name of a further sample, the one that it is made of, and a function of TensorFlow that gives the
            features of the events in a batch from theirs; or features and weights from both, if the sample has weights.
        scale_weights: multiply the weights by n_events / batch_size, so that those of a batch sum to the sample's sum
            on average; for yields of None in `SummaryStatistic`.

    Raises:
        ValueError: no sample, a sample of less than a batch, weights or inputs of other lengths; groups of samples
            that are unknown, in two groups, or of other lengths; a variation of an unknown sample, with the name of a
            sample, or with another number of events; scale_weights with a sample or a variation without weights.

    >>> shifted = {"background_up": ("background", lambda features: features + 1)}
    >>> (batch,) = sample_batches({"background": [[1.0], [2.0]]}, 2, seed=None, variations=shifted)
    >>> batch["background_up"].numpy().tolist()
    [[2.0], [3.0]]
    """
    if not samples:
        raise ValueError("Expected at least one sample. Received: none.")
    tensors = {name: _tensors(arrays) for name, arrays in samples.items()}
    group_of = _groups(tensors, paired)
    variations = dict(variations or {})
    for name, (source, _) in variations.items():
        if name in tensors or source not in tensors:
            raise ValueError(
                f"Expected variations with names of their own, made of one of {', '.join(tensors)}. Received: {name!r} "
                f"of {source!r}."
            )
    for name, arrays in tensors.items():
        n_events = _n_events(name, arrays)
        if not 0 < batch_size <= n_events:
            raise ValueError(
                f"Expected batch_size between 1 and the events of each sample, {n_events} of {name!r}. Received: "
                f"batch_size={batch_size}."
            )
    orders: dict[tuple[str, ...], tf.data.Dataset] = {}
    for number, (name, arrays) in enumerate(tensors.items()):
        if group_of[name] not in orders:
            n_events = _n_events(name, arrays)
            rows = tf.data.Dataset.range(n_events)
            if seed is not None:
                rows = rows.shuffle(n_events, seed=seed + number)
            orders[group_of[name]] = rows.batch(batch_size, drop_remainder=True)
    places = {name: list(orders).index(group) for name, group in group_of.items()}

    def batch(*rows):
        events = {
            name: tf.nest.map_structure(lambda array, row=rows[places[name]]: tf.gather(array, row), arrays)
            for name, arrays in tensors.items()
        }
        for name, (source, function) in variations.items():
            of = events[source]
            events[name] = function(*of) if isinstance(of, tuple) else function(of)
            if _n_events(name, events[name]) not in (batch_size, None):
                raise ValueError(
                    f"Expected variation {name!r} of {batch_size} events, as the batch of {source!r}. Received: "
                    f"{_n_events(name, events[name])}."
                )
        return {name: scaled(name, arrays) for name, arrays in events.items()} if scale_weights else events

    def scaled(name, arrays):
        if not isinstance(arrays, tuple):
            raise ValueError(f"Expected weights of every sample for scale_weights. Received: none of {name!r}.")
        features, weights = arrays
        source, _ = variations.get(name, (name, None))
        return features, tf.cast(weights, tf.float64) * (_n_events(source, tensors[source]) / batch_size)

    return tf.data.Dataset.zip(*orders.values()).map(batch).prefetch(2)


def _groups(samples: Mapping, paired: Sequence[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """By name of a sample, the names of those that are shuffled with it, itself among them."""
    names = [name for group in paired for name in group]
    unknown = [name for name in names if name not in samples]
    if any(isinstance(group, str) for group in paired) or unknown or len(set(names)) < len(names):
        raise ValueError(
            f"Expected paired to be groups of names, each name once, of {', '.join(samples)}. Received: {paired!r}."
        )
    groups = {name: tuple(group) for group in paired for name in group}
    for group in groups.values():
        lengths = {name: _n_events(name, samples[name]) for name in group}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"Expected as many events of each of the samples that are paired. Received: {lengths}.")
    return {name: groups.get(name, (name,)) for name in samples}


def _tensors(arrays: Any) -> Any:
    """Features, by input or not, or a pair of them and weights."""
    if isinstance(arrays, Mapping):
        return {name: tf.convert_to_tensor(array) for name, array in arrays.items()}
    return tuple(map(_tensors, arrays)) if isinstance(arrays, tuple) else tf.convert_to_tensor(arrays)


def _n_events(name: str, arrays: Any) -> int:
    """Of a sample, from the lengths of its features and weights."""
    lengths = {array.shape[0] for array in tf.nest.flatten(arrays)}
    if len(lengths) != 1:
        inputs = arrays[0] if isinstance(arrays, tuple) else arrays
        each = "one row of each input and one weight" if isinstance(inputs, Mapping) else "one weight"
        raise ValueError(f"Expected {each} an event of sample {name!r}. Received: lengths {sorted(lengths)}.")
    return lengths.pop()
