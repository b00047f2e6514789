"""Yields of None: the weights of each batch are its expected events."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from neos_tf import CLsLoss, EmptyBinPenalty, SummaryStatistic, TemplateModel, binned_kde, sample_batches
from tests.neos_tf.parametric import EDGES, MODEL, YIELDS, events, loss_of_step, network, statistic
from tests.neos_tf.workspaces import MU, sample, specification, staterror

FLATNESS = EmptyBinPenalty(60.0)  # needs no fit, so that it is nearly free
NONE = dict.fromkeys(YIELDS)


def times(samples, **factors):
    return {name: (x, factors.get(name, 1.0) * w) for name, (x, w) in samples.items()}


def soft(summary, samples):
    return {name: binned_kde(summary(x), EDGES, 0.1, w) for name, (x, w) in samples.items()}


@pytest.mark.parametrize("expected", [NONE, YIELDS | {"signal": None}], ids=["all", "signal"])
def test_templates_are_the_weighted_histograms_of_the_batch(expected):
    summary = statistic(FLATNESS, keras.optimizers.SGD(0.0), yields=expected)
    for factor in (1.0, 3.0):
        samples = times(events(), signal=factor)
        loss = FLATNESS.of_likelihood(MODEL.bind(soft(summary, samples))).value
        np.testing.assert_allclose(loss_of_step(summary, samples), loss, rtol=1e-5)  # float32 scores
    by_yields = statistic(FLATNESS, keras.optimizers.SGD(0.0))
    assert abs(loss_of_step(by_yields, samples) - loss) > 1e-3


def test_histograms_are_the_mean_over_batches(tmp_path):
    summary = statistic(FLATNESS, yields=NONE | {"background": 100.0})
    batches = [events(seed=0), times(events(seed=1, n_events=100), signal=2.0, background=5.0)]
    data = sample_batches(batches[0], 200).concatenate(sample_batches(batches[1], 100))
    result = summary.evaluate(data, verbose=0)
    expected = {
        name: [
            np.histogram(summary(x).numpy().astype(float).ravel(), EDGES, weights=w)[0]
            for x, w in (batch[name] for batch in batches)
        ]
        for name in YIELDS
    }
    for name in ("signal", "up", "down"):
        np.testing.assert_allclose(summary.histograms()[name], np.mean(expected[name], axis=0), rtol=1e-12)  # float64
    shares = np.sum(expected["background"], axis=0) / 600  # of weights 100 and 500
    np.testing.assert_allclose(summary.histograms()["background"], 100 * shares, rtol=1e-12)
    summary.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.yields == NONE | {"background": 100.0}
    np.testing.assert_allclose(loaded.evaluate(data, verbose=0), result, rtol=1e-12)


def test_batches_of_scaled_weights_have_the_histograms_of_all_events():
    samples = events(n_events=120)
    summary = statistic(FLATNESS, yields=NONE)
    summary.evaluate(sample_batches(samples, 30, scale_weights=True), verbose=0)
    for name, (x, w) in samples.items():
        expected = np.histogram(summary(x).numpy().astype(float).ravel(), EDGES, weights=w)[0]
        np.testing.assert_allclose(summary.histograms()[name], expected, rtol=1e-12)  # float64


def test_statistical_uncertainties_are_those_of_the_mean():
    channel = [sample("s", "signal", MU), sample("b", "background", staterror("channel", "error"))]
    model = TemplateModel.from_spec(specification(channel=channel), n_bins=3)
    summary = SummaryStatistic(network(), model, EDGES, 0.1, yields={"signal": 20.0, "background": None})
    summary.compile(keras.optimizers.SGD(0.0), FLATNESS, metrics=(), run_eagerly=True)
    samples = {name: events()[name] for name in summary.yields}
    x, w = samples["background"]
    scores = summary(x)
    templates = summary.regions.templates(
        {"signal": scores, "background": scores}, *2 * [{"signal": tf.constant(w), "background": tf.constant(w)}]
    )
    np.testing.assert_allclose(templates["error"], np.sqrt(binned_kde(scores, EDGES, 0.1, w**2)), rtol=1e-12)
    summary.evaluate(tf.data.Dataset.from_tensors(samples).repeat(4), verbose=0)
    squares = np.histogram(scores.numpy().astype(float).ravel(), EDGES, weights=w**2)[0]
    np.testing.assert_allclose(summary.histograms()["error"], np.sqrt(4 * squares) / 4, rtol=1e-12)  # float64


def test_weights_of_zero_are_as_events_left_out():
    samples = events()
    (x, w), n = samples["up"], 50
    zeros = samples | {"up": (x, np.where(np.arange(len(w)) < n, 0, w))}
    without = samples | {"up": ({name: array[n:] for name, array in x.items()}, w[n:])}
    models = [statistic(FLATNESS, keras.optimizers.SGD(0.1), yields=NONE, dtype="float64") for _ in range(2)]
    losses = [loss_of_step(*of) for of in zip(models, (zeros, without), strict=True)]
    np.testing.assert_allclose(*losses, rtol=1e-12)  # float64
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_a_batch_without_weight_in_a_variation_is_a_step():
    model = TemplateModel.from_spec(MODEL.get_config()["spec"], n_bins=3, floor=1e-3)
    loss = CLsLoss()
    summary = statistic(loss, keras.optimizers.SGD(0.01), model=model, yields=NONE)
    samples, before = times(events(), down=0.0), summary.get_weights()
    expected = loss.of_likelihood(model.bind(soft(summary, samples)))
    assert expected.converged
    logs = summary.train_on_batch(samples, return_dict=True)
    assert logs["unconverged"] == 0
    np.testing.assert_allclose(logs["loss"], expected.value, rtol=1e-4)  # float32 scores
    after = summary.get_weights()
    assert all(np.isfinite(x).all() and not np.array_equal(x, y) for x, y in zip(after, before, strict=True))
    summary.evaluate(tf.data.Dataset.from_tensors(samples), verbose=0)
    assert not np.any(summary.histograms()["down"])
    by_yields = statistic(FLATNESS)
    by_yields.reset_metrics()
    assert by_yields.train_on_batch(samples, return_dict=True)["unconverged"] == 1  # its share is 0 / 0


def test_expected_events_need_weights():
    samples = events()
    samples["up"] = samples["up"][0]
    summary = statistic(FLATNESS, yields=YIELDS | {"up": None})
    for use in (summary.fit, summary.evaluate):
        with pytest.raises(ValueError, match=r"weights of sample 'up' in each batch, as its yield is None.*alone"):
            use(tf.data.Dataset.from_tensors(samples), verbose=0)
    with pytest.raises(ValueError, match=r"finite and not negative. Received: {'up': -1.0}"):
        statistic(FLATNESS, yields=NONE | {"up": -1.0})


def test_under_another_measurement_they_stay():
    channel = [sample("s", "signal", MU), sample("b", "background")]
    other = statistic(FLATNESS, yields=NONE).under(TemplateModel.from_spec(specification(channel=channel), n_bins=3))
    assert other.yields == {"signal": None, "background": None}
