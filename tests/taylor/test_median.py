"""Weighted medians beside numpy's, and by their definition."""

import numpy as np
import pytest
import tensorflow as tf

import pnn_tf
from taylor import importance_over_theta, mean_abs_coefficients, taylor_coefficients
from taylor.median import weighted_medians
from tests.problems import DenseNetwork

NETWORK = DenseNetwork()
X = NETWORK.events(501)
REGIONS = {"left": X[:, 0] < 0, "right": X[:, 0] >= 0}


@pytest.fixture(scope="module")
def model():
    return NETWORK.model()


@pytest.fixture(scope="module")
def t(model):
    return np.abs(taylor_coefficients(model, X).values)


def test_weights_are_copies_of_events():
    rng = np.random.default_rng(1)
    values = rng.normal(size=200)
    weight = rng.integers(0, 4, size=(200, 3))
    expected = [np.median(np.repeat(values, copies)) for copies in weight.T]
    for scale in (1, 0.1, 1e-20):  # sums of tenths are not exact, and the middle of two values is still found
        np.testing.assert_allclose(weighted_medians(values, scale * weight), expected, rtol=1e-14)


def test_half_of_the_weight_lies_on_each_side():
    rng = np.random.default_rng(2)
    values, weight = rng.normal(size=300), rng.exponential(size=(300, 4))
    for median, of_column in zip(weighted_medians(values, weight), weight.T, strict=True):
        for side in (values < median, values > median):
            assert of_column[side].sum() <= of_column.sum() / 2
    assert weighted_medians(np.array([7.0]), np.array([[0.3]])).tolist() == [7.0]


def test_they_are_those_of_the_single_events(model, t, small_chunks):
    plain = mean_abs_coefficients(model, X, regions=REGIONS)
    assert plain.median is None and plain.regions["left"].median is None
    result = mean_abs_coefficients(model, X, regions=REGIONS, median=True)
    np.testing.assert_array_equal(result.mean, plain.mean)
    np.testing.assert_allclose(result.median, np.median(t, axis=0), rtol=1e-12)  # float64
    for name, mask in REGIONS.items():
        np.testing.assert_allclose(result.regions[name].median, np.median(t[mask], axis=0), rtol=1e-12)
    assert result.of("x1").median == result.median[0]


def test_streams_and_weights(model, t, uncompiled):
    copies = np.random.default_rng(3).integers(0, 3, size=len(X))
    expected = np.median(np.repeat(t, copies, axis=0), axis=0)
    stream = tf.data.Dataset.from_tensor_slices((X, copies, copies.astype(float))).batch(77)
    for result in (
        mean_abs_coefficients(model, X, weight=copies, median=True),
        mean_abs_coefficients(model, stream, median=True),
    ):
        np.testing.assert_allclose(result.median, expected, rtol=1e-12)


def test_each_theta_has_its_own(uncompiled):
    network = pnn_tf.parametric_network(3, units=(4,), activation="tanh", affine_start="glorot_uniform", seed=1)
    x = X.astype("float32")
    result = importance_over_theta(network, x, [500.0, 1000.0], order=1, median=True)
    for theta, one in zip([500.0, 1000.0], result.importances, strict=True):
        alone = mean_abs_coefficients(network, {"features": x, "theta": [[theta]]}, order=1, median=True)
        np.testing.assert_allclose(one.median, alone.median, rtol=1e-5)  # float32, in another order of sums


def test_negative_weights_are_refused(model, uncompiled):
    weight = np.ones(len(X))
    weight[3] = -0.1
    with pytest.raises(ValueError, match=r"at least 0 for the median\. Received: negative ones"):
        mean_abs_coefficients(model, X, weight=weight, median=True)


def test_more_than_memory_holds_is_refused(model, monkeypatch, uncompiled):
    monkeypatch.setattr("os.sysconf", lambda name: 200)  # 40 kB, of which 501 events of 9 features take 36
    with pytest.raises(MemoryError, match=r"for the median, would take .* Take fewer events"):
        mean_abs_coefficients(model, X, median=True)
