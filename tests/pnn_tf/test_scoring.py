import gc
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest

from pnn_tf import parametric_network, predict_scores, scan_theta
from pnn_tf.scoring import _parts

GRID = np.linspace(500, 1500, 4)


class Subclassed(keras.Model):
    """Does not say what its inputs are."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, "sigmoid")
        self.traces = 0

    def call(self, inputs):
        self.traces += 1
        return self.dense(keras.ops.concatenate([inputs["features"], inputs["theta"] / 1000], axis=1))


def network(**keywords):
    return parametric_network(3, units=(8, 4), affine_start="glorot_uniform", seed=1, **keywords)


def of_features_alone():
    x = keras.Input((3,), name="features")
    return keras.Model({"features": x}, keras.layers.Dense(1, "sigmoid")(x))


def with_policy(policy):
    keras.config.set_dtype_policy(policy)
    try:
        return network()
    finally:
        keras.config.set_dtype_policy("float32")


MODELS = {
    "affine": network,
    "concat": lambda: network(conditioning="concat"),
    "no theta": lambda: network(conditioning=None),
    "features alone": of_features_alone,
    "subclassed": Subclassed,
    "float64": lambda: with_policy("float64"),
    "mixed_bfloat16": lambda: with_policy("mixed_bfloat16"),
}


def events(n_events):
    generator = np.random.default_rng(n_events)
    return generator.normal(size=(n_events, 3)).astype("float32"), generator.choice(GRID, n_events)


def expected_scores(model, x, theta):
    inputs = {"features": x, "theta": np.reshape(theta, (-1, 1)).astype("float32")}
    if not isinstance(model, Subclassed) and len(model.inputs) == 1:
        del inputs["theta"]
    return np.asarray(keras.ops.cast(model(inputs, training=False), "float32"))[:, 0]


@pytest.mark.parametrize("kind", MODELS)
def test_scores_are_those_of_calling_the_model(kind):
    model = MODELS[kind]()
    atol = 2**-6 if kind == "mixed_bfloat16" else 1e-6  # of 8 bits, or float32
    for n_events in (1, 7, 100):
        x, theta = events(n_events)
        scores = predict_scores(model, x, theta, batch_size=30)
        np.testing.assert_allclose(scores, expected_scores(model, x, theta), atol=atol)
        scan = scan_theta(model, x, GRID, batch_size=30)
        assert scan.shape == (4, n_events) and scan.dtype == scores.dtype == np.float32
        for point, of_point in zip(GRID, scan, strict=True):
            np.testing.assert_allclose(of_point, expected_scores(model, x, np.full(n_events, point)), atol=atol)
            np.testing.assert_allclose(predict_scores(model, x, point), of_point, atol=atol)


@pytest.mark.parametrize("kind", ["affine", "subclassed"])
def test_weights_of_now_are_used(kind):
    model = MODELS[kind]()
    x, theta = events(50)
    before = predict_scores(model, x, theta), scan_theta(model, x, GRID)
    model.set_weights([w + 0.1 for w in model.get_weights()])
    np.testing.assert_allclose(predict_scores(model, x, theta), expected_scores(model, x, theta), atol=1e-6)
    model.compile("sgd", "binary_crossentropy")
    model.fit({"features": x, "theta": theta[:, None]}, np.ones((50, 1)), verbose=0)
    after = predict_scores(model, x, theta), scan_theta(model, x, GRID)
    np.testing.assert_allclose(after[0], expected_scores(model, x, theta), atol=1e-6)
    assert all(np.abs(a - b).max() > 1e-3 for a, b in zip(after, before, strict=True))


def test_what_preprocessing_has_learnt_by_now_is_used(tmp_path):
    def made():
        parts = keras.layers.Normalization(), keras.layers.Discretization(num_bins=3)
        x, theta = keras.Input((3,), name="features"), keras.Input((1,), name="theta")
        joined = keras.layers.Concatenate()([parts[0](x), keras.ops.cast(parts[1](x), "float32"), theta / 1000])
        dense = keras.layers.Dense(1, "sigmoid", kernel_initializer=keras.initializers.GlorotUniform(seed=1))
        return keras.Model({"features": x, "theta": theta}, dense(joined)), *parts

    model, normalization, bins = made()
    other, of_other, _ = made()
    x, theta = events(50)
    of_other.adapt(7 * x - 5)
    other.save_weights(tmp_path / "other.weights.h5")
    last = None
    for change in (
        lambda: bins.adapt(x),
        lambda: normalization.adapt(3 * x + 2),
        lambda: model.load_weights(tmp_path / "other.weights.h5"),
        lambda: bins.adapt(x + 3),
    ):
        change()
        scores, scan = predict_scores(model, x, theta), scan_theta(model, x, GRID)
        np.testing.assert_allclose(scores, expected_scores(model, x, theta), atol=1e-6)
        np.testing.assert_allclose(scan[0], expected_scores(model, x, np.full(50, GRID[0])), atol=1e-6)
        assert last is None or np.abs(scores - last).max() > 1e-3
        last = scores


def test_other_activations_layers_and_variables_are_seen():
    model = network(conditioning="concat")
    x, theta = events(50)
    predict_scores(model, x, theta)
    model.get_layer("score").activation = keras.activations.tanh
    np.testing.assert_allclose(predict_scores(model, x, theta), expected_scores(model, x, theta), atol=1e-6)
    model.get_layer("dense_1").enable_lora(2)
    model.set_weights([w + 0.1 for w in model.get_weights()])
    np.testing.assert_allclose(predict_scores(model, x, theta), expected_scores(model, x, theta), atol=1e-6)
    sequential = keras.Sequential([keras.Input((3,), name="features"), keras.layers.Dense(1)])
    predict_scores(sequential, x, 0.0)
    sequential.add(keras.layers.Activation("sigmoid"))
    np.testing.assert_allclose(predict_scores(sequential, x, 0.0), sequential(x)[:, 0], atol=1e-6)


def test_a_model_is_traced_once_for_any_number_of_events():
    model = Subclassed()
    x, theta = events(100)
    predict_scores(model, x[:2], theta[:2])
    scan_theta(model, x[:1], GRID[:1])
    in_first_calls = model.traces
    for n_events in (5, 100, 31):
        predict_scores(model, x[:n_events], theta[:n_events], batch_size=30)
        scan_theta(model, x[:n_events], GRID, batch_size=30)
    assert model.traces == in_first_calls


@pytest.mark.parametrize("kind", ["affine", "subclassed"])
def test_a_model_that_is_not_used_any_more_is_let_go(kind):
    model = MODELS[kind]()
    x, theta = events(5)
    predict_scores(model, x, theta)
    scan_theta(model, x, GRID)
    last = weakref.ref(model)
    del model
    gc.collect()
    assert last() is None


@pytest.mark.parametrize(("n", "batch_size"), [(1, 10), (10, 10), (11, 10), (12, 10), (16385, 16384), (35, 10), (3, 1)])
def test_parts_are_equal_and_hardly_larger_than_asked_for(n, batch_size):
    parts = list(_parts(n, batch_size))
    sizes = [part.stop - part.start for part in parts]
    assert np.array_equal(np.concatenate([np.arange(n)[part] for part in parts]), np.arange(n))
    assert max(sizes) <= 9 / 8 * batch_size and max(sizes) - min(sizes) <= 1


def test_one_event_more_than_a_batch_is_computed_with_it():
    assert len(list(_parts(16385, 16384))) == len(list(_parts(16384, 16384))) == 1


CHILD = """
import keras, numpy as np, tensorflow as tf
devices = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(devices[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from pnn_tf import evaluate_hypotheses, parametric_network, predict_scores, scan_theta
x = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
theta, label = np.tile([500.0, 1000.0], 25), np.arange(50) // 2 % 2
alone = parametric_network(3, units=(8, 4), seed=1, affine_start="glorot_uniform")
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
with strategy.scope():
    mirrored = parametric_network(3, units=(8, 4), seed=1, affine_start="glorot_uniform")
    mirrored.compile("sgd", "binary_crossentropy")
mirrored.fit({"features": x, "theta": theta[:, None]}, label[:, None], batch_size=10, verbose=0)
alone.set_weights(mirrored.get_weights())
for score in (
    lambda model: predict_scores(model, x, theta, batch_size=20),
    lambda model: predict_scores(model, x, 750.0),
    lambda model: scan_theta(model, x, [500.0, 750.0]),
    lambda model: evaluate_hypotheses(model, x, theta, label)[0].auc,
):
    expected = score(alone)
    with strategy.scope():
        np.testing.assert_allclose(score(mirrored), expected, atol=1e-6)
    np.testing.assert_allclose(score(mirrored), expected, atol=1e-6)
"""


@pytest.mark.slow
def test_a_model_on_several_devices_is_scored():
    run = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
