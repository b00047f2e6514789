"""Counts of scores in bins: what follows from them is what follows from the events, to the width of a bin."""

import keras
import numpy as np
import pytest

from pnn_tf import ScoreCounts, calibrate, calibration_grid, count_scores, evaluate_hypotheses
from pnn_tf.metrics import Ranking

POINTS = np.array([500.0, 750.0, 1000.0])


class Posterior(keras.layers.Layer):
    """Of a Gaussian of width 1 at theta / 500 against one at 0: its logit is linear in the feature."""

    def call(self, features, theta):
        mean = theta / 500
        return keras.ops.sigmoid(features * mean - mean**2 / 2)


@pytest.fixture(scope="module")
def model():
    features, theta = keras.Input((1,), name="features"), keras.Input((1,), name="theta")
    return keras.Model({"features": features, "theta": theta}, Posterior()(features, theta))


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 20_000)
    theta = np.where(label == 1, rng.choice(POINTS, 20_000), np.nan)
    features = rng.normal(size=20_000) + np.where(label == 1, theta / 500, 0)
    return features[:, None], theta, label


@pytest.fixture(scope="module", params=["ones", "positive", "signed"])
def weight(request):
    rng = np.random.default_rng(1)
    return {"ones": None, "positive": rng.uniform(0, 2, 20_000), "signed": rng.uniform(-0.5, 1.5, 20_000)}[
        request.param
    ]


@pytest.fixture(scope="module")
def counts(model, events, weight):
    return count_scores(model, *events, POINTS, weight=weight)


def test_a_nuisance_keeps_the_background_of_its_own():
    rng = np.random.default_rng(3)
    label, nuisance = rng.integers(0, 2, 4000), rng.choice([0.0, 2.0], 4000)
    theta = np.stack([np.where(label == 1, rng.choice([1.0, 3.0], 4000), np.nan), nuisance], axis=1)
    x = (rng.normal(size=4000) + nuisance + np.nan_to_num(theta[:, 0]))[:, np.newaxis]
    features, parameters = keras.Input((1,), name="features"), keras.Input((2,), name="theta")
    model = keras.Model(
        {"features": features, "theta": parameters}, keras.ops.sigmoid(features - keras.ops.sum(parameters, 1, True))
    )
    points = [[1.0, 0.0], [3.0, 0.0], [1.0, 2.0]]
    exact = evaluate_hypotheses(model, x, theta, label, hypotheses=points, nuisances=[1])
    halves = [
        count_scores(model, x[part], theta[part], label[part], points, nuisances=[1])
        for part in (slice(0, 1000), slice(1000, None))
    ]
    for own, expected in zip(sum(halves[1:], halves[0]).results(), exact, strict=True):
        assert own.theta == expected.theta and own.auc == pytest.approx(expected.auc, abs=1e-3)
        assert (own.n_signal, own.n_background) == (expected.n_signal, expected.n_background)
    with pytest.raises(ValueError, match="nuisances"):
        count_scores(model, x, theta, label, points, nuisances=[2])


def test_auc_and_significance_are_those_of_the_events(model, events, weight, counts):
    exact = evaluate_hypotheses(model, *events, weight=weight)
    for own, expected in zip(counts.results(), exact, strict=True):
        assert own[0] == expected[0]
        assert own[4:5] == expected[4:5]
        # A signal and a background event share one of the 8192 bins, 0.004 wide, with a probability below 0.002.
        assert own.auc == pytest.approx(expected.auc, abs=1e-3)
        assert own.auc_error == pytest.approx(expected.auc_error, rel=1e-3)
        assert own.significance.ratio == pytest.approx(expected.significance.ratio, rel=1e-3)
        assert own.n_signal == expected.n_signal
        if weight is None or weight.min() >= 0:  # fewer cuts; bins of negative weight can leave out worse ones
            assert own.significance.ratio <= expected.significance.ratio + 1e-12


def test_counts_of_parts_add_up(model, events, weight, counts):
    rng = np.random.default_rng(2)
    part = rng.choice(4, len(events[2]), p=[0.5, 0.499, 0.0009, 0.0001])
    parts = [
        count_scores(model, *(array[m] for array in events), POINTS, weight=None if weight is None else weight[m])
        for m in (part == i for i in range(4))
    ]
    merged = parts[0].merge(parts[1:])
    np.testing.assert_array_equal(merged.n_events, counts.n_events)
    np.testing.assert_allclose(merged.weight, counts.weight, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(merged.square, counts.square, rtol=1e-12)


def test_the_calibration_is_that_of_the_events(model, events):
    grid = calibration_grid(POINTS, 9)
    own = count_scores(model, *events, grid).calibration()
    expected = calibrate(model, *events, n_grid=9)
    np.testing.assert_array_equal(own.grid, expected.grid)
    np.testing.assert_allclose(own.n_signal, expected.n_signal, rtol=1e-12)
    score = np.linspace(0.05, 0.95, 50)
    for theta in (600.0, 750.0):
        # Half the width of a bin moves the logit of a probability by 0.002 times its slope, which is about one.
        np.testing.assert_allclose(own.cumulative(score, theta), expected.cumulative(score, theta), atol=2e-3)


def test_scores_at_the_ends_are_counted(events):
    features, theta = keras.Input((1,), name="features"), keras.Input((1,), name="theta")
    step = keras.layers.Lambda(lambda x: keras.ops.cast(x > 0, "float32"))
    model = keras.Model({"features": features, "theta": theta}, step(features))
    counts = count_scores(model, [[-1.0], [1.0], [2.0]], [500.0] * 3, [0, 1, 1], [500.0], n_bins=4)
    assert counts.weight[:, 0].tolist() == [[1, 0, 0, 0], [0, 0, 0, 2]]
    assert counts.results()[0].auc == 1


def test_an_error_of_bins_is_that_of_their_events():
    rng = np.random.default_rng(3)
    label, score = rng.integers(0, 2, 500), rng.integers(0, 9, 500)
    weight = rng.uniform(-0.2, 1, 500)
    bins, number = np.unique(np.stack([label, score]), axis=1, return_inverse=True)
    weights, squares = (np.bincount(number.ravel(), weight**k) for k in (1, 2))
    binned = Ranking(*bins)
    assert binned.auc_error(weights, squares) == pytest.approx(Ranking(label, score).auc_error(weight), rel=1e-10)


def test_what_does_not_belong_together_is_refused(model, events):
    few = tuple(array[:100] for array in events)
    one = count_scores(model, *few, POINTS, n_bins=16)
    for other in (count_scores(model, *few, POINTS[:2], n_bins=16), count_scores(model, *few, POINTS, n_bins=32)):
        with pytest.raises(ValueError, match="at the same points and in the same bins"):
            one + other
    with pytest.raises(TypeError):
        one + 1
    with pytest.raises(ValueError, match="distinct points"):
        count_scores(model, *few, [500.0, 500.0])
    background = few[2] == 0
    without = count_scores(model, *(array[background] for array in few), POINTS)
    with pytest.raises(ValueError, match="signal at one point at least"):
        without.results()
    with pytest.raises(ValueError, match="signal at two points at least"):
        without.calibration()
    with pytest.raises(ValueError, match="points of one parameter that increase"):
        ScoreCounts(one.points[::-1], one.weight, one.square, one.n_events).calibration()
