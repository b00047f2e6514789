"""The general engine: nested gradient tapes on the model itself, to any order."""

from collections.abc import Callable
from logging import LogRecord

import numpy as np
import tensorflow as tf

from taylor.exact import exact_gradients
from taylor.features import FeatureSet
from taylor.response import Response
from taylor.signature import require_differentiable

LOOPS = ("While", "StatelessWhile")


def autodiff(response: Response, features: FeatureSet, vectorised: bool = True) -> Callable:
    """A function from the model's input tensors to the partial derivatives (n_events, n_outputs n_features).

    Each order differentiates only those derivatives of the order below that a feature needs, and each of them once,
    whatever the order of its inputs.

    Raises:
        ValueError: a SavedModel that cannot be differentiated rightly.
    """
    require_differentiable(response.model, features.order)
    needed = _needed(features)
    n_outputs = response.n_outputs
    methods = [_vectorised, _by_copies] if vectorised else [_by_copies]

    def compute(tensors):
        widths = [tensors[i].shape[1] for i in response.analysed]

        def respond(x, copies):
            parts = [tensor if tensor.shape[0] == 1 else _repeated(tensor, copies) for tensor in tensors]
            for i, part in zip(response.analysed, tf.split(x, widths, axis=1), strict=True):
                parts[i] = part
            return response(parts)

        x = tf.concat([tensors[i] for i in response.analysed], axis=1)
        with exact_gradients():
            try:
                orders = _derivatives(respond, x, needed, n_outputs, methods[0])
            except ValueError:
                if len(methods) == 1:
                    raise
                del methods[0]
                orders = _derivatives(respond, x, needed, n_outputs, methods[0])
        columns = []
        for order, derivatives in enumerate(orders, start=1):
            wanted = np.array([needed[order - 1].index(tuple(index)) for index in features.of_order(order)], np.int64)
            columns.append(tf.transpose(tf.gather(derivatives, wanted, axis=2), (1, 2, 0)))
        return features.in_order(columns)

    return compute


def _needed(features: FeatureSet) -> list[list[tuple[int, ...]]]:
    """For each order, the index tuples whose derivative is a feature, or on the way to one."""
    needed: list[list[tuple[int, ...]]] = []
    above: set[tuple[int, ...]] = set()
    for order in range(features.order, 0, -1):
        above = {tuple(index) for index in features.of_order(order).tolist()} | {index[:-1] for index in above}
        needed.insert(0, sorted(above))
    return needed


def _derivatives(
    respond: Callable,
    x: tf.Tensor,
    needed: list[list[tuple[int, ...]]],
    n_outputs: int,
    jacobian: Callable,
    copies: int = 1,
) -> list[tf.Tensor]:
    """One tensor (n_events, n_outputs, len(needed)) an order."""
    *needed_below, highest = needed
    prefixes = sorted({index[:-1] for index in highest})  # the empty one for the first order
    n_columns, n_inputs = n_outputs * len(prefixes), x.shape[1]

    def below(x, copies):
        if not needed_below:
            return [], tf.reshape(respond(x, copies), (-1, n_columns))
        lower = _derivatives(respond, x, needed_below, n_outputs, jacobian, copies)
        wanted = [needed_below[-1].index(prefix) for prefix in prefixes]
        return lower, tf.reshape(tf.gather(lower[-1], wanted, axis=2), (-1, n_columns))

    lower, rows = (jacobian if n_columns > 1 else _by_copies)(below, x, n_columns, copies)
    positions = [prefixes.index(index[:-1]) * n_inputs + index[-1] for index in highest]
    flat = tf.reshape(rows, (-1, n_outputs, len(prefixes) * n_inputs))
    return [*lower, tf.gather(flat, positions, axis=2)]


def _vectorised(function: Callable, x: tf.Tensor, n_columns: int, copies: int) -> tuple[list[tf.Tensor], tf.Tensor]:
    """What comes first of `function(x, copies)`, and the derivatives (n_events, n_columns, n_inputs) of the second.

    Raises:
        ValueError: operations that cannot be vectorised, such as the loops of recurrent layers.
    """
    with tf.GradientTape() as tape:
        tape.watch(x)
        first, columns = function(x, copies)
    if tf.is_symbolic_tensor(columns) and any(op.type in LOOPS for op in columns.graph.get_operations()):
        raise ValueError("Loops cannot be vectorised, and it takes long to find that out.")
    logger = tf.get_logger()
    logger.addFilter(_not_of_pfor)
    try:
        return first, tape.batch_jacobian(columns, x, unconnected_gradients="zero")
    finally:
        logger.removeFilter(_not_of_pfor)


def _not_of_pfor(record: LogRecord) -> bool:
    return "parallel_for" not in record.pathname  # what it cannot do is done otherwise


def _by_copies(function: Callable, x: tf.Tensor, n_columns: int, copies: int) -> tuple[list[tf.Tensor], tf.Tensor]:
    """As `_vectorised`, with a copy of each event for each column: up to twice as slow, but for any operation."""
    with tf.GradientTape() as tape:
        x = _repeated(x, n_columns)
        tape.watch(x)
        first, columns = function(x, copies * n_columns)
        own = tf.eye(n_columns, dtype=columns.dtype) * tf.reshape(columns, (-1, n_columns, n_columns))
        total = tf.reduce_sum(own)
    rows = tape.gradient(total, x, unconnected_gradients="zero")
    return [tensor[::n_columns] for tensor in first], tf.reshape(rows, (-1, n_columns, x.shape[1]))


def _repeated(rows: tf.Tensor, n: int) -> tf.Tensor:
    return rows if n == 1 else tf.repeat(rows, n, axis=0)
