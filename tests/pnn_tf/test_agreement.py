import numpy as np
import pytest
from scipy.stats import chi2

from pnn_tf import calibrate, hold_out_test
from pnn_tf.agreement import _agreement
from tests.pnn_tf.shifted_gaussian import model, sample


def test_chi2_has_its_distribution():
    """Shares counted twice from the same probabilities: once for the calibration, once to test it."""
    generator = np.random.default_rng(0)
    truth = np.array([0.05, 0.1, 0.3, 0.25, 0.2, 0.1])
    results = []
    for _ in range(400):
        calibrated, found = (generator.multinomial(n, truth) / n for n in (3000, 1000))
        results.append(_agreement(calibrated, calibrated / 3000, 3000, found, 1000))
    values = [result.chi2 for result in results]
    # Mean 5 and variance 10 of 5 degrees of freedom; the mean of 400 has an error of 0.16.
    assert np.mean(values) == pytest.approx(5, abs=0.6)
    assert results[0].n_dof == 5 and results[0].n_effective == pytest.approx(750)
    assert results[0].p_value == pytest.approx(chi2.sf(results[0].chi2, 5), rel=1e-9)
    # Said of ks: below 1.36 / sqrt(n) in 95 % of all cases, more with bins; 400 trials have an error of 1.1 %.
    assert np.mean([result.ks < 1.36 / np.sqrt(750) for result in results]) > 0.95 - 0.04


def test_by_hand():
    result = _agreement(np.array([0.5, 0.3, 0.2]), np.array([0.01, 0, 0]), 10, np.array([0.4, 0.4, 0.2]), 10)
    assert result.chi2 == pytest.approx(0.01 / 0.06 + 0.01 / 0.03)
    assert result.ks == pytest.approx(0.1) and result.n_effective == pytest.approx(5)


def test_a_calibration_holds_at_its_hypotheses_and_one_of_other_events_does_not():
    network = model()
    calibration = calibrate(network, *sample(3000, 10_000, 0), n_bins=20, smoothing=0)
    for theta in (0.5, 1.5, 2.5):
        x, t, label = sample(2000, 5000, 1, [theta])
        right = hold_out_test(calibration, network, x, t, label, theta)
        assert right.theta == theta
        assert min(right.signal.p_value, right.background.p_value) > 1e-3  # six p-values, uniform or larger
        wrong = hold_out_test(calibration, network, x + 0.3 * label[:, None], t, label, theta)
        assert wrong.signal.p_value < 1e-6
        assert wrong.background == right.background
        assert wrong.signal.ks > 1.36 / wrong.signal.n_effective**0.5


def test_errors_of_the_calibration_are_those_of_its_neighbours():
    network = model()
    calibration = calibrate(network, *sample(3000, 10_000, 0), n_bins=20)
    result = hold_out_test(calibration, network, *sample(1000, 2000, 1, [1.25]), 1.25)
    # Signal: half of each of two independent samples of 3000. Background: the same 10 000 twice.
    assert result.signal.n_effective == pytest.approx(1 / (1 / 1000 + 2 * 0.25 / 3000))
    assert result.background.n_effective == pytest.approx(1 / (1 / 2000 + 1 / 10_000))


def test_theta_outside_and_without_signal_is_refused():
    network = model()
    calibration = calibrate(network, *sample(1000, 1000, 0), n_bins=5)
    with pytest.raises(ValueError, match=r"theta .*from 0.5 to 2.5.*3.0"):
        hold_out_test(calibration, network, *sample(10, 10, 1, [3.0]), 3.0)
    with pytest.raises(ValueError, match=r"signal .*theta = 1.2"):
        hold_out_test(calibration, network, *sample(10, 10, 1, [1.0]), 1.2)
