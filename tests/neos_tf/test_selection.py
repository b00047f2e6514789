import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

from neos_tf.selection import SoftCut, soft_cut


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(50, 3))


def window(**kwargs):
    """-0.5 < x_2 < 1 and x_0 > 0.2."""
    return SoftCut([2, 2, 0], [-0.5, 1.0, 0.2], [0.3, 0.4, 0.1], ["above", "below", "above"], **kwargs)


def test_soft_cut_is_the_logistic_function(x):
    np.testing.assert_allclose(soft_cut(x, 0.3, 0.1), expit((x - 0.3) / 0.1), rtol=1e-13)  # float64
    thresholds, widths = np.array([0.1, 0.2, 0.3]), np.array([1.0, 0.5, 0.1])
    np.testing.assert_allclose(soft_cut(x, thresholds, widths), expit((x - thresholds) / widths), rtol=1e-13)
    assert float(soft_cut(7, 7, 2)) == 0.5
    integers = soft_cut(np.array([0, 1]), 0.5, 0.25)
    np.testing.assert_allclose(integers, expit([-2, 2]), rtol=1e-6)  # float32


def test_soft_cut_without_width_is_the_cut(x):
    nearest = np.abs(x - 0.3).min()
    np.testing.assert_allclose(soft_cut(x, 0.3, nearest / 40), x > 0.3, atol=1e-17)  # exp(-40) = 4e-18


def test_layer_is_the_product_of_its_cuts(x):
    weights = window(dtype="float64")(x)
    expected = expit((x[:, 2] + 0.5) / 0.3) * expit((1 - x[:, 2]) / 0.4) * expit((x[:, 0] - 0.2) / 0.1)
    np.testing.assert_allclose(weights, expected, rtol=1e-13)  # float64
    hard = (x[:, 2] > -0.5) & (x[:, 2] < 1) & (x[:, 0] > 0.2)
    assert 0 < hard.sum() < 50
    assert np.array_equal(window(dtype="float64")(x, hard=True), hard)
    assert np.array_equal(SoftCut(0, 0.0, 1.0, "below")(np.array([[-1.0], [0.0], [1.0]]), hard=True), [1, 0, 0])


def test_gradient_agrees_with_finite_differences(x):
    layer = window(dtype="float64")
    layer(x)
    (variable,) = layer.trainable_variables
    variables = [tf.Variable(x), variable.value]
    rng = np.random.default_rng(1)
    coefficients = rng.normal(size=50)

    def value():
        return tf.tensordot(layer(variables[0]), coefficients, 1)

    with tf.GradientTape() as tape:
        total = value()
    step = 1e-6  # truncation of order step**2 / width**3, at most 1e-9, and rounding of order eps / step, 1e-9 as well
    for variable, gradient in zip(variables, tape.gradient(total, variables), strict=True):
        direction = rng.normal(size=variable.shape)
        variable.assign_add(step * direction)
        above = value()
        variable.assign_sub(2 * step * direction)
        numeric = (above - value()) / (2 * step)
        variable.assign_add(step * direction)
        derivative = np.sum(gradient * direction)
        assert abs(derivative) > 0.01
        np.testing.assert_allclose(derivative, numeric, atol=1e-7)


def test_gradient_is_finite_far_from_the_cut():
    layer = window()
    x = tf.constant([[-1e4, 0.0, 1e4], [1e4, 0.0, -1e4]])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(x))
    assert total == 0
    assert np.array_equal(tape.gradient(total, layer.thresholds), np.zeros(3))


@pytest.mark.parametrize(("keep", "start"), [("above", 1.5), ("below", -1.5)])
def test_training_moves_the_threshold(x, keep, start):
    """To where the wanted share of events passes."""
    layer = SoftCut([1], [start], 0.3, keep)
    layer(x)
    optimizer = keras.optimizers.SGD(2.0)
    optimizer.build(layer.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = (tf.reduce_mean(layer(x)) - 0.8) ** 2
        optimizer.apply(tape.gradient(loss, layer.trainable_variables))

    for _ in range(100):
        step()
    sign = 1 if keep == "above" else -1
    share = expit(sign * (x[:, 1] - layer.thresholds.numpy()) / 0.3).mean()
    np.testing.assert_allclose(share, 0.8, atol=1e-4)  # each step shrinks the distance to 0.8 by a third or more


@pytest.mark.parametrize("hard", [False, True])
def test_graphs_agree_with_eager(x, hard):
    layer = window()
    expected = layer(x, hard=hard)
    for compiled in (False, True):
        graph = tf.function(lambda x: layer(x, hard=hard), jit_compile=compiled)
        np.testing.assert_allclose(graph(x), expected, rtol=1e-5, atol=1e-9)  # float32, of XLA's own sigmoid


def test_config_and_weights_survive(x, tmp_path):
    layer = window()
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == layer.compute_output_shape((None, 3)) == (None,)
    assert SoftCut.from_config(layer.get_config()).get_config() == layer.get_config()
    layer.set_weights([np.array([0.0, 0.5, -0.5])])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert np.array_equal(loaded(x), model(x))
    assert not np.array_equal(loaded(x), window()(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: soft_cut([0.5], 0.5, 0), "width > 0"),
        (lambda: soft_cut([0.5], 0.5, [0.1, -0.1]), "width > 0"),
        (lambda: tf.function(lambda: soft_cut([0.5], 0.5, np.nan))(), "width > 0"),
        (lambda: SoftCut([], [], 1.0), r"features=\[\]"),
        (lambda: SoftCut([-1], [0.0], 1.0), "features >= 0"),
        (lambda: SoftCut([0, 1, 2], [0.0, 1.0], 1.0), "3 features.*thresholds="),
        (lambda: SoftCut([0, 1, 2], 0.0, [1.0, 1.0]), "3 features.*width="),
        (lambda: SoftCut([0, 1, 2], 0.0, 1.0, ["above"] * 2), "3 features.*keep="),
        (lambda: SoftCut([0], [np.nan], 1.0), r"thresholds=\[nan\]"),
        (lambda: SoftCut([0], [0.0], 0.0), "width > 0"),
        (lambda: SoftCut([0], [0.0], 1.0, "left"), "keep='above' or 'below'"),
        (lambda: SoftCut([3], [0.0], 1.0)(np.ones((4, 3))), "features < 3"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
