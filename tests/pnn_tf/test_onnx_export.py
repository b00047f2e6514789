import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import pnn_tf
from pnn_tf import discriminant, export_onnx, parametric_network

onnxruntime = pytest.importorskip("onnxruntime")
MEAN, VARIANCE = [50.0, -3.0, 0.1], [900.0, 4.0, 1e-4]


def events(n_events, n_parameters=1):
    generator = np.random.default_rng(0)
    x = generator.normal(MEAN, np.sqrt(VARIANCE), size=(n_events, 3))
    theta = generator.uniform(500, 1000, size=(n_events, n_parameters))
    return {"features": x.astype("float32"), "theta": theta.astype("float32")}


def network(**keywords):
    scale = {"feature_mean": MEAN, "feature_variance": VARIANCE, "affine_start": "glorot_uniform", "seed": 1}
    return parametric_network(3, **{"units": (30, 20), **scale, **keywords})


def around(layers, n_outputs=1, activation="sigmoid"):
    """A network of layers (a function of features and theta), with all parts of the output told apart."""
    inputs = {"features": keras.Input((3,), name="features"), "theta": keras.Input((1,), name="theta")}
    x = keras.layers.Normalization(mean=MEAN, variance=VARIANCE)(inputs["features"])
    x = layers(x, inputs["theta"] / 1000)
    return keras.Model(inputs, keras.layers.Dense(n_outputs, activation, bias_initializer="glorot_uniform")(x))


def session_of(model, path, **keywords):
    export_onnx(model, path, **keywords)
    return onnxruntime.InferenceSession(path)


def require_equal(model, path, n_parameters=1, atol=1e-6):
    """As in Keras, for any number of events."""
    session = session_of(model, path)
    for n_events in (1, 500):
        inputs = events(n_events, n_parameters)
        (score,) = session.run(["score"], inputs)
        expected = model(inputs).numpy()
        assert score.dtype == np.float32
        np.testing.assert_allclose(score, expected, rtol=0, atol=atol)
    (score,) = session.run(["score"], events(0, n_parameters))
    assert score.shape == (0, *expected.shape[1:])
    assert np.ptp(expected, axis=0).min() > 0.01
    return session


@pytest.mark.parametrize("conditioning", ["affine", "concat", None])
@pytest.mark.parametrize("n_parameters", [1, 2])
def test_scores_are_those_of_keras(tmp_path, conditioning, n_parameters):
    model = network(conditioning=conditioning, n_parameters=n_parameters)
    session = require_equal(model, tmp_path / "network.onnx", n_parameters)
    assert {tensor.name: tensor.shape for tensor in session.get_inputs()} == {
        "features": ["n_events", 3],
        "theta": ["n_events", n_parameters],
    }
    assert [(tensor.name, tensor.shape) for tensor in session.get_outputs()] == [("score", ["n_events", 1])]


def test_the_default_network(tmp_path):
    x = np.random.default_rng(0).normal(size=(1000, 27)).astype("float32")
    inputs = {"features": x, "theta": np.linspace(500, 1500, 1000, dtype="float32")[:, None]}
    model = parametric_network(27, affine_start="glorot_uniform", seed=2)
    for weight in model.weights:  # no bias is zero
        weight.assign_add(0.02 * np.random.default_rng(1).normal(size=weight.shape))
    (score,) = session_of(model, tmp_path / "network.onnx").run(None, inputs)
    np.testing.assert_allclose(score, model(inputs), rtol=0, atol=1e-6)
    assert np.ptp(score) > 0.05


ACTIVATIONS = [
    *("elu", "gelu", "leaky_relu", "log_sigmoid", "mish", "relu6"),
    *("selu", "silu", "softplus", "softsign", "tanh"),
]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(tmp_path, activation):
    require_equal(network(activation=activation), tmp_path / "network.onnx")


def test_several_classes_and_a_model_around(tmp_path):
    inner = around(lambda x, theta: keras.layers.Dense(8, "relu")(keras.layers.concatenate([x, theta])), 4, "softmax")
    require_equal(inner, tmp_path / "inner.onnx")
    inputs = {"features": keras.Input((3,), name="features"), "theta": keras.Input((1,), name="theta")}
    p = inner(inputs)
    ratio = p[:, 2:3] / (p[:, 2:3] + keras.ops.sum(keras.ops.take(p, [0, 1], axis=-1), axis=-1, keepdims=True))
    require_equal(keras.Model(inputs, ratio), tmp_path / "outer.onnx")


LAYERS = {
    "normalisations": lambda x, theta: keras.layers.LayerNormalization()(keras.layers.BatchNormalization()(x)) * theta,
    "residual": lambda x, theta: x + keras.layers.Dense(3, "tanh")(keras.layers.Dropout(0.5)(x)) * theta,
    "indices": lambda x, theta: keras.layers.concatenate(
        [x[:, ::-1], x[:, None, :2][:, 0], x[..., -2:], (x[:, -1] * theta[:, 0])[:, None], x[:, 1:2]]
    ),
    "reductions": lambda x, theta: keras.layers.concatenate(
        [getattr(keras.ops, f)(x, axis=1, keepdims=True) for f in ("max", "min", "mean", "sum", "prod")] + [theta]
    ),
    "reshape": lambda x, theta: keras.layers.Flatten()(keras.layers.Reshape((3, 1))(x) * theta[:, None]),
    "select": lambda x, theta: keras.layers.Lambda(
        lambda x: tf.raw_ops.Select(condition=x > 0, x=x, y=2 * x), output_shape=(3,)
    )(x),
    "where": lambda x, theta: keras.ops.where(x > 0, x, theta) + keras.ops.cast(x >= theta, "float32"),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_other_layers(tmp_path, kind):
    require_equal(around(LAYERS[kind]), tmp_path / "network.onnx")


@pytest.mark.parametrize(("policy", "atol"), [("mixed_bfloat16", 2**-6), ("float64", 1e-6)])
def test_layers_of_another_precision_are_computed_in_float32(tmp_path, policy, atol):
    keras.config.set_dtype_policy(policy)
    try:
        model = network()
    finally:
        keras.config.set_dtype_policy("float32")
    inputs = events(50)
    (score,) = session_of(model, tmp_path / "network.onnx").run(None, inputs)
    np.testing.assert_allclose(score, model(inputs), rtol=0, atol=atol)  # bfloat16 has 8 bits


def test_an_event_of_which_not_all_is_finite_has_no_score(tmp_path):
    session, inputs = session_of(network(), tmp_path / "network.onnx"), events(5)
    (clean,) = session.run(None, inputs)
    inputs["features"][1, 2], inputs["features"][2], inputs["theta"][4] = np.nan, np.inf, np.nan
    bad = np.array([[False], [True], [True], [False], [True]])
    np.testing.assert_array_equal(session.run(None, inputs)[0], np.where(bad, np.nan, clean))


def test_it_describes_itself(tmp_path):
    model = network(theta_points=[500.0, 1500.0])
    names = {"feature_names": ["pt", "η", "m / GeV"], "theta_names": ["mass"], "theta_units": ["GeV"]}
    session = session_of(model, tmp_path / "network.onnx", **names)
    assert json.loads(session.get_modelmeta().custom_metadata_map["description"]) == {
        "features": {"names": ["pt", "η", "m / GeV"], "shape": [None, 3], "dtype": "float32"},
        "theta": {
            "names": ["mass"],
            "units": ["GeV"],
            "shape": [None, 1],
            "dtype": "float32",
            "trained_points": [[500], [1500]],
        },
        "classes": None,
        "outputs": {"score": "from 0, like background, to 1, like signal: (n_events, 1)"},
    }
    with pytest.raises(ValueError, match="Expected 1 theta_units"):
        export_onnx(model, tmp_path / "network.onnx", theta_units=[])


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (lambda x, theta: keras.ops.cumsum(x, axis=1), r"operation Cumsum of TensorFlow, in '.*'.* export_savedmodel"),
        (lambda x, theta: keras.layers.Lambda(lambda x: x[: tf.shape(x)[0]], output_shape=(3,))(x), "to be constants"),
        (
            lambda x, theta: keras.layers.Lambda(
                lambda x: tf.raw_ops.Select(condition=x[:, 0] > 0, x=x, y=2 * x), output_shape=(3,)
            )(x),
            "of one rank",
        ),
    ],
)
def test_what_is_not_translated_is_refused(tmp_path, layers, message):
    with pytest.raises(ValueError, match=message):
        export_onnx(around(layers), tmp_path / "network.onnx")
    assert not (tmp_path / "network.onnx").exists()


def test_a_model_with_other_inputs_is_refused(tmp_path):
    x = keras.Input((3,), name="features")
    with pytest.raises(ValueError, match=r"'features' .*'theta' "):
        export_onnx(keras.Model({"features": x}, keras.layers.Dense(1)(x)), tmp_path / "network.onnx")


def test_without_the_package_onnx_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)  # an import of it fails now
    monkeypatch.delitem(sys.modules, "pnn_tf.onnx_graph", raising=False)
    monkeypatch.delattr(pnn_tf, "onnx_graph", raising=False)
    with pytest.raises(ImportError, match=r"pip install keras-hep\[onnx\]"):
        export_onnx(network(), tmp_path / "network.onnx")


def test_several_classes_and_a_discriminant_of_them(tmp_path):
    model = parametric_network(3, units=(8, 4), n_classes=3, theta_points=[500.0, 1500.0], seed=1)
    inputs = events(20)
    for exported, names in ((model, {"class_names": ["top", "W", "X"]}), (discriminant(model, 2, (0, 1)), {})):
        session = session_of(exported, tmp_path / "network.onnx", **names)
        np.testing.assert_allclose(session.run(None, inputs)[0], exported(inputs), rtol=0, atol=1e-6)


def test_a_logit_is_refused(tmp_path):
    model = network()
    logits = keras.Model(model.input, keras.layers.Dense(1)(model.layers[-2].output))
    with pytest.raises(ValueError, match="as of a logit"):
        export_onnx(logits, tmp_path / "network.onnx")
