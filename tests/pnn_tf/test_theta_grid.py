from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from pnn_tf import ThetaScale, discriminant, parametric_network, scan_theta
from pnn_tf.theta_grid import TOGETHER, is_known, on_grid

GRID = np.linspace(500, 1500, 7, dtype="float32")[:, None]


def features(n_events):
    return np.random.default_rng(0).normal(size=(n_events, 3)).astype("float32")


def network(**keywords):
    return parametric_network(3, seed=1, affine_start="glorot_uniform", **{"units": (8, 4)} | keywords)


def with_a_layer_of_its_own():
    """Theta enters by a product that is wrong for one row of theta beside many of features."""
    x, theta = keras.Input((3,), name="features"), keras.Input((1,), name="theta")
    product = keras.layers.Lambda(
        lambda inputs: keras.ops.einsum("ni,nj->ni", inputs[0], inputs[1] / 1000), output_shape=(3,)
    )([x, theta])
    return keras.Model({"features": x, "theta": theta}, keras.layers.Dense(1, "sigmoid")(product))


def with_operations_that_are_no_layers():
    """A sum over the second axis, which is that of units only where there is no axis of points."""
    x, theta = keras.Input((3,), name="features"), keras.Input((1,), name="theta")
    product = keras.layers.Dense(4)(x) * ThetaScale(1000.0)(theta)
    score = keras.ops.sigmoid(keras.ops.sum(product, axis=1, keepdims=True))
    return keras.Model({"features": x, "theta": theta}, score)


MODELS = {
    "affine": lambda: network(feature_mean=[0.1] * 3, feature_variance=[2.0] * 3),
    "scale": lambda: network(conditioning="scale"),
    "shift": lambda: network(conditioning="shift"),
    "concat": lambda: network(conditioning="concat"),
    "no theta": lambda: network(conditioning=None),
    "any other": with_a_layer_of_its_own,
    "operations": with_operations_that_are_no_layers,
}


@pytest.mark.parametrize("kind", MODELS)
def test_scores_are_those_of_one_point_after_the_other(kind):
    model = MODELS[kind]()
    assert is_known(model) == (kind not in ("any other", "operations"))
    scores = tf.function(lambda x: on_grid(model, x, GRID), input_signature=[tf.TensorSpec((None, 3))])
    several_parts = 2 * (TOGETHER // len(GRID)) + 1
    for n_events in (1, several_parts):
        x = features(n_events)
        np.testing.assert_allclose(scores(x), scan_theta(model, x, GRID).T, atol=1e-6)  # float32
    assert scores(features(0)).shape == (0, 7)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_of_several_classes(dtype):
    """In both ways, that of known layers and the general one."""
    keras.config.set_dtype_policy(dtype)
    try:
        model = network(n_classes=3)
    finally:
        keras.config.set_dtype_policy("float32")
    assert is_known(model) == (dtype == "float32")
    scores = tf.function(lambda x: on_grid(model, x, GRID), input_signature=[tf.TensorSpec((None, 3))])
    x = features(2 * (TOGETHER // len(GRID)) + 1)
    for i, point in enumerate(GRID):
        expected = model({"features": x, "theta": np.repeat(point[None], len(x), axis=0)})
        np.testing.assert_allclose(scores(x)[:, i], expected, atol=1e-6 if dtype == "float32" else 2**-8)
    assert scores(features(0)).shape == (0, 7, 3)


@pytest.mark.parametrize("backgrounds", [(0,), (0, 2)])
def test_of_a_discriminant(backgrounds):
    model = discriminant(network(n_classes=3), 1, backgrounds)
    assert is_known(model)
    np.testing.assert_allclose(on_grid(model, features(5), GRID), scan_theta(model, features(5), GRID).T, atol=1e-6)


def test_of_several_parameters():
    model = network(n_parameters=2, theta_scale=[1000.0, 1.0])
    grid = np.array([[500, 0.0], [500, 1.0], [1000, 0.5]], "float32")
    np.testing.assert_allclose(on_grid(model, features(5), grid), scan_theta(model, features(5), grid).T, atol=1e-6)


@pytest.mark.parametrize("conditioning", ["affine", "scale", "shift", "concat"])
def test_events_are_not_repeated_at_each_point(conditioning):
    """The products are as many at any number of points, and one of them is of the features as they are."""
    model = network(conditioning=conditioning)
    n_products = []
    for n_points in (1, 7):
        scores = tf.function(partial(on_grid, model, grid=GRID[:n_points]))
        graph = scores.get_concrete_function(tf.TensorSpec((16, 3))).graph
        (loop,) = [op for op in graph.get_operations() if op.type in ("While", "StatelessWhile")]
        body = graph._get_function(loop.get_attr("body").name).graph
        products = [op for op in body.get_operations() if "MatMul" in op.type]
        assert [tuple(op.outputs[0].shape) for op in products].count((None, 8)) == 1  # (events, units), without points
        n_products.append(len(products))
    assert n_products[0] == n_products[1]


# bfloat16 has 8 bits; a score of four layers may differ by a few of its last.
@pytest.mark.parametrize(("policy", "atol"), [("mixed_bfloat16", 2**-6), ("float64", 1e-6)])
def test_layers_of_another_precision_take_the_general_way(policy, atol):
    keras.config.set_dtype_policy(policy)
    try:
        model = network()
    finally:
        keras.config.set_dtype_policy("float32")
    assert not is_known(model)
    scores = on_grid(model, tf.constant(features(50)), tf.constant(GRID))
    assert scores.dtype == tf.float32
    expected = scan_theta(model, features(50), GRID).T
    np.testing.assert_allclose(scores, expected, atol=atol)
    assert np.ptp(expected) > 5 * atol
