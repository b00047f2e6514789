from dataclasses import asdict, replace

import numpy as np
import pytest
import tensorflow as tf
from scipy.interpolate import PchipInterpolator
from scipy.special import expit, logit

from pnn_tf import Calibration

# With straight lines of slope 1, P(score < s) = sigmoid(logit(s) + a): uniform for a = 0.
BY_HAND = Calibration(
    hypotheses=[1.0, 3.0],
    n_signal=[100, 200],
    n_background=1000,
    grid=[1.0, 2.0, 3.0],
    knots=[[-1.0, 0.0, 2.0], [-2.0, 0.0, 2.0], [-3.0, 1.0, 2.0]],
    signal=[[-1.0, 0.0, 2.0], [-3.0, -1.0, 1.0], [-5.0, -1.0, 0.0]],
    background=[[-0.5, 0.0, 4.0], [-1.0, 1.0, 3.0], [-1.0, 3.0, 4.0]],
)
SCORE = np.array([1e-6, 0.1, 0.3, 0.5, 0.77, 0.999])


def shifted(a):
    """P(score < s) and its density, for straight lines of slope 1."""
    s = SCORE
    return expit(logit(s) + a), np.exp(a) / (1 - s + s * np.exp(a)) ** 2


def test_straight_lines_are_known_densities():
    for theta, a in ((1.0, 0.0), (1.5, -0.5), (2.0, -1.0), (2.625, -1.625), (3.0, -2.0)):
        below, density = shifted(a)
        np.testing.assert_allclose(BY_HAND.cumulative(SCORE, theta)[0], below, rtol=1e-12)
        np.testing.assert_allclose(BY_HAND.signal_density(SCORE, theta), density, rtol=1e-12)
    below, density = shifted(1.0)
    np.testing.assert_allclose(BY_HAND.cumulative(SCORE, 2.0)[1], below, rtol=1e-12)
    expected = shifted(-1.0)[1] / density
    np.testing.assert_allclose(BY_HAND.likelihood_ratio(SCORE, 2.0), expected, rtol=1e-12)


def test_bent_curves_are_those_of_scipy():
    """The background at theta 1.5, between two rows of knots; beyond them, it goes on as a straight line."""
    knots, values = np.array([-1.5, 0.0, 2.0]), np.array([-0.75, 0.5, 3.5])
    slopes = np.diff(values) / np.diff(knots)
    middle = (5.5 + 5.0) / (5.5 / slopes[0] + 5.0 / slopes[1])  # weights 2 * 2 + 1.5 and 2 + 2 * 1.5
    logits = np.array([-4.0, -1.0, -0.2, 0.7, 1.9, 5.0])
    inner = PchipInterpolator(np.insert(knots, 0, -3.0), np.insert(values, 0, values[0] - 1.5 * slopes[0]))
    inner = PchipInterpolator(np.append(inner.x, 4.0), np.append(inner(inner.x), values[-1] + 2 * slopes[1]))
    assert inner.derivative()(0.0) == pytest.approx(middle)
    expected = np.where(logits < -1.5, values[0] + slopes[0] * (logits + 1.5), inner(np.clip(logits, -1.5, 2)))
    expected = np.where(logits > 2, values[-1] + slopes[1] * (logits - 2), expected)
    found = BY_HAND.cumulative(expit(logits), 1.5)[1]
    np.testing.assert_allclose(found, expit(expected), rtol=1e-9)
    # The density is the derivative, by finite differences of the cumulative distribution.
    score, step = np.array([0.1, 0.3, 0.6, 0.95]), 1e-5
    high, low = (BY_HAND.cumulative(score + sign * step, 1.5)[1] for sign in (1, -1))
    np.testing.assert_allclose(BY_HAND.background_density(score, 1.5), (high - low) / (2 * step), rtol=1e-6)


def test_a_hypothesis_that_float32_rounds_is_found():
    """0.7 is 0.699999988 in float32."""
    calibration = replace(BY_HAND, hypotheses=[0.7, 1.1], grid=[0.7, 0.9, 1.1])
    assert calibration.hypotheses.tolist() == [0.7, 1.1]
    np.testing.assert_allclose(calibration.signal_density(SCORE, 0.7), 1, rtol=1e-12)
    signal, _ = calibration.densities(tf.constant(SCORE), tf.constant([0.7]))
    np.testing.assert_allclose(signal, 1, rtol=1e-12)


@pytest.mark.parametrize("theta", [1.0, 1.7, 3.0])
def test_the_integral_of_a_density_is_one(theta):
    logits = np.linspace(-40, np.log(2.0**25 - 1), 400_001)  # up to the last score that float32 tells from 1
    score = np.append(expit(logits), [1 - 2.0**-25 * 0.999, 1])
    for density in (BY_HAND.signal_density, BY_HAND.background_density):
        values = density(score, theta)
        assert np.all(values > 0)
        assert np.trapezoid(values, score) == pytest.approx(1, abs=1e-6)


def test_tensors_in_a_graph_and_one_theta_for_all():
    score, theta = np.array([0.1, 0.4, 0.9], "float32"), np.array([1.0, 1.5, 3.0])
    signal, background = tf.function(BY_HAND.densities)(tf.constant(score[:, None]), theta[:, None])
    assert signal.dtype == tf.float64
    np.testing.assert_allclose(signal, BY_HAND.signal_density(score, theta), rtol=1e-12)
    np.testing.assert_allclose(background, BY_HAND.background_density(score, theta), rtol=1e-12)
    one = BY_HAND.likelihood_ratio(score, 1.5)
    assert np.array_equal(one, BY_HAND.likelihood_ratio(score, [1.5, 1.5, 1.5]))


def test_densities_to_draw_are_one_unit_of_the_logit():
    drawn = BY_HAND.at(1.5, 101)
    np.testing.assert_allclose(drawn.logit[[0, -1]], [-1.5, 2], rtol=1e-12)
    score = expit(drawn.logit)
    for values, density in ((drawn.signal, BY_HAND.signal_density), (drawn.background, BY_HAND.background_density)):
        np.testing.assert_allclose(values, density(score, 1.5) * score * (1 - score), rtol=1e-9)


def test_the_grids_error_is_that_of_its_middle_left_out():
    signal, background = BY_HAND.grid_error
    # At theta 2 without its own row: knots -2, 0.5, 2 in place of -2, 0, 2; signal -3, -0.5, 1 and background
    # -0.75, 1.5, 4 there, at the knots -2, 0, 2 by lines.
    assert signal == pytest.approx(0, abs=1e-12)
    assert background == pytest.approx(np.abs(expit([-0.75, 1.05, 4.0]) - expit([-1.0, 1.0, 3.0])).max(), rel=1e-9)


def test_it_is_stored_as_arrays(tmp_path):
    BY_HAND.save(tmp_path / "calibration")  # no suffix is added
    again = Calibration.load(tmp_path / "calibration")
    for name, value in asdict(BY_HAND).items():
        assert np.array_equal(getattr(again, name), value)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "array", "other", "objects"])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "calibration.npz"
    BY_HAND.save(path)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        place = content.index(b"NUMPY") + 130
        path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "array":
        path = tmp_path / "calibration.npy"
        np.save(path, np.zeros(3))
    elif damage == "other":
        np.savez(path, weights=np.zeros(3))
    else:
        np.savez(path, **asdict(BY_HAND) | {"knots": np.array([None])})
    with pytest.raises(ValueError, match=r"calibration\.np[yz] is not a calibration, or damaged: .*save"):
        Calibration.load(path)


@pytest.mark.parametrize(
    ("score", "theta", "message"),
    [
        ([0.5], 0.9, r"theta .*from 1 to 3.* 1 of 1 .*\[0.9\]"),
        ([0.5, 0.5], [2.0, 3.1], r"theta .* 1 of 2 .*\[3.1\]"),
        ([0.5], np.nan, "theta .*NaN .*1 of 1"),
        ([np.nan], 2.0, "score .*NaN .*1 of 1"),
        ([1.5], 2.0, "scores from 0 to 1.*1.5"),
        (["0.5"], 2.0, "score to be real numbers.*<U3"),
        ([None], 2.0, "score to be real numbers.*object"),
        ([0.5, 0.5, 0.5], [2.0, 2.0], "3, .*theta .*2"),
    ],
)
def test_bad_arguments_are_named(score, theta, message):
    for method in (BY_HAND.signal_density, BY_HAND.background_density, BY_HAND.likelihood_ratio, BY_HAND.cumulative):
        with pytest.raises(ValueError, match=message):
            method(score, theta)


def test_what_is_no_score_has_no_density():
    score = tf.constant([np.nan, 0.5, 2.0, -3.0, np.inf, 0.0, 1.0])
    signal, _ = BY_HAND.densities(score, tf.constant(1.0))
    np.testing.assert_allclose(signal, [np.nan, 1, *[np.nan] * 3, 1, 1], rtol=1e-12)


def test_where_xla_drops_the_refusal_theta_outside_has_no_density():
    compiled = tf.function(BY_HAND.densities, jit_compile=True)
    score, theta = tf.constant([0.5] * 4), tf.constant([1.0, 0.9, 3.5, np.nan])
    signal, background = compiled(score, theta)
    np.testing.assert_allclose(signal, [1, *[np.nan] * 3], rtol=1e-12)
    assert np.isnan(background[1:]).all()
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
        ({"grid": [1.0, 3.0]}, r"grid, at least 3.*\[1.0, 3.0\]"),
        ({"grid": [1.0, 2.0, 2.5]}, "grid from 1 to 3.*1 to 2.5"),
        ({"knots": [[0.0, 1.0]] * 3}, r"signal of shape \(3, 2\)"),
        ({"knots": [[0.0, 0.0, 1.0]] * 3}, "knots that increase"),
        ({"signal": [[0.0, np.nan, 1.0]] * 3}, "signal that increase"),
        ({"background": [[2.0, 1.0, 3.0]] * 3}, "background that increase"),
        ({"n_signal": [1]}, r"n_signal of shape \(2,\)"),
        ({"n_signal": [1, 0]}, "n_signal > 0"),
        ({"n_background": None}, "n_background > 0"),
        ({"signal": "a"}, "numbers as signal.*'a'"),
    ],
)
def test_what_is_no_calibration_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(BY_HAND, **change)
