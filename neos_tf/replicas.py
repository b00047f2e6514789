"""What several devices make together: the replicas of a `tf.distribute` strategy, one for each device.

Each has a part of the events of a batch. What depends on all events, as the likelihood, each computes whole, from sums
over all replicas. Keras' optimizers add up the gradients of the replicas: so a sum has here the gradient of the
replica's own part alone. With TensorFlow's own gradients of sums each part would count once a replica. On one device
nothing is done.
"""

from typing import Any

import tensorflow as tf


def n_replicas() -> int:
    """Number of replicas that have a part of the events; one outside of `strategy.run`."""
    context = _context()
    return 1 if context is None else context.num_replicas_in_sync


def summed(values: Any) -> Any:
    """Sums over replicas.

    Args:
        values: a tensor or a structure of tensors, of numbers.

    Returns:
        The same structure.
    """
    context = _context()
    if context is None:
        return values

    @tf.custom_gradient
    def together(*own):
        sums = context.all_reduce(tf.distribute.ReduceOp.SUM, list(own))
        return tuple(sums), lambda *upstream: upstream

    return tf.nest.pack_sequence_as(values, tf.nest.flatten(together(*tf.nest.flatten(values))))


def gathered(values: Any) -> Any:
    """Events of all replicas, in the order of the replicas.

    Args:
        values: a tensor (n_events, ...) or a structure of tensors, whose n_events may differ between replicas.

    Returns:
        The same structure.
    """
    context = _context()
    if context is None:
        return values

    @tf.custom_gradient
    def together(*own):
        sizes = tf.stack([tf.shape(tensor)[0] for tensor in own])
        *every, of_all = context.all_gather([*own, sizes[tf.newaxis]], axis=0)
        starts = tf.unstack(tf.cumsum(of_all, exclusive=True)[context.replica_id_in_sync_group], num=len(own))

        def gradient(*upstream):
            return [g[start : start + tf.shape(x)[0]] for g, start, x in zip(upstream, starts, own, strict=True)]

        return tuple(every), gradient

    return tf.nest.pack_sequence_as(values, tf.nest.flatten(together(*tf.nest.flatten(values))))


def averaged(value: tf.Tensor, n_events: tf.Tensor) -> tf.Tensor:
    """() mean over replicas, by the number of their events; that of a replica without events does not count."""
    if _context() is None:
        return value
    n = tf.cast(n_events, value.dtype)
    total, n_all = summed((tf.where(n > 0, value * n, 0), n))
    return total / n_all


def everywhere(flag: tf.Tensor) -> tf.Tensor:
    """() bool, whether a flag () is true on all replicas."""
    return flag if _context() is None else summed(tf.cast(~flag, tf.float32)) == 0


def _context() -> tf.distribute.ReplicaContext | None:
    """That of this replica; None if it is the only one, or outside of `strategy.run`."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context
