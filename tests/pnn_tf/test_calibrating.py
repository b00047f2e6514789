import keras
import numpy as np
import pytest

from pnn_tf import calibrate
from tests.pnn_tf.shifted_gaussian import THETA, cumulative, model, sample

EVENTS = sample(5000, 20_000, seed=0)
SCORE = np.linspace(0.02, 0.98, 97)


@pytest.fixture(scope="module")
def calibrated():
    return calibrate(model(), *EVENTS)


def test_distributions_are_the_known_ones_at_hypotheses_and_between(calibrated):
    assert calibrated.hypotheses.tolist() == list(THETA)
    np.testing.assert_allclose(calibrated.n_signal, [5000] * 5, rtol=1e-12)  # of weights, whose sum is rounded
    assert calibrated.n_background == pytest.approx(20_000)
    for theta in (*THETA, 0.8, 1.25, 1.7, 2.4):
        found = calibrated.cumulative(SCORE, theta)
        for label, n_events in ((1, 5000), (0, 20_000)):
            expected = cumulative(SCORE, theta, label)
            # Chance, 99.9 % (1.95), and 0.5 points for the smoothing and the cubic in theta.
            assert np.abs(found[1 - label] - expected).max() < 1.95 / np.sqrt(n_events) + 0.005


def test_the_ratio_is_the_exact_one(calibrated):
    for theta in (0.5, 1.25, 2.0, 2.5):
        ratio = calibrated.likelihood_ratio(SCORE, theta)
        near = np.abs(np.log(SCORE / (1 - SCORE))) < 1.5 * theta  # where there are events
        # The probability of signal by 5000 and 20 000 events and some eight parameters: 1 point; four times that.
        assert np.abs(ratio / (1 + ratio) - SCORE)[near].max() < 0.04


def test_densities_are_smooth(calibrated):
    """Near the exact ones, with slopes not much above theirs: there are no steps and little noise."""
    for theta in (1.0, 1.75):
        drawn = calibrated.at(theta, 400)
        for values, mean in ((drawn.signal, theta**2 / 2), (drawn.background, -(theta**2) / 2)):
            exact = np.exp(-0.5 * ((drawn.logit - mean) / theta) ** 2) / theta / np.sqrt(2 * np.pi)
            assert np.abs(values - exact).max() < 0.12 * exact.max()  # some 800 events are in the width of a curve: 4 %
            steps = np.abs(np.diff(values)) / np.diff(drawn.logit)
            assert steps.max() < 1.8 * exact.max() / theta  # the exact slope is at most 0.61 of that


@pytest.mark.parametrize("power", [0.5, 3.0])
def test_any_growing_function_of_the_score_has_the_same_ratio(calibrated, power):
    other = calibrate(model(power), *EVENTS)
    for theta in (1.0, 1.6):
        found = other.cumulative(SCORE**power, theta), calibrated.cumulative(SCORE, theta)
        np.testing.assert_allclose(*found, atol=0.01)  # smoothed in another logit
        ratios = [one.likelihood_ratio(score, theta) for one, score in ((other, SCORE**power), (calibrated, SCORE))]
        inner = slice(15, -15)
        np.testing.assert_allclose(*(ratio[inner] / (1 + ratio[inner]) for ratio in ratios), atol=0.02)


def test_weights_are_numbers_of_events():
    x, theta, label = sample(1000, 4000, seed=3)
    times = np.random.default_rng(1).integers(0, 3, len(x))
    repeated = calibrate(model(), *(np.repeat(column, times, axis=0) for column in (x, theta, label)), n_grid=5)
    weighted = calibrate(model(), x, theta, label, weight=7.0 * times, n_grid=5)
    own = (label == 1) & (theta == 1.0)
    assert weighted.n_signal[1] == pytest.approx(times[own].sum() ** 2 / np.sum(times[own] ** 2))
    # Quantiles of repeated events are steps, those of weighted ones are not, and widths follow the effective number.
    for found in zip(weighted.cumulative(SCORE, 1.2), repeated.cumulative(SCORE, 1.2), strict=True):
        np.testing.assert_allclose(*found, atol=0.01)


def test_the_grid_has_the_hypotheses_and_an_error():
    x, theta, label = sample(500, 2000, seed=1, thetas=(0.1, 0.7, 2.3))
    errors = []
    for n_grid, steps in ((1, 2), (9, 4), (41, 20)):
        calibration = calibrate(model(), x, theta, label, n_grid=n_grid)
        assert len(calibration.grid) == 2 * steps + 1
        assert calibration.grid[::steps].tolist() == [0.1, 0.7, 2.3]
        errors.append(max(calibration.grid_error))
    # Linear between points: a step of a fifth has an error of 1/25 where curves bend, and less where noise does.
    assert errors[2] < errors[1] / 4 and errors[2] < 0.01


def test_theta_of_background_is_not_looked_at(calibrated):
    x, theta, label = EVENTS
    other = calibrate(model(), x, np.where(label == 1, theta, np.nan), label)
    assert np.array_equal(other.background, calibrated.background) and np.array_equal(other.knots, calibrated.knots)


def saturated(n):
    """A score that is 0 or 1 for a part of the events, or always one half."""
    x, theta = keras.Input((1,), name="features"), keras.Input((1,), name="theta")
    score = keras.layers.Lambda(lambda x: keras.ops.round(n * keras.ops.sigmoid(2 * x)) / n if n else 0.5 + 0 * x)(x)
    return keras.Model({"features": x, "theta": theta}, score)


@pytest.mark.parametrize("n", [10, 1000, 0])
def test_scores_that_many_events_share_have_densities(n):
    calibration = calibrate(saturated(n), *sample(1000, 3000, 2), n_grid=5)
    score = np.concatenate([[0, 1], SCORE])
    for values in (calibration.signal_density(score, 1.2), calibration.background_density(score, 1.2)):
        assert np.isfinite(values).all() and np.all(values > 0)
    assert np.isfinite(calibration.likelihood_ratio(score, 1.2)).all()
    if n == 1000:  # of all events with a score below one half, between two that are shared
        x, _, label = sample(1000, 3000, 2)
        expected = np.mean(x[label == 0] < 0)
        assert calibration.cumulative([0.4995], 0.5)[1] == pytest.approx(expected, abs=0.03)


def test_classes_apart_are_refused_with_their_theta():
    x, theta, label = sample(200, 200, 0)
    with pytest.raises(ValueError, match=r"At theta = 0.5: .*do not overlap"):
        calibrate(model(), x + 20 * label[:, None], theta, label)


X, T, LABEL = sample(60, 60, 0)


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        ((X, T, LABEL), {"n_grid": 0}, "n_grid=0"),
        ((X, T, LABEL), {"smoothing": 0.0}, "smoothing=0.0"),
        ((X, np.c_[T, T], LABEL), {}, "one parameter theta.*Received: 2"),
        ((X, T, LABEL), {"hypotheses": [1.0]}, r"two hypotheses.*\[1.0\]"),
        ((X, T, LABEL), {"hypotheses": []}, "hypotheses of shape"),
        ((X, T, LABEL), {"hypotheses": [1.0, 1.2]}, "signal at theta = 1.2"),
        ((X, T, np.ones(360)), {}, "at least 50 .*background.* 0.0"),
        ((X[:340], T[:340], LABEL[:340]), {}, "at least 50 .*background.* 40.0"),
        ((X[20:], T[20:], LABEL[20:]), {}, r"at least 50 signal.*\[40.0, 60.0.*\] at \[0.5, 1.0"),
        ((X, T, LABEL + 1), {}, r"label .*\[2\]"),
        ((X[:-1], T, LABEL), {}, "359, .*label .*360"),
        ((np.where(X > 1, np.nan, X), T, LABEL), {}, "features .*NaN .* of 360"),
        ((X, T, LABEL), {"weight": -np.ones(360)}, "weights .*360 of 360"),
        ((X, T, LABEL), {"weight": ["1"] * 360}, "weight to be real numbers.*<U1"),
        ((X, np.where(LABEL == 1, np.nan, T), LABEL), {}, "theta .*NaN"),
    ],
)
def test_bad_arguments_are_named(arguments, keywords, message):
    with pytest.raises(ValueError, match=message):
        calibrate(model(), *arguments, **keywords)


def test_a_model_that_gives_logits_is_refused():
    x, theta = keras.Input((1,), name="features"), keras.Input((1,), name="theta")
    logits = keras.Model({"features": x, "theta": theta}, keras.layers.Lambda(lambda x: 3 * x)(x))
    with pytest.raises(ValueError, match=r"from 0 to 1.*sigmoid"):
        calibrate(logits, X, T, LABEL)
