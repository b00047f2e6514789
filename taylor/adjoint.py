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
from taylor.response import Response
from taylor.rules import apply_rule
from taylor.steps import Curvature, Elementwise, NoRule, Softmax, Step, Variable

CACHED = 100_000  # numbers in a Jacobian that several of fit into a core's second-level cache


class Pairs(NamedTuple):
    """The pairs of inputs to differentiate in: the inputs in any of them, and each pair as positions among those."""

    inputs: np.ndarray
    positions: np.ndarray

    def products(self, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """left[i] * right[j] for each pair, from (inputs, ...) to (pairs, ...)."""
        i, j = self.positions.T
        return tf.gather(left, i) * tf.gather(right, j)

    def entries(self, matrices: tf.Tensor) -> tf.Tensor:
        """The entry of each pair, from (n_events, inputs, inputs) to (pairs, n_events)."""
        size = len(self.inputs)
        i, j = self.positions.T
        return tf.gather(tf.transpose(tf.reshape(matrices, (-1, size * size))), i * size + j)


def adjoint(response: Response, features: FeatureSet) -> Callable:
    """A function from the model's input tensors to the partial derivatives (n_events, n_features).

    Raises:
        NoRule: a model or an order that this engine does not cover; by the function itself where a layer is unknown.
    """
    if features.order > 2:
        raise NoRule(f"the adjoint engine goes to the second order, not to {features.order}")
    if not response.has_graph:
        raise NoRule(f"{type(response.model).__name__} is neither a functional nor a Sequential model")
    first = features.of_order(1)[:, 0]
    inputs, positions = np.unique(features.of_order(2), return_inverse=True)
    pairs = Pairs(inputs, positions.reshape(-1, 2))

    def compute(tensors):
        step, variables = network_steps(response, tensors, inputs)
        gradient, hessian = _derivatives(step, response, variables, pairs)
        if hessian is None:
            hessian = tf.zeros((len(pairs.positions), 1), gradient.dtype)
        n_events = tf.shape(variables[0].value)[0]
        rows = [tf.broadcast_to(r, (r.shape[0], n_events)) for r in (tf.gather(gradient, first), hessian)]
        return features.in_order(rows)

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
    if keras_graph.has_graph(operation):
        return keras_graph.evaluate(operation, keras.tree.flatten(arguments), _call)
    return apply_rule(operation, *arguments)


def _has_step(structure: Any) -> bool:
    return any(isinstance(leaf, Step) for leaf in keras.tree.flatten(structure))


def _derivatives(step: Step, response: Response, variables: list[Variable], pairs: Pairs):
    """Gradient (n_inputs, n_events) and second derivatives (n_pairs, n_events) of one unit; None if those vanish."""
    column = response.column
    unit = tf.one_hot([column], step.units, dtype=step.value.dtype)
    if response.target == "logit" or not isinstance(step, (Elementwise, Softmax)):
        return _of_sum(step, unit, variables, pairs)
    z = step.parents[0]
    if isinstance(step, Softmax):
        p = step.value
        gradient, hessian = _of_sum(z, p[:, column, None] * (unit - p), variables, pairs)
        bent = p[:, column] * _softmax_curvature(p, unit, z, variables, pairs)
        return gradient, bent if hessian is None else hessian + bent
    # y = f(z) by the chain rule: f' enters with the weights, where it is one product a unit instead of one a pair.
    first = step.first[:, column, None]
    second = None if step.second is None else step.second[:, column, None]
    gradient, hessian = _of_sum(z, unit, variables, pairs, first)
    terms = [] if hessian is None else [hessian]
    if second is not None:
        among = tf.gather(gradient, pairs.inputs)
        terms.append(pairs.products(second[:, 0] * among, among))
    return first[:, 0] * gradient, tf.add_n(terms) if terms else None


def _of_sum(step: Step, adjoint_of_step: tf.Tensor, variables: list[Variable], pairs: Pairs, factor=None):
    """Gradient and second derivatives of sum_u adjoint[u] value[u], the adjoints taken as constants.

    The second derivatives are multiplied by `factor` (n_events, 1), if there is one; the gradient is not.
    """
    adjoints = _pull_back(step, adjoint_of_step)
    gradient = _gradient(adjoints, variables)
    if len(pairs.positions) == 0:
        return gradient, None
    curvatures = [term for other, adjoint in adjoints.items() for term in other.curvature(adjoint)]
    if factor is not None:
        curvatures = [Curvature(left, right, factor * weight) for left, right, weight in curvatures]
    return gradient, _hessian(curvatures, pairs) if curvatures else None


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
    """(n_inputs, n_events), or (n_inputs, 1) where it is the same for all events; zero in an input that is not used."""
    column = tf.zeros_like(next(adjoints[v] for v in variables if v in adjoints)[:, :1])
    columns = [adjoints[v] if v in adjoints else tf.tile(column, (1, v.units)) for v in variables]
    return tf.transpose(tf.concat(columns, axis=1))


def _hessian(curvatures: list[Curvature], pairs: Pairs) -> tf.Tensor:
    """(n_pairs, n_events) sum of the terms."""
    steps = list(dict.fromkeys(s for c in curvatures for step in (c.left, c.right) for s in _ancestors(step)))
    jacobians: dict[Step, tf.Tensor] = {}
    for step in steps:  # those that are the same for all events
        if not step.slopes and all(parent in jacobians for parent in step.parents):
            jacobians[step] = step.push([jacobians[parent] for parent in step.parents], ())
    terms, of_events = [], []
    for term in curvatures:
        if term.left in jacobians and term.right in jacobians:
            products = _products(jacobians[term.left], jacobians[term.right], pairs)
            terms.append(tf.matmul(products, term.weight, transpose_b=True))
        else:
            of_events.append(term)
    if of_events:
        terms.append(pairs.entries(_event_matrices(of_events, [s for s in steps if s not in jacobians], jacobians)))
    return tf.add_n(terms)


def _products(left: tf.Tensor, right: tf.Tensor, pairs: Pairs) -> tf.Tensor:
    """(n_pairs, units) symmetrised products of rows of two Jacobians (inputs, units)."""
    if left is right:
        return pairs.products(left, left)
    return (pairs.products(left, right) + pairs.products(right, left)) / 2


def _event_matrices(terms: list[Curvature], steps: list[Step], common: dict[Step, tf.Tensor]) -> tf.Tensor:
    """(n_events, inputs, inputs) sum of the terms whose Jacobians differ from event to event.

    Block after block of events, small enough for its Jacobians to stay in the processor's cache: 1.4 times faster.
    """

    def matrices(block: list[tf.Tensor]) -> tf.Tensor:
        block = iter(block)
        jacobians = dict(common)
        for step in steps:
            jacobians[step] = step.push([jacobians[p] for p in step.parents], [next(block) for _ in step.slopes])
        products = []
        for left, right, _ in terms:
            product = tf.matmul(jacobians[left] * next(block)[:, None, :], jacobians[right], transpose_b=True)
            products.append(product if left is right else (product + tf.linalg.matrix_transpose(product)) / 2)
        return tf.add_n(products)

    tensors = [slope for step in steps for slope in step.slopes] + [term.weight for term in terms]
    n_inputs = next(iter(common.values())).shape[0]
    n_events = tensors[0].shape[0]
    n_block = _block_size(n_inputs * max(step.units for step in steps))
    if n_events is None or n_events % n_block or n_events <= n_block:
        return matrices(tensors)
    blocks = [tf.reshape(tf.broadcast_to(t, (n_events, t.shape[1])), (-1, n_block, t.shape[1])) for t in tensors]
    result = tf.map_fn(matrices, blocks, fn_output_signature=tensors[0].dtype)
    return tf.reshape(result, (n_events, n_inputs, n_inputs))


def _block_size(n_values: int) -> int:
    """Events in a block, with Jacobians of `n_values` an event: a power of two. A GPU wants all of them at once."""
    if on_gpu():
        return 1 << 30
    return 1 << max(int(np.log2(CACHED / n_values)), 0)


def _softmax_curvature(p: tf.Tensor, unit: tf.Tensor, z: Step, variables: list[Variable], pairs: Pairs) -> tf.Tensor:
    """sum_lm C[l, m] J_l J_m of each pair, where p_k C is the second derivative of softmax.

    C = v v^T + p p^T - diag p with v = 1_k - p.
    """
    units = tf.eye(z.units, dtype=p.dtype)
    rows = [_gradient(_pull_back(z, units[m, None]), variables) for m in range(z.units)]
    rows = [tf.gather(row, pairs.inputs) for row in rows]  # J_m, (inputs, n_events)
    weights = tf.unstack(p, axis=1)
    mean = tf.add_n([w * row for w, row in zip(weights, rows, strict=True)])
    away = tf.add_n([unit[0, m] * row for m, row in enumerate(rows)]) - mean
    spread = tf.add_n([w * pairs.products(row, row) for w, row in zip(weights, rows, strict=True)])
    return pairs.products(away, away) + pairs.products(mean, mean) - spread
