"""Networks, edges and measurements that change: by channel, under another model, after a start on cross-entropy."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from neos_tf import (
    BCELoss,
    EmptyBinPenalty,
    LearnableEdges,
    SoftBins,
    SoftCut,
    SummaryStatistic,
    TemplateModel,
    binned_kde,
    export_savedmodel,
    sample_batches,
)
from tests.neos_tf.blobs import EDGES, MODEL, YIELDS, blobs, network, shares, statistic
from tests.neos_tf.workspaces import MU, sample, specification

FLATNESS = EmptyBinPenalty(60.0)  # needs no fit, so that it is nearly free
REGIONS = TemplateModel.from_spec(
    specification(
        signal_region=[sample("signal", "signal_sr", MU), sample("background", "background_sr")],
        control_region=[sample("background", "background_cr")],
        fixed_region=[sample("background", [50.0])],
    ),
    n_bins={"signal_region": 3, "control_region": 4},
)
SR_EDGES = [0.0, 0.3, 0.6, 1.0]
REGION_YIELDS = {"signal_sr": 20.0, "background_sr": 100.0, "background_cr": 200.0}


def logits(n):
    normal = keras.initializers.RandomNormal(stddev=1.0, seed=3)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(n, kernel_initializer=normal)])


def in_regions(**options):
    parts = {
        "network": {"signal_region": network(), "control_region": logits(4)},
        "edges": {"signal_region": LearnableEdges(SR_EDGES), "control_region": SoftBins(4)},
        "selection": {"signal_region": SoftCut(0, -2.0, 0.5), "control_region": None},
        "bandwidth": 0.1,
    }
    summary = SummaryStatistic(model=REGIONS, yields=REGION_YIELDS, **parts | options)
    summary.compile(keras.optimizers.SGD(0.1), FLATNESS, metrics=("sigma_mu",), run_eagerly=True)
    return summary


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(1)
    two = blobs(80)
    control = rng.normal(size=(90, 3)).astype("float32")  # other events, with other features
    return {"signal_sr": two["signal"], "background_sr": two["background"], "background_cr": control}


def test_each_channel_has_its_network_edges_and_selection(events):
    summary = in_regions()
    cut = summary.selection["signal_region"]
    templates = {
        name: REGION_YIELDS[name]
        / 80
        * binned_kde(summary.network["signal_region"](events[name]), SR_EDGES, 0.1, cut(events[name]))
        for name in ("signal_sr", "background_sr")
    }
    z = np.exp(summary.network["control_region"](events["background_cr"]).numpy().astype(float))
    templates["background_cr"] = 200 / 90 * (z / z.sum(axis=1, keepdims=True)).sum(axis=0)
    expected = FLATNESS.of_likelihood(REGIONS.bind(templates)).value
    before = [weight.copy() for weight in summary.get_weights()]
    received = summary.train_on_batch(events, return_dict=True)["loss"]
    np.testing.assert_allclose(received, expected, rtol=1e-5)  # float32
    assert not any(np.array_equal(x, y) for x, y in zip(before, summary.get_weights(), strict=True))


def test_channels_are_evaluated_saved_and_served(events, tmp_path):
    summary = in_regions()
    result = summary.evaluate(tf.data.Dataset.from_tensors(events), verbose=0, return_dict=True)
    assert list(result) == ["loss", "sigma_mu", "unconverged"] and 0 < result["sigma_mu"] < np.inf
    x = events["background_cr"]
    largest = summary.network["control_region"](x).numpy().argmax(axis=1)
    expected = 200 / 90 * np.bincount(largest, minlength=4)
    np.testing.assert_allclose(summary.histograms()["background_cr"], expected, rtol=1e-13)  # float64
    summary.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    again = loaded.evaluate(tf.data.Dataset.from_tensors(events), verbose=0, return_dict=True)
    assert again == pytest.approx(result, rel=1e-12)
    export_savedmodel(loaded, tmp_path / "served")
    served = tf.saved_model.load(tmp_path / "served")
    received = served.histogram_control_region(x, np.full(90, 200 / 90))["counts"]
    np.testing.assert_allclose(received, expected, rtol=1e-13)
    assert served.serve_signal_region(events["signal_sr"])["score"].shape == (80, 1)
    with pytest.raises(ValueError, match=r"statistic.network\[channel\]"):
        summary(x)


def test_a_network_that_channels_share_is_one_after_loading(tmp_path):
    shared = network()
    both = {"signal_region": shared, "control_region": shared}
    edges = {"signal_region": SR_EDGES, "control_region": [0.0, 0.2, 0.4, 0.6, 1.0]}
    summary = in_regions(network=both, edges=edges, selection=None)
    summary.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.network["signal_region"] is loaded.network["control_region"]
    for received, expected in zip(loaded.get_weights(), summary.get_weights(), strict=True):
        assert np.array_equal(received, expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"edges": {"signal_region": SR_EDGES}}, "edges of the channels .*control_region. Received: signal_region"),
        ({"network": {"signal_region": network(), "other": network()}}, "network of the channels.*Received: .*other"),
        ({"bandwidth": {"signal_region": 0.1, "control_region": 0.1}}, "no bandwidth with SoftBins"),
        ({"bandwidth": None}, "bandwidth.*None"),
        ({"edges": SR_EDGES, "network": network(), "selection": None}, r"'background_cr'.*\(4,\).*3 bins"),
    ],
)
def test_bad_channels_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        in_regions(**options)


def test_under_another_measurement_the_network_is_the_same():
    summary = statistic(FLATNESS, optimizer=keras.optimizers.Adam(0.1), edges=LearnableEdges(EDGES))
    signal, background = sample("signal", "signal", MU), sample("background", "background")
    simple = TemplateModel.from_spec(specification(channel=[signal, background]), n_bins=3)
    other = summary.under(simple)
    assert other.yields == {"signal": 20.0, "background": 100.0} and other.network is summary.network
    assert other.objective == FLATNESS and other.optimizer is not summary.optimizer
    summary.train_on_batch(blobs())
    samples = {name: x for name, x in blobs().items() if name in other.yields}
    other.compile("sgd", FLATNESS, metrics=(), run_eagerly=True)
    other.evaluate(samples, batch_size=300, verbose=0)
    assert np.abs(summary.edges - EDGES)[1:-1].min() > 1e-3
    for name, x in samples.items():
        expected = YIELDS[name] * shares(summary(x).numpy().astype(float), summary.edges.numpy().astype(float))
        np.testing.assert_allclose(other.histograms()[name], expected, rtol=1e-13)  # float64
    twice = summary.under(MODEL, yields={name: 2 * value for name, value in YIELDS.items()})
    assert twice.yields["signal"] == 40


def test_a_start_on_cross_entropy_is_that_of_a_network_trained_on_it():
    samples = blobs(100)
    batches = sample_batches(samples, 50, seed=None)
    reference = statistic(BCELoss(), optimizer=keras.optimizers.Adam(0.05))
    for batch in batches.repeat().take(3):
        reference.train_on_batch(batch)
    frozen = statistic(FLATNESS, optimizer=keras.optimizers.Adam(0.05))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Keras warns of shuffle=True, its default, with a dataset
        frozen.fit(batches, epochs=0, cross_entropy_steps=3, verbose=0)
    for received, expected in zip(frozen.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-7)  # float32
    assert frozen.optimizer.iterations == 0
    assert frozen.fit(batches, epochs=2, verbose=0).history["unconverged"] == [0, 0]


def test_cross_entropy_needs_events_of_both_classes():
    background = TemplateModel.from_spec(
        specification(c=[sample("s", [1.0, 2.0, 3.0], MU), sample("b", "b")]), n_bins=3
    )
    summary = SummaryStatistic(network(), background, EDGES, 0.1, yields={"b": 50.0})
    summary.compile("sgd", FLATNESS, run_eagerly=True)
    with pytest.raises(ValueError, match=r"cross_entropy_steps\. Received: none; b\."):
        summary.fit({"b": np.ones((5, 2))}, cross_entropy_steps=2)


def test_a_template_of_two_channels_has_one_histogram():
    """Also where the name of a channel has a slash."""
    shared = [sample("signal", "signal", MU), sample("background", [50.0, 60.0])]
    model = TemplateModel.from_spec(specification(**{"a/b": shared, "c": shared}))
    assert model.templates["signal"].channels == ("a/b", "c")
    edges = {"a/b": [0.0, 0.5, 1.0], "c": [0.0, 0.2, 1.0]}
    with pytest.raises(ValueError, match="the same edges in the channels a/b, c, which share template 'signal'"):
        SummaryStatistic(network(), model, edges, 0.1, yields={"signal": 20.0})
    one = SummaryStatistic(network(), model, edges | {"c": edges["a/b"]}, 0.1, yields={"signal": 20.0})
    assert one.regions.channels == {"signal": "a/b"}
