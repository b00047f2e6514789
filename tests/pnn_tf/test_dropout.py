import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import binom, chisquare, norm

from pnn_tf import FastDropout

N_EVENTS, N_UNITS = 4096, 50


def dropped(rate, seed=0, shape=(N_EVENTS, N_UNITS)):
    return FastDropout(rate, seed=seed)(np.ones(shape, "float32"), training=True).numpy()


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.1, 0.9])
def test_units_are_dropped_independently_at_the_rate(rate):
    """The numbers dropped in an event, and of a unit over the events, are binomial."""
    zero = dropped(rate) == 0
    for axis in (0, 1):
        counts, n = zero.sum(axis=axis), zero.shape[axis]
        # Fisher's dispersion test: the variance over its expectation, n_counts times, is chi2 with as many degrees of
        # freedom, here normal to a good approximation. Four deviations, so does the mean.
        n_counts = len(counts)
        spread = np.sum((counts - n * rate) ** 2) / (n * rate * (1 - rate))
        assert abs(spread - n_counts) < 4 * np.sqrt(2 * n_counts)
    assert abs(zero.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / zero.size)


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 8, 50, 200])
def test_neighbours_within_a_random_word_and_beyond_are_uncorrelated(lag):
    zero = (dropped(0.25) == 0).ravel() - 0.25
    correlation = np.mean(zero[:-lag] * zero[lag:]) / (0.25 * 0.75)
    assert abs(correlation) < 4 / np.sqrt(zero.size)


def test_numbers_of_dropped_units_are_as_with_keras_own():
    ours, keras_own = (
        (layer(np.ones((N_EVENTS, N_UNITS), "float32"), training=True).numpy() == 0).sum(axis=1)
        for layer in (FastDropout(0.25, seed=1), keras.layers.Dropout(0.25, seed=1))
    )
    edges = [0, 8, 10, 11, 12, 13, 14, 15, 17, N_UNITS + 1]
    expected = np.diff(binom.cdf(np.array(edges) - 1, N_UNITS, 0.25)) * N_EVENTS
    for counts in (ours, keras_own):
        assert chisquare(np.histogram(counts, edges)[0], expected).pvalue > norm.sf(4)


@pytest.mark.parametrize(("rate", "exact"), [(0.25, 0.25), (0.5, 0.5), (0.1, 6554 / 65536)])
def test_what_is_kept_is_scaled_so_that_the_mean_stays(rate, exact):
    kept = np.unique(dropped(rate))
    assert kept.tolist() == [0, np.float32(1 / (1 - exact))]
    assert abs(exact - rate) < 1 / 65536


def test_gradient_passes_where_the_input_does():
    layer, x = FastDropout(0.5, seed=3), tf.ones((64, 7))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    assert np.array_equal(tape.gradient(y, x), y)


def test_each_call_draws_anew_and_the_seed_decides():
    layer, again, other = FastDropout(0.5, seed=3), FastDropout(0.5, seed=3), FastDropout(0.5, seed=4)
    x = np.ones((10, 33), "float32")
    first, second = (layer(x, training=True).numpy() for _ in range(2))
    assert np.array_equal(first, again(x, training=True)) and np.array_equal(second, again(x, training=True))
    assert not np.array_equal(first, second) and not np.array_equal(first, other(x, training=True))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (2, 3, 7), (0, 4)])
def test_any_shape_and_dtype(shape):
    for dtype in ("float32", "float16", "float64"):
        y = FastDropout(0.25, seed=0, dtype=dtype)(np.ones(shape, dtype), training=True)
        assert y.shape == shape and y.dtype == dtype


def test_nothing_happens_in_inference_or_at_rate_zero():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    assert np.array_equal(FastDropout(0.5)(x), x)
    assert np.array_equal(FastDropout(0.0)(x, training=True), x)


def test_it_is_saved_with_its_model(tmp_path):
    model = keras.Sequential([keras.Input((4,)), FastDropout(0.3, seed=5)])
    model.save(tmp_path / "model.keras")
    (layer,) = keras.saving.load_model(tmp_path / "model.keras").layers
    assert isinstance(layer, FastDropout) and (layer.rate, layer.seed) == (0.3, 5)
    clone = keras.models.clone_model(model)
    x = np.ones((20, 4), "float32")
    assert np.array_equal(clone(x, training=True), model(x, training=True))


def test_a_rate_of_one_is_refused():
    with pytest.raises(ValueError, match=r"rate in \[0, 1\).* Received: rate=1"):
        FastDropout(1)


def test_the_state_of_the_random_numbers_is_saved(tmp_path):
    def network():
        return keras.Sequential([keras.Input((1000,)), FastDropout(0.25, seed=1), FastDropout(0.0)])

    first, second, x = network(), network(), np.ones((1, 1000), "float32")
    first(x, training=True)
    first.save_weights(tmp_path / "some.weights.h5")
    first.save(tmp_path / "some.keras")
    second.load_weights(tmp_path / "some.weights.h5")
    third = keras.saving.load_model(tmp_path / "some.keras")
    expected = first(x, training=True)
    for other in (second, third):
        assert np.array_equal(other(x, training=True), expected)
    assert not np.array_equal(first(x, training=True), expected)


def test_files_without_it_are_read(tmp_path):
    inputs = keras.Input((3,))
    keras.Model(inputs, keras.layers.Dropout(0.25)(inputs)).save_weights(tmp_path / "of_keras.weights.h5")
    keras.Model(inputs, FastDropout(0.25, name="dropout")(inputs)).load_weights(tmp_path / "of_keras.weights.h5")
