"""Minimisation inside a graph: damped Newton steps within bounds, and the gradient of the solution.

What is solved is a function of a batch of points; how, is Newton's method with Marquardt's damping; how the solution is
differentiated, is the implicit function theorem, Eq. (5) of Simpson and Heinrich, arXiv:2203.05570, in which the update
u is the Newton step:

    d x / d a = -H^-1 d^2 f / (d x d a),    H = d^2 f / d x^2 at the solution
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from neos_tf.typing import TensorLike

ROUNDING = 1e-12  # relative rise of the objective that is not held against a step
RIDGE = (
    1e-13  # keeps the equations solvable where a parameter has no effect; of the curvature, so below every tolerance
)
LARGEST_DAMPING = 1e8  # steps that are still refused then are smaller than rounding


class Minimum(NamedTuple):
    """Where a function is smallest. Failure is in `converged`, nothing is raised.

    Args:
        x: (n,) the minimum, differentiable with respect to the arguments of the objective.
        value: () the objective there, differentiable once.
        converged: () bool; the slope is gone in every direction that is left, the curvature is positive, all is finite.
        n_iterations: () int32, evaluations of the objective with its derivatives.
        gradient_norm: () length of the gradient along the free directions, each in units of the root of its curvature.
            For half of a chi-square this is the distance to the minimum in standard deviations.
        free: (n,) bool; neither fixed nor held at a bound.
    """

    x: tf.Tensor
    value: tf.Tensor
    converged: tf.Tensor
    n_iterations: tf.Tensor
    gradient_norm: tf.Tensor
    free: tf.Tensor


class _State(NamedTuple):
    iteration: tf.Tensor
    x: tf.Tensor
    value: tf.Tensor
    gradient: tf.Tensor
    hessian: tf.Tensor
    proposal: tf.Tensor
    damping: tf.Tensor
    decrement: tf.Tensor


@tf.autograph.experimental.do_not_convert
def minimise(
    objective: Callable,
    initial: TensorLike,
    arguments: Sequence = (),
    *,
    lower: TensorLike | None = None,
    upper: TensorLike | None = None,
    fixed: TensorLike | None = None,
    tolerance: float = 1e-16,
    max_iterations: int = 100,
) -> Minimum:
    """Minimises a smooth function within bounds, in eager mode, in a graph or under XLA.

    A parameter at a bound that the gradient pushes against is left out of the step. A step that does not lower the
    objective, or leads to where it is not finite, is taken back and damped.

    Args:
        objective: function of points (n_points, n) float64 and of `arguments`, giving (n_points,) values. It must treat
            each point alone: the Hessian comes from one differentiation of the gradient at n copies of the point. The
            same function given again is not traced again.
        initial: (n,) where to start. The values of the fixed parameters are taken from it.
        arguments: tensors on which the objective depends. The solution is differentiable with respect to them, and with
            respect to the fixed entries of `initial`; what the objective takes from its closure counts as constant.
        lower: (n,) bounds; none if None.
        upper: (n,) bounds; none if None.
        fixed: (n,) bool, parameters that stay at `initial`; none if None.
        tolerance: on the Newton decrement g^T H^-1 g, twice the expected gain of the next step, which is still taken.
        max_iterations: evaluations after which the search is given up.

    Raises:
        ValueError: `initial` that is no vector, or bounds of another length.

    >>> minimise(lambda x, a: tf.reduce_sum((x - a) ** 4 + (x - a) ** 2, axis=-1), [0.0, 0.0], [[1.0, 2.0]]).x.numpy()
    array([1., 2.])
    """
    initial = tf.convert_to_tensor(initial, tf.float64)
    if initial.shape.rank != 1 or initial.shape[0] is None:
        raise ValueError(f"Expected initial of shape (n,), with n known. Received: shape {initial.shape}.")
    n = initial.shape[0]
    lower, upper = _vector("lower", lower, n, -float("inf")), _vector("upper", upper, n, float("inf"))
    fixed = tf.zeros(n, tf.bool) if fixed is None else tf.convert_to_tensor(fixed, tf.bool)
    arguments = (initial, *(tf.convert_to_tensor(argument, tf.float64) for argument in arguments))

    stopped = [tf.stop_gradient(argument) for argument in arguments]
    state = _State(*_search(objective)(stopped, lower, upper, fixed, tolerance, max_iterations))

    free = _free(state.x, state.gradient, lower, upper, fixed)
    scale, hessian = _scaled(state.hessian, free)
    positive = tf.reduce_min(tf.linalg.eigvalsh(hessian)) > 0
    at_minimum = tf.where(free, state.proposal, state.x)  # the last step is small, and taken
    value_at = _with_fixed(objective, fixed)
    x = _differentiable(value_at, tf.stop_gradient(at_minimum), free, scale, hessian, arguments)
    return Minimum(
        x=tf.where(fixed, initial, x),
        value=value_at(tf.stop_gradient(at_minimum)[None], *arguments)[0],
        converged=(state.decrement < tolerance) & positive & tf.math.is_finite(state.value),
        n_iterations=state.iteration,
        gradient_norm=tf.norm(tf.where(free, state.gradient / scale, 0)),
        free=free,
    )


@tf.autograph.experimental.do_not_convert
def derivatives(objective: Callable, x: tf.Tensor, arguments: Sequence = ()) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Value (), gradient (n,) and Hessian (n, n) of an objective of `minimise` at one point.

    The objective is evaluated at n copies of the point, so the derivative of all gradients at once, row i along
    direction i, is the Hessian: two backward passes, whatever n is, and nothing to vectorise. Differentiable again.
    """
    n = x.shape[0]
    points = tf.tile(x[None], (n, 1))
    with tf.GradientTape() as outer:
        outer.watch(points)
        with tf.GradientTape() as inner:
            inner.watch(points)
            values = objective(points, *arguments)
        gradients = inner.gradient(values, points, unconnected_gradients="zero")
    hessian = outer.gradient(gradients, points, output_gradients=tf.eye(n, dtype=x.dtype), unconnected_gradients="zero")
    return values[0], gradients[0], hessian


def _vector(name: str, values: TensorLike | None, n: int, default: float) -> tf.Tensor:
    if values is None:
        return tf.fill([n], tf.constant(default, tf.float64))
    vector = tf.convert_to_tensor(values, tf.float64)
    if vector.shape != (n,):
        raise ValueError(f"Expected {name} of shape ({n},), as initial. Received: shape {vector.shape}.")
    return vector


def _with_fixed(objective: Callable, fixed: tf.Tensor) -> Callable:
    """The objective with `initial` as its first argument, from which it takes the fixed parameters."""
    return lambda points, initial, *arguments: objective(tf.where(fixed, initial, points), *arguments)


@functools.lru_cache(maxsize=64)
def _search(objective: Callable) -> Callable:
    """The search as one graph, which is traced once for each objective and shape."""

    @tf.function(autograph=False)
    def search(arguments, lower, upper, fixed, tolerance, max_iterations):
        start = tf.where(fixed, arguments[0], tf.clip_by_value(arguments[0], lower, upper))
        value_at = _with_fixed(objective, fixed)
        n = start.shape[0]
        zero, infinite = tf.zeros((), tf.float64), tf.constant(float("inf"), tf.float64)

        def unfinished(*state):
            state = _State(*state)
            started_well = (state.iteration == 0) | tf.math.is_finite(state.value)
            return started_well & (state.decrement >= tolerance) & (state.damping < LARGEST_DAMPING)

        def step(*state):
            return _step(value_at, _State(*state), arguments, lower, upper, fixed)

        first = _State(
            tf.constant(0), start, infinite, tf.zeros_like(start), tf.eye(n, dtype=tf.float64), start, zero, infinite
        )
        return tf.while_loop(unfinished, step, tuple(first), maximum_iterations=max_iterations)

    return search


def _step(
    objective: Callable,
    state: _State,
    arguments: Sequence[tf.Tensor],
    lower: tf.Tensor,
    upper: tf.Tensor,
    fixed: tf.Tensor,
) -> tuple:
    """Evaluates the objective at the proposal, goes there if it is lower, and makes the next proposal."""
    evaluated = derivatives(objective, state.proposal, arguments)
    finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(tensor)) for tensor in evaluated])
    accepted = finite & (evaluated[0] <= state.value + ROUNDING * tf.abs(evaluated[0]))
    here = (state.x, state.value, state.gradient, state.hessian)
    x, value, gradient, hessian = (
        tf.where(accepted, new, old) for new, old in zip((state.proposal, *evaluated), here, strict=True)
    )
    smaller, larger = tf.where(state.damping > 1e-3, state.damping / 10, 0), tf.maximum(10 * state.damping, 1e-3)
    damping = tf.where(accepted, smaller, larger)
    move, decrement = _newton_step(gradient, hessian, _free(x, gradient, lower, upper, fixed), damping)
    proposal = tf.where(fixed, x, tf.clip_by_value(x + move, lower, upper))
    decrement = tf.where(accepted & (damping == 0), decrement, float("inf"))
    return state.iteration + 1, x, value, gradient, hessian, proposal, damping, decrement


def _free(x: tf.Tensor, gradient: tf.Tensor, lower: tf.Tensor, upper: tf.Tensor, fixed: tf.Tensor) -> tf.Tensor:
    held = ((x <= lower) & (gradient > 0)) | ((x >= upper) & (gradient < 0))
    return ~fixed & ~held


def _scaled(hessian: tf.Tensor, free: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Root of the curvature of each parameter, and the Hessian in these units; identity in parameters not free."""
    curvature = tf.abs(tf.linalg.diag_part(hessian))
    scale = tf.where(free & (curvature > 0), tf.sqrt(curvature), 1)
    both = free[:, None] & free[None, :]
    identity = tf.eye(hessian.shape[0], dtype=hessian.dtype)
    return scale, tf.where(both, hessian / (scale[:, None] * scale[None, :]), identity) + RIDGE * identity


def _newton_step(
    gradient: tf.Tensor, hessian: tf.Tensor, free: tf.Tensor, damping: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The step, and g^T H^-1 g; downhill along the gradient, and infinity, where Newton's would lead uphill."""
    scale, hessian = _scaled(hessian, free)
    slope = tf.where(free, gradient / scale, 0)
    hessian += damping * tf.eye(hessian.shape[0], dtype=hessian.dtype)
    move = -_solve(hessian, slope)
    decrement = -tf.reduce_sum(slope * move)
    downhill = decrement >= 0  # false for NaN
    return tf.where(downhill, move, -slope) / scale, tf.where(downhill, decrement, float("inf"))


def _solve(matrix: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
    return tf.linalg.solve(matrix, vector[:, None])[:, 0]


def _differentiable(
    objective: Callable,
    x: tf.Tensor,
    free: tf.Tensor,
    scale: tf.Tensor,
    hessian: tf.Tensor,
    arguments: Sequence[tf.Tensor],
) -> tf.Tensor:
    """x, with the gradient of the implicit function theorem with respect to the arguments."""

    @tf.custom_gradient
    def solution(*arguments):
        def vector_jacobian_product(upstream):
            direction = _solve(hessian, tf.where(free, upstream / scale, 0)) / scale
            with tf.GradientTape() as outer:
                outer.watch(arguments)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    value = objective(x[None], *arguments)
                along = tf.reduce_sum(inner.gradient(value, x, unconnected_gradients="zero") * direction)
            gradients = outer.gradient(along, arguments, unconnected_gradients="zero")
            return [-gradient for gradient in gradients]

        return tf.identity(x), vector_jacobian_product

    return solution(*arguments)
