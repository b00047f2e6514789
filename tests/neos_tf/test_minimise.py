import numpy as np
import pytest
import tensorflow as tf

from neos_tf.minimise import derivatives, minimise
from neos_tf.newton import Derivatives

A, B = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1.0, -4.0])
LOW = [-np.inf, -1.0]


def quadratic(x, matrix, vector):
    """x A x / 2 - b x, with minimum A^-1 b = (1.2, -2.6)."""
    return tf.einsum("pi,ij,pj->p", x, matrix, x) / 2 - tf.linalg.matvec(x, vector)


def curved(x, centre, power):
    """Neither quadratic nor with a closed form."""
    return tf.reduce_sum(tf.cosh(x - centre) + tf.exp(power * x), axis=-1) + 0.3 * (x[:, 0] * x[:, 1]) ** 2


def rosenbrock(x):
    """Minimum at (1, 1), in a valley where Newton's step often does not lower the objective."""
    return (1 - x[:, 0]) ** 2 + 100 * (x[:, 1] - x[:, 0] ** 2) ** 2


def saddle(x):
    return x[:, 0] ** 2 - x[:, 1] ** 2


def double_well(x):
    """Minima at -1 and 1, and a maximum between them."""
    return tf.reduce_sum((x**2 - 1) ** 2, axis=-1)


def nowhere(x):
    return tf.math.log(-1 - tf.reduce_sum(x**2, axis=-1))


def test_quadratic_is_the_closed_form():
    minimum = minimise(quadratic, [5.0, 5.0], [A, B])
    solution = np.linalg.solve(A, B)
    np.testing.assert_allclose(minimum.x, solution, rtol=1e-14)  # one step to rounding, one more
    np.testing.assert_allclose(minimum.value, -B @ solution / 2, rtol=1e-14)
    assert minimum.converged and minimum.n_iterations == 2 and np.all(minimum.free)


def test_valley_and_its_minimum():
    minimum = minimise(rosenbrock, [-1.2, 1.0])
    np.testing.assert_allclose(minimum.x, [1, 1], rtol=1e-10)  # condition 2500, of a gradient known to 1e-14
    assert minimum.converged and minimum.value < 1e-20


def test_gradient_norm_is_the_distance_in_standard_deviations():
    minimum = minimise(quadratic, [5.0, -2.6], [np.diag([4.0, 1.0]), [0.0, -2.6]], max_iterations=1)
    assert not minimum.converged
    np.testing.assert_allclose(minimum.gradient_norm, 5 * np.sqrt(4), rtol=1e-12)  # the ridge is 1e-13


def test_bounds_hold_and_let_go():
    held = minimise(quadratic, [5.0, 5.0], [A, B], lower=LOW)
    # With x_1 = -1 the minimum over x_0 is that of 3 x_0^2 / 2 - x_0 - x_0.
    np.testing.assert_allclose(held.x, [2 / 3, -1], rtol=1e-14)
    assert held.converged and held.x[1] == -1 and np.array_equal(held.free, [True, False])
    started = minimise(quadratic, [5.0, -7.0], [A, B], lower=LOW)
    np.testing.assert_allclose(started.x, held.x, rtol=1e-14)
    inside = minimise(quadratic, [5.0, -3.0], [A, B], lower=[-10.0, -3.0], upper=[5.0, 0.0])
    np.testing.assert_allclose(inside.x, np.linalg.solve(A, B), rtol=1e-14)  # pushed off the bound that it starts at
    assert np.all(inside.free)


def test_minimum_on_a_bound_without_slope():
    minimum = minimise(quadratic, [3.0, 0.0], [A, A @ [1.0, -1.0]], lower=LOW)
    np.testing.assert_allclose(minimum.x, [1, -1], rtol=1e-14)
    assert minimum.converged


def test_fixed_parameters_stay():
    minimum = minimise(quadratic, [0.5, 5.0], [A, B], fixed=[True, False])
    np.testing.assert_allclose(minimum.x, [0.5, (-4 - 0.5) / 2], rtol=1e-14)
    assert minimum.converged and minimum.x[0] == 0.5 and np.array_equal(minimum.free, [False, True])
    assert minimise(quadratic, [0.5, 5.0], [A, B], fixed=[True, True]).converged


def test_parameter_without_effect_stays():
    minimum = minimise(lambda x: (x[:, 0] - 2) ** 2, [0.0, 7.0])
    np.testing.assert_allclose(minimum.x, [2, 7], rtol=1e-14)


def barrier(x):
    """Minimum at 4, and nothing finite up to 1."""
    return tf.reduce_sum(x - 3 * tf.math.log(x - 1), axis=-1)


def given(matrix, vector):
    """`quadratic` plus a constant, with a stand-in of the Hessian that is four times as large."""
    return lambda x: Derivatives(
        tf.reduce_sum(x * tf.linalg.matvec(matrix, x)) / 2 - tf.reduce_sum(x * vector) + 7,
        tf.linalg.matvec(matrix, x) - vector,
        matrix,
        4 * tf.linalg.diag(tf.linalg.diag_part(matrix)),
    )


def given_double_well():
    """Newton's step leads uphill between the minima; the stand-in is Gauss-Newton's, 8 x^2."""
    return lambda x: Derivatives(
        tf.reduce_sum((x**2 - 1) ** 2), 4 * x * (x**2 - 1), tf.linalg.diag(12 * x**2 - 4), tf.linalg.diag(8 * x**2)
    )


def test_given_derivatives_lead_the_search():
    """Value and solution are the objective's, and the gradient of the solution that of the derivatives."""
    vector = tf.constant(B)
    with tf.GradientTape() as tape:
        tape.watch(vector)
        minimum = minimise(quadratic, [0.5, 5.0], [A, vector], fixed=[True, False], derivatives=given)
    np.testing.assert_allclose(minimum.x, [0.5, (-4 - 0.5) / 2], rtol=1e-12)  # the ridge
    np.testing.assert_allclose(minimum.value, quadratic(minimum.x[None], A, B)[0], rtol=1e-14)
    np.testing.assert_allclose(tape.gradient(minimum.x, vector)[1], 1 / A[1, 1], rtol=1e-12)
    assert minimum.converged and minimum.n_iterations == 2
    for start in (0.5, -0.3):
        well = minimise(double_well, [start], derivatives=given_double_well)
        np.testing.assert_allclose(well.x, [np.sign(start)], rtol=1e-14)
        assert well.converged and well.n_iterations < 20


def test_noise_is_no_reason_to_damp():
    def noisy(x):
        rounding = 1e-6 * tf.cos(1e9 * tf.stop_gradient(tf.reduce_sum(x, axis=-1)))
        return tf.reduce_sum(tf.cosh(x), axis=-1) + rounding

    minimum = minimise(noisy, [0.5, 1.5], noise=3e-6)
    assert minimum.converged and minimum.n_iterations < 8
    assert minimise(noisy, [0.5, 1.5]).n_iterations > minimum.n_iterations


def test_second_start_where_the_first_has_no_value():
    minimum = minimise(barrier, [0.5], lower=[0.0], upper=[20.0])
    np.testing.assert_allclose(minimum.x, [4], rtol=1e-14)
    assert minimum.converged


def test_saddles_and_maxima_are_left_downhill():
    assert not minimise(saddle, [1.0, 0.0]).converged
    bounded = minimise(saddle, [1.0, 0.0], lower=[-2.0, -2.0], upper=[2.0, 2.0])
    np.testing.assert_allclose(bounded.x, [0, np.sign(bounded.x[1]) * 2], atol=1e-12)
    assert bounded.converged
    top = minimise(double_well, [0.0])
    np.testing.assert_allclose(np.abs(top.x), [1], rtol=1e-14)
    assert top.converged
    at_bound = minimise(double_well, [0.0], lower=[-0.5], upper=[0.0])
    assert at_bound.converged and at_bound.x[0] == -0.5
    held = minimise(double_well, [0.1], lower=[-0.5], upper=[0.5])
    assert held.converged and held.x[0] == 0.5 and not held.free[0]
    right = minimise(double_well, [0.1])
    np.testing.assert_allclose(right.x, [1], rtol=1e-14)
    assert right.converged


def test_failure_is_in_the_result():
    minimum = minimise(nowhere, [0.5, 0.5])
    assert not minimum.converged and np.array_equal(minimum.x, [0.5, 0.5])
    assert not minimise(quadratic, [5.0, 5.0], [A, B * np.nan]).converged
    stopped = minimise(rosenbrock, [-1.2, 1.0], max_iterations=3)
    assert not stopped.converged and stopped.value == rosenbrock(stopped.x[None])[0] <= rosenbrock(
        np.array([[-1.2, 1]])
    )
    unbounded = minimise(lambda x: x[:, 0], [0.0], max_iterations=20)
    assert not unbounded.converged


def test_derivatives_are_those_of_the_closed_form():
    x = np.array([0.3, -0.7])
    value, gradient, hessian = derivatives(quadratic, tf.constant(x), [tf.constant(A), tf.constant(B)])
    np.testing.assert_allclose(value, x @ A @ x / 2 - B @ x, rtol=1e-14)
    np.testing.assert_allclose(gradient, A @ x - B, rtol=1e-14)
    np.testing.assert_allclose(hessian, A, rtol=1e-14)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["graph", "xla"])
@pytest.mark.parametrize(
    "limits", [{"fixed": [False, True]}, {"lower": [0.6, -np.inf]}], ids=["one_fixed", "one_at_its_bound"]
)
def test_gradient_is_that_of_the_solution(limits, jit_compile):
    """Against differences of solutions, with arguments of two shapes, eagerly and compiled."""
    arguments = [tf.constant(values, tf.float64) for values in ([0.5, -0.3], 0.4, [1.0, 2.0])]

    def solve(*arguments):
        centre, power, initial = arguments
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            minimum = minimise(curved, initial, [centre, power], **limits)
            total = minimum.x[0] - 2 * minimum.x[1] + minimum.value
        return total, tape.gradient(total, arguments), minimum.converged, minimum.free

    graph = tf.function(solve, autograph=False, jit_compile=jit_compile)
    results = [mode(*arguments) for mode in (solve, graph)]
    step = 1e-3  # of a fourth-order quotient: truncation 1e-12, rounding 1e-13
    for number, argument in enumerate(arguments):
        for place in np.ndindex(*argument.shape):
            unit = np.zeros(argument.shape)
            unit[place] = step
            moved = [
                graph(*arguments[:number], argument + factor * unit, *arguments[number + 1 :])[0]
                for factor in (1, -1, 2, -2)
            ]
            quotient = (8 * (moved[0] - moved[1]) - moved[2] + moved[3]) / (12 * step)
            for _, gradients, converged, free in results:
                assert converged and np.sum(free) == 1
                np.testing.assert_allclose(gradients[number].numpy()[place], quotient, rtol=1e-9, atol=1e-11)


def test_fixed_entries_have_the_gradient_of_the_conditional_solution():
    initial = tf.constant([0.5, 5.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(initial)
        free = minimise(quadratic, initial, [A, B], fixed=[True, False]).x[1]
    np.testing.assert_allclose(tape.gradient(free, initial), [-0.5, 0], rtol=1e-12)  # x_1 = (-4 - x_0) / 2; the ridge


def test_objectives_are_traced_once():
    n_traces = []

    def counted(x, vector):
        n_traces.append(1)
        return tf.reduce_sum((x - vector) ** 2, axis=-1)

    minimise(counted, [0.0], [[1.0]])
    first = len(n_traces)
    minimise(counted, [0.0], [[2.0]])
    assert len(n_traces) == first + 1  # for the value at the solution, outside of the graph


def test_functions_may_run_eagerly(uncompiled):
    np.testing.assert_allclose(minimise(quadratic, [5.0, 5.0], [A, B]).x, np.linalg.solve(A, B), rtol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial": 1.0}, r"initial of shape \(n,\).*Received: shape \(\)"),
        ({"initial": [1.0, 2.0], "lower": [0.0]}, r"lower of shape \(2,\).*Received: shape \(1,\)"),
        ({"initial": [1.0, 2.0], "upper": 3.0}, r"upper of shape \(2,\)"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        minimise(rosenbrock, **arguments)
