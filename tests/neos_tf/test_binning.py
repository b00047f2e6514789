import keras
import numpy as np
import pytest
import tensorflow as tf

from neos_tf import EmptyBinPenalty, SoftBins, SummaryStatistic, export_savedmodel
from tests.neos_tf.blobs import MODEL, YIELDS, blobs

BINS = SoftBins(3, temperature=0.5)


def network(dtype=None):
    normal = [keras.initializers.RandomNormal(stddev=1.0, seed=seed) for seed in (0, 1)]
    return keras.Sequential(
        [
            keras.Input((2,), dtype=dtype),
            keras.layers.Dense(8, "tanh", kernel_initializer=normal[0], dtype=dtype),
            keras.layers.Dense(3, kernel_initializer=normal[1], dtype=dtype),
        ]
    )


def soft_statistic(loss, optimizer="sgd", dtype=None):
    statistic = SummaryStatistic(network(dtype), MODEL, BINS, yields=YIELDS)
    statistic.compile(optimizer, loss, run_eagerly=True)
    return statistic


@pytest.fixture(scope="module")
def outputs():
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 3)), rng.uniform(size=50)


def test_soft_counts_are_the_closed_form(outputs):
    z, weights = outputs
    powers = np.exp(z / 0.5)
    expected = weights @ (powers / powers.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(BINS.soft(z, weights), expected, rtol=1e-13)  # float64


def test_hard_counts_are_those_of_the_largest_output(outputs):
    z, weights = outputs
    expected = np.bincount(z.argmax(axis=1), weights, minlength=3)
    np.testing.assert_allclose(BINS.hard(tf.constant(z, tf.float32), weights), expected, rtol=1e-13)  # float64
    cold = SoftBins(3, temperature=1e-6)  # two outputs that differ by 1e-4 count as e^-100
    np.testing.assert_allclose(cold.soft(z, weights), expected, rtol=1e-13)
    assert np.isnan(BINS.hard(np.full((1, 3), np.nan), np.ones(1))).all()


def test_a_step_has_the_gradient_of_the_pipeline():
    """By finite differences of the loss, with the softmax by NumPy."""
    loss, samples = EmptyBinPenalty(60.0), blobs(40)
    model = soft_statistic(loss, keras.optimizers.SGD(1.0), dtype="float64")
    start = model.get_weights()

    def by_numpy():
        templates = {}
        for name, x in samples.items():
            powers = np.exp(model(x).numpy() / 0.5)
            templates[name] = YIELDS[name] * (powers / powers.sum(axis=1, keepdims=True)).mean(axis=0)
        return float(loss.of_likelihood(MODEL.bind(templates)).value)

    expected = by_numpy()
    np.testing.assert_allclose(model.train_on_batch(samples, return_dict=True)["loss"], expected, rtol=1e-12)  # float64
    slopes = [before - after for before, after in zip(start, model.get_weights(), strict=True)]
    rng, step, sides = np.random.default_rng(0), 1e-5, []  # truncation step**2, rounding 1e-14 / step
    direction = [rng.normal(size=weight.shape) for weight in start]
    for sign in (1, -1):
        model.set_weights([weight + sign * step * d for weight, d in zip(start, direction, strict=True)])
        sides.append(by_numpy())
    slope = sum(np.sum(slope * d) for slope, d in zip(slopes, direction, strict=True))
    np.testing.assert_allclose((sides[0] - sides[1]) / (2 * step), slope, rtol=1e-6)


def test_a_statistic_of_soft_bins_is_evaluated_saved_and_served(tmp_path):
    samples = blobs(60)
    model = soft_statistic(EmptyBinPenalty(60.0))
    model.evaluate(samples, batch_size=60, verbose=0)
    for name, x in samples.items():
        expected = YIELDS[name] / 60 * np.bincount(model(x).numpy().argmax(axis=1), minlength=3)
        np.testing.assert_allclose(model.histograms()[name], expected, rtol=1e-13)  # float64
    model.save(tmp_path / "soft.keras")
    loaded = keras.saving.load_model(tmp_path / "soft.keras")
    assert loaded.regions.bins("signal") == BINS
    export_savedmodel(loaded, tmp_path / "served")
    x, weights = samples["signal"], np.full(60, 20 / 60)
    served = tf.saved_model.load(tmp_path / "served")
    counts = served.histogram(x, weights)["counts"]
    np.testing.assert_allclose(counts, model.histograms()["signal"], rtol=1e-13)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SoftBins(1), "at least two bins.*n=1"),
        (lambda: SoftBins(4, 0.0), "temperature=0.0"),
        (lambda: SummaryStatistic(network(), MODEL, BINS, 0.1, yields=YIELDS), "no bandwidth.*0.1"),
        (lambda: SummaryStatistic(network(), MODEL, [0.0, 1.0], yields=YIELDS), "bandwidth.*None"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
