import warnings

import keras
import numpy as np
import pytest

from pnn_tf import AffineConditioning, parametric_network


def events(n_features, n_parameters, n_events=7):
    rng = np.random.default_rng(0)
    features, theta = rng.normal(size=(n_events, n_features)), rng.uniform(500, 1500, size=(n_events, n_parameters))
    return {"features": features.astype("float32"), "theta": theta.astype("float32")}


@pytest.mark.parametrize(("conditioning", "count"), [("concat", 74_051), ("affine", 76_151), (None, 73_751)])
def test_parameter_counts_of_the_paper(conditioning, count):
    model = parametric_network(27, conditioning=conditioning)
    assert model.count_params() == count
    assert model(events(27, 1)).shape == (7, 1)


@pytest.mark.parametrize("conditioning", ["scale", "shift"])
def test_half_an_affine_network(conditioning):
    """Of the 2 x 2 x 600 parameters of the affine layers, a scale and a shift of one theta and 600 units, half."""
    model, plain = (parametric_network(27, conditioning=kind, seed=1) for kind in (conditioning, None))
    assert model.count_params() == 73_751 + 1_200
    for layer in plain.layers:
        if layer.name.startswith("dense") or layer.name == "score":
            layer.set_weights(model.get_layer(layer.name).get_weights())
    assert np.array_equal(model(events(27, 1)), plain(events(27, 1)))  # it starts as the identity
    random = parametric_network(27, conditioning=conditioning, affine_start="glorot_uniform")
    low, high = (random({**events(27, 1), "theta": np.full((7, 1), theta, "float32")}) for theta in (500, 1500))
    assert not np.any(low == high)


def test_several_classes():
    model = parametric_network(27, n_classes=4)
    assert model.count_params() == 76_151 + 3 * 51  # three more outputs of 50 units
    p = model(events(27, 1)).numpy()
    assert p.shape == (7, 4)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)  # float32
    logits = keras.Model(model.input, model.get_layer("logits").output)(events(27, 1)).numpy().astype("float64")
    np.testing.assert_allclose(p, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), rtol=1e-5)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"])
    label = np.array([[0.0], [1], [2], [3], [0], [1], [2]], "float32")  # as of `balanced_batches`
    loss = model.evaluate(events(27, 1), label, verbose=0)[0] - float(sum(model.losses))
    assert loss == pytest.approx(-np.mean(np.log(p[range(7), label[:, 0].astype(int)])), rel=1e-5)


def test_blocks_are_dense_affine_dropout_with_penalties_on_dense_alone():
    model = parametric_network(27)
    names = [layer.name for layer in model.layers if layer.name.endswith(("_1", "_2"))]
    assert names == ["dense_1", "affine_1", "dropout_1", "dense_2", "affine_2", "dropout_2"]
    penalty = sum(
        1e-4 * np.sum(layer.kernel.numpy() ** 2) + 1e-5 * np.sum(layer.bias.numpy() ** 2)
        for layer in model.layers
        if layer.name.startswith("dense")
    )
    np.testing.assert_allclose(sum(model.losses), penalty, rtol=1e-5)  # float32 sums of 7e4 terms


def test_an_affine_network_starts_as_one_without_conditioning():
    """With the same Dense weights, and whatever theta."""
    affine, plain = (parametric_network(2, units=(5, 3), conditioning=kind, seed=1) for kind in ("affine", None))
    for layer in plain.layers:
        if layer.name.startswith("dense") or layer.name == "score":
            layer.set_weights(affine.get_layer(layer.name).get_weights())
    inputs = events(2, 1)
    # scale 1 and shift 0 are exact
    assert np.array_equal(affine(inputs), plain(inputs))
    scale, shift = affine.get_layer("affine_1").get_weights()
    assert np.array_equal(scale, [[0] * 5, [1] * 5]) and not shift.any()


def test_affine_network_is_its_formula():
    model = parametric_network(2, units=(3,), affine_start="glorot_uniform", theta_scale=1000.0)
    inputs = events(2, 1)
    kernel, bias = model.get_layer("dense_1").get_weights()
    scale, shift = model.get_layer("affine_1").get_weights()
    last_kernel, last_bias = model.get_layer("score").get_weights()
    theta = inputs["theta"] / 1000
    z = np.maximum(inputs["features"] @ kernel + bias, 0)
    z = z * (theta @ scale[:-1] + scale[-1]) + theta @ shift[:-1] + shift[-1]
    np.testing.assert_allclose(model(inputs), 1 / (1 + np.exp(-(z @ last_kernel + last_bias))), rtol=1e-5)  # float32


def test_deep_network_of_baldi_et_al():
    normal = keras.initializers.RandomNormal(stddev=0.1)
    model = parametric_network(
        27,
        conditioning="concat",
        units=(500,) * 5,
        dropout=0,
        kernel_l2=0,
        bias_l2=0,
        kernel_initializer=normal,
        seed=1,
    )
    assert model.count_params() == 28 * 500 + 500 + 4 * (500 * 500 + 500) + 501
    assert not model.losses
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)
    kernels = [model.get_layer(f"dense_{i}").kernel.numpy() for i in (2, 3)]
    assert all(abs(kernel.std() - 0.1) < 4 * 0.1 / np.sqrt(2 * kernel.size) for kernel in kernels)  # 4 sigma of a std
    assert not np.array_equal(*kernels)


def test_features_are_standardised_inside():
    inputs = events(2, 1)
    raw = {**inputs, "features": inputs["features"] * [2.0, 3.0] + [1.0, -1.0]}
    plain = parametric_network(2, seed=1)
    scaled = parametric_network(2, seed=1, feature_mean=[1.0, -1.0], feature_variance=[4.0, 9.0])
    np.testing.assert_allclose(scaled(raw), plain(inputs), rtol=1e-5)  # float32


@pytest.mark.parametrize("n_classes", [None, 3])
@pytest.mark.parametrize("conditioning", ["concat", "affine", "scale", "shift", None])
def test_models_survive_save_clone_and_config(conditioning, n_classes, tmp_path):
    model = parametric_network(
        3,
        2,
        n_classes=n_classes,
        conditioning=conditioning,
        units=(4, 3),
        theta_scale=(1000.0, 500.0),
        theta_offset=(0.0, 550.0),
        affine_start="glorot_uniform",
        theta_points=((500, 600), (1500, 1400)),
        feature_mean=[0.0, 1.0, 2.0],
        feature_variance=[1.0, 2.0, 3.0],
        seed=3,
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    rebuilt = keras.Model.from_config(model.get_config())
    clone = keras.models.clone_model(model)
    inputs = events(3, 2)
    for other in (loaded, rebuilt, clone):
        other.set_weights(model.get_weights())
        assert np.array_equal(other(inputs), model(inputs))
        if conditioning is not None:
            assert other.get_layer("theta_scale").trained_points == [[500.0, 600.0], [1500.0, 1400.0]]


def test_seed_decides_every_initial_value_and_no_two_maps_start_equal():
    first, same, other = (
        parametric_network(3, units=(4, 4), affine_start="glorot_uniform", seed=seed) for seed in (1, 1, 2)
    )
    for a, b, c in zip(first.get_weights(), same.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(a, b)
        assert not np.any(a) or not np.array_equal(a, c)
    affine = [layer for layer in first.layers if isinstance(layer, AffineConditioning)]
    kernels = [kernel.numpy() for layer in affine for kernel in (layer.scale[:-1], layer.shift[:-1])]
    assert len(np.unique(kernels, axis=0)) == 4


def test_a_scale_far_from_the_points_is_warned_of():
    def network(points, **keywords):
        return parametric_network(2, len(points[0]), units=(2,), theta_points=points, **keywords)

    with pytest.warns(UserWarning, match=r"at most \[0.002\], with theta_scale=\[1000.0\]") as caught:
        network([[-2.0], [2.0]])
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"at most \[1.5, 0.001.*\]"):
        network([[500.0, 0.9], [1500.0, 1.1]])
    with pytest.warns(UserWarning, match=r"at most \[1500.0\]"):
        network([[500.0], [1500.0]], theta_scale=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network([[500.0], [1500.0]])
        network([[-2.0], [2.0]], conditioning=None)
        network([[500.0, 0.9], [1500.0, 1.1]], theta_scale=(1000.0, 0.1), theta_offset=(0.0, 1.0))
        network([[500.0, 1.0], [1500.0, 1.0]], theta_offset=(0.0, 1.0))  # one parameter does not change


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"conditioning": "film"}, "'affine', 'scale', 'shift', 'concat' or None"),
        ({"affine_start": "ones"}, "'identity' or 'glorot_uniform'"),
        ({"units": ()}, r"units .* at least one.* \(\)"),
        ({"units": 64}, r"units as a sequence.* 64"),
        ({"units": (64, 0)}, "units to be an int >= 1.*units=0"),
        ({"units": (64.0,)}, r"units=64\.0"),
        ({"n_classes": 1}, "n_classes to be an int >= 2.*=1"),
        ({"n_parameters": 0}, "n_parameters to be an int >= 1.*=0"),
        ({"dropout": 1}, r"dropout in \[0, 1\).*dropout=1"),
        ({"dropout": np.nan}, "dropout=nan"),
        ({"kernel_l2": -1e-4}, "kernel_l2 >= 0.*-0.0001"),
        ({"bias_l2": np.inf}, "bias_l2 .*finite.*inf"),
        ({"feature_mean": [0.0] * 3, "feature_variance": [1.0] * 2}, r"feature_mean of shape \(2,\).*\(3,\)"),
        ({"feature_mean": 0.0, "feature_variance": 1.0}, r"feature_mean of shape \(2,\).*\(\)"),
        ({"feature_mean": [0.0] * 2, "feature_variance": [1.0]}, r"feature_variance of shape \(2,\).*\(1,\)"),
        ({"feature_mean": [0, np.inf], "feature_variance": [1, 1]}, r"feature_mean.*columns \[1\]: \[inf\]"),
        *(
            ({"feature_mean": [0, 0], "feature_variance": [1, bad]}, rf"> 0 in feature_variance.*\[1\]: \[{bad}.*\]")
            for bad in (np.nan, -2, 0)
        ),
        ({"feature_mean": [0.0, 0.0]}, "feature_mean and feature_variance"),
        ({"theta_scale": (1, 2)}, r"1 parameters, in scale.*\[1.0, 2.0\]"),
        ({"theta_scale": np.nan}, "scale > 0"),
        ({"theta_points": []}, "theta_points of shape"),
        ({"theta_points": [[1, 2]]}, "theta_points of 1 .*2"),
        ({"theta_points": [500, np.inf]}, r"theta_points of shape .* without NaN"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        parametric_network(**{"n_features": 2} | arguments)
