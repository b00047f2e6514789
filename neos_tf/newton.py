"""The search for a minimum: Newton's method within bounds, with Marquardt's damping, as one loop of a graph.

Where the Hessian is not positive, a positive matrix takes its place, or the step follows negative curvature. What would
leave the bounds stops there, and the others are solved for again. Where all that ends without a minimum, the search
starts once more, from another point.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import tensorflow as tf

from neos_tf.elimination import Elimination, eliminated

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


Chosen = TypeVar("Chosen", bound=tuple)


class Point(NamedTuple):
    x: tf.Tensor
    value: tf.Tensor
    gradient: tf.Tensor
    hessian: tf.Tensor
    positive: tf.Tensor


class _State(NamedTuple):
    iteration: tf.Tensor
    restarted: tf.Tensor
    here: Point
    first: Point  # where the first search ended
    proposal: tf.Tensor
    damping: tf.Tensor
    decrement: tf.Tensor


def newton_search(
    derive: Callable,
    initial: tf.Tensor,
    lower: tf.Tensor,
    upper: tf.Tensor,
    fixed: tf.Tensor,
    tolerance: float,
    max_iterations: int,
    noise: tf.Tensor,
) -> tuple[tf.Tensor, Point, tf.Tensor, tf.Tensor]:
    """Number of evaluations, the lowest point (n,) that was seen, where the next step leads, and g^T H^-1 g ().

    The last is infinite where there is no Newton step, as on a saddle.

    Args:
        derive: function of one point (n,), giving `Derivatives`.
        initial, lower, upper, fixed, tolerance, max_iterations, noise: as of `minimise`, all given.
    """
    start = tf.where(fixed, initial, tf.clip_by_value(initial, lower, upper))
    middle = tf.where(tf.math.is_finite(lower) & tf.math.is_finite(upper), (lower + upper) / 2, start + 1)
    aside = tf.where(fixed, start, tf.clip_by_value(start + ASIDE * (middle - start), lower, upper))
    n = start.shape[0]
    zero, infinite = tf.zeros((), tf.float64), tf.constant(float("inf"), tf.float64)
    identity = tf.eye(n, dtype=tf.float64)
    nowhere = Point(start, infinite, tf.zeros_like(start), identity, identity)

    def step(*state):
        state = _step(derive, _State(*state), lower, upper, fixed, noise)
        stuck = ~state.restarted & ((state.damping >= LARGEST_DAMPING) | ~tf.math.is_finite(state.here.value))
        again = _State(state.iteration, tf.constant(True), nowhere._replace(x=aside), state.here, aside, zero, infinite)
        return tuple(_chosen(stuck, again, state))

    def unfinished(*state):
        state = _State(*state)
        started_well = (state.damping == 0) | tf.math.is_finite(state.here.value)
        return started_well & (state.decrement >= tolerance) & (state.damping < LARGEST_DAMPING)

    first = _State(tf.constant(0), tf.constant(False), nowhere, nowhere, start, zero, infinite)
    state = _State(*tf.while_loop(unfinished, step, tuple(first), maximum_iterations=max_iterations))
    worse = ~(state.here.value < state.first.value + _allowance(state.here.value, noise))
    here = _chosen(worse, state.first, state.here)
    return state.iteration, here, state.proposal, tf.where(worse, infinite, state.decrement)


def _chosen(condition: tf.Tensor, first: Chosen, second: Chosen) -> Chosen:
    return tf.nest.map_structure(functools.partial(tf.where, condition), first, second)


def _allowance(value: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    return noise + ROUNDING * tf.abs(value)


def _step(
    derive: Callable, state: _State, lower: tf.Tensor, upper: tf.Tensor, fixed: tf.Tensor, noise: tf.Tensor
) -> _State:
    """Evaluates the objective at the proposal, goes there if it is lower, and makes the next proposal."""
    there = Point(state.proposal, *derive(state.proposal))
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


def free_directions(
    x: tf.Tensor, gradient: tf.Tensor, lower: tf.Tensor, upper: tf.Tensor, fixed: tf.Tensor
) -> tf.Tensor:
    """(n,) bool; neither fixed nor at a bound that the gradient pushes against."""
    held = ((x <= lower) & (gradient > 0)) | ((x >= upper) & (gradient < 0))
    return ~fixed & ~held


def scaled_by_curvature(hessian: tf.Tensor, free: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Root of the curvature of each parameter, and the Hessian in these units; identity in parameters not free."""
    curvature = tf.abs(tf.linalg.diag_part(hessian))
    scale = tf.where(free & (curvature > 0), tf.sqrt(curvature), 1)
    both = free[:, None] & free[None, :]
    identity = tf.eye(hessian.shape[0], dtype=hessian.dtype)
    return scale, tf.where(both, hessian / (scale[:, None] * scale[None, :]), identity) + RIDGE * identity


def _proposed(
    here: Point, lower: tf.Tensor, upper: tf.Tensor, fixed: tf.Tensor, damping: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the next step leads, and g^T H^-1 g: infinity where the step is not Newton's."""
    free = free_directions(here.x, here.gradient, lower, upper, fixed)
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
    scale, scaled = scaled_by_curvature(matrix, free)
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
