"""Samples of different events: what maps of marginals see, what they cannot, and how good the errors are."""

import keras
import numpy as np
import pytest
from keras import layers

from taylor import importance_between_samples, importance_to_variation

pytestmark = pytest.mark.usefixtures("float64")

A, B = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.3, -0.7])
RNG = np.random.default_rng(0)
X, UP, DOWN = RNG.normal(size=(700, 3)), RNG.normal(0.4, 1.2, size=(900, 3)), RNG.normal(-0.3, 1, size=(500, 3))
WEIGHT, UP_WEIGHT, DOWN_WEIGHT = (RNG.exponential(size=n) for n in (700, 900, 500))
WEIGHTS = {"weight": WEIGHT, "up_weight": UP_WEIGHT, "down_weight": DOWN_WEIGHT}


@pytest.fixture(scope="module")
def linear():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.set_weights([A[:, None], np.ones(1)])
    return model


@pytest.fixture(scope="module")
def quadratic():
    """y = (A x) (B x)."""
    x = keras.Input((3,))
    first, second = layers.Dense(1, use_bias=False), layers.Dense(1, use_bias=False)
    model = keras.Model(x, layers.Multiply()([first(x), second(x)]))
    first.set_weights([A[:, None]])
    second.set_weights([B[:, None]])
    return model


def moments(x, weight):
    """Weighted mean, and the variance of it."""
    mean = np.average(x, axis=0, weights=weight)
    return mean, weight**2 @ (x - mean) ** 2 / weight.sum() ** 2


def test_a_linear_response_moves_by_the_difference_of_means(linear):
    result = importance_between_samples(linear, X, UP, DOWN, order=1, **WEIGHTS)
    (nominal, variance), *others = moments(X, WEIGHT), moments(UP, UP_WEIGHT), moments(DOWN, DOWN_WEIGHT)
    for one, (mean, of_mean) in zip((result, result.down), others, strict=True):
        np.testing.assert_allclose(one.contribution, A * (mean - nominal), rtol=1e-9)
        assert one.change == pytest.approx(A @ (mean - nominal), rel=1e-9)
        # 100 replicas give a standard deviation to 7 per cent; a fourth of it is more than three of those.
        np.testing.assert_allclose(one.error, np.abs(A) * np.sqrt(variance + of_mean), rtol=0.25)
        assert abs(one.remainder) < 1e-12 and abs(one.beyond_marginals) < 1e-10
    half = (others[0][0] - others[1][0]) / 2
    np.testing.assert_allclose(result.half_difference.contribution, A * half, rtol=1e-9)
    # The nominal events cancel.
    of_half = np.abs(A) * np.sqrt(others[0][1] + others[1][1]) / 2
    np.testing.assert_allclose(result.half_difference.error, of_half, rtol=0.25)


def test_the_same_events_give_what_they_give_one_by_one(quadratic):
    up = 1.1 * X + [0.2, 0.0, -0.1]
    paired = importance_to_variation(quadratic, X, up, weight=WEIGHT)
    shuffled = RNG.permutation(len(up))
    result = importance_between_samples(
        quadratic, X, up[shuffled], weight=WEIGHT, up_weight=5 * WEIGHT[shuffled], bootstrap=5
    )
    np.testing.assert_allclose(result.contribution, paired.contribution, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(result.mean_abs, paired.mean_abs, rtol=1e-7)
    assert result.change == pytest.approx(paired.change, rel=1e-10)
    assert abs(result.beyond_marginals) < 1e-8


def test_independent_samples_agree_with_the_truth_within_errors(quadratic):
    rng = np.random.default_rng(2)
    shift = np.array([0.5, 0.2, 0.0])
    x, up = rng.normal(1, 1, size=(4000, 3)), rng.normal(1 + shift, 1, size=(5000, 3))
    result = importance_between_samples(quadratic, x, up)
    first = (A * B.sum() + B * A.sum()) * shift
    pairs = [A[i] * B[j] * (1 if i == j else 2) for i in range(3) for j in range(i, 3)]
    symmetric = [A[i] * B[j] + A[j] * B[i] if i != j else p for p, (i, j) in zip(pairs, PAIRS, strict=True)]
    second = [s * shift[i] * shift[j] for s, (i, j) in zip(symmetric, PAIRS, strict=True)]
    pulls = (result.contribution - [*first, *second]) / result.error
    assert (np.abs(pulls) < 3.5).all() and np.sqrt(np.mean(pulls**2)) < 1.6
    assert abs(result.change - sum(first) - sum(second)) < 3 * result.change_error
    assert abs(result.beyond_marginals) < 3 * result.beyond_marginals_error


PAIRS = [(i, j) for i in range(3) for j in range(i, 3)]


def test_a_variation_of_the_correlation_alone_is_all_beyond_the_marginals(quadratic):
    rng = np.random.default_rng(3)
    correlated = rng.multivariate_normal(np.zeros(3), [[1, 0.6, 0], [0.6, 1, 0], [0, 0, 1]], size=6000)
    result = importance_between_samples(quadratic, rng.normal(size=(6000, 3)), correlated)
    change = 0.6 * (A[0] * B[1] + A[1] * B[0])
    assert abs(result.change - change) < 3 * result.change_error
    assert abs(result.beyond_marginals - change) < 3 * result.beyond_marginals_error
    assert abs(result.beyond_marginals) > 10 * result.beyond_marginals_error
    assert (np.abs(result.contribution) < 3.5 * result.error).all()
    assert "beyond marginals" in str(result)


def test_numbers_of_jets_move_by_the_difference_of_their_means(linear):
    rng = np.random.default_rng(4)
    x, up = rng.poisson(2.0, size=(800, 3)).astype(float), rng.poisson(2.5, size=(700, 3)).astype(float)
    result = importance_between_samples(linear, x, up, order=1)
    np.testing.assert_allclose(result.contribution, A * (up.mean(axis=0) - x.mean(axis=0)), rtol=1e-9)
    assert abs(result.beyond_marginals) < 1e-10


def test_an_input_that_is_held_fixed_is_that_of_each_sample():
    x, theta = keras.Input((2,), name="features"), keras.Input((1,), name="theta")
    slope = layers.Dense(1, use_bias=False)
    model = keras.Model([x, theta], layers.Multiply()([slope(x), theta]))
    slope.set_weights([np.array([[2.0], [1.0]])])
    at = {"theta": np.full((1, 1), 3.0)}
    shift = UP[:, :2].mean(axis=0) - X[:, :2].mean(axis=0)
    for up in (UP[:, :2], {"features": UP[:, :2], **at}):
        result = importance_between_samples(model, {"features": X[:, :2], **at}, up, order=1, bootstrap=2)
        np.testing.assert_allclose(result.contribution, 3 * np.array([2, 1]) * shift, rtol=1e-9)


def test_the_seed_makes_the_errors_and_nothing_else(linear):
    one, same, other = (importance_between_samples(linear, X, UP, order=1, bootstrap=5, seed=s) for s in (1, 1, 2))
    assert (one.error == same.error).all() and (one.error != other.error).all()
    np.testing.assert_array_equal(one.contribution, other.contribution)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bootstrap": 1}, "Expected bootstrap"),
        ({"down_weight": UP_WEIGHT}, "down_weight=None without a sample down"),
        ({"up_weight": -UP_WEIGHT}, "up_weight with 900 finite numbers of positive sum"),
        ({"up_weight": np.where(np.arange(900) < 9, -0.1, 1)}, "up_weight without negative numbers.*Received: 9 of"),
        ({"weight": np.where(np.arange(700) < 9, 1, 0)}, "weight of at least 20 events.*Received: 9"),
        ({"up": np.full((900, 3), np.nan)}, "NaN or infinity in 900 of 900 events"),
        ({"up": X[:, :2]}, r"Expected 'keras_tensor.*' of shape \(n_events, 3\)"),
    ],
)
def test_what_makes_no_sense_is_refused(linear, arguments, message):
    with pytest.raises(ValueError, match=message):
        importance_between_samples(linear, X, **{"up": UP} | arguments)


@pytest.mark.slow
def test_the_errors_cover_the_truth_at_the_rate_that_they_say(quadratic):
    rng, shift, n_toys = np.random.default_rng(7), np.array([0.5, 0.2, 0.3]), 200
    first = (A * B.sum() + B * A.sum()) * shift
    change = (A @ (1 + shift)) * (B @ (1 + shift)) - A.sum() * B.sum()
    covered = []
    for toy in range(n_toys):
        x, up = rng.normal(1, 1, size=(250, 3)), rng.normal(1 + shift, 1, size=(200, 3))
        r = importance_between_samples(quadratic, x, up, points=1, bootstrap=50, seed=toy)
        apart = np.append(r.contribution[:3] - first, [r.change - change, r.beyond_marginals])
        covered.append(np.abs(apart) < np.append(r.error[:3], [r.change_error, r.beyond_marginals_error]))
    rate = np.mean(covered, axis=0)
    print(rate)
    np.testing.assert_allclose(rate, 0.683, atol=0.1)  # three standard deviations of 200 toys
