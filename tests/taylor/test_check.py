"""An engine that is wrong about a model is found out, and one that is right is never blamed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import pnn_tf
import taylor
from taylor import analysis as analysis_module
from taylor.analysis import analysis_of
from taylor.autodiff import autodiff
from taylor.rules import RULES
from taylor.steps import Scale

X = np.random.default_rng(2).normal(size=(8, 3)).astype("float32")


class Cubed(layers.Layer):
    def call(self, x):
        return x + x**3


def with_layer(*inner, activation="sigmoid"):
    return keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh"), *inner, layers.Dense(1, activation)])


def tried(model, x=X, **arguments):
    analysis, parts = analysis_of(model, x, **arguments)
    analysis.try_out(parts)
    return analysis


@pytest.fixture
def wrong_rule(monkeypatch):
    """Right in the value, and in the derivatives at zero alone."""
    monkeypatch.setitem(RULES, Cubed, lambda layer, x: Scale(layer(x.value), x, tf.ones(x.units)))


@pytest.mark.parametrize(
    "arguments",
    [
        {"order": 1},
        {"order": 2},
        {"features": [(0, 2)]},  # a feature alone is checked with those of its inputs
        {"order": 2, "engine": "adjoint"},
        {"order": 2, "target": "logit"},
    ],
)
def test_a_wrong_rule_is_found_out(arguments, wrong_rule, uncompiled):
    model = with_layer(Cubed())
    with pytest.warns(UserWarning, match="adjoint engine cannot .*its .* derivative along .*Nested tapes"):
        found = taylor.taylor_coefficients(model, X, **arguments)
    assert found.engine == "autodiff"
    arguments = arguments | {"engine": "autodiff"}
    assert np.array_equal(found.values, taylor.taylor_coefficients(model, X, **arguments).values)


def test_a_wrong_second_derivative_is_found_out_where_the_first_is_right(monkeypatch, uncompiled):
    def no_curvature(layer, x):
        with tf.GradientTape() as tape:
            tape.watch(x.value)
            value = layer(x.value)
        return Scale(value, x, tape.gradient(value, x.value))

    monkeypatch.setitem(RULES, Cubed, no_curvature)
    with pytest.warns(UserWarning, match="its second derivative along"):
        assert tried(with_layer(Cubed(), activation=None)).engine == "autodiff"
    assert tried(with_layer(Cubed(), activation=None), order=1).engine == "adjoint"


def test_tapes_that_cannot_be_vectorised_rightly_are_not(monkeypatch, uncompiled):
    def broken(response, features, vectorised=True):
        derivatives = autodiff(response, features, vectorised)
        return (lambda tensors: 1.3 * derivatives(tensors)) if vectorised else derivatives

    model = with_layer()
    expected = taylor.taylor_coefficients(model, X, engine="adjoint").values
    monkeypatch.setattr(analysis_module, "autodiff", broken)
    # Sums in another order: a few units in the last of float32's seven digits.
    np.testing.assert_allclose(
        taylor.taylor_coefficients(model, X, engine="autodiff").values, expected, rtol=1e-4, atol=1e-6
    )
    monkeypatch.setattr(analysis_module, "autodiff", lambda *_, **__: broken(*_))
    with pytest.raises(ValueError, match=r"derivatives agree with each other. Received: its first derivative"):
        taylor.taylor_coefficients(with_layer(), X, engine="autodiff")


def steep(x):
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(50, "tanh", kernel_initializer=keras.initializers.RandomNormal(stddev=x, seed=1)),
            layers.Dense(20, "tanh", kernel_initializer=keras.initializers.RandomNormal(stddev=x, seed=2)),
            layers.Dense(1, "sigmoid", kernel_initializer=keras.initializers.RandomNormal(stddev=x, seed=3)),
        ]
    )


def deep(activation, width=40, depth=6):
    hidden = [layers.Dense(width, activation) for _ in range(depth)]
    return keras.Sequential([keras.Input((3,)), *hidden, layers.Dense(1, "sigmoid")])


def raw():
    scaling = layers.Normalization(mean=[1e5, -1e3, 0.0], variance=[1e8, 1.0, 1e-8])
    return keras.Sequential([keras.Input((3,)), scaling, layers.Dense(20, "tanh"), layers.Dense(1, "sigmoid")])


def diverged():
    model = deep("tanh")
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    return model


ALARMS = {
    "relu at zero": (lambda: deep("relu"), np.zeros((8, 3))),
    "relu at one event": (lambda: deep("relu"), np.zeros((1, 3))),
    "relu of pairs at zero": (lambda: deep("leaky_relu"), np.tile([0.0, 1.0, 0.0], (8, 1))),
    "hard sigmoid": (lambda: deep("hard_sigmoid"), X),
    "elu": (lambda: deep("elu"), X),
    "gelu": (lambda: deep("gelu"), X),
    "softplus": (lambda: deep("softplus"), X),
    "selu": (lambda: deep("selu"), 10 * X),
    "saturated": (lambda: steep(10.0), X),
    "very steep": (lambda: steep(1000.0), X),
    "nearly saturated": (lambda: steep(1.5), X),
    "far out": (lambda: deep("tanh"), 1e4 * X),
    "raw": (raw, X * [1e4, 1.0, 1e-4] + [1e5, -1e3, 0.0]),
    "large": (lambda: with_layer(layers.Rescaling(1e6), activation=None), X),
    "exponential": (lambda: with_layer(layers.Rescaling(20.0), activation="exponential"), X),
    "small": (lambda: with_layer(layers.Rescaling(1e-6), activation=None), X),
    "linear": (lambda: keras.Sequential([keras.Input((3,)), layers.Dense(1)]), X),
    "diverged": (diverged, X),
    "softmax": (lambda: keras.Sequential([keras.Input((3,)), layers.Dense(9, "relu"), layers.Dense(4, "softmax")]), X),
}


@pytest.mark.parametrize("case", ALARMS)
def test_what_is_right_is_not_blamed(case):
    make, x = ALARMS[case]
    keras.utils.set_random_seed(1)
    model = make()
    assert tried(model, x).engine == "adjoint"
    assert tried(model, x, engine="autodiff").engine == "autodiff"


def product(network):
    i = keras.Input((3,))
    return keras.Model(i, network(i))


@pytest.mark.parametrize(
    "network",
    [
        lambda x: layers.Dense(1, use_bias=False)(layers.Multiply()([x, layers.Rescaling(0.0)(x)])),
        lambda x: layers.Multiply()([layers.Dense(2)(x), layers.Dense(2, kernel_initializer="zeros")(x)]),
        lambda x: layers.Dense(1)(layers.Add()([layers.Dense(9, "tanh")(x), layers.Dense(9, "relu")(x)])),
    ],
)
def test_products_with_a_zero_factor_are_right(network):
    assert tried(product(network), np.zeros((8, 3), "float32")).engine == "adjoint"


class Product(layers.Layer):
    """The product of three units, whose second derivative TensorFlow gets wrong where one is exactly zero."""

    def call(self, x):
        return tf.reduce_prod(tf.concat([x, 0 * x[:, :1]], axis=1), axis=1, keepdims=True) + x[:, :1] ** 2


@pytest.mark.filterwarnings("ignore:The adjoint engine cannot analyse this model. layer")
def test_products_that_tapes_are_wrong_about_are_no_reason_to_refuse_a_model():
    i = keras.Input((3,))
    assert tried(keras.Model(i, Product()(i))).engine == "autodiff"


def test_wide_networks_are_checked_along_some_of_their_inputs():
    wide = keras.Sequential([keras.Input((200,)), layers.Dense(20, "tanh"), layers.Dense(1, "sigmoid")])
    assert tried(wide, np.zeros((4, 200), "float32")).engine == "adjoint"


class Further(pnn_tf.AffineConditioning):
    """Offers `scale_and_shift` as the layer that it comes from does, and does something else with it."""

    def call(self, inputs):
        return super().call(inputs) + 0.4 * keras.ops.tanh(inputs[0])


@pytest.mark.filterwarnings("ignore:The adjoint engine cannot")
def test_a_conditioning_layer_with_a_call_of_its_own_is_differentiated_as_it_is(uncompiled):
    features, theta = keras.Input((3,), name="features"), keras.Input((1,), name="theta")
    z = Further()([layers.Dense(4, "tanh")(features), theta])
    model = keras.Model({"features": features, "theta": theta}, layers.Dense(1, "sigmoid")(z))
    x = {"features": X, "theta": np.ones((1, 1), "float32")}
    found = taylor.taylor_coefficients(model, x)
    assert np.array_equal(found.values, taylor.taylor_coefficients(model, x, engine="autodiff").values)


def test_falling_back_traces_the_tapes_once(monkeypatch):
    """One graph for the coefficients, of one call of the engine; the trial before it is not compiled."""
    traces = []

    def counted(response, features, vectorised=True):
        derivatives = autodiff(response, features, vectorised)

        def compute(tensors):
            traces.append(tf.is_symbolic_tensor(tensors[0]))
            return derivatives(tensors)

        return compute

    monkeypatch.setattr(analysis_module, "autodiff", counted)
    with pytest.warns(UserWarning, match="has no rule"):
        taylor.taylor_coefficients(with_layer(Cubed()), X)
    assert traces == [False, True]
