import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from pnn_tf.smoothing import Distribution, _local_logistic, cubic_weights, of_events, smooth_pair

LEVELS = np.linspace(-8, 8, 121)


def test_the_cubic_is_exact_for_parabolas_and_a_line_for_two_points():
    points, at = np.array([500.0, 750.0, 1250.0, 1500.0]), np.array([500.0, 610.0, 1000.0, 1499.0])
    parabola = np.polynomial.Polynomial([3.0, -0.1, 2e-4])
    np.testing.assert_allclose(cubic_weights(points, at) @ parabola(points), parabola(at), rtol=1e-12)
    np.testing.assert_allclose(cubic_weights(points, at).sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(cubic_weights(points, 750.0), [0, 1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(cubic_weights(points[:2], 600.0), [0.6, 0.4], rtol=1e-12)


def test_weighted_events_are_those_that_come_several_times():
    value, times = np.array([3.0, 1.0, 2.0, 5.0]), np.array([1, 2, 0, 3])
    weighted = of_events(value, 0.5 * times)
    assert weighted.value.tolist() == [1, 3, 5] and weighted.n_events == pytest.approx(36 / 14)
    np.testing.assert_allclose(weighted.below, [1 / 6, 2.5 / 6, 4.5 / 6])
    assert weighted(0.9) == 0 and weighted(6) == 1 and weighted(4.0) == pytest.approx(3.5 / 6)


def test_a_logistic_ratio_is_found_exactly():
    """Counts that are what a logistic model expects: no noise, so that Newton's method has to end at its parameters."""
    x = np.sort(np.random.default_rng(0).normal(size=80)) * 3
    odds, counts = 0.7 * x - 0.4, 1e6 + 5e5 * np.sin(x)
    found, slope = _local_logistic(x, np.linspace(-8, 8, 80), counts * expit(odds), counts * expit(-odds), 1.0)
    # A penalty of 0.1 on the slope, beside an information of 1e4 and more.
    np.testing.assert_allclose(found, odds, atol=2e-3)
    np.testing.assert_allclose(slope, 0.7, atol=2e-3)


@pytest.mark.parametrize("theta", [0.5, 2.0])
def test_gaussian_events_give_their_distributions_and_ratio(theta):
    """The logit of the best score between N(theta, 1) and N(0, 1): N(+-theta^2 / 2, theta)."""
    generator, n = np.random.default_rng(0), 20_000
    pair = [of_events(generator.normal(sign * theta**2 / 2, theta, n), np.ones(n)) for sign in (1, -1)]
    knots, *below = smooth_pair(*pair, LEVELS, 1.0)
    for sign, values in zip((1, -1), below, strict=True):
        exact = norm.cdf(knots, sign * theta**2 / 2, theta)
        assert np.abs(expit(values) - exact).max() < 1.63 / np.sqrt(n)  # chance, 99 %
        assert np.all(np.diff(values) > 0)
    density = [np.diff(expit(values)) for values in below]
    middle = (knots[1:] + knots[:-1]) / 2
    inner = np.abs(middle) < 1.5 * theta
    # The exact ratio is exp(l). Counted in cells of this width, 121 in all, its error would be 15 % and more; smoothed
    # by a local line with some eight parameters in all, it is 3 %: five standard deviations.
    assert np.abs(np.log(density[0] / density[1]) - middle)[inner].max() < 0.15


def test_many_events_with_one_score_are_spread_over_little():
    """A quarter of the signal at the last score that float32 has, where it saturates."""
    generator, last = np.random.default_rng(1), 17.3
    pair = [np.minimum(generator.normal(mean, 2, 10_000), last) for mean in (16, 12)]
    knots, *below = smooth_pair(*(of_events(x, np.ones(len(x))) for x in pair), LEVELS, 1.0)
    for values, mean in zip(below, (16, 12), strict=True):
        assert np.all(np.diff(values) > 0) and np.isfinite(values).all()
        # Chance, 99 %, and as much again: near the many, widths of the smoothing reach over their edge.
        assert np.interp(last - 0.1, knots, expit(values)) == pytest.approx(norm.cdf(last - 0.1, mean, 2), abs=0.032)
        assert np.interp(last + 0.1, knots, expit(values)) > 0.99
    assert np.all(np.diff(knots) > 0)


def test_signal_between_points_is_described_by_its_quantiles():
    probability = expit(np.linspace(-9, 9, 401))
    signal = Distribution(norm.ppf(probability, 2, 1), probability, 5000)
    background = of_events(np.random.default_rng(0).normal(-2, 1, 5000), np.ones(5000))
    knots, below, _ = smooth_pair(signal, background, LEVELS, 1.0)
    assert np.abs(expit(below) - norm.cdf(knots, 2, 1)).max() < 0.01  # of smoothing alone


def test_classes_apart_are_refused():
    x = np.linspace(0, 1, 1000)
    with pytest.raises(ValueError, match=r"do not overlap.*10 signal"):
        smooth_pair(of_events(x + 2, np.ones(1000)), of_events(x, np.ones(1000)), LEVELS, 1.0)
