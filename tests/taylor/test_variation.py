"""What each feature carries of a change: where it can be said by hand."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import layers
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import erf

from taylor import FeatureSet, importance_to_variation
from taylor.shifts import gauss

pytestmark = pytest.mark.usefixtures("float64")

N_EVENTS = 500
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N_EVENTS, 3))
SHIFTED = X + RNG.normal(0.2, 0.1, size=X.shape)
WEIGHT = RNG.exponential(size=N_EVENTS)
NEGATIVE = np.where(RNG.random(N_EVENTS) < 0.2, -WEIGHT, WEIGHT)
REGIONS = {"all": X[:, 0] > 0, "left": X[:, 1] < 0}
A, B = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.3, -0.7])
EXACT = {
    "rtol": 1e-10,
    "atol": 1e-13,
}  # sums of 500 terms of order 1 in float64, and square roots of differences of such
FEATURES = FeatureSet.complete(("x1", "x2", "x3"), 2)


def linear_model(kernel=A):
    model = keras.Sequential([keras.Input((len(kernel),)), layers.Dense(1)])
    model.set_weights([kernel[:, None], np.ones(1)])
    return model


@pytest.fixture(scope="module")
def quadratic():
    """y = (A x + 0.4) (B x - 0.2)."""
    x = keras.Input((3,))
    first, second = layers.Dense(1), layers.Dense(1)
    model = keras.Model(x, layers.Multiply()([first(x), second(x)]))
    first.set_weights([A[:, None], np.array([0.4])])
    second.set_weights([B[:, None], np.array([-0.2])])
    return model


def of_quadratic(x, d):
    """(n_events, 9) the terms of each event."""
    first = (A * (x @ B - 0.2)[:, None] + B * (x @ A + 0.4)[:, None]) * d
    second = [
        A[i] * B[i] * d[:, i] ** 2 if i == j else (A[i] * B[j] + A[j] * B[i]) * d[:, i] * d[:, j] for i, j in PAIRS
    ]
    return np.column_stack([first, *second])


PAIRS = FEATURES.of_order(2).tolist()


def check(result, terms, change, weight):
    """Means and errors are those of numpy on the terms of the single events."""
    assert result.n_events == np.count_nonzero(weight)
    columns = np.column_stack([terms, change])
    mean = np.average(columns, axis=0, weights=weight)
    error = np.sqrt(np.sum((weight[:, None] * (columns - mean)) ** 2, axis=0)) / np.sum(weight)
    np.testing.assert_allclose(np.append(result.contribution, result.change), mean, **EXACT)
    np.testing.assert_allclose(np.append(result.error, result.change_error), error, **EXACT)
    share = mean[:-1] / mean[-1]
    apart = weight[:, None] * (terms - share * change[:, None])
    np.testing.assert_allclose(result.share, share, **EXACT)
    np.testing.assert_allclose(result.share_error, np.sqrt(np.sum(apart**2, axis=0)) / np.abs(weight @ change), **EXACT)
    np.testing.assert_allclose(result.mean_abs, np.average(np.abs(terms), axis=0, weights=weight), **EXACT)
    assert result.contribution.sum() + result.remainder == pytest.approx(result.change, rel=1e-12)


def test_a_linear_response_to_a_constant_shift_is_exact_without_error(uncompiled):
    result = importance_to_variation(linear_model(), X, X + np.array([0.1, 0.0, -0.2]), order=1)
    assert [line.feature for line in result.ranking()] == ["x3", "x1"]  # x2 does not move
    np.testing.assert_allclose(result.contribution, [0.05, -0.4], rtol=1e-12)
    np.testing.assert_allclose(result.error, 0, atol=1e-9)  # the square root of a difference that is 0 to 1e-16
    assert result.change == pytest.approx(-0.35, rel=1e-12)
    assert (result.remainder, result.beyond_marginals) == (pytest.approx(0, abs=1e-15), 0)


def test_the_error_of_a_random_shift_is_its_standard_deviation_over_sqrt_n(uncompiled):
    result = importance_to_variation(linear_model(), X, SHIFTED, order=1)
    d = SHIFTED - X
    np.testing.assert_allclose(result.contribution, A * d.mean(axis=0), **EXACT)
    np.testing.assert_allclose(result.error, np.abs(A) * d.std(axis=0) / np.sqrt(N_EVENTS), **EXACT)
    assert result.change_error == pytest.approx((d @ A).std() / np.sqrt(N_EVENTS), rel=1e-10)


@pytest.mark.parametrize("weight", [np.ones(N_EVENTS), WEIGHT, NEGATIVE], ids=["none", "positive", "negative"])
@pytest.mark.parametrize("points", [1, 3])
def test_a_quadratic_response_has_nothing_left(quadratic, weight, points, small_chunks):
    result = importance_to_variation(quadratic, X, SHIFTED, weight=weight, regions=REGIONS, points=points)
    assert result.features == FEATURES
    terms = of_quadratic(X, SHIFTED - X)
    change = quadratic(SHIFTED).numpy()[:, 0] - quadratic(X).numpy()[:, 0]
    check(result, terms, change, weight)
    assert abs(result.remainder) < 1e-14
    for name, mask in REGIONS.items():
        check(result.regions[name], terms, change, weight * mask)


def test_what_an_input_carries_in_total_is_its_integrated_gradient(quadratic, uncompiled):
    d = SHIFTED - X
    half = X + d / 2  # where the gradient of a quadratic response is its mean along the line
    gradients = (A * (half @ B - 0.2)[:, None] + B * (half @ A + 0.4)[:, None]) * d
    change = quadratic(SHIFTED).numpy()[:, 0] - quadratic(X).numpy()[:, 0]
    for order in (1, 2):
        result = importance_to_variation(quadratic, X, SHIFTED, weight=WEIGHT, order=order).by_input
        assert result.features == FeatureSet.complete(("x1", "x2", "x3"), 1)
        check(result, gradients, change, WEIGHT)


def test_up_and_down_make_a_half_difference_and_a_mean_shift(quadratic, uncompiled):
    d = SHIFTED - X
    down = X - 0.8 * d
    result = importance_to_variation(quadratic, X, SHIFTED, down, weight=WEIGHT)
    plus, minus = of_quadratic(X, d), of_quadratic(X, -0.8 * d)
    changes = [quadratic(x).numpy()[:, 0] - quadratic(X).numpy()[:, 0] for x in (SHIFTED, down)]
    check(result, plus, changes[0], WEIGHT)
    check(result.down, minus, changes[1], WEIGHT)
    check(result.half_difference, (plus - minus) / 2, (changes[0] - changes[1]) / 2, WEIGHT)
    check(result.mean_shift, (plus + minus) / 2, (changes[0] + changes[1]) / 2, WEIGHT)
    symmetric = importance_to_variation(quadratic, X, SHIFTED, X - d)
    np.testing.assert_allclose(symmetric.half_difference.contribution[3:], 0, atol=1e-15)
    np.testing.assert_allclose(symmetric.mean_shift.contribution[:3], 0, atol=1e-15)
    assert importance_to_variation(quadratic, X, SHIFTED).down is None


SLOPE, OFFSET, SHIFT = 1.5, 0.3, 0.8


def error_function_model():
    z = layers.Dense(1, activation=keras.ops.erf)
    model = keras.Sequential([keras.Input((1,)), z])
    z.set_weights([np.array([[SLOPE]]), np.array([OFFSET])])
    return model


def of_gaussian(s):
    """E erf(a (x + s) + b) = erf((a s + b) / sqrt(1 + 2 a^2)) of x ~ N(0, 1), and its derivative in s."""
    width = np.sqrt(1 + 2 * SLOPE**2)
    z = (SLOPE * s + OFFSET) / width
    return erf(z), 2 / np.sqrt(np.pi) * np.exp(-(z**2)) * SLOPE / width


@pytest.mark.parametrize("points", [1, 3])
@pytest.mark.parametrize("order", [1, 2])
def test_an_error_function_of_a_gaussian_has_its_closed_form(order, points, recwarn, uncompiled):
    # Events at the points of Gauss' rule, with its weights: means over them are expectations, to 1e-12.
    x, weight = hermegauss(120)
    model, x = error_function_model(), x[:, None]
    result = importance_to_variation(model, x, x + SHIFT, order=order, points=points, weight=weight, engine="autodiff")
    change = of_gaussian(SHIFT)[0] - of_gaussian(0)[0]
    assert result.change == pytest.approx(change, abs=1e-11)
    first = SHIFT * of_gaussian(0)[1]
    places, weights = map(np.array, gauss(points, order))
    if order == 1:
        contributions = [SHIFT * weights @ of_gaussian(SHIFT * places)[1]]
    else:
        h = 1e-4  # the second derivative by differences of the first, exact to 1e-8
        second = (of_gaussian(SHIFT * places + h)[1] - of_gaussian(SHIFT * places - h)[1]) / (2 * h)
        contributions = [first, SHIFT**2 * weights @ second / 2]
    np.testing.assert_allclose(result.contribution, contributions, atol=1e-8)
    assert result.remainder == pytest.approx(change - sum(contributions), abs=1e-8)
    # The nearest of all: 3 points at first order leave 1e-5 of a shift of 0.8 standard deviations.
    assert abs(result.remainder) < {(1, 1): 0.03, (1, 3): 2e-4, (2, 1): 0.03, (2, 3): 2e-3}[order, points]


def test_the_errors_cover_the_truth_at_the_rate_that_they_say(quadratic):
    rng, mean, deviation = np.random.default_rng(5), np.array([0.2, 0.5, -0.3]), 0.2
    expected = of_quadratic(np.zeros((1, 3)), mean[None])[0]
    expected[[3, 6, 8]] += A * B * deviation**2  # the squares
    covered = []
    for _ in range(300):
        x, d, weight = rng.normal(size=(256, 3)), rng.normal(mean, deviation, size=(256, 3)), rng.exponential(size=256)
        r = importance_to_variation(quadratic, x, x + d, weight=weight, points=1)
        apart = np.append(r.contribution - expected, r.change - expected.sum())
        covered.append(np.abs(apart) < np.append(r.error, r.change_error))
    # 68.3 per cent, less 0.3 as weights leave but 128 effective events; three standard deviations of 300 toys are 8.
    np.testing.assert_allclose(np.mean(covered, axis=0), 0.68, atol=0.08)


def test_a_network_with_kinks_needs_the_first_order(uncompiled):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(30, "relu"), layers.Dense(1)])
    with pytest.warns(UserWarning, match="The contributions leave"):
        second = importance_to_variation(model, X, X + 0.8)
    assert abs(second.remainder) > 0.1 * abs(second.change)
    first = importance_to_variation(model, X, X + 0.8, order=1, points=8)
    assert abs(first.remainder) < 0.02 * abs(first.change)


def test_inputs_that_are_held_fixed_may_be_left_out(uncompiled):
    x, theta = keras.Input((2,), name="features"), keras.Input((1,), name="theta")
    slope = layers.Dense(1, use_bias=False)
    model = keras.Model([x, theta], layers.Multiply()([slope(x), theta]))
    slope.set_weights([np.array([[2.0], [1.0]])])
    events = {"features": X[:, :2], "theta": np.full((1, 1), 3.0)}
    up = X[:, :2] + [0.1, 0.2]
    for varied in (up, {"features": up}, {**events, "features": up}):
        result = importance_to_variation(model, events, varied, order=1)
        np.testing.assert_allclose(result.contribution, [0.6, 0.6], rtol=1e-12)
    with pytest.raises(ValueError, match="'theta', which is held fixed"):
        importance_to_variation(model, events, {"features": up, "theta": np.full((1, 1), 4.0)})
    of_events = {"features": X[:, :2], "theta": WEIGHT[:, None]}
    result = importance_to_variation(model, of_events, up, order=1)
    np.testing.assert_allclose(result.contribution, 0.2 * WEIGHT.mean(), rtol=1e-12)


def test_tables_give_names_and_must_have_the_same_columns(uncompiled):
    names = ["pt", "eta", "phi"]
    table, varied = pd.DataFrame(X, columns=names), pd.DataFrame(SHIFTED, columns=names)
    result = importance_to_variation(linear_model(), table, varied, order=1)
    assert result.of("pt").contribution == pytest.approx(A[0] * (SHIFTED - X)[:, 0].mean(), rel=1e-10)
    with pytest.raises(ValueError, match=r"in this order.*Use up\[nominal.columns\]"):
        importance_to_variation(linear_model(), table, varied[names[::-1]])


def test_float32_is_summed_in_float64():
    model = keras.Sequential([keras.Input((3,), dtype="float32"), layers.Dense(1, dtype="float32")])
    model.set_weights([A[:, None], np.ones(1)])
    x = np.zeros((50_000, 3), "float32")
    result = importance_to_variation(model, x, x + np.float32(0.7), order=1)
    np.testing.assert_allclose(result.contribution, A * np.float32(0.7), rtol=2e-7)  # the precision of one event
    assert result.contribution.dtype == np.float64


def test_events_without_weight_may_have_anything(quadratic):
    x, up, weight = X.copy(), SHIFTED.copy(), WEIGHT.copy()
    x[3, 0], up[7, 1], up[9, 2] = np.nan, np.inf, np.nan
    weight[[3, 7, 9]] = 0
    result = importance_to_variation(quadratic, x, up, weight=weight)
    expected = importance_to_variation(quadratic, X, SHIFTED, weight=weight)
    np.testing.assert_allclose(result.contribution, expected.contribution, rtol=1e-12)
    with pytest.raises(ValueError, match="NaN or infinity in 3 events, nominal or varied"):
        importance_to_variation(quadratic, x, up)
    with pytest.raises(ValueError, match="NaN or infinite in 1 events, although the inputs are finite"):
        importance_to_variation(quadratic, X, np.where(np.arange(N_EVENTS)[:, None] == 4, 1e200, SHIFTED))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"up": X}, "differ from the nominal ones. Received: the same"),
        ({"up": SHIFTED[:10]}, "'up' to be the 500 nominal events.*importance_between_samples"),
        ({"up": SHIFTED, "down": X[:10]}, "'down' to be the 500 nominal events"),
        ({"order": 3}, "order to be 1 or 2"),
        ({"points": 0}, "Expected points"),
        ({"weight": np.ones(3)}, "Expected weight with 500 finite numbers"),
        ({"weight": -np.ones(N_EVENTS)}, "of positive sum"),
        ({"regions": {"a": np.ones(N_EVENTS)}}, "Expected region 'a' as a mask of 500 bool"),
        ({"regions": {"a": np.zeros(N_EVENTS, bool)}}, "weight in region 'a'"),
    ],
)
def test_what_makes_no_sense_is_refused(quadratic, arguments, message):
    with pytest.raises(ValueError, match=message):
        importance_to_variation(quadratic, X, **{"up": SHIFTED} | arguments)


def test_tensors_and_memory_maps_are_events_too(quadratic, tmp_path, uncompiled):
    np.save(tmp_path / "x.npy", SHIFTED)
    expected = importance_to_variation(quadratic, X, SHIFTED)
    for x, up in ((tf.constant(X), tf.constant(SHIFTED)), (X, np.load(tmp_path / "x.npy", mmap_mode="r"))):
        np.testing.assert_allclose(importance_to_variation(quadratic, x, up).contribution, expected.contribution)


def test_a_change_of_nothing_has_no_shares(uncompiled):
    x, up = np.zeros((4, 1)), np.array([[1.0], [-1.0], [1.0], [-1.0]])
    result = importance_to_variation(linear_model(np.ones(1)), x, up, order=1)
    assert result.change == 0 and np.isnan(result.share[0]) and "nan" in str(result)
