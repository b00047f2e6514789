"""The adjoint engine: exact first and second derivatives, layer by layer.

For a response y of a network of steps, with J_s the Jacobian of step s in the inputs and a_s the derivative of y in it,

    dy/dx_i = sum_u a[u] J[u, i] at the inputs,        d2y/dx_i dx_j = sum over steps s of J_s^T C_s(a_s) J_s,

where C_s is the second derivative of the step: diagonal for an activation. Up to the first activation J is the same for
all events, and its term is one matrix product: a_s sigma''(z_s) with products of columns of the weights. All of it
takes about one forward pass for each input and one backward pass; a piecewise-linear activation (ReLU) adds no term.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from taylor import keras_graph
from taylor.chunks import on_gpu
from taylor.features import FeatureSet
from taylor.operations import apply_operation
from taylor.response import Response, largest
from taylor.rules import apply_rule
from taylor.steps import Centred, Curvature, Elementwise, NoRule, Softmax, Step, Variable

CACHED = 100_000  # numbers in a Jacobian that several of fit into a core's second-level cache


class Pairs(NamedTuple):
    """The pairs of inputs to differentiate in: the inputs in any of them, and each pair as positions among those."""

    inputs: np.ndarray
    positions: np.ndarray

    def products(self, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """left[i] * right[j] for each pair, from (..., inputs, n) to (..., pairs, n)."""
        if left.shape.rank == 3 and left.shape[0] == 1:  # gathering along the first axis is faster
            return self.products(left[0], right[0])[None]
        i, j = self.positions.T
        return tf.gather(left, i, axis=-2) * tf.gather(right, j, axis=-2)

    def entries(self, matrices: tf.Tensor) -> tf.Tensor:
        """The entry of each pair, from (n_events, n, inputs, inputs) to (n, pairs, n_events)."""
        n, size = matrices.shape[1], len(self.inputs)
        i, j = self.positions.T
        rows = tf.transpose(tf.reshape(matrices, (-1, n * size * size)))
        positions = size * size * np.arange(n)[:, None] + i * size + j
        return tf.gather(rows, positions)


def adjoint(response: Response, features: FeatureSet) -> Callable:
    """A function from the model's input tensors to the partial derivatives (n_events, n_outputs n_features).

    Raises:
        NoRule: a model or an order that this engine does not cover; by the function itself where a layer is unknown.
    """
    if features.order > 2:
        raise NoRule(f"the adjoint engine goes to the second order, not to {features.order}")
    if not response.has_graph:
        raise NoRule(f"{type(response.model).__name__} has a call of its own, not a graph of layers to read")
    first = features.of_order(1)[:, 0]
    inputs, positions = np.unique(features.of_order(2), return_inverse=True)
    pairs = Pairs(inputs, positions.reshape(-1, 2))

    def compute(tensors):
        step, variables = network_steps(response, tensors, inputs)
        gradient, hessian = _derivatives(step, response, variables, pairs)
        if hessian is None:
            hessian = tf.zeros((response.n_outputs, len(pairs.positions), 1), gradient.dtype)
        n_events = tf.shape(variables[0].value)[0]
        rows = tf.gather(gradient, first, axis=1), hessian
        return features.in_order([tf.broadcast_to(r, (*r.shape[:2], n_events)) for r in rows])

    return compute


def network_steps(
    response: Response, tensors: Sequence[tf.Tensor], inputs: Sequence[int] | np.ndarray
) -> tuple[Step, list[Variable]]:
    """The network evaluated on events: its last step, and the analysed inputs.

    Args:
        response: of a functional or Sequential model.
        tensors: one for each of the model's inputs.
        inputs: the analysed columns that Jacobians will be wanted in.

    Returns:
        The step that makes the response, before its activation if the target is the logit, and the Variables.
    """
    values, variables, start = response.shaped(tensors), [], 0
    for i in response.analysed:
        if values[i].shape.rank != 2:
            raise NoRule(f"events of the shape {response.signature.shapes[i]} in {response.input_names[i]!r}")
        values[i] = Variable(tensors[i], start, inputs)
        variables.append(values[i])
        start += values[i].units
    step = keras_graph.evaluate(response.model, values, _call)[response.tensor]
    if not isinstance(step, Step):
        raise ValueError("Expected an output that depends on the analysed inputs. Received: one that does not.")
    return (step.parents[0] if response.target == "logit" else step), variables


def _call(operation: keras.Operation, *arguments: Any, **keywords: Any) -> Any:
    """One operation of the model: as it is on tensors, by its rule on steps, piece by piece if it is a model itself."""
    if not _has_step((arguments, keywords)):
        return operation(*arguments, **keywords)
    if _has_step(keywords):
        raise NoRule(f"layer {operation.name!r} is called with its input as a keyword")
    if not isinstance(operation, keras.Layer):
        return apply_operation(operation, *arguments, **keywords)
    others = [*arguments[1:], *(value for name, value in keywords.items() if name != "training")]
    if any(leaf is not None for leaf in keras.tree.flatten(others)):
        raise NoRule(f"layer {operation.name!r} is called with more than its input")
    if keras_graph.has_graph(operation):
        return keras_graph.evaluate(operation, keras.tree.flatten(arguments), _call)
    return apply_rule(operation, arguments[0])


def _has_step(structure: Any) -> bool:
    return any(isinstance(leaf, Step) for leaf in keras.tree.flatten(structure))


def _derivatives(step: Step, response: Response, variables: list[Variable], pairs: Pairs):
    """Gradients (n_outputs, n_inputs, n_events) and second derivatives (n_outputs, n_pairs, n_events); None if zero."""
    if response.winning:
        units = largest(step.value)[None]
    else:
        units = tf.one_hot(response.columns, step.units, dtype=step.value.dtype)[:, None]  # the same for all events
    if response.target == "logit" or not isinstance(step, (Elementwise, Softmax)):
        return _of_sums(step, units, variables, pairs)
    (z,) = step.parents
    if isinstance(step, Softmax):
        return _of_softmax(step.value, units, z, response, variables, pairs)
    # y = f(z) by the chain rule: f' enters with the weights, where it is one product a unit instead of one a pair.
    first = tf.reduce_sum(step.first * units, axis=-1)  # (n_outputs, n_events)
    gradient, hessian = _of_sums(z, units, variables, pairs, lambda weight: first[..., None] * weight)
    terms = [] if hessian is None else [hessian]
    if step.second is not None and len(pairs.positions):
        among = tf.gather(gradient, pairs.inputs, axis=1)
        second = tf.reduce_sum(step.second * units, axis=-1)[:, None]
        terms.append(pairs.products(second * among, among))
    return first[:, None] * gradient, tf.add_n(terms) if terms else None


def _of_softmax(
    p: tf.Tensor, units: tf.Tensor, z: Step, response: Response, variables: list[Variable], pairs: Pairs
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Gradients and second derivatives of softmax(z), from one backward pass for all units of z.

    With d f = f_k - sum_l p_l f_l, the derivatives of p_k are p_k d(J) and p_k d(H + dJ dJ^T), with the Jacobians J and
    the second derivatives H of z: what is made for one output serves all.
    """
    of_units = tf.unstack(tf.transpose(p))  # (n_events,) each
    chosen = tf.unstack(tf.reduce_sum(p * units, axis=-1))
    wins = tf.unstack(tf.transpose(units[0])) if response.winning else None

    def mean(values, shape=(-1,)):  # one (n, n_events) a unit, or one (n_events, n) with `shape` (-1, 1)
        return tf.add_n([tf.reshape(w, shape) * value for w, value in zip(of_units, values, strict=True)])

    def differences(values, shape=(-1,)):
        if wins is None:
            of_outputs = [values[column] for column in response.columns]
        else:
            of_outputs = [tf.add_n([tf.reshape(won, shape) * value for won, value in zip(wins, values, strict=True)])]
        common = mean(values, shape)
        return tf.stack([tf.reshape(w, shape) * (of - common) for w, of in zip(chosen, of_outputs, strict=True)])

    def weights(values):  # (units, n_events or 1, n)
        return differences(tf.unstack(values), (-1, 1))

    each = tf.eye(z.units, dtype=p.dtype)[:, None]
    gradients, hessian = _of_sums(z, each, variables, pairs, weights)
    gradient = differences(tf.unstack(gradients))
    if len(pairs.positions) == 0:
        return gradient, None
    away = tf.gather(gradients, pairs.inputs, axis=1)
    away -= mean(tf.unstack(away))
    bent = differences(tf.unstack(pairs.products(away, away)))
    return gradient, bent if hessian is None else hessian + bent


def _of_sums(step: Step, units: tf.Tensor, variables: list[Variable], pairs: Pairs, weights: Callable | None = None):
    """Gradients and second derivatives of sum_u units[u] value[u], the `units` (n, n_events or 1, units) as constants.

    The second derivatives are of what `weights` makes of the sums: their adjoints at each step go through it.
    """
    adjoints = _pull_back(step, units)
    gradient = _gradient(adjoints, variables)
    if len(pairs.positions) == 0:
        return gradient, None
    curvatures = [term for other, adjoint in adjoints.items() for term in other.curvature(adjoint)]
    if weights is not None:
        curvatures = [Curvature(left, right, weights(weight)) for left, right, weight in curvatures]
    return gradient, _hessian(curvatures, variables, pairs) if curvatures else None


def _pull_back(step: Step, adjoint_of_step: tf.Tensor) -> dict[Step, tf.Tensor]:
    """The adjoint of each step that `step` depends on."""
    adjoints = {step: adjoint_of_step}
    for other in reversed(_ancestors(step)):
        for parent, adjoint in zip(other.parents, other.pull(adjoints[other]), strict=True):
            adjoints[parent] = adjoints[parent] + adjoint if parent in adjoints else adjoint
    return adjoints


def _ancestors(step: Step) -> list[Step]:
    """The steps that `step` depends on, itself included, each after its parents."""
    order, stack = {}, [step]
    while stack:
        waiting = [parent for parent in stack[-1].parents if parent not in order]
        if waiting:
            stack += waiting
        else:
            order[stack.pop()] = None
    return list(order)


def _gradient(adjoints: dict[Step, tf.Tensor], variables: list[Variable]) -> tf.Tensor:
    """(n, n_inputs, n_events), or (n, n_inputs, 1) where the same for all events; zero in an input that is not used."""
    column = tf.zeros_like(next(adjoints[v] for v in variables if v in adjoints)[..., :1])
    columns = [adjoints[v] if v in adjoints else tf.tile(column, (1, 1, v.units)) for v in variables]
    # One by one: the compiler makes the transposition of a matrix a part of the product that it comes from.
    return tf.stack([tf.transpose(rows) for rows in tf.unstack(tf.concat(columns, axis=2))])


def _hessian(curvatures: list[Curvature], variables: list[Variable], pairs: Pairs) -> tf.Tensor:
    """(n_outputs, n_pairs, n_events) sum of the terms."""
    steps = list(dict.fromkeys(s for c in curvatures for step in (c.left, c.right) for s in _ancestors(step)))
    jacobians: dict[Step, tf.Tensor] = {}
    for step in steps:  # those that are the same for all events
        if not step.slopes and all(parent in jacobians for parent in step.parents):
            jacobians[step] = step.push([jacobians[parent] for parent in step.parents], ())
    terms, of_events = [], []
    for term in curvatures:
        if term.left in jacobians and term.right in jacobians:
            products = _products(jacobians[term.left], jacobians[term.right], pairs)
            n_outputs, _, units = term.weight.shape
            rows = tf.matmul(products, tf.reshape(term.weight, (-1, units)), transpose_b=True)
            one = n_outputs == 1  # without a transposition, which the compiler does not see through
            rows = rows[None] if one else tf.transpose(tf.reshape(rows, (rows.shape[0], n_outputs, -1)), (1, 0, 2))
            terms.append(rows)
        elif isinstance(term.left, Centred) and term.left.units <= len(pairs.inputs):
            terms.append(_pulled_term(term, variables, pairs))
        else:
            of_events.append(term)
    if of_events:
        steps = list(dict.fromkeys(s for c in of_events for step in (c.left, c.right) for s in _ancestors(step)))
        terms.append(_of_event_matrices(of_events, [s for s in steps if s not in jacobians], jacobians, pairs))
    return tf.add_n(terms)


def _pulled_term(term: Curvature, variables: list[Variable], pairs: Pairs) -> tf.Tensor:
    """(n_outputs, n_pairs, n_events) a square with few units, whose Jacobian is cheaper by a backward pass for each."""
    each = tf.eye(term.left.units, dtype=term.weight.dtype)[:, None]
    rows = tf.gather(_gradient(_pull_back(term.left, each), variables), pairs.inputs, axis=1)
    weights = tf.transpose(term.weight, (2, 0, 1))[:, :, None]  # (units, n_outputs, 1, n_events)
    return tf.add_n(
        [w * pairs.products(row, row) for w, row in zip(tf.unstack(weights), tf.unstack(rows), strict=True)]
    )


def _products(left: tf.Tensor, right: tf.Tensor, pairs: Pairs) -> tf.Tensor:
    """(n_pairs, units) symmetrised products of rows of two Jacobians (inputs, units)."""
    if left is right:
        return pairs.products(left, left)
    return (pairs.products(left, right) + pairs.products(right, left)) / 2


def _of_event_matrices(
    terms: list[Curvature], steps: list[Step], common: dict[Step, tf.Tensor], pairs: Pairs
) -> tf.Tensor:
    """(n_outputs, n_pairs, n_events) sum of the terms whose Jacobians differ from event to event.

    Block after block of events, small enough for its Jacobians to stay in the processor's cache: 1.4 times faster.
    """
    n_outputs, n_inputs = terms[0].weight.shape[0], len(pairs.inputs)

    def matrices(block: list[tf.Tensor]) -> tf.Tensor:
        block = iter(block)
        jacobians = dict(common)
        for step in steps:
            jacobians[step] = step.push([jacobians[p] for p in step.parents], [next(block) for _ in step.slopes])
        products = []
        for left, right, _ in terms:
            weighted = jacobians[left][..., None, :, :] * next(block)[:, :, None]
            weighted = tf.reshape(weighted, (-1, n_outputs * n_inputs, left.units))
            product = tf.matmul(weighted, jacobians[right], transpose_b=True)
            product = tf.reshape(product, (-1, n_outputs, n_inputs, n_inputs))
            products.append(product if left is right else (product + tf.linalg.matrix_transpose(product)) / 2)
        return tf.add_n(products)

    tensors = [slope for step in steps for slope in step.slopes]
    n_events = tensors[0].shape[0]
    tensors += [tf.transpose(term.weight, (1, 0, 2)) for term in terms]
    n_block = _block_size(n_inputs * max(step.units for step in steps))
    if n_events is None or n_events % n_block or n_events <= n_block:
        return pairs.entries(matrices(tensors))
    blocks = [tf.broadcast_to(t, (n_events, *t.shape[1:])) for t in tensors]
    blocks = [tf.reshape(t, (-1, n_block, *t.shape[1:])) for t in blocks]
    result = tf.map_fn(matrices, blocks, fn_output_signature=tensors[0].dtype)
    return pairs.entries(tf.reshape(result, (n_events, n_outputs, n_inputs, n_inputs)))


def _block_size(n_values: int) -> int:
    """Events in a block, with Jacobians of `n_values` an event: a power of two. A GPU wants all of them at once."""
    if on_gpu():
        return 1 << 30
    return 1 << max(int(np.log2(CACHED / n_values)), 0)
