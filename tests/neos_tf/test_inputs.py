"""Networks of several named inputs, as a parametric one has."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from neos_tf import EmptyBinPenalty, SoftCut, binned_kde, export_savedmodel, sample_batches
from neos_tf.checks import events_of
from tests.neos_tf.blobs import statistic as of_one_input
from tests.neos_tf.parametric import EDGES, MODEL, YIELDS, events, loss_of_step, network, statistic

FLATNESS = EmptyBinPenalty(60.0)  # needs no fit, so that it is nearly free


def test_a_step_and_evaluation_are_those_of_both_inputs(tmp_path):
    samples = events()
    cut = SoftCut(0, -1.0, 0.5, input_name="features")
    summary = statistic(FLATNESS, keras.optimizers.SGD(0.0), selection=cut)
    templates, hard = {}, {}
    for name, (inputs, w) in samples.items():
        scores = summary.network({"theta": inputs["theta"], "features": inputs["features"]})
        scale = YIELDS[name] / w.sum()
        templates[name] = scale * binned_kde(scores, EDGES, 0.1, w * cut(inputs["features"]).numpy())
        passed = inputs["features"][:, 0] > -1
        hard[name] = scale * np.histogram(scores.numpy().astype(float).ravel(), EDGES, weights=w * passed)[0]
    expected = FLATNESS.of_likelihood(MODEL.bind(templates)).value
    np.testing.assert_allclose(loss_of_step(summary, samples), expected, rtol=1e-5)  # float32 scores
    results = [
        summary.evaluate(data, batch_size=size, verbose=0)
        for data, size in ((samples, 70), (tf.data.Dataset.from_tensors(samples), None))
    ]
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)  # Keras makes arrays float32
    for name, counts in hard.items():
        np.testing.assert_allclose(summary.histograms()[name], counts, rtol=1e-6)
    inputs = samples["signal"][0]
    assert np.array_equal(summary(inputs), summary.network(inputs))
    summary.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.evaluate(samples, batch_size=200, verbose=0), results[0], rtol=1e-6)
    assert loaded.selection.input_name == "features"


def test_training_in_graphs_follows_theta():
    batches = sample_batches(events(0.2), 50).concatenate(sample_batches(events(1.0), 50))
    summary = statistic(FLATNESS, keras.optimizers.Adam(0.02), eager=False)
    history = summary.fit(batches, epochs=2, cross_entropy_steps=2, verbose=0, validation_data=batches).history
    assert history["unconverged"] == [0, 0] and history["loss"][1] < history["loss"][0]


def test_batches_of_named_inputs_keep_rows_together():
    n = np.arange(12.0)
    named = {"features": np.stack([n, n], 1), "theta": n[:, None]}
    shifted = {"up": ("signal", lambda x, w: ({**x, "features": x["features"] + 1}, 2 * w))}
    batches = sample_batches({"signal": (named, n), "background": named}, 4, variations=shifted)
    for batch in batches:
        x, w = batch["signal"]
        assert np.array_equal(x["features"][:, :1], x["theta"]) and np.array_equal(x["theta"][:, 0], w)
        assert np.array_equal(batch["up"][0]["features"], x["features"] + 1)
        assert set(batch["background"]) == {"features", "theta"}
    groups = [("signal", "background")]
    for batch in sample_batches({"signal": named, "background": named}, 4, paired=groups):
        assert np.array_equal(batch["signal"]["theta"], batch["background"]["features"][:, :1])


def test_each_input_has_its_type_and_invalid_values_count_once():
    dtypes = {"signal": {"features": "float64", "index": "int32"}}
    given = {"features": np.ones((3, 2), "float32"), "index": np.arange(3)}
    features, weights = events_of({"signal": given}, {"signal": 1.0}, dtypes)
    assert {name: array.dtype for name, array in features["signal"].items()} == {
        "features": tf.float64,
        "index": tf.int64,
    }
    assert weights["signal"].shape == (3,)
    samples = events()
    samples["up"][0]["features"][3] = np.nan
    samples["up"][0]["theta"][3:5] = np.inf
    with pytest.raises(ValueError, match="infinite values in 2 events of 'up'"):
        statistic(FLATNESS).evaluate(samples, batch_size=200, verbose=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x["features"], "sample 'up' by the inputs of its network, features, theta. Received: one array"),
        (lambda x: {"features": x["features"]}, "'up' .* features, theta. Received: features"),
        (lambda x: {**x, "mass": x["theta"]}, "'up' .* features, theta. Received: features, theta, mass"),
    ],
)
def test_other_inputs_are_named(change, message):
    samples = events()
    samples["up"] = change(samples["up"][0]), samples["up"][1]
    for use in (statistic(FLATNESS).fit, statistic(FLATNESS).evaluate):
        with pytest.raises(ValueError, match=message):
            use(tf.data.Dataset.from_tensors(samples), verbose=0)


def test_bad_arguments_are_named(tmp_path):
    named = {"features": np.ones((5, 2)), "theta": np.ones((4, 1))}
    with pytest.raises(ValueError, match=r"one row of each input .* of sample 'signal'. Received: lengths \[4, 5\]"):
        sample_batches({"signal": named}, 2)
    with pytest.raises(ValueError, match=r"one of the inputs features, theta. Received: None"):
        statistic(FLATNESS, selection=SoftCut(0, 0.0, 1.0))
    with pytest.raises(ValueError, match=r"one input\. Received: 2 known inputs .* alone, network.export"):
        export_savedmodel(statistic(FLATNESS), tmp_path / "served")
    one = of_one_input(FLATNESS)
    x = {"features": np.ones((3, 2))}
    with pytest.raises(ValueError, match=r"'signal' by the inputs of its network, .* Received: features"):
        one.train_on_batch(dict.fromkeys(one.yields, x))


def test_a_network_that_does_not_know_its_inputs_is_given_what_there_is():
    class Sum(keras.Model):
        def call(self, inputs, training=False):
            return keras.ops.sigmoid(keras.ops.sum(inputs["features"], -1, keepdims=True) - inputs["theta"])

    summary = statistic(FLATNESS)
    samples = events()
    own = Sum()
    own(samples["signal"][0])
    other = type(summary)(own, MODEL, EDGES, 0.1, yields=YIELDS)
    other.compile("sgd", FLATNESS, metrics=(), run_eagerly=True)
    other.evaluate(samples, batch_size=200, verbose=0)
    inputs, w = samples["up"]
    expected = np.histogram(np.ravel(own(inputs)), EDGES, weights=w.astype("float32"))[0]
    np.testing.assert_allclose(other.histograms()["up"], expected, rtol=1e-5)  # float32
    assert len(network().inputs) == 2
