"""Every rule in a network around it, against differences of the gradient of the model itself."""

from functools import lru_cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from pnn_tf import AffineConditioning, ConcatConditioning, FastDropout
from taylor import FeatureSet, NoRule, keras_graph, rule
from taylor.adjoint import adjoint
from taylor.response import Response
from taylor.rules import RULES, apply_rule
from taylor.steps import Variable

pytestmark = pytest.mark.usefixtures("float64")


def nested(first_width, second_width=None):
    """A model with a skip connection of its own, of one input or of two by name."""
    first = keras.Input((first_width,), name="first")
    z = layers.Dense(3, "silu")(first)
    if second_width is None:
        return keras.Model(first, layers.Concatenate()([first, z]))
    second = keras.Input((second_width,), name="second")
    return keras.Model({"second": second, "first": first}, layers.Add()([z, layers.Dense(3, "tanh")(second)]))


def chain(x, *operations):
    for operation in operations:
        x = operation(x)
    return x


# h is a hidden layer of 4 units, x the 3 analysed inputs, c 2 inputs that are held fixed.
NETWORKS = {
    "unchanged at inference": lambda h, x, c: chain(
        h,
        layers.ActivityRegularization(1.0),
        layers.AlphaDropout(0.5),
        layers.Dropout(0.5),
        layers.GaussianDropout(0.5),
        layers.GaussianNoise(0.5),
        FastDropout(0.5),
        layers.Identity(),
        layers.Flatten(),
        layers.Reshape((4,)),
    ),
    "Dense": lambda h, x, c: chain(h, layers.Dense(5, "softplus"), layers.Dense(4, use_bias=False)),
    "Dense, relu": lambda h, x, c: layers.Dense(5, "relu")(h),
    "Activation": lambda h, x, c: chain(h, layers.Activation("silu"), layers.Activation("linear")),
    "activation layers": lambda h, x, c: layers.Concatenate()(
        [
            layers.ReLU(max_value=0.6, negative_slope=0.2, threshold=0.1)(h),
            layers.LeakyReLU(0.3)(h),
            layers.PReLU(keras.initializers.RandomUniform(0.1, 0.5, seed=0))(h),
            layers.ELU(0.7)(h),
        ]
    ),
    "Normalization": lambda h, x, c: chain(
        h,
        layers.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 2.0, 3.0, 4.0]),
        layers.Normalization(axis=None, mean=0.3, variance=2.5),
        layers.Normalization(mean=0.3, variance=0.5, invert=True),
    ),
    "Rescaling": lambda h, x, c: chain(
        h, layers.Rescaling(0.5, offset=1.0), layers.Rescaling([1.0, 2.0, 3.0, 4.0], offset=1.0)
    ),
    "BatchNormalization": lambda h, x, c: chain(
        h, layers.BatchNormalization(epsilon=0.1), layers.BatchNormalization(scale=False, center=False)
    ),
    "LayerNormalization": lambda h, x, c: chain(
        h, layers.LayerNormalization(epsilon=0.01), layers.LayerNormalization(scale=False, center=False)
    ),
    "RMSNormalization": lambda h, x, c: layers.RMSNormalization(epsilon=0.01)(h),
    "UnitNormalization": lambda h, x, c: layers.UnitNormalization()(h),
    "functions of TensorFlow": lambda h, x, c: layers.Add()(
        [
            layers.Dense(4, function)(h)
            for function in (tf.nn.relu, tf.nn.tanh, tf.math.sigmoid, tf.nn.elu, tf.nn.selu, tf.nn.gelu, tf.nn.silu)
        ]
        + [layers.Activation(f)(h) for f in (tf.nn.softplus, tf.nn.softmax, tf.nn.leaky_relu, ops.tanh, tf.nn.softsign)]
    ),
    "layers as activations": lambda h, x, c: chain(
        h,
        layers.Dense(4, layers.LeakyReLU(0.2)),
        layers.Activation(layers.LeakyReLU()),
        layers.Dense(4, layers.ELU(0.5)),
        layers.Activation(layers.Softmax()),
    ),
    "softsign": lambda h, x, c: layers.Dense(4, "softsign")(h),
    "of the inputs": lambda h, x, c: layers.Concatenate()([layers.Dense(5)(x), layers.Activation("tanh")(x)]),
    "of the inputs, one factor a unit": lambda h, x, c: chain(
        x,
        layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[0.5, 2.0, 1.5]),
        layers.BatchNormalization(),
        layers.Dense(4, "silu"),
    ),
    "Add": lambda h, x, c: layers.Add()([h, layers.Dense(4, "silu")(x), layers.Dense(4)(x)]),
    "Add, constant": lambda h, x, c: layers.Add()([layers.Dense(4)(c), h]),
    "Subtract": lambda h, x, c: layers.Subtract()([h, layers.Dense(4, "silu")(x)]),
    "Subtract from a constant": lambda h, x, c: layers.Subtract()([layers.Dense(4)(c), h]),
    "Average": lambda h, x, c: layers.Average()([h, layers.Dense(4)(x), layers.Dense(4)(c)]),
    "Multiply": lambda h, x, c: layers.Multiply()([h, layers.Dense(4, "silu")(x)]),
    "Multiply, linear in both": lambda h, x, c: layers.Multiply()([layers.Dense(4)(x), layers.Dense(4)(x)]),
    "Multiply, three": lambda h, x, c: layers.Multiply()([layers.Dense(4)(x), h, layers.Dense(4)(h)]),
    "Multiply, one unit for all": lambda h, x, c: layers.Multiply()(
        [layers.Add()([h, layers.Dense(1, "silu")(x)]), layers.Dense(1)(c), layers.Dense(1)(x)]
    ),
    "Multiply, a square": lambda h, x, c: layers.Multiply()([h, h]),
    "Multiply, constant": lambda h, x, c: layers.Multiply()([layers.Dense(4)(c), h, layers.Dense(4)(x)]),
    "Concatenate": lambda h, x, c: layers.Concatenate(axis=1)([c, h, x, layers.Dense(2, "silu")(h)]),
    "Concatenate before it bends": lambda h, x, c: layers.Dense(4, "tanh")(
        layers.Concatenate()([x, layers.LayerNormalization()(c), x])
    ),
    "AffineConditioning": lambda h, x, c: AffineConditioning("softplus", "tanh")([h, c]),
    "AffineConditioning, scale": lambda h, x, c: AffineConditioning("softplus", shifting=False)([h, c]),
    "AffineConditioning, shift": lambda h, x, c: AffineConditioning(shift_activation="tanh", scaling=False)([h, c]),
    "AffineConditioning of the inputs": lambda h, x, c: layers.Dense(4, "silu")(AffineConditioning()([x, c])),
    "ConcatConditioning": lambda h, x, c: layers.Dense(4, "tanh")(ConcatConditioning()([h, c])),
    "ConcatConditioning, mapped": lambda h, x, c: layers.Dense(4, "tanh")(ConcatConditioning(3, "silu")([x, c])),
    "nested models": lambda h, x, c: keras.Sequential([keras.Input((4,)), nested(4), nested(7)])(h),
    "nested models of two inputs": lambda h, x, c: layers.Add()(
        [nested(4, 3)({"first": h, "second": x}), nested(2, 4)({"first": c, "second": h})]
    ),
    "used twice": lambda h, x, c: chain(
        h,
        *[layers.Dense(4, "tanh")] * 2,
        *[keras.Sequential([keras.Input((4,)), layers.Dense(4, "silu")])] * 2,
    ),
    "softmax": lambda h, x, c: chain(h, layers.Dense(3, "softmax"), layers.Dense(5), layers.Softmax()),
    "softmax of as many units as inputs, and of more": lambda h, x, c: layers.Concatenate()(
        [layers.Activation("softmax")(x), layers.Dense(7, "softmax")(h)]
    ),
    "average of softmaxes": lambda h, x, c: layers.Average()(
        [layers.Dense(3, "softmax")(h), layers.Dense(3, "softmax")(layers.Dense(4, "relu")(x))]
    ),
    "weighted by a softmax": lambda h, x, c: layers.Multiply()([h, layers.Dense(4, "softmax")(x)]),
    "skip connection": lambda h, x, c: layers.Add()([h, layers.Dense(4)(layers.Dense(2, "tanh")(h))]),
}


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(0)
    return rng.normal(size=(5, 3)), rng.normal(size=(5, 2))


@lru_cache
def around(network):
    """A model with the network between a first and a last layer, and weights that are not the initial ones."""
    keras.utils.set_random_seed(0)
    x, c = keras.Input((3,), name="features"), keras.Input((2,), name="theta")
    model = keras.Model([x, c], layers.Dense(1, "sigmoid")(network(layers.Dense(4, "tanh")(x), x, c)))
    rng = np.random.default_rng(1)
    for layer in keras_graph.layers(model):
        if isinstance(layer, layers.BatchNormalization | layers.LayerNormalization | layers.RMSNormalization):
            layer.set_weights([rng.uniform(0.5, 2.0, weight.shape) for weight in layer.get_weights()])
        elif isinstance(layer, layers.Dense) and layer.use_bias:
            layer.set_weights([layer.get_weights()[0], rng.normal(size=layer.units)])
    return model


def check(model, parts, differences):
    response, features = Response(model, inputs=["features"]), FeatureSet.complete(("a", "b", "c"), 2)
    derivatives = adjoint(response, features)([tf.constant(part) for part in parts])
    gradient, hessian = differences(lambda *x: model(x, training=False)[:, 0], *parts)
    expected = np.hstack([gradient, hessian[:, *np.triu_indices(3)]])
    assert np.abs(expected[:, 3:]).max() > 1e-4
    np.testing.assert_allclose(derivatives[:, :3], gradient, rtol=1e-12, atol=1e-14)  # sums in two orders, in float64
    np.testing.assert_allclose(derivatives, expected, rtol=1e-9, atol=1e-10)  # as exact as the differences


@pytest.mark.parametrize("name", NETWORKS)
def test_rule_is_exact(name, events, differences):
    check(around(NETWORKS[name]), events, differences)


def test_normalization_of_a_constant_input_divides_by_epsilon():
    layer = layers.Normalization(mean=2.0, variance=0.0)
    layer.build((None, 1))
    step = apply_rule(layer, Variable(tf.constant([[2.0]], tf.float64), 0, [0]))
    np.testing.assert_allclose(step.scale, [1 / keras.config.epsilon()], rtol=1e-15)


def test_every_layer_with_a_rule_is_tested():
    models = [around(network) for network in NETWORKS.values()]
    tested = {type(layer) for model in models for layer in keras_graph.layers(model)}
    assert not {layer for layer in RULES if layer.__module__.startswith("keras.")} - tested


def test_one_row_of_the_fixed_input_serves_all_events(events):
    x, c = events
    features = FeatureSet.complete(("a", "b", "c"), 2)
    for name in ("AffineConditioning", "ConcatConditioning", "Multiply, constant", "Add, constant", "Concatenate"):
        derivatives = adjoint(Response(around(NETWORKS[name])), features)
        ours = derivatives([tf.constant(x), tf.constant(c[:1])])
        expected = derivatives([tf.constant(x), tf.constant(np.repeat(c[:1], 5, axis=0))])
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda h, x, c: layers.GroupNormalization(2, name="unknown")(h), r"'unknown' \(GroupNorm.*\) has no rule"),
        (lambda h, x, c: layers.Softmax()(h, mask=ops.ones((1, 4))), "more than"),
        (lambda h, x, c: layers.Dense(3, lambda z: z**2, name="square")(h), "'square' has the activation '<lambda>'"),
        (lambda h, x, c: layers.Flatten()(layers.Reshape((2, 2), name="square")(h)), "'square' gives .* one axis"),
        (lambda h, x, c: AffineConditioning(name="a")([h, x]), "'a' .* is analysed in theta too"),
        (lambda h, x, c: layers.Add()([h, AffineConditioning(name="a")([layers.Dense(4)(c), x])]), "in theta too"),
        (lambda h, x, c: ConcatConditioning(name="a")([h, x]), "'a' .* is analysed in theta too"),
        (lambda h, x, c: layers.Dense(3, name="d")(inputs=h), "'d' is called with its input as a keyword"),
    ],
)
def test_what_has_no_rule_is_named(network, message, events):
    derivatives = adjoint(Response(around(network)), FeatureSet.complete(("a", "b", "c"), 2))
    with pytest.raises(NoRule, match=message):
        derivatives([tf.constant(part) for part in events])


def test_a_layer_with_a_call_of_its_own_does_not_follow_the_rule_of_its_base(events, differences):
    class Squared(AffineConditioning):
        def call(self, inputs):
            return super().call(inputs) ** 2

    class Tripled(AffineConditioning):
        def scale_and_shift(self, theta):
            scale, shift = super().scale_and_shift(theta)
            return 3 * scale, shift

    class Doubling(FastDropout):
        def call(self, x, training=None):
            return 2 * x

    class Doubtful(layers.Layer):
        identity_at_inference = False

        def call(self, x):
            return 2 * x

    patched = layers.Dense(4, name="patched")
    patched.call = lambda x: x**2
    for network in (
        lambda h, x, c: Squared()([h, c]),
        lambda h, x, c: Doubling(0.5)(h),
        lambda h, x, c: Doubtful()(h),
        lambda h, x, c: patched(h),
    ):
        with pytest.raises(NoRule, match="has no rule"):
            adjoint(Response(around(network)), FeatureSet.complete(("a", "b", "c"), 2))(
                [tf.constant(part) for part in events]
            )
    check(around(lambda h, x, c: Tripled()([h, c])), events, differences)


def test_a_rule_of_a_user_serves_a_layer_of_a_user(events, differences):
    class Double(layers.Layer):
        def call(self, x):
            return 2 * x

    class Doubled(Double):
        pass

    @rule(Double)
    def double(layer, x):
        return RULES[layers.Rescaling](layers.Rescaling(2.0), x)

    try:
        check(around(lambda h, x, c: Double()(h)), events, differences)
        with pytest.raises(NoRule, match="Doubled"):  # a class of its own may do something else
            apply_rule(Doubled(), Variable(tf.constant(events[0]), 0, [0]))
    finally:
        del RULES[Double]


def test_lora_counts_and_a_shared_kernel_is_one(events, differences):
    dense = layers.Dense(4, "silu")

    model = around(lambda h, x, c: dense(dense(h)))
    dense.enable_lora(2)
    dense.lora_kernel_b.assign(np.random.default_rng(2).normal(size=dense.lora_kernel_b.shape))
    check(model, events, differences)
