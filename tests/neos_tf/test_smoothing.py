import numpy as np
import pytest
import tensorflow as tf

from neos_tf import smooth_variation

NOMINAL = np.array([120.0, 80.0, 45.0, 22.0, 9.0, 4.0])
RATIO = np.array([1.02, 0.97, 1.06, 1.1, 0.95, 1.3])


def test_straight_ratios_stay():
    line = 0.9 + 0.05 * np.arange(6)
    np.testing.assert_allclose(smooth_variation(line * NOMINAL, NOMINAL), line * NOMINAL, rtol=1e-13)


@pytest.mark.parametrize("bandwidth", [0.7, 1.5])
def test_ratios_are_those_of_straight_lines_fitted_by_numpy(bandwidth):
    """np.polyfit minimises the sum of (w residual)^2."""
    bins = np.arange(6)
    weights = [np.sqrt(NOMINAL * np.exp(-((bins - k) ** 2) / (2 * bandwidth**2))) for k in bins]
    smooth = NOMINAL * [np.polyval(np.polyfit(bins, RATIO, 1, w=w), k) for k, w in zip(bins, weights, strict=True)]
    expected = smooth * np.sum(RATIO * NOMINAL) / np.sum(smooth)
    np.testing.assert_allclose(smooth_variation(RATIO * NOMINAL, NOMINAL, bandwidth), expected, rtol=1e-11)


def test_small_bandwidth_leaves_the_variation():
    """Neighbours have a share of exp(-50) = 2e-22."""
    np.testing.assert_allclose(smooth_variation(RATIO * NOMINAL, NOMINAL, 0.1), RATIO * NOMINAL, rtol=1e-12)


def test_fluctuations_become_smaller():
    """Of 40 draws with ratios that bend, and Poisson fluctuations of a fifth of the events."""
    rng = np.random.default_rng(0)
    nominal = 1000 * np.exp(-0.15 * np.arange(20))
    truth = nominal * (1 + 0.1 * np.sin(np.arange(20) / 6))
    drawn = truth + rng.normal(size=(40, 20)) * np.sqrt(nominal / 5)
    smooth = np.array([smooth_variation(row, nominal, 2.0) for row in drawn])
    before, after = (np.mean((values - truth) ** 2 / nominal) for values in (drawn, smooth))
    assert after < before / 3
    np.testing.assert_allclose(smooth.sum(axis=1), drawn.sum(axis=1), rtol=1e-12)


def test_bins_without_nominal_events_have_no_weight_and_stay():
    with_gap = np.insert(NOMINAL, 2, 0.0), np.insert(1.1 * NOMINAL, 2, 5.0)
    smooth = smooth_variation(with_gap[1], with_gap[0]).numpy()
    np.testing.assert_allclose(smooth, with_gap[1], rtol=1e-13)
    assert np.array_equal(smooth_variation([1.0, 2.0], [0.0, 0.0]), [1, 2])
    np.testing.assert_allclose(smooth_variation([0.0, 2.0], [0.0, 1.0]), [0, 2], rtol=1e-15)


def test_gradients_in_a_graph():
    """Against central differences with steps of 1e-5, which are good to 1e-9 here."""
    weights = np.cos(np.arange(6.0))

    @tf.function(autograph=False)
    def slopes(variation, nominal):
        with tf.GradientTape() as tape:
            tape.watch([variation, nominal])
            value = tf.reduce_sum(weights * smooth_variation(variation, nominal))
        return tape.gradient(value, [variation, nominal])

    arrays = [RATIO * NOMINAL, NOMINAL]
    for place, slope in enumerate(slopes(*map(tf.constant, arrays))):
        for k in range(6):
            moved = [[a + side * 1e-5 * (i == place) * np.eye(6)[k] for i, a in enumerate(arrays)] for side in (1, -1)]
            up, down = (np.sum(weights * smooth_variation(*pair)) for pair in moved)
            np.testing.assert_allclose(slope[k], (up - down) / 2e-5, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], [1.0]), r"one shape \(n_bins,\). Received: \(2,\) and \(1,\)"),
        (([[1.0]], [[1.0]]), r"one shape \(n_bins,\)"),
        (([1.0], [1.0], 0.0), "bandwidth above 0. Received: bandwidth=0.0"),
    ],
)
def test_what_is_wrong_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        smooth_variation(*arguments)
