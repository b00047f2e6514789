"""Networks of another precision than float32: what is computed in float32 all the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pnn_tf import AffineConditioning, ConcatConditioning, FastDropout, ThetaScale, parametric_network, predict_scores
from pnn_tf.precision import at_least_float32

LOW = ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


@pytest.fixture
def policy(request):
    """Keras' global policy, for a test."""
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


def network(**keywords):
    return parametric_network(3, seed=1, affine_start="glorot_uniform", **{"units": (32, 16)} | keywords)


@pytest.mark.parametrize("dtype", LOW)
@pytest.mark.parametrize("how", ["argument", "global", "config"])
def test_theta_is_scaled_in_float32(dtype, how):
    if how == "global":
        keras.config.set_dtype_policy(dtype)
    layer = ThetaScale(0.01, 1.0, dtype=dtype if how == "argument" else None)
    keras.config.set_dtype_policy("float32")
    if how == "config":  # of a file written before
        layer = ThetaScale.from_config({**layer.get_config(), "dtype": dtype})
    scaled = layer(np.array([[1.003], [0.998], [1.010]], "float32"))
    assert scaled.dtype == tf.float32
    # theta is a float32 number near 1, known to 6e-8; divided by 0.01
    np.testing.assert_allclose(scaled, [[0.3], [-0.2], [1.0]], atol=6e-6)


def test_more_precision_is_kept():
    assert at_least_float32("float64").compute_dtype == "float64"
    assert at_least_float32(keras.DTypePolicy("float32")).name == "float32"
    assert ThetaScale(0.01, 1.0, dtype="float64")(np.array([[1.003]])).numpy() == pytest.approx(0.3, abs=1e-13)


@pytest.mark.parametrize("policy", ["float64"], indirect=True)
def test_a_float64_network_takes_and_gives_float64(policy):
    model = network(feature_mean=[1.0] * 3, feature_variance=[4.0] * 3)
    assert {tensor.dtype for tensor in (*model.inputs, *model.outputs)} == {"float64"}
    assert {layer.compute_dtype for layer in model.layers} == {"float64"}


@pytest.mark.parametrize("conditioning", ["affine", "concat"])
@pytest.mark.parametrize("policy", LOW, indirect=True)
def test_scores_have_as_many_values_as_in_float32(policy, conditioning):
    """Over events, whose features are large numbers, and along theta."""
    standardised = {"feature_mean": [1e5] * 3, "feature_variance": [1e6] * 3}
    low = network(conditioning=conditioning, **standardised)
    keras.config.set_dtype_policy("float32")
    full = network(conditioning=conditioning, **standardised)
    full.set_weights(low.get_weights())
    features = np.random.default_rng(0).normal(1e5, 1e3, (20_000, 3))
    of_events, along_theta = (
        [predict_scores(model, *inputs) for model in (low, full)]
        for inputs in ((features, 1000.0), (np.repeat(features[:1], 201, axis=0), np.linspace(900, 1100, 201)))
    )
    # Along theta, 16 units of 8 binary digits may miss one of the small steps; a theta of 8 digits has 40 values there.
    for scores, share in ((of_events, 0.9), (along_theta, 0.8)):
        counts = [len(np.unique(score)) for score in scores]
        assert counts[0] >= share * counts[1]
    # Of three products in a row, each of operands with 8 binary digits.
    np.testing.assert_allclose(*of_events, atol=3 * 2**-8)


@pytest.mark.parametrize("conditioning", ["affine", "concat"])
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"], indirect=True)
def test_it_trains_and_is_saved(policy, conditioning, tmp_path):
    generator = np.random.default_rng(0)
    theta, label = generator.uniform(500, 1500, (2048, 1)), generator.integers(0, 2, (2048, 1))
    features = generator.normal(size=(2048, 3))
    features[:, :1] += 2 * label * theta / 1000
    inputs = {"features": features.astype("float32"), "theta": theta.astype("float32")}
    model = network(conditioning=conditioning)
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    losses = model.fit(inputs, label.astype("float32"), batch_size=128, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0] and losses[0] < 1
    model.save(tmp_path / "model.keras")
    keras.config.set_dtype_policy("float32")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    of_layers = [[layer.compute_dtype for layer in each.layers if layer.count_params()] for each in (model, loaded)]
    assert of_layers[1] == of_layers[0] and set(of_layers[0]) == {"float32", policy.removeprefix("mixed_")}
    assert np.array_equal(predict_scores(loaded, features, theta), predict_scores(model, features, theta))


@pytest.mark.parametrize("layer", [AffineConditioning, ConcatConditioning])
def test_layers_of_a_network_of_ones_own(layer):
    """With the policy given to each layer by its argument: theta has its effect, of 1 part in 1000, at the output."""
    x, theta = keras.Input((3,)), keras.Input((1,))
    z = keras.layers.Dense(4, "relu", dtype="mixed_bfloat16")(x)
    z = layer(dtype="mixed_bfloat16")([z, ThetaScale(1000.0, dtype="mixed_bfloat16")(theta)])
    model = keras.Model([x, theta], keras.layers.Dense(1, dtype="float32")(z))
    points = np.linspace(1000, 1010, 11, dtype="float32")[:, None]
    assert len(np.unique(model([np.ones((11, 3), "float32"), points]))) == 11


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_dropout_keeps_the_mean(dtype):
    """The factor 4/3 itself, rounded to 8 binary digits, is off by 0.2 %."""
    x = tf.cast(np.random.default_rng(0).uniform(1, 2, (1000, 100)), dtype)
    y = FastDropout(0.25, seed=0, dtype=dtype)(x, training=True)
    assert y.dtype == x.dtype
    x, y = (tf.cast(values, tf.float64).numpy() for values in (x, y))
    # Each product is rounded by up to 2**-9, to either side: 75 000 of them by less than a hundredth of that.
    assert y.sum() / x[y != 0].sum() == pytest.approx(4 / 3, rel=2e-5)
