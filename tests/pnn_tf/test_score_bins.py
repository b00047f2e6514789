import sys

import numpy as np
import pytest

from pnn_tf import calibrate, hold_out_test
from pnn_tf.score_bins import _isotonic, _smoothed
from tests.pnn_tf.shifted_gaussian import THETA, cumulative, model, sample

EVENTS = sample(5000, 20_000, seed=0)
COUNTS = {"n_bins": 20, "smoothing": 0}


@pytest.fixture(scope="module")
def counted():
    return calibrate(model(), *EVENTS, **COUNTS)


def test_shares_are_those_of_the_known_distributions(counted):
    assert np.array_equal(counted.hypotheses, THETA)
    np.testing.assert_allclose(counted.n_signal, [5000] * 5, rtol=1e-12)  # of weights, whose sum is rounded
    np.testing.assert_allclose(counted.n_background, [20_000] * 5, rtol=1e-12)
    for theta in THETA:
        bins = counted.at(theta)
        for label, shares, n_events in ((1, bins.signal, 5000), (0, bins.background, 20_000)):
            expected = np.diff(cumulative(bins.edges[1:-1], theta, label), prepend=0, append=1)
            # Binomial, 200 bins in all: 4.5 standard deviations are exceeded by one in 700 such tests. An edge is an
            # event itself, which may count on either side.
            error = 4.5 * np.sqrt(expected / n_events) + 2 / n_events
            assert np.all(np.abs(shares - expected) < error)


def test_the_ratio_lies_between_the_exact_ones_at_the_ends_of_its_bin(counted):
    """The ratio of a bin is the mean of the exact one, score / (1 - score), over the background in it."""
    for theta in THETA:
        bins = counted.at(theta)
        ratio = counted.likelihood_ratio((bins.edges[1:] + bins.edges[:-1]) / 2, theta)
        error = 4.5 * np.sqrt(1 / (5000 * bins.signal) + 1 / (20_000 * bins.background))  # relative, as above
        inner = bins.edges[1:-1] / (1 - bins.edges[1:-1])
        assert np.all(ratio[:-1] < inner * (1 + error[:-1])) and np.all(ratio[1:] > inner * (1 - error[1:]))


def test_about_min_events_lie_in_the_outer_bins(counted):
    assert counted.signal[:, 0] * 5000 == pytest.approx(50, abs=1)
    assert counted.background[:, -1] * 20_000 == pytest.approx(50, abs=1)


def test_a_hypothesis_with_little_signal_makes_all_first_bins_coarser():
    x, theta, label = EVENTS
    kept = (label == 0) | (theta.ravel() != THETA[1])
    kept[np.flatnonzero(~kept)[:200]] = True
    calibration = calibrate(model(), x[kept], theta[kept], label[kept], **COUNTS)
    np.testing.assert_allclose(calibration.n_signal, [5000, 200, 5000, 5000, 5000])
    # A quarter of the signal everywhere: 50 of the 200, 1250 of the 5000. An edge is an event itself.
    np.testing.assert_allclose(calibration.signal[:, 0], 0.25, atol=1 / 200)
    assert calibration.background[:, -1] * 20_000 == pytest.approx(50, abs=1)


@pytest.mark.parametrize("power", [0.5, 3.0])
def test_any_growing_function_of_the_score_has_the_same_ratio(counted, power):
    other = calibrate(model(power), *EVENTS, **COUNTS)
    score = np.linspace(0.01, 0.99, 50)
    for theta in THETA:
        # A score near an edge may change sides by rounding, to float32 in the model.
        near = np.abs(score[:, None] / counted.at(theta).edges[1:-1] - 1).min(axis=1) < 1e-5
        expected = counted.likelihood_ratio(score, theta)[~near]
        np.testing.assert_allclose(other.likelihood_ratio(score**power, theta)[~near], expected, rtol=0.02)


def test_weights_are_numbers_of_events():
    # The same numbers in each class and at each hypothesis, in random order: sum w = 2 n, sum w^2 = 4.5 n.
    generator = np.random.default_rng(1)
    times = np.concatenate([generator.permutation(np.resize([1, 2, 3, 2], n)) for n in [5000] * 5 + [20_000]])
    repeated = calibrate(model(), *(np.repeat(column, times, axis=0) for column in EVENTS), min_events=101.5, **COUNTS)
    # The effective number is smaller than the sum by 2.25: min_events such that the outer bins are the same, and not a
    # whole number, which would leave an outer edge to rounding.
    weighted = calibrate(model(), *EVENTS, weight=7.0 * times, min_events=101.5 / 2.25, **COUNTS)
    np.testing.assert_allclose(weighted.n_signal, 5000 * 4 / 4.5)
    np.testing.assert_allclose(repeated.n_signal, 2 * 5000)
    # Sums of 40 000 float64; scores are float32.
    for one, other in ((weighted.signal, repeated.signal), (weighted.background, repeated.background)):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    np.testing.assert_allclose(weighted.edges, repeated.edges, rtol=1e-6)


def test_horizontal_interpolation_is_the_better_one():
    """What the default rests on: at a theta left out, the distance of cumulative distributions."""
    events, unseen = sample(5000, 20_000, 2, [1.0, 2.0]), sample(5000, 20_000, 3, [1.5])
    horizontal, vertical = (
        hold_out_test(calibrate(model(), *events, n_bins=10, interpolation=way), model(), *unseen, 1.5).signal
        for way in ("horizontal", "vertical")
    )
    assert vertical.ks > 2 * horizontal.ks and vertical.chi2 > 2 * horizontal.chi2


def test_isotonic_regression_by_its_definition():
    """min over b of max over a, a <= i <= b, of the mean from a to b, with the contents of the bins as weights."""
    generator = np.random.default_rng(0)
    shares = generator.dirichlet(np.ones(12), size=2)
    both = shares.sum(axis=0)
    means = np.array(
        [
            [shares[0, a : b + 1].sum() / both[a : b + 1].sum() if a <= b else np.nan for b in range(12)]
            for a in range(12)
        ]
    )
    expected = [max(min(means[a, b] for b in range(i, 12)) for a in range(i + 1)) for i in range(12)]
    fitted = _isotonic(shares)
    np.testing.assert_allclose(fitted[0] / both, expected, rtol=1e-12)
    np.testing.assert_allclose(fitted.sum(axis=0), both, rtol=1e-12)
    np.testing.assert_allclose(fitted.sum(axis=1), 1, rtol=1e-12)


def test_isotonic_ratios_never_fall():
    calibration = calibrate(model(), *sample(1000, 3000, 1), n_bins=20, method="isotonic")
    raw = calibrate(model(), *sample(1000, 3000, 1), n_bins=20, smoothing=0)
    assert np.any(np.diff(raw.signal / raw.background, axis=1) < 0)
    assert np.all(np.diff(calibration.signal / calibration.background, axis=1) > -1e-12)


def test_smoothing_leaves_straight_lines_and_reduces_noise():
    place = np.arange(15)
    background = np.exp(-0.1 * place) / np.exp(-0.1 * place).sum()
    slope = background * np.exp(0.3 * place)
    shares = np.array([slope / slope.sum(), background])
    counts = np.array([1000.0, 5000.0])
    np.testing.assert_allclose(_smoothed(shares, counts, 1.0), shares, rtol=1e-10)

    found = np.random.default_rng(0).multinomial(1000, shares[0]) / 1000
    smooth = _smoothed(np.array([found, background]), counts, 2.0)
    np.testing.assert_allclose(smooth.sum(axis=1), 1, rtol=1e-12)

    def distance(pair):
        return np.sum((pair[0] / pair[1] - shares[0] / shares[1]) ** 2)

    assert distance(smooth) < distance((found, background))


def test_a_bin_without_events_is_named_with_the_way_out():
    with pytest.raises(ValueError, match=r"At theta = 0.5, bin \d+ of 200 \(score 0.\d+ to 0.\d+\).*n_bins < 200"):
        calibrate(model(), *sample(200, 200, 0), n_bins=200, min_events=5)


def test_classes_apart_are_refused():
    x, theta, label = sample(200, 200, 0)
    with pytest.raises(ValueError, match=r"0.25 of the signal.*min_events"):
        calibrate(model(), x + 20 * label[:, None], theta, label)


def test_isotonic_needs_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.isotonic", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        _isotonic(np.full((2, 3), 1 / 3))


def test_theta_of_background_is_not_looked_at(counted):
    x, theta, label = EVENTS
    other = calibrate(model(), x, np.where(label == 1, theta, np.nan), label, **COUNTS)
    assert np.array_equal(other.background, counted.background) and np.array_equal(other.edges, counted.edges)


X, T, LABEL = sample(10, 10, 0)


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        ((X, T, LABEL), {"method": "spline"}, "method='spline'"),
        ((X, T, LABEL), {"interpolation": "diagonal"}, "interpolation='diagonal'"),
        ((X, T, LABEL), {"n_bins": 2}, "n_bins >= 3"),
        ((X, T, LABEL), {"smoothing": 0.1}, "smoothing=0.1"),
        ((X, T, LABEL), {"min_events": 0}, "min_events > 0"),
        ((X, np.c_[T, T], LABEL), {}, "theta.*Received: 2"),
        ((X, T, LABEL), {"hypotheses": [1.0]}, r"two hypotheses.*\[1.0\]"),
        ((X, T, LABEL), {"hypotheses": []}, "hypotheses of shape"),
        ((X, T, LABEL), {"hypotheses": [1.0, 1.2]}, "signal .*theta = 1.2"),
        ((X, T, np.ones(60)), {}, "background .*theta = 0.5"),
        ((X, T, LABEL + 1), {}, r"label .*\[2\]"),
        ((X[:-1], T, LABEL), {}, "59, .*label .*60"),
        ((np.where(X > 1, np.nan, X), T, LABEL), {}, "features .*NaN .* of 60"),
        ((X, T, LABEL), {"weight": -np.ones(60)}, "weights .*60 of 60"),
    ],
)
def test_bad_arguments_are_named(arguments, keywords, message):
    with pytest.raises(ValueError, match=message):
        calibrate(model(), *arguments, **keywords)
