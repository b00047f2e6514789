from dataclasses import asdict, replace

import numpy as np
import pytest
import tensorflow as tf

from pnn_tf import Calibration

BY_HAND = Calibration(
    hypotheses=[1.0, 3.0],
    edges=[[0.0, 0.2, 0.5, 1.0], [0.0, 0.5, 0.8, 1.0]],
    signal=[[0.1, 0.3, 0.6], [0.2, 0.2, 0.6]],
    background=[[0.5, 0.3, 0.2], [0.7, 0.2, 0.1]],
    n_signal=[100, 200],
    n_background=[1000, 1000],
)


def test_at_a_hypothesis_densities_are_shares_by_width():
    score = [0.0, 0.1, 0.2, 0.49, 0.5, 1.0]
    expected = [0.5, 0.5, 1.0, 1.0, 1.2, 1.2]  # an edge belongs to the bin above it
    np.testing.assert_allclose(BY_HAND.signal_density(score, 1.0), expected, rtol=1e-12)
    np.testing.assert_allclose(BY_HAND.background_density([0.1, 0.6, 0.9], 3.0), [1.4, 0.2 / 0.3, 0.5], rtol=1e-12)
    np.testing.assert_allclose(BY_HAND.likelihood_ratio([0.1, 0.3, 0.9], 1.0), [0.2, 1.0, 3.0], rtol=1e-12)


def test_between_hypotheses_edges_move_in_their_logit_and_shares_linearly():
    bins = BY_HAND.at(1.5)
    # logit(0.2) = -ln 4 and logit(0.5) = 0; logit(0.8) = ln 4. A quarter of the way from 1 to 3.
    inner = [1 / (1 + 4**0.75), 1 / (1 + 4**-0.25)]
    np.testing.assert_allclose(bins.edges, [0, *inner, 1], rtol=1e-12)
    np.testing.assert_allclose(bins.signal, [0.125, 0.275, 0.6], rtol=1e-12)
    np.testing.assert_allclose(bins.background, [0.55, 0.275, 0.175], rtol=1e-12)
    np.testing.assert_allclose(BY_HAND.likelihood_ratio([0.1, 0.99], 1.5), [0.125 / 0.55, 0.6 / 0.175], rtol=1e-12)
    np.testing.assert_allclose(BY_HAND.weights(1.5), [0.75, 0.25])


def test_a_hypothesis_that_float32_rounds_is_found():
    """0.7 is 0.699999988 in float32."""
    calibration = replace(BY_HAND, hypotheses=[0.7, 1.1])
    assert np.array_equal(calibration.at(0.7).signal, BY_HAND.signal[0])
    np.testing.assert_allclose(calibration.signal_density([0.1, 0.1], [0.7, 1.1]), [0.5, 0.4], rtol=1e-12)
    signal, _ = calibration.densities(tf.constant([0.1]), tf.constant([0.7]))
    np.testing.assert_allclose(signal, [0.5], rtol=1e-12)


@pytest.mark.parametrize("theta", [1.0, 1.7, 3.0])
def test_the_integral_of_a_density_is_one(theta):
    middles = (np.arange(100_000) + 0.5) / 100_000
    for density in (BY_HAND.signal_density, BY_HAND.background_density):
        # Two inner edges, each of which falls inside one of the 1e-5 wide steps, at densities below 2.
        assert np.mean(density(middles, theta)) == pytest.approx(1, abs=4e-5)


def test_tensors_in_a_graph_and_one_theta_for_all():
    score, theta = np.array([0.1, 0.4, 0.9]), np.array([1.0, 1.5, 3.0])
    signal, background = tf.function(BY_HAND.densities)(tf.constant(score[:, None], tf.float32), theta[:, None])
    assert signal.dtype == tf.float64
    np.testing.assert_allclose(signal, BY_HAND.signal_density(score, theta), rtol=1e-12)
    np.testing.assert_allclose(background, BY_HAND.background_density(score, theta), rtol=1e-12)
    one = BY_HAND.likelihood_ratio(score, 1.5)
    assert np.array_equal(one, BY_HAND.likelihood_ratio(score, [1.5, 1.5, 1.5]))


def test_it_is_stored_as_arrays(tmp_path):
    np.savez(tmp_path / "calibration.npz", **asdict(BY_HAND))
    again = Calibration(**np.load(tmp_path / "calibration.npz"))
    for name, value in asdict(BY_HAND).items():
        assert np.array_equal(getattr(again, name), value)


@pytest.mark.parametrize(
    ("score", "theta", "message"),
    [
        ([0.5], 0.9, r"theta .*from 1 to 3.* 1 of 1 .*0.89999"),
        ([0.5, 0.5], [2.0, 3.1], "theta .* 1 of 2 .*3.0999"),
        ([0.5], np.nan, "theta .*NaN .*1 of 1"),
        ([np.nan], 2.0, "score .*NaN .*1 of 1"),
        ([1.5], 2.0, "scores from 0 to 1.*1.5"),
        ([0.5, 0.5, 0.5], [2.0, 2.0], "3, .*theta .*2"),
    ],
)
def test_bad_arguments_are_named(score, theta, message):
    for method in (BY_HAND.signal_density, BY_HAND.background_density, BY_HAND.likelihood_ratio):
        with pytest.raises(ValueError, match=message):
            method(score, theta)


def test_what_is_no_score_has_no_density():
    score = tf.constant([np.nan, 0.5, 2.0, -3.0, np.inf, 0.0, 1.0])
    for density, expected in zip(BY_HAND.densities(score, tf.constant(1.0)), ([1.2, 0.5], [0.4, 2.5]), strict=True):
        np.testing.assert_allclose(density, [np.nan, expected[0], *[np.nan] * 3, expected[1], expected[0]], rtol=1e-12)


def test_where_xla_drops_the_refusal_theta_outside_has_no_density():
    compiled = tf.function(BY_HAND.densities, jit_compile=True)
    score, theta = tf.constant([0.1] * 4), tf.constant([1.0, 0.9, 3.5, np.nan])
    for density, expected in zip(compiled(score, theta), (0.5, 2.5), strict=True):
        np.testing.assert_allclose(density, [expected, *[np.nan] * 3], rtol=1e-12)
    for density in compiled(score, tf.constant([3000.0])):  # one theta for all events
        assert np.isnan(density).all()


def test_theta_outside_is_refused_in_a_graph_too():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"theta .*from 1 to 3"):
        tf.function(BY_HAND.densities)(tf.constant([0.5]), tf.constant([3.5]))
    with pytest.raises(ValueError, match=r"from 1 to 3.*0.5"):
        BY_HAND.at(0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hypotheses": [3.0, 1.0]}, r"hypotheses.*\[3.0, 1.0\]"),
        ({"hypotheses": [1.0]}, r"hypotheses.*\[1.0\]"),
        ({"edges": [[0.0, 0.2, 1.0]] * 2}, r"edges of shape \(2, 4\)"),
        ({"edges": [[0.0, 0.5, 0.5, 1.0]] * 2}, "edges .*from 0 to 1"),
        ({"signal": [[0.0, 0.4, 0.6]] * 2}, "shares of signal > 0"),
        ({"background": [[0.4, 0.4, 0.4]] * 2}, "shares of background"),
        ({"n_signal": [1]}, r"n_signal of shape \(2,\)"),
    ],
)
def test_what_is_no_calibration_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(BY_HAND, **change)
