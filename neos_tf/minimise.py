"""Minimisation inside a graph: damped Newton steps within bounds, and the gradient of the solution.

What is solved is a function of a batch of points; how, is `neos_tf.newton`; how the solution is differentiated, is the
implicit function theorem, Eq. (5) of Simpson and Heinrich, arXiv:2203.05570, in which the update u is the Newton step:

    d x / d a = -H^-1 d^2 f / (d x d a),    H = d^2 f / d x^2 at the solution
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from neos_tf.elimination import eliminated
from neos_tf.newton import Derivatives, free_directions, newton_search, scaled_by_curvature
from neos_tf.typing import TensorLike


class Minimum(NamedTuple):
    """Where a function is smallest. Failure is in `converged`, nothing is raised.

    Args:
        x: (n,) the minimum, differentiable with respect to the arguments of the objective; the lowest point that was
            seen if not converged.
        value: () the objective there, differentiable once; NaN if it was not asked for.
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
    derivatives: Callable | None = None,
    noise: TensorLike = 0.0,
    evaluate: bool = True,
) -> Minimum:
    """Minimises a smooth function within bounds, in eager mode, in a graph or under XLA.

    A parameter at a bound that the gradient pushes against is left out of the step. A step that does not lower the
    objective, or leads to where it is not finite, is taken back and damped. A saddle is left along negative curvature.
    Where the search ends without a minimum, it starts again, aside of `initial` towards the middle of the bounds.

    Args:
        objective: function of points (n_points, n) float64 and of `arguments`, giving (n_points,) values. It must treat
            each point alone. The same function given again is not traced again.
        initial: (n,) where to start. The values of the fixed parameters are taken from it.
        arguments: tensors on which the objective depends. The solution is differentiable with respect to them, and with
            respect to the fixed entries of `initial`; what the objective takes from its closure counts as constant.
        lower: (n,) bounds; none if None.
        upper: (n,) bounds; none if None.
        fixed: (n,) bool, parameters that stay at `initial`; none if None.
        tolerance: on the Newton decrement g^T H^-1 g, twice the expected gain of the next step, which is still taken.
        max_iterations: evaluations after which the search is given up.
        derivatives: function of `arguments`, called once, that gives a function of one point (n,), called at every
            step, that gives `Derivatives`. Their value may differ from the objective by a constant; the value at the
            solution is the objective's. If None, they come from one differentiation of the gradient at n copies of the
            point, and a step along the gradient stands in where the Hessian is not positive.
        noise: () rise of the objective that is not held against a step, beside one of 1e-12 of its value: rounding of
            sums that cancel.
        evaluate: whether the objective is evaluated at the solution.

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
    noise = tf.stop_gradient(tf.convert_to_tensor(noise, tf.float64))
    arguments = (initial, *(tf.convert_to_tensor(argument, tf.float64) for argument in arguments))

    stopped = [tf.stop_gradient(argument) for argument in arguments]
    search = _search(objective, derivatives)
    iteration, here, proposal, decrement = search(stopped, lower, upper, fixed, tolerance, max_iterations, noise)

    converged = (decrement < tolerance) & tf.math.is_finite(here.value)
    free = free_directions(here.x, here.gradient, lower, upper, fixed)
    scale, hessian = scaled_by_curvature(here.hessian, free)
    found = tf.stop_gradient(tf.where(free & converged, proposal, here.x))  # the last step is small, and taken
    value_at = _with_fixed(objective, fixed)
    gradient_at = _gradient_of(value_at) if derivatives is None else _given_gradient(derivatives, fixed)
    x = _differentiable(gradient_at, found, free, scale, hessian, arguments)
    return Minimum(
        x=tf.where(fixed, initial, x),
        value=value_at(found[None], *arguments)[0] if evaluate else tf.constant(float("nan"), tf.float64),
        converged=converged,
        n_iterations=iteration,
        gradient_norm=tf.norm(tf.where(free, here.gradient / scale, 0)),
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


def _automatic(objective: Callable, arguments: Sequence, fixed: tf.Tensor) -> Callable:
    """`Derivatives` of the objective; in place of the Hessian its diagonal, for steps along the gradient."""

    def at(x):
        value, gradient, hessian = derivatives(_with_fixed(objective, fixed), x, arguments)
        return Derivatives(value, gradient, hessian, tf.linalg.diag(tf.abs(tf.linalg.diag_part(hessian))))

    return at


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
def _search(objective: Callable, derivatives: Callable | None) -> Callable:
    """The search as one graph, which is traced once for each objective and shape."""

    @tf.function(autograph=False)
    def search(arguments, lower, upper, fixed, *settings):
        derive = _automatic(objective, arguments, fixed) if derivatives is None else derivatives(*arguments[1:])
        return newton_search(derive, arguments[0], lower, upper, fixed, *settings)

    return search


def _gradient_of(objective: Callable) -> Callable:
    """The gradient at one point of an objective of batches, `arguments` with `initial` first."""

    def gradient(x, arguments):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = objective(x[None], *arguments)
        return tape.gradient(value, x, unconnected_gradients="zero")

    return gradient


def _given_gradient(derivatives: Callable, fixed: tf.Tensor) -> Callable:
    return lambda x, arguments: derivatives(*arguments[1:])(tf.where(fixed, arguments[0], x)).gradient


def _differentiable(
    gradient_at: Callable,
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
            direction = eliminated(hessian, tf.where(free, upstream / scale, 0)).solution / scale
            with tf.GradientTape() as tape:
                tape.watch(arguments)
                along = tf.reduce_sum(gradient_at(x, arguments) * direction)
            gradients = tape.gradient(along, arguments, unconnected_gradients="zero")
            return [-gradient for gradient in gradients]

        return tf.identity(x), vector_jacobian_product

    return solution(*arguments)
