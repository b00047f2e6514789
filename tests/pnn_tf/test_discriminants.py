import keras
import numpy as np
import pytest
import tensorflow as tf

from pnn_tf import discriminant, parametric_network
from pnn_tf.discriminants import LogOdds


def network(**keywords):
    return parametric_network(3, n_classes=4, units=(8,), affine_start="glorot_uniform", seed=1, **keywords)


def events(n_events=6):
    generator = np.random.default_rng(0)
    return {
        "features": generator.normal(size=(n_events, 3)).astype("float32"),
        "theta": generator.uniform(500, 1500, (n_events, 1)).astype("float32"),
    }


def of_probabilities(p, signal, backgrounds):
    return p[:, [signal]] / (p[:, [signal]] + p[:, backgrounds].sum(axis=1, keepdims=True))


def ending(last):
    """Networks of logits z = features, whose end is one of several."""
    z = keras.Input((4,), name="features")
    ends = {
        "softmax layer": lambda z: keras.layers.Softmax()(z),
        "activation": lambda z: keras.layers.Activation("softmax")(z),
        "dense softmax": lambda z: keras.layers.Dense(4, "softmax", kernel_initializer="identity")(z),
        "dense logits": lambda z: keras.layers.Dense(4, kernel_initializer="identity")(z),
        "operation": lambda z: keras.ops.softmax(z),
    }
    return keras.Model({"features": z}, ends[last](z))


@pytest.mark.parametrize(("signal", "backgrounds"), [(1, (0,)), (3, (0, 2)), (0, [1, 2, 3])])
def test_it_is_its_formula(signal, backgrounds):
    model, inputs = network(), events()
    p = model(inputs).numpy().astype("float64")
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)  # float32
    score = discriminant(model, signal, backgrounds)
    assert score.output_shape == (None, 1)
    np.testing.assert_allclose(score(inputs), of_probabilities(p, signal, list(backgrounds)), rtol=1e-5)  # float32


@pytest.mark.parametrize("last", ["softmax layer", "activation", "dense softmax", "dense logits", "operation"])
def test_of_whatever_the_network_ends_in(last):
    logits = np.random.default_rng(0).normal(0, 3, (50, 4))
    p = np.exp(logits)
    score = discriminant(ending(last), 2, (0, 3))({"features": logits.astype("float32")})
    np.testing.assert_allclose(score, of_probabilities(p, 2, [0, 3]), rtol=2e-5)  # float32, exponentials up to e^9


@pytest.mark.parametrize(("last", "largest"), [("activation", 80.0), ("dense logits", 80.0), ("dense softmax", 40.0)])
def test_classes_that_are_far_less_likely_than_another_are_told_apart(last, largest):
    """Class 1 takes all but e^-80 of the probability, but it is not asked for; from probabilities, up to float32."""
    logits = np.array([[0, largest, difference, 0] for difference in (-30.0, -1, 0, 1, 30)], "float32")
    score = discriminant(ending(last), 2, (0,))({"features": logits}).numpy()
    np.testing.assert_allclose(score[:, 0], 1 / (1 + np.exp(-logits[:, 2].astype("float64"))), rtol=1e-4)


def test_gradients_are_finite_where_probabilities_vanish():
    for last in ("activation", "dense softmax"):
        model, z = discriminant(ending(last), 2, (0, 3)), tf.constant([[0.0, 500.0, 1.0, 2.0]])
        with tf.GradientTape() as tape:
            tape.watch(z)
            score = model({"features": z})
        assert np.isfinite(tape.gradient(score, z)).all() and np.isfinite(score).all()


def test_it_shares_the_layers_of_the_network():
    model, inputs = network(), events()
    score = discriminant(model, 1)
    before = score(inputs).numpy()
    model.get_layer("logits").bias.assign([1.0, 0, 0, 0])
    odds = before / (1 - before) / np.e  # one more in the logit of the background
    np.testing.assert_allclose(score(inputs), odds / (1 + odds), rtol=1e-5)  # float32


def test_it_is_saved_and_cloned(tmp_path):
    model = discriminant(network(), 3, (0, 2))
    model.save(tmp_path / "model.keras")
    loaded, clone = keras.saving.load_model(tmp_path / "model.keras"), keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for other in (loaded, clone):
        assert np.array_equal(other(events()), model(events()))
    layer = LogOdds(1, (0, 2), from_logits=False)
    assert LogOdds.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(("policy", "dtype"), [("mixed_bfloat16", "float32"), ("float64", "float64")])
def test_it_is_as_precise_as_its_network_and_at_least_float32(policy, dtype):
    keras.config.set_dtype_policy(policy)
    try:
        model = network()
    finally:
        keras.config.set_dtype_policy("float32")
    score = discriminant(model, 1, (0, 2))
    p = model(events(1000)).numpy()
    assert score(events(2)).dtype == p.dtype == dtype
    rounding = np.finfo(dtype).eps
    np.testing.assert_allclose(score(events(1000)), of_probabilities(p, 1, [0, 2]), rtol=10 * rounding)
    assert LogOdds(1, (0,), dtype="bfloat16").compute_dtype == "float32"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: discriminant(parametric_network(3), 1), r"at least two classes.*n_classes=3.*\(None, 1\)"),
        (lambda: discriminant(keras.Model(), 1), "functional model with one output"),
        (lambda: discriminant(network(), 4), r"signal .*out of 4.*4"),
        (lambda: discriminant(network(), 1, (-1,)), "backgrounds .*out of 4.*-1"),
        (lambda: discriminant(network(), 1, (0, 1)), "signal not among them.*signal=1"),
        (lambda: discriminant(network(), 1, ()), "at least one background"),
    ],
)
def test_what_has_no_such_classes_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
