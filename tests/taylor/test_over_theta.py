"""Importance as a function of theta: what each theta alone gives, and what can be said by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import pnn_tf
from taylor import FeatureSet, ImportanceOverTheta, TaylorImportance, importance_over_theta, mean_abs_coefficients

GRID = np.array([500.0, 750.0, 1500.0])  # GeV


@pytest.fixture(scope="module")
def network():
    return pnn_tf.parametric_network(3, units=(6, 5), activation="tanh", affine_start="glorot_uniform", seed=1)


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(2).normal(size=(100, 3)).astype("float32")


def test_each_theta_is_what_it_would_be_alone(network, features):
    region = {"first": features[:, 0] > 0}
    result = importance_over_theta(network, features, GRID, regions=region, bootstrap=3)
    assert result.theta.tolist() == [[500], [750], [1500]]
    assert result.mean.shape == result.error.shape == (3, 9)
    for theta, importance in zip(GRID, result.importances, strict=True):
        x = {"features": features, "theta": np.full((100, 1), theta)}
        alone = mean_abs_coefficients(network, x, regions=region, bootstrap=3)
        # Equal but for the order in which float32 products are summed: one theta for all events takes another way.
        assert importance.mean == pytest.approx(alone.mean, rel=1e-5)
        assert importance.error == pytest.approx(alone.error, rel=1e-4)
        assert importance.regions["first"].mean == pytest.approx(alone.regions["first"].mean, rel=1e-5)
        assert importance.replicas == pytest.approx(alone.replicas, rel=1e-5)


def test_a_slope_that_is_theta_is_found():
    # y = theta x1 + 2 x2: the slopes are theta and 2.
    x, theta = keras.Input((2,), name="features"), keras.Input((1,), name="theta")
    first, second = (
        keras.layers.Dense(1, use_bias=False, kernel_initializer=lambda *_, w=w, **__: keras.ops.array(w))(x)
        for w in ([[1.0], [0.0]], [[0.0], [2.0]])
    )
    model = keras.Model([x, theta], keras.layers.Add()([keras.layers.Multiply()([first, theta]), second]))
    result = importance_over_theta(model, np.ones((5, 2), "float32"), [1.0, 3.0], order=1)
    assert result.mean.tolist() == [[1, 2], [3, 2]]


def test_a_dataset_gives_the_same(network, features, uncompiled):
    x = {"features": features, "theta": np.zeros((100, 1), "float32")}
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(33)
    streamed = importance_over_theta(network, dataset, GRID)
    assert streamed.mean == pytest.approx(importance_over_theta(network, features, GRID).mean, rel=1e-6)


def test_a_notebook_shows_a_column_for_each_theta():
    features = FeatureSet.complete(("<mass>", "pt"), 1)
    importances = [TaylorImportance(features, np.array([0.1, k]), np.array([0.01, 0.02]), 9, "adjoint") for k in (1, 2)]
    html = ImportanceOverTheta(np.array([[500.0, 0.9], [1000.0, 0.9]]), tuple(importances))._repr_html_()
    assert "<th>500, 0.9</th><th>1000, 0.9</th>" in html
    first, second = html.split("<tbody>")[1].split("</tr>")[:2]
    assert "pt" in first and "<td>1 ± 0.02</td><td>2 ± 0.02</td>" in first
    assert "&lt;mass&gt;" in second


@pytest.mark.parametrize(
    ("theta", "keywords", "message"),
    [
        ([], {}, "Expected theta of shape"),
        ([np.nan], {}, "Expected theta of shape"),
        (GRID, {"held": "mass"}, "Expected a model with an input 'mass'"),
        (GRID, {"inputs": ("features", "theta")}, "Expected a model with an input 'theta' that is not analysed"),
    ],
)
def test_what_makes_no_sense_is_refused(network, features, theta, keywords, message):
    with pytest.raises(ValueError, match=message):
        importance_over_theta(network, features, theta, **keywords)
