import functools
import sys

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from neos_tf.histogram import binned_kde, hard_histogram

EDGES = np.array([0.0, 0.2, 0.5, 0.9, 1.0])
OUTSIDE = ["drop", "fold"]


@pytest.fixture
def samples():
    return np.random.default_rng(0).uniform(-0.3, 1.3, size=40)  # some of them outside


@pytest.fixture
def weights():
    return np.random.default_rng(1).normal(1, 1, size=40)  # some of them negative


def closed_form(samples, edges, bandwidth, weights, outside):
    edges = np.array(edges)
    if outside == "fold":
        edges[[0, -1]] = -np.inf, np.inf
    return weights @ np.diff(norm.cdf(edges, samples[:, np.newaxis], bandwidth), axis=1)


@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize("relative", [False, True])
def test_kde_is_the_closed_form(samples, weights, relative, outside):
    counts = binned_kde(samples, EDGES, 0.4, weights, relative=relative, outside=outside)
    bandwidth = 0.4 / 4 if relative else 0.4  # four bins in a range of one
    # 40 terms of the order of one, each known to a few times 1e-16.
    np.testing.assert_allclose(counts, closed_form(samples, EDGES, bandwidth, weights, outside), atol=1e-13)
    ones = binned_kde(samples, EDGES, 0.4, relative=relative, outside=outside)
    np.testing.assert_allclose(ones, closed_form(samples, EDGES, bandwidth, np.ones(40), outside), atol=1e-13)


@pytest.mark.parametrize("bandwidth", [1e-3, 1.0, 100.0])
def test_folded_mass_is_the_sum_of_weights(samples, weights, bandwidth):
    folded = binned_kde(samples, EDGES, bandwidth, weights, outside="fold")
    np.testing.assert_allclose(np.sum(folded), np.sum(weights), atol=1e-13)  # rounding of 40 terms
    one_bin = binned_kde(samples, [0.0, 1.0], bandwidth, weights, outside="fold")
    np.testing.assert_allclose(one_bin, [np.sum(weights)], atol=1e-13)


@pytest.mark.parametrize("outside", OUTSIDE)
def test_kde_without_bandwidth_is_the_histogram(samples, weights, outside):
    nearest = np.abs(samples[:, np.newaxis] - EDGES).min()
    counts = binned_kde(samples, EDGES, nearest / 10, weights, outside=outside)
    # The mass beyond 10 standard deviations is below 1e-23; what is left is the rounding of 40 terms.
    np.testing.assert_allclose(counts, hard_histogram(samples, EDGES, weights, outside=outside), atol=1e-13)


@pytest.mark.parametrize("argument", ["samples", "edges", "bandwidth", "weights"])
@pytest.mark.parametrize(("relative", "outside"), [(False, "drop"), (True, "fold")])
def test_gradient_agrees_with_finite_differences(samples, weights, argument, relative, outside):
    bandwidth = 1.0 if relative else 0.25
    arguments = {"samples": samples, "edges": EDGES, "bandwidth": bandwidth, "weights": weights}
    point = tf.constant(arguments[argument], tf.float64)
    rng = np.random.default_rng(2)
    direction, coefficients = rng.normal(size=point.shape), rng.normal(size=4)

    def value(x):
        counts = binned_kde(**{**arguments, argument: x}, relative=relative, outside=outside)
        return tf.tensordot(counts, coefficients, 1)

    with tf.GradientTape() as tape:
        tape.watch(point)
        total = value(point)
    step = 1e-5
    numeric = (value(point + step * direction) - value(point - step * direction)) / (2 * step)
    derivative = np.sum(tape.gradient(total, point) * direction)
    assert abs(derivative) > 0.01
    # Truncation: step**2 times a third derivative of order 40 / bandwidth**3 = 3e3. Rounding: 1e-14 / step.
    np.testing.assert_allclose(derivative, numeric, atol=1e-6)


def test_a_heavy_bin_does_not_drown_a_light_one():
    counts = binned_kde([0.1, 0.95], EDGES, 0.001, [1e16, 1.0])
    assert counts.numpy()[-1] == 1  # 1e16 + 1 - 1e16 would be 0 or 2


@pytest.mark.parametrize("histogram", [functools.partial(binned_kde, bandwidth=0.1), hard_histogram])
def test_every_input_is_cast_once_and_exactly(samples, weights, histogram):
    column = samples.astype("float32")[:, np.newaxis]  # the output of a network
    expected = histogram(column[:, 0].astype("float64"), EDGES, weights=weights)
    assert expected.dtype == tf.float64
    # Python's numbers are not taken through float32, in which 0.9 is another number.
    for x in (column, tf.constant(column), tf.Variable(column), column[:, 0].astype("float64").tolist()):
        assert np.array_equal(histogram(x, EDGES.tolist(), weights=weights[:, np.newaxis]), expected)


def test_histogram_is_that_of_numpy(samples, weights):
    samples = np.concatenate([samples, EDGES, [-np.inf, np.inf]])  # each bin is closed below; the last one also above
    weights = np.resize(weights, len(samples))
    assert np.array_equal(hard_histogram(samples, EDGES), np.histogram(samples, EDGES)[0])
    clipped = np.clip(samples, 0, 1)
    assert np.array_equal(hard_histogram(samples, EDGES, outside="fold"), np.histogram(clipped, EDGES)[0])
    expected = np.histogram(samples, EDGES, weights=weights)[0]
    np.testing.assert_allclose(hard_histogram(samples, EDGES, weights), expected, atol=1e-13)  # order of 47 terms
    expected = np.histogram(clipped, EDGES, weights=weights)[0]
    np.testing.assert_allclose(hard_histogram(samples, EDGES, weights, outside="fold"), expected, atol=1e-13)


@pytest.mark.parametrize("outside", OUTSIDE)
def test_nan_is_seen(outside):
    assert np.isnan(hard_histogram([0.1, np.nan], EDGES, outside=outside)).all()
    assert np.isnan(binned_kde([0.1, np.nan], EDGES, 0.1, outside=outside)[1:-1]).all()


@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize("compiled", [False, True])
def test_graphs_agree_with_eager_for_any_number_of_events(samples, weights, outside, compiled):
    def both(x, w, edges):
        return binned_kde(x, edges, 0.1, w, outside=outside), hard_histogram(x, edges, w, outside=outside)

    signature = [tf.TensorSpec([None, 1]), tf.TensorSpec([None], tf.float64), tf.TensorSpec([5], tf.float64)]
    graph = tf.function(both, input_signature=signature, jit_compile=compiled)
    for n_events in (40, 7, 0):
        x, w = samples[:n_events, np.newaxis].astype("float32"), weights[:n_events]
        for ours, expected in zip(graph(x, w, EDGES), both(x, w, EDGES), strict=True):
            # XLA has its own approximations of erf, and its own order of the sum.
            np.testing.assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize("histogram", [functools.partial(binned_kde, bandwidth=0.1), hard_histogram])
def test_lengths_that_only_the_run_shows_to_differ(histogram):
    graph = tf.function(lambda x, w: histogram(x, EDGES, weights=w), input_signature=[tf.TensorSpec([None])] * 2)
    assert graph([0.1, 0.3], [1.0, 1.0]).shape == (4,)
    with pytest.raises(tf.errors.InvalidArgumentError):
        graph([0.1, 0.3], [1.0])


@pytest.mark.parametrize("histogram", [functools.partial(binned_kde, bandwidth=0.1), hard_histogram])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"edges": [0.0, 0.5, 0.5]}, r"edges .*\[0.0, 0.5, 0.5\]"),
        ({"edges": [0.0, 0.5, np.inf]}, "edges .*inf.*outside='fold'"),
        ({"edges": [0.0, np.nan, 1.0]}, "edges .*nan"),
        ({"edges": [0.0]}, r"edges .*\(1,\)"),
        ({"edges": EDGES[np.newaxis]}, r"edges .*\(1, 5\)"),
        ({"samples": np.ones((3, 2))}, r"samples of shape \(n_events,\) or \(n_events, 1\)"),
        ({"samples": 0.5}, "samples of shape"),
        ({"weights": np.ones((3, 2))}, "weights of shape"),
        ({"weights": [1.0, 1.0]}, r"3 samples.*weights of shape \(2,\)"),
        ({"weights": [1.0]}, r"3 samples.*weights of shape \(1,\)"),
        ({"outside": "clip"}, "outside='drop' or 'fold'"),
    ],
)
def test_bad_arguments_are_named(histogram, changed, message):
    arguments = {"samples": [0.1, 0.2, 0.3], "edges": EDGES, **changed}
    for call in (histogram, tf.function(histogram)):
        with pytest.raises(ValueError, match=message):
            call(**arguments)


@pytest.mark.parametrize("bandwidth", [0, -1.0, np.nan, np.inf, [0.1, 0.2]])
def test_bad_bandwidth_is_named(bandwidth):
    with pytest.raises(ValueError, match="one bandwidth > 0"):
        binned_kde([0.1], EDGES, bandwidth)


def test_a_missing_tensorflow_probability_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_probability", None)
    with pytest.raises(ImportError, match="pip install tensorflow-probability tf_keras"):
        binned_kde([0.1], EDGES, 0.1)
    assert np.array_equal(hard_histogram([0.1], EDGES), [1, 0, 0, 0])
