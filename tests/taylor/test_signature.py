import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from taylor import mean_abs_coefficients, taylor_coefficients
from taylor.signature import signature_of
from tests.problems import DenseNetwork

NETWORK = DenseNetwork("tanh", "softmax", (3, 5, 2))
X = NETWORK.events(20).astype("float32")
SINGLE = {"rtol": 1e-5, "atol": 1e-6}  # sums of some dozen terms of order 1, in float32


def by_hand():
    gradient, hessian = NETWORK.output_derivatives(X)
    hessian = hessian * (1 - np.eye(3) / 2)
    return np.hstack([gradient, hessian[:, *np.triu_indices(3)]])


@pytest.fixture(scope="module")
def model():
    return NETWORK.model("float32")


class Sum(keras.Model):
    """Of two inputs as a list or a dict, one of rank 3 and one of whole numbers."""

    weight = np.array([0.5, -0.7], "float32")

    def call(self, x):
        jets, kind = (x["jets"], x["kind"]) if isinstance(x, dict) else x
        return keras.ops.sum(keras.ops.tanh(keras.ops.sum(jets * self.weight, axis=2)), axis=1) * keras.ops.cast(
            kind[:, 0], "float32"
        )


def test_a_functional_model_knows_its_inputs():
    a, b = keras.Input((2, 3), name="a"), keras.Input((), dtype="int64", name="b")
    model = keras.Model({"a": a, "b": b}, layers.Flatten()(a))
    assert signature_of(model) == (("a", "b"), ((2, 3), ()), (None, tf.int64), "keras")
    unknown = keras.Sequential([keras.Input((None, 3)), layers.GRU(2)])
    assert signature_of(unknown).shapes == ((None, 3),)
    assert signature_of(unknown, np.ones((5, 4, 3))).shapes == ((4, 3),)
    assert signature_of(unknown, tf.TensorSpec((None, None, 3))).shapes == ((None, 3),)


def test_of_a_subclass_events_tell():
    model = Sum()
    jets, kind = np.ones((5, 4, 2), "float32"), np.ones((5, 1), "int64")
    assert signature_of(model, {"jets": jets, "kind": kind})[:3] == (
        ("jets", "kind"),
        ((4, 2), (1,)),
        (None, tf.int64),
    )
    assert signature_of(model, [jets, kind]).names == ("input1", "input2")
    assert signature_of(model, [[1.0, 2.0], [3.0, 4.0]])[:2] == (("x",), ((2,),))
    assert signature_of(model)[:2] == (("x",), (None,))


@pytest.mark.filterwarnings("ignore:The adjoint engine")
def test_a_subclass_of_several_inputs_is_analysed_in_those_of_floating_point_numbers(uncompiled):
    rng = np.random.default_rng(0)
    jets, kind = rng.normal(size=(6, 2, 2)).astype("float32"), rng.integers(1, 4, (6, 1))
    slope = (1 - np.tanh(jets @ Sum.weight) ** 2) * kind  # (n_events, jets)
    expected = (slope[:, :, None] * Sum.weight).reshape(6, 4)
    for x, stem in (({"jets": jets, "kind": kind}, "x"), ([jets, kind], "x")):
        result = taylor_coefficients(Sum(), x, order=1)
        assert result.features.names == tuple(f"{stem}[{i},{j}]" for i in (1, 2) for j in (1, 2))
        np.testing.assert_allclose(result.values, expected, **SINGLE)


@pytest.mark.filterwarnings("ignore:The adjoint engine")
def test_a_saved_model_is_differentiated_by_its_endpoint(model, tmp_path):
    model.export(tmp_path / "model", verbose=False)
    served = tf.saved_model.load(tmp_path / "model")
    result = taylor_coefficients(served, X)
    assert result.engine == "autodiff"
    np.testing.assert_allclose(result.values, by_hand(), **SINGLE)
    as_layer = keras.Sequential([keras.Input((3,)), layers.TFSMLayer(tmp_path / "model", "serve")])
    np.testing.assert_allclose(taylor_coefficients(as_layer, X, order=1).values, by_hand()[:, :3], **SINGLE)
    with pytest.raises(ValueError, match="make a model that ends before its last activation, export that one"):
        taylor_coefficients(served, X, target="logit")
    with pytest.raises(TypeError, match=r"Received: str. Load it with keras.models.load_model or tf.saved_model.load"):
        taylor_coefficients(str(tmp_path / "model"), X)


@pytest.mark.filterwarnings("ignore:The adjoint engine")
def test_inputs_and_outputs_of_a_saved_model_have_names(tmp_path, uncompiled):
    from pnn_tf import export_savedmodel, parametric_network

    model = parametric_network(3, 1, units=(4,), activation="tanh")
    export_savedmodel(model, tmp_path / "model")
    served = tf.saved_model.load(tmp_path / "model")
    theta = np.linspace(0, 1, 20, dtype="float32")[:, None]
    for x in ({"features": X, "theta": theta}, {"features": X, "theta": theta[:1]}):
        ours, expected = (
            taylor_coefficients(m, x, output=output) for m, output in ((served, ("score", 0)), (model, 0))
        )
        assert ours.features == expected.features
        np.testing.assert_allclose(ours.values, expected.values, **SINGLE)
    with pytest.raises(ValueError, match=r"output tensors \['score'\]"):
        taylor_coefficients(served, x, output=("logit", 0))


@pytest.mark.filterwarnings("ignore:The adjoint engine")
def test_a_model_of_keras_2_is_differentiated_by_tapes(uncompiled):
    tf_keras = pytest.importorskip("tf_keras")
    model = tf_keras.Sequential(
        [tf_keras.Input((3,)), tf_keras.layers.Dense(5, "tanh"), tf_keras.layers.Dense(2, "softmax")]
    )
    model.set_weights(NETWORK.model("float32").get_weights())
    np.testing.assert_allclose(taylor_coefficients(model, X).values, by_hand(), **SINGLE)
    np.testing.assert_allclose(mean_abs_coefficients(model, X).mean, np.abs(by_hand()).mean(axis=0), **SINGLE)
    a, b = tf_keras.Input((3,), name="features"), tf_keras.Input((1,), name="theta")
    joined = tf_keras.Model({"theta": b, "features": a}, model(a) * b)
    found = taylor_coefficients(joined, {"features": X, "theta": np.full((20, 1), 2.0)}, order=1)
    assert found.features.names == ("x1", "x2", "x3")
    np.testing.assert_allclose(found.values, 2 * by_hand()[:, :3], **SINGLE)
    with pytest.raises(ValueError, match=r"computes in float32 or float64. Received: float16"):
        taylor_coefficients(
            tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(1, dtype="mixed_float16")]), X
        )


def test_a_saved_model_with_endpoints_of_other_names_is_refused(tmp_path):
    class Two(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 3))])
        def one(self, x):
            return {"y": x}

    module = Two()
    tf.saved_model.save(module, tmp_path / "two", signatures={"one": module.one, "other": module.one})
    served = tf.saved_model.load(tmp_path / "two")
    with pytest.raises(ValueError, match=r"one endpoint, or one of .*Received: \['one', 'other'\].*model.export"):
        taylor_coefficients(served, X)


def exported(path, *between):
    keras.Sequential([keras.Input((4, 2)), *between, layers.Flatten(), layers.Dense(1)]).export(path, verbose=False)
    return tf.saved_model.load(path)


@pytest.mark.filterwarnings("ignore:The adjoint engine")
def test_what_tensorflow_differentiates_wrongly_in_a_saved_model_is_refused(tmp_path, uncompiled):
    x = np.ones((3, 4, 2), "float32")
    for between, operation in ((layers.SimpleRNN(2), "While"), (layers.LayerNormalization(), "StopGradient")):
        served = exported(tmp_path / operation, between)
        with pytest.raises(ValueError, match=rf"Received: .*'{operation}'.*Analyse the Keras model"):
            taylor_coefficients(served, x)
    assert taylor_coefficients(served, x, order=1).values.shape == (3, 8)
