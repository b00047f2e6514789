"""Minimisation inside a graph: damped Newton steps within bounds, and the gradient of the solution.

What is solved is a function of a batch of points; how, is Newton's method with Marquardt's damping, and with a positive
matrix in place of the Hessian where that is not positive; how the solution is differentiated, is the implicit function
theorem, Eq. (5) of Simpson and Heinrich, arXiv:2203.05570, in which the update u is the Newton step:

    d x / d a = -H^-1 d^2 f / (d x d a),    H = d^2 f / d x^2 at the solution
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import tensorflow as tf

from neos_tf.elimination import Elimination, eliminated
from neos_tf.typing import TensorLike

ROUNDING = 1e-12  # relative rise of the objective that is not held against a step
RIDGE = (
    1e-13  # keeps the equations solvable where a parameter has no effect; of the curvature, so below every tolerance
)
PASSES = 5  # of stopping at bounds in one step
LARGEST_DAMPING = 1e8  # steps that are still refused then are smaller than rounding
ASIDE = 0.1  # of the way to the middle of the bounds, where the second start is


class Derivatives(NamedTuple):
    """A function and its derivatives at one point x.

    Args:
        value: ().
        gradient: (n,).
        hessian: (n, n), exact.
        positive: (n, n) positive semi-definite, takes the place of the Hessian where that is not positive: Fisher's
            matrix of a likelihood.
    """

    value: tf.Tensor
    gradient: tf.Tensor
    hessian: tf.Tensor
    positive: tf.Tensor


class Minimum(NamedTuple):
    """Where a function is smallest. Failure is in `converged`, nothing is raised.

    Args:
        x: (n,) the minimum, differentiable with respect to the arguments of the objective; the lowest point that was
            seen if not converged.
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


Chosen = TypeVar("Chosen", bound=tuple)


class _Point(NamedTuple):
    x: tf.Tensor
    value: tf.Tensor
    gradient: tf.Tensor
    hessian: tf.Tensor
    positive: tf.Tensor


class _State(NamedTuple):
    iteration: tf.Tensor
    restarted: tf.Tensor
    here: _Point
    first: _Point  # where the first search ended
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
    derivatives: Callable | None = None,
    noise: TensorLike = 0.0,
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
    free = _free(here.x, here.gradient, lower, upper, fixed)
    scale, hessian = _scaled(here.hessian, free)
    found = tf.stop_gradient(tf.where(free & converged, proposal, here.x))  # the last step is small, and taken
    value_at = _with_fixed(objective, fixed)
    gradient_at = _gradient_of(value_at) if derivatives is None else _given_gradient(derivatives, fixed)
    x = _differentiable(gradient_at, found, free, scale, hessian, arguments)
    return Minimum(
        x=tf.where(fixed, initial, x),
        value=value_at(found[None], *arguments)[0],
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
    def search(arguments, lower, upper, fixed, tolerance, max_iterations, noise):
        start = tf.where(fixed, arguments[0], tf.clip_by_value(arguments[0], lower, upper))
        derive = _automatic(objective, arguments, fixed) if derivatives is None else derivatives(*arguments[1:])
        middle = tf.where(tf.math.is_finite(lower) & tf.math.is_finite(upper), (lower + upper) / 2, start + 1)
        aside = tf.where(fixed, start, tf.clip_by_value(start + ASIDE * (middle - start), lower, upper))
        n = start.shape[0]
        zero, infinite = tf.zeros((), tf.float64), tf.constant(float("inf"), tf.float64)
        identity = tf.eye(n, dtype=tf.float64)
        nowhere = _Point(start, infinite, tf.zeros_like(start), identity, identity)

        def step(*state):
            state = _step(derive, _State(*state), lower, upper, fixed, noise)
            stuck = ~state.restarted & ((state.damping >= LARGEST_DAMPING) | ~tf.math.is_finite(state.here.value))
            again = _State(
                state.iteration, tf.constant(True), nowhere._replace(x=aside), state.here, aside, zero, infinite
            )
            return tuple(_chosen(stuck, again, state))

        def unfinished(*state):
            state = _State(*state)
            started_well = (state.damping == 0) | tf.math.is_finite(state.here.value)
            return started_well & (state.decrement >= tolerance) & (state.damping < LARGEST_DAMPING)

        initial = _State(tf.constant(0), tf.constant(False), nowhere, nowhere, start, zero, infinite)
        state = _State(*tf.while_loop(unfinished, step, tuple(initial), maximum_iterations=max_iterations))
        worse = ~(state.here.value < state.first.value + _allowance(state.here.value, noise))
        here = _chosen(worse, state.first, state.here)
        return state.iteration, here, state.proposal, tf.where(worse, infinite, state.decrement)

    return search


def _chosen(condition: tf.Tensor, first: Chosen, second: Chosen) -> Chosen:
    return tf.nest.map_structure(functools.partial(tf.where, condition), first, second)


def _allowance(value: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    return noise + ROUNDING * tf.abs(value)


def _step(
    derive: Callable, state: _State, lower: tf.Tensor, upper: tf.Tensor, fixed: tf.Tensor, noise: tf.Tensor
) -> _State:
    """Evaluates the objective at the proposal, goes there if it is lower, and makes the next proposal."""
    there = _Point(state.proposal, *derive(state.proposal))
    finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(tensor)) for tensor in there])
    accepted = finite & (there.value <= state.here.value + _allowance(there.value, noise))
    here = _chosen(accepted, there, state.here)
    smaller, larger = tf.where(state.damping > 1e-3, state.damping / 10, 0), tf.maximum(10 * state.damping, 1e-3)
    damping = tf.where(accepted, smaller, larger)
    proposal, decrement = _proposed(here, lower, upper, fixed, damping)
    decrement = tf.where(accepted & (damping == 0), decrement, float("inf"))
    return state._replace(
        iteration=state.iteration + 1, here=here, proposal=proposal, damping=damping, decrement=decrement
    )


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


def _proposed(
    here: _Point, lower: tf.Tensor, upper: tf.Tensor, fixed: tf.Tensor, damping: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the next step leads, and g^T H^-1 g: infinity where the step is not Newton's."""
    free = _free(here.x, here.gradient, lower, upper, fixed)
    room = tf.where(free, tf.stack([lower, upper]) - here.x, 0)
    newton = _solved(here.hessian, here.gradient, free, room, damping)

    def with_positive():
        """Downhill by the positive matrix, or along negative curvature if that promises more."""
        downhill = _solved(here.positive, here.gradient, free, room, damping)
        gain = tf.reduce_sum(downhill.slope * downhill.whole.solution) / 2
        length = tf.norm(newton.whole.direction)
        along, reach = newton.whole.direction / length, 1 / (1 + damping)
        descent = tf.reduce_sum(newton.slope * along)
        ahead, back = (tf.clip_by_value(sign * along * reach / newton.scale, *tf.unstack(room)) for sign in (1, -1))
        roomy = tf.norm(ahead * newton.scale) >= tf.norm(back * newton.scale)
        aside = tf.where((descent < 0) | ((descent == 0) & roomy), ahead, back)
        gain_aside = tf.abs(descent) * reach - newton.whole.curvature / length**2 * reach**2 / 2
        return tf.where(gain_aside > gain, aside, downhill.move)

    move = tf.cond(newton.whole.positive, lambda: newton.move, with_positive)
    proposal = tf.where(free & (move <= room[0]), lower, tf.where(free & (move >= room[1]), upper, here.x + move))
    decrement = tf.reduce_sum(newton.slope * newton.whole.solution)
    return proposal, tf.where(newton.whole.positive, decrement, float("inf"))


class _Solved(NamedTuple):
    scale: tf.Tensor
    slope: tf.Tensor  # gradient in units of scale
    whole: Elimination  # as if there were no bounds, in units of scale
    move: tf.Tensor  # within the bounds


def _solved(matrix: tf.Tensor, gradient: tf.Tensor, free: tf.Tensor, room: tf.Tensor, damping: tf.Tensor) -> _Solved:
    """The step by a matrix. What would leave its room (2, n) stops there, and the others are solved again."""
    scale, scaled = _scaled(matrix, free)
    slope, identity = tf.where(free, gradient / scale, 0), tf.eye(matrix.shape[0], dtype=matrix.dtype)

    def solved(stopped, move):
        others = free & ~stopped
        rest = tf.where(others[:, None] & others[None, :], scaled, identity) + damping * identity
        pull = tf.linalg.matvec(scaled, tf.where(stopped, move * scale, 0))
        whole = eliminated(rest, tf.where(others, slope + pull, 0))
        return tf.where(stopped, move, -whole.solution / scale), whole

    def leaving(stopped, move):
        return free & ~stopped & ((move < room[0]) | (move > room[1]))

    def stop_and_solve(stopped, move):
        stopped |= leaving(stopped, move)
        return stopped, solved(stopped, tf.clip_by_value(move, room[0], room[1]))[0]

    nothing = tf.zeros_like(free)
    move, whole = solved(nothing, tf.zeros_like(gradient))
    _, move = tf.while_loop(
        lambda stopped, move: whole.positive & tf.reduce_any(leaving(stopped, move)),
        stop_and_solve,
        (nothing, move),
        maximum_iterations=PASSES,
    )
    return _Solved(scale, slope, whole, tf.clip_by_value(move, room[0], room[1]))


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
