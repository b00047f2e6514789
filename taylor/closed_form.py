"""The closed form of a network with one hidden layer, to any order.

The last step's argument is u = sum_m w_m h(z_m) + c with z linear in the inputs, so that

    d^k u / dx_i ... dx_l = sum_m w_m h^(k)(z_m) V_im ... V_lm,

one matrix product of h^(k) with products of columns of the weights V. The response f(u) follows by Faa di Bruno's
formula, a sum over the partitions of a feature's inputs.
"""

from collections.abc import Callable, Iterator
from functools import reduce

import numpy as np
import tensorflow as tf

from taylor.activations import derivatives
from taylor.adjoint import network_steps
from taylor.features import FeatureSet
from taylor.response import Response
from taylor.steps import Elementwise, Linear, NoRule, Product, Scale, Softmax, Step


def closed_form(response: Response, features: FeatureSet) -> Callable:
    """A function from the model's input tensors to the partial derivatives (n_events, n_outputs n_features).

    Raises:
        NoRule: a network of another kind; by the function itself where only its layers show that.
    """
    if not response.has_graph:
        raise NoRule(f"{type(response.model).__name__} has a call of its own, not a graph of layers to read")
    if response.winning:
        raise NoRule("the closed form is of one output, not of the largest of several")
    inputs = np.unique([i for index in features.indices for i in index])
    orders = range(1, features.order + 1)

    def compute(tensors):
        step, _ = network_steps(response, tensors, inputs)
        outputs = [of_output(step, slice(column, column + 1)) for column in response.columns]
        return features.in_order([tf.stack(of_order) for of_order in zip(*outputs, strict=True)])

    def of_output(step, column):
        if response.target == "logit" or isinstance(step, Linear):
            inner, outer = HiddenLayer(step, column, inputs), None
        elif isinstance(step, Elementwise):
            inner = HiddenLayer(step.parents[0], column, inputs)
            z, value = (tf.transpose(s.value[:, column]) for s in (step.parents[0], step))  # (1, n_events)
            outer = derivatives(step.function, z, value, features.order)
        else:
            raise NoRule(f"the closed form has no {type(step).__name__.lower()} as its last step")
        return [_chain_rule(outer, inner, features.of_order(k)) for k in orders]

    return compute


def _chain_rule(outer: list | None, inner: "HiddenLayer", indices: np.ndarray) -> tf.Tensor:
    """(n, n_events) derivatives of f(u), with those of f as `outer`, for features (n, order); of u itself if None."""
    if outer is None:
        return inner.derivative(indices)
    terms = []
    for partition in set_partitions(tuple(range(indices.shape[1]))):
        if outer[len(partition) - 1] is not None:
            blocks = [inner.derivative(indices[:, block]) for block in partition]
            terms.append(outer[len(partition) - 1] * reduce(tf.multiply, blocks))
    return tf.add_n(terms)


class HiddenLayer:
    """The derivatives of u = sum_m w_m h(z_m) + c, made once for each set of features that is asked for.

    Args:
        step: a step with u as one of its units.
        column: which unit, as a slice.
        inputs: the analysed columns that derivatives will be wanted in.
    """

    def __init__(self, step: Step, column: slice, inputs: np.ndarray):
        self._hidden, weights = _hidden_layer(step)
        self._weight = weights[:, column][:, 0]
        self._columns = _common_jacobian(self._hidden.parents[0])  # V, (inputs, units)
        self._inputs = inputs
        self._made: dict[tuple, tf.Tensor] = {}

    def derivative(self, indices: np.ndarray) -> tf.Tensor:
        """(n, n_events) for features (n, order) of one order, which may repeat."""
        distinct, inverse = np.unique(indices, axis=0, return_inverse=True)
        key = distinct.tobytes(), distinct.shape
        if key not in self._made:
            self._made[key] = self._derivative(distinct)
        if len(distinct) == len(inverse) and (np.diff(inverse) > 0).all():
            return self._made[key]
        return tf.gather(self._made[key], inverse)

    def _derivative(self, indices: np.ndarray) -> tf.Tensor:
        hidden, order = self._hidden, indices.shape[1]
        h = derivatives(hidden.function, hidden.parents[0].value, hidden.value, order)[-1]
        if h is None:
            return tf.zeros((len(indices), tf.shape(hidden.value)[0]), hidden.value.dtype)
        rows = [tf.gather(self._columns, np.searchsorted(self._inputs, indices[:, k])) for k in range(order)]
        return tf.matmul(reduce(tf.multiply, rows), h * self._weight, transpose_b=True)


def _hidden_layer(step: Step) -> tuple[Elementwise, tf.Tensor]:
    """The activation that `step` is linear in, and the weights (units, outputs) of that."""
    weights = tf.eye(step.units, dtype=step.value.dtype)
    while isinstance(step, (Linear, Scale)):
        if isinstance(step, Linear):
            weights = step.kernel @ weights
        elif step.scale.shape.rank == 1:
            weights = step.scale[:, None] * weights
        else:
            break
        (step,) = step.parents
    if not isinstance(step, Elementwise):
        raise NoRule(f"the closed form wants one hidden layer, not a {type(step).__name__.lower()} in its place")
    return step, weights


def _common_jacobian(step: Step) -> tf.Tensor:
    """(inputs, units) of a step that is linear in the inputs."""
    if isinstance(step, (Elementwise, Product, Softmax)):
        raise NoRule("the closed form is for a single hidden layer")
    if step.slopes:
        raise NoRule("the closed form wants the same linear map for all events")
    return step.push([_common_jacobian(parent) for parent in step.parents], ())


def set_partitions(items: tuple) -> Iterator[list[tuple]]:
    """All ways to part the items into blocks.

    >>> list(set_partitions((1, 2)))
    [[(1, 2)], [(1,), (2,)]]
    """
    if not items:
        yield []
        return
    first, rest = items[:1], items[1:]
    for partition in set_partitions(rest):
        for i, block in enumerate(partition):
            yield [*partition[:i], first + block, *partition[i + 1 :]]
        yield [first, *partition]
