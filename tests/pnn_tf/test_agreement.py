import numpy as np
import pytest
from scipy.stats import ks_1samp, kstwobign

from pnn_tf import Agreement, calibrate, hold_out_test
from pnn_tf.agreement import _agreement
from pnn_tf.smoothing import of_events
from tests.pnn_tf.shifted_gaussian import model, sample


def test_ks_is_that_of_scipy():
    logit = np.random.default_rng(0).logistic(0.2, 1, 500)
    found = _agreement(of_events(logit, np.ones(500)), np.inf, lambda score: score)  # logistic: P(score < s) = s
    expected = ks_1samp(logit, lambda x: 1 / (1 + np.exp(-x)))
    # Between events, not at them: an event apart at most.
    assert found.ks == pytest.approx(expected.statistic, abs=1 / 500)
    assert found.n_effective == pytest.approx(500)
    assert found.p_value == pytest.approx(kstwobign.sf(found.ks * np.sqrt(500)), rel=1e-9)
    assert _agreement(of_events(logit, np.ones(500)), 1500, lambda score: score).n_effective == pytest.approx(375)


def test_chance_is_kolmogorovs():
    assert Agreement(0.0, 10_000.0, 1.0).chance == pytest.approx(0.01358, abs=1e-5)


def test_scores_that_many_share_are_compared_on_both_sides():
    logit = np.repeat([-1.0, 1.0], [300, 700])
    found = _agreement(of_events(logit, np.ones(1000)), np.inf, lambda score: 0.3 + 0.5 * (score - 0.5))
    assert found.ks == pytest.approx(0, abs=1e-12)


def test_a_calibration_holds_where_it_was_made_and_between_and_one_of_other_events_does_not():
    network = model()
    calibration = calibrate(network, *sample(3000, 10_000, 0))
    for theta in (0.5, 1.25, 2.5):
        x, t, label = sample(2000, 5000, 1, [theta])
        right = hold_out_test(calibration, network, x, t, label, theta)
        assert right.theta == theta
        assert min(right.signal.p_value, right.background.p_value) > 1e-3  # six p-values, uniform or larger
        wrong = hold_out_test(calibration, network, x + 0.3 * label[:, None], t, label, theta)
        assert wrong.signal.p_value < 1e-6 and wrong.signal.ks > 1.5 * wrong.signal.chance
        assert wrong.background == right.background


@pytest.mark.slow
def test_chance_is_kept_in_95_per_cent_of_all_cases():
    network = model()
    passed = []
    for seed in range(100):
        calibration = calibrate(network, *sample(500, 1000, 2 * seed, [1.0, 2.0, 3.0]), n_grid=5)
        found = hold_out_test(calibration, network, *sample(500, 1000, 2 * seed + 1, [1.5]), 1.5)
        passed.append([found.signal.ks < found.signal.chance, found.background.ks < found.background.chance])
    # Smoothing takes noise away, and adds some bias; a share of 0.95 of 100 has an error of 0.022.
    assert np.all(np.mean(passed, axis=0) > 0.95 - 0.06)


def test_errors_of_the_calibration_are_those_of_its_hypotheses():
    network = model()
    calibration = calibrate(network, *sample(3000, 10_000, 0, [1.0, 2.0]), n_grid=3)
    result = hold_out_test(calibration, network, *sample(1000, 2000, 1, [1.5]), 1.5)
    # Signal: half of each of two independent samples of 3000. Background: the 10 000 shown at 1.5.
    assert result.signal.n_effective == pytest.approx(1 / (1 / 1000 + 2 * 0.25 / 3000))
    assert result.background.n_effective == pytest.approx(1 / (1 / 2000 + 1 / 10_000))
    calibration = calibrate(network, *sample(3000, 10_000, 0, [0.5, 1.0, 2.0, 2.5]), n_grid=3)
    result = hold_out_test(calibration, network, *sample(1000, 2000, 1, [1.5]), 1.5)
    # The cubic through four points, by hand: slopes (2 (y1 - y0) * 2 + (y2 - y1) / 2) / 1.5 at 1, times the step / 8.
    weights = np.array([-1 / 6, 2 / 3, 2 / 3, -1 / 6])
    assert result.signal.n_effective == pytest.approx(1 / (1 / 1000 + np.sum(weights**2) / 3000))


def test_theta_outside_and_without_signal_is_refused():
    network = model()
    calibration = calibrate(network, *sample(1000, 1000, 0), n_grid=1)
    with pytest.raises(ValueError, match=r"theta .*from 0.5 to 2.5.*3.0"):
        hold_out_test(calibration, network, *sample(10, 10, 1, [3.0]), 3.0)
    with pytest.raises(ValueError, match=r"signal at theta = 1.2"):
        hold_out_test(calibration, network, *sample(10, 10, 1, [1.0]), 1.2)
    with pytest.raises(ValueError, match=r"one number.*\[1.0, 1.5\]"):
        hold_out_test(calibration, network, *sample(10, 10, 1, [1.0]), [1.0, 1.5])
