import keras
import numpy as np
import pytest
import tensorflow as tf

from neos_tf import EmptyBinPenalty, QuantileBins, SummaryStatistic, binned_kde, export_savedmodel, quantile_edges
from tests.neos_tf.blobs import network as of_one_input
from tests.neos_tf.parametric import MODEL, YIELDS, events, loss_of_step, network, statistic
from tests.neos_tf.test_regions import REGION_YIELDS, REGIONS, in_regions

FLATNESS = EmptyBinPenalty(60.0)  # needs no fit, so that it is nearly free
BINS = QuantileBins(3, of="signal")


def brute_force(outputs, n, weights):
    """By a straight line between the middles of the distinct outputs, one after the other."""
    distinct = np.unique(outputs[weights > 0])
    weights = np.array([weights[outputs == output].sum() for output in distinct])
    outputs = distinct
    middles = [(weights[:i].sum() + weights[i] / 2) / weights.sum() for i in range(len(outputs))]
    return np.interp(np.arange(n + 1) / n, middles, outputs)


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_without_weights_they_are_those_of_numpy(n):
    outputs = np.random.default_rng(0).normal(size=(101, 1))
    expected = np.quantile(outputs, np.arange(n + 1) / n, method="hazen")
    np.testing.assert_allclose(quantile_edges(outputs, n), expected, rtol=1e-12, atol=1e-14)  # float64
    if n > 1:
        shares = np.histogram(outputs, quantile_edges(outputs, n))[0]
        assert np.abs(shares - 101 / n).max() <= 1  # half an event at either edge


@pytest.mark.parametrize("compiled", [None, False, True], ids=["eager", "graph", "XLA"])
def test_weights_ties_and_zero_weights(compiled):
    rng = np.random.default_rng(1)
    outputs = rng.normal(size=200).round(1)  # with ties
    weights = np.where(rng.uniform(size=200) < 0.3, 0.0, rng.exponential(size=200))
    outputs[weights == 0] += rng.choice([-9.0, 0.03, 9.0], (weights == 0).sum())
    make = quantile_edges if compiled is None else tf.function(quantile_edges, jit_compile=compiled)
    received = make(tf.constant(outputs), 6, tf.constant(weights))
    np.testing.assert_allclose(received, brute_force(outputs, 6, weights), rtol=1e-11)  # float64
    shares = np.histogram(outputs, [-99, *received[1:-1], 99], weights=weights)[0] / weights.sum()
    largest = max(weights[outputs == output].sum() for output in outputs) / weights.sum()
    assert 0.02 < np.abs(np.cumsum(shares) - np.arange(1, 7) / 6).max() <= largest / 2


def test_shares_can_be_chosen():
    outputs = np.random.default_rng(2).normal(size=1001)
    below = (0.5, 0.9, 0.99)
    expected = np.quantile(outputs, (0, *below, 1), method="hazen")
    np.testing.assert_allclose(quantile_edges(outputs, below), expected, rtol=1e-12)  # float64
    assert QuantileBins(np.array(below), of="signal") == QuantileBins(below, of="signal")
    assert QuantileBins(below, of="signal").n == 4
    for wrong in ((0.5, 0.4), (0.0, 0.5), (0.5, 1.0), 1.5):
        with pytest.raises(ValueError, match=r"increasing shares within \(0, 1\)"):
            quantile_edges(outputs, wrong)


def test_what_has_no_quantiles_is_named():
    for outputs, weights, message in (
        (
            [0.1, 0.5, 0.5, 0.5, 0.5],
            None,
            r"quantiles increase\. Received: \[0.1, 0.28.*, 0.5, 0.5\].*fewer bins than 3",
        ),
        ([0.1, 0.5], [1.0, 1e3], r"large part of the weights"),
        ([0.1, np.nan], None, "outputs that are not finite"),
        ([0.1, 0.2], [1.0, -1.0], "a negative weight"),
        ([0.1, 0.2], [0.0, 0.0], "no weight above 0"),
        ([0.1, 0.2], [1.0], "one weight for each of the 2 samples"),
    ):
        with pytest.raises(ValueError, match=message):
            quantile_edges(outputs, 3, weights)
    with pytest.raises(ValueError, match=r"within \(0, 1\). Received: bins=0"):
        quantile_edges([0.1], 0)
    in_graph = tf.function(quantile_edges)
    np.testing.assert_allclose(in_graph(tf.constant([0.1, 0.5, 0.5, 0.5, 0.5]), 3)[2:], 0.5, rtol=1e-6)  # float32
    assert np.isnan(in_graph(tf.constant([0.1, 0.5]), 2, tf.zeros(2))).all()


def soft(summary, samples, edges):
    return {name: binned_kde(summary(x), edges, 0.1, w, outside="fold") for name, (x, w) in samples.items()}


def test_a_step_has_the_gradient_with_the_edges_held():
    """Weights of the signal differ from event to event, and the edges are quantiles of them."""
    samples = events()
    summary = statistic(FLATNESS, keras.optimizers.SGD(1.0), edges=BINS, yields=dict.fromkeys(YIELDS), dtype="float64")
    x, w = samples["signal"]
    edges = brute_force(summary(x).numpy().ravel(), 3, w)
    start = summary.get_weights()

    def by_hand():
        return float(FLATNESS.of_likelihood(MODEL.bind(soft(summary, samples, edges))).value)

    expected = by_hand()
    np.testing.assert_allclose(loss_of_step(summary, samples), expected, rtol=1e-12)  # float64
    slopes = [before - after for before, after in zip(start, summary.get_weights(), strict=True)]
    rng, step, sides = np.random.default_rng(0), 1e-5, []  # truncation step**2, rounding 1e-14 / step
    direction = [rng.normal(size=weight.shape) for weight in start]
    for sign in (1, -1):
        summary.set_weights([weight + sign * step * d for weight, d in zip(start, direction, strict=True)])
        sides.append(by_hand())
    slope = sum(np.sum(slope * d) for slope, d in zip(slopes, direction, strict=True))
    assert abs(slope) > 1e-3
    np.testing.assert_allclose((sides[0] - sides[1]) / (2 * step), slope, rtol=1e-6)


def test_each_batch_has_its_own_quantiles(tmp_path):
    """Float64 scores, so that no event is on another side of an edge."""
    summary = statistic(FLATNESS, edges=BINS, yields=dict.fromkeys(YIELDS), dtype="float64")
    batches = [events(theta, seed=seed) for seed, theta in enumerate((0.2, 1.0))]
    expected = {name: [] for name in YIELDS}
    for batch in batches:
        x, w = batch["signal"]
        inner = brute_force(summary(x).numpy().ravel(), 3, w)[1:-1]
        for name, (x, w) in batch.items():
            expected[name].append(np.histogram(summary(x).numpy().ravel(), [-1, *inner, 2], weights=w)[0])
    datasets = [tf.data.Dataset.from_tensors(batch) for batch in batches]
    data = datasets[0].concatenate(datasets[1])
    result = summary.evaluate(data, verbose=0)
    for name, counts in expected.items():
        np.testing.assert_allclose(summary.histograms()[name], np.mean(counts, axis=0), rtol=1e-12)  # float64
    shares = summary.histograms()["signal"].numpy() / 20
    np.testing.assert_allclose(shares, 1 / 3, atol=1.5 / 200)  # the weight of an event
    summary.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config()["edges"] == summary.get_config()["edges"]
    np.testing.assert_allclose(loaded.evaluate(data, verbose=0), result, rtol=1e-12)
    with pytest.raises(ValueError, match=r"QuantileBins. Give the statistic edges=quantile_edges"):
        _ = loaded.edges


@pytest.mark.parametrize("jit_compile", [False, True])
def test_they_are_trained_on_in_graphs(jit_compile):
    summary = statistic(FLATNESS, edges=BINS, eager=False)
    summary.compile(keras.optimizers.Adam(0.02), FLATNESS, metrics=(), jit_compile=jit_compile)
    data = tf.data.Dataset.from_tensors(events()).concatenate(tf.data.Dataset.from_tensors(events(1.0)))
    history = summary.fit(data, epochs=3, verbose=0).history
    assert history["unconverged"] == [0, 0, 0] and history["loss"][2] < history["loss"][0]


def test_a_step_without_signal_is_none():
    samples = events()
    samples["signal"] = samples["signal"][0], np.zeros(200)
    summary = statistic(FLATNESS, edges=BINS, yields=dict.fromkeys(YIELDS), eager=False)
    before = summary.get_weights()
    logs = summary.train_on_batch(samples, return_dict=True)
    assert logs["unconverged"] == 1
    assert all(np.array_equal(x, y) for x, y in zip(before, summary.get_weights(), strict=True))


def test_bad_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"at least two bins. Received: bins=1"):
        QuantileBins(1, of="signal")
    with pytest.raises(ValueError, match=r"in channel 'channel', signal, background, up, down. Received: of='data'"):
        statistic(FLATNESS, edges=QuantileBins(3, of="data"))
    edges = {"signal_region": QuantileBins(3, of="background_cr"), "control_region": [0.0, 0.2, 0.4, 0.6, 1.0]}
    with pytest.raises(ValueError, match=r"in channel 'signal_region', signal_sr, background_sr. Received"):
        in_regions(network=of_one_input(), edges=edges, selection=None)
    with pytest.raises(ValueError, match=r"bandwidth .*None"):
        SummaryStatistic(network(), MODEL, BINS, yields=YIELDS)
    edges["signal_region"] = QuantileBins(3, of="background_sr")
    summary = SummaryStatistic(of_one_input(), REGIONS, edges, 0.1, yields=REGION_YIELDS)
    with pytest.raises(ValueError, match=r"do not depend on the batch. Received: QuantileBins"):
        export_savedmodel(summary, tmp_path / "served")
