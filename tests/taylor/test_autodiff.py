import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from keras import layers

from pnn_tf import AffineConditioning, ConcatConditioning
from taylor import FeatureSet, taylor_coefficients
from taylor.adjoint import adjoint
from taylor.autodiff import _by_copies, _derivatives, _vectorised, autodiff
from taylor.response import Response
from tests.problems import DenseNetwork

pytestmark = pytest.mark.usefixtures("float64")

NAMES = ("a", "b", "c")


def with_everything():
    """One network with a layer of each kind."""
    keras.utils.set_random_seed(0)
    x, theta = keras.Input((3,), name="features"), keras.Input((2,), name="theta")
    z = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0])(x)
    z = layers.Dense(6, "tanh")(layers.Concatenate()([z, theta]))
    z = layers.BatchNormalization()(z)
    z = AffineConditioning("softplus")([z, theta])
    z = layers.Dropout(0.5)(z)
    branches = [
        layers.ELU(0.5)(layers.Dense(4)(z)),
        layers.PReLU(keras.initializers.Constant(0.3))(layers.Dense(4)(x)),
        layers.Multiply()([layers.Dense(4, "silu")(z), layers.LeakyReLU(0.2)(layers.Dense(4)(x))]),
        layers.Multiply()([layers.Dense(4, "softplus")(z), layers.Dense(4)(theta)]),
    ]
    z = layers.Add()([layers.Average()(branches[:2]), layers.Subtract()(branches[2:])])
    inner = keras.Sequential([keras.Input((4,)), layers.Rescaling(0.7, 0.1), layers.Dense(4), layers.ReLU()])
    z = layers.Concatenate()([z, layers.Activation("sigmoid")(inner(z)), x])
    model = keras.Model({"features": x, "theta": theta}, layers.Dense(3, "softmax")(layers.Dense(4, "silu")(z)))
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2.0, weight.shape) for weight in layer.get_weights()])
    return model


def test_engines_agree_with_each_other_and_with_differences_on_a_network_with_everything(differences):
    rng = np.random.default_rng(0)
    x, theta = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    model, features = with_everything(), FeatureSet.complete(NAMES, 2)
    response = Response(model, output=1)
    tensors = [tf.constant(x), tf.constant(theta)]
    tapes, layerwise = (engine(response, features)(tensors) for engine in (autodiff, adjoint))
    assert np.abs(tapes).max() > 1e-2
    # Sums in two orders, in float64, through eight layers.
    np.testing.assert_allclose(tapes, layerwise, rtol=1e-12, atol=1e-14)
    gradient, hessian = differences(lambda x, c: model({"features": x, "theta": c}, training=False)[:, 1], x, theta)
    # As exact as the differences.
    np.testing.assert_allclose(tapes, np.hstack([gradient, hessian[:, *np.triu_indices(3)]]), rtol=1e-9, atol=1e-10)


def test_theta_joined_by_a_layer_without_a_rule_is_as_if_concatenated():
    rng = np.random.default_rng(0)
    tensors = [tf.constant(rng.normal(size=(5, 3))), tf.constant(rng.normal(size=(5, 2)))]
    x, theta = keras.Input((3,), name="features"), keras.Input((2,), name="theta")
    hidden, last = layers.Dense(6, "tanh"), layers.Dense(1, "sigmoid")
    ours, expected = (
        engine(Response(keras.Model([x, theta], last(hidden(join([x, theta]))))), FeatureSet.complete(NAMES, 2))(
            tensors
        )
        for engine, join in ((autodiff, ConcatConditioning()), (adjoint, layers.Concatenate()))
    )
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-14)


def test_derivatives_of_two_hidden_layers_are_those_by_hand():
    network, features = DenseNetwork("silu", "softmax", (3, 6, 5, 2)), FeatureSet.complete(NAMES, 2)
    x = network.events(7)
    gradient, hessian = network.output_derivatives(x)
    ours = autodiff(Response(network.model()), features)([tf.constant(x)])
    np.testing.assert_allclose(ours, np.hstack([gradient, hessian[:, *np.triu_indices(3)]]), rtol=1e-12, atol=1e-14)


class Exponential(keras.Model):
    """exp(w x), so that each derivative is a product of its w times the response."""

    weight = np.array([[0.5], [-0.7], [1.1]])

    def call(self, x):
        return tf.exp(x @ self.weight)


@pytest.mark.parametrize("chosen", [[(2, 1, 0), (1, 1, 1)], [(1, 0), 2], [2, 1]])
def test_features_come_as_asked_for_to_any_order_and_for_any_model(chosen):
    features, x = FeatureSet.chosen(NAMES, chosen), DenseNetwork().events(7)
    ours = autodiff(Response(Exponential(dtype="float64")), features)([tf.constant(x)])
    expected = np.exp(x @ Exponential.weight) * features.powers_of(Exponential.weight[:, 0])
    np.testing.assert_allclose(ours, expected, rtol=1e-14)  # a few products in float64


def test_a_layer_that_xla_does_not_have_is_differentiated_all_the_same():
    class Bessel(keras.layers.Layer):
        def call(self, x):
            return tf.math.special.bessel_j0(x)

    model = keras.Sequential([keras.Input((1,)), Bessel()])
    x = np.linspace(0.5, 3.0, 7)[:, None]
    # J0' = -J1, and -J1' = J1 / x - J0; the pair counts one half.
    slope, bent = -scipy.special.j1(x), (scipy.special.j1(x) / x - scipy.special.j0(x)) / 2
    found = taylor_coefficients(model, x, engine="autodiff").values.numpy()
    assert found == pytest.approx(np.hstack([slope, bent]), rel=1e-12, abs=1e-14)  # rounding in float64


def with_softsign(x):
    return layers.Activation("softsign")(layers.Dense(4)(x))


def with_attention(x):
    z = layers.Dense(4, "tanh")(x)
    return layers.LayerNormalization()(layers.Add()([z, layers.MultiHeadAttention(2, 2)(z, z)]))


@pytest.mark.parametrize(
    ("shape", "between"),
    [
        ((3,), with_softsign),
        ((4,), lambda x: layers.GroupNormalization(2)(layers.Dense(4)(x))),
        ((2, 2), with_attention),
        ((3, 1), lambda x: layers.Conv1D(3, 2, activation="silu")(x)),
        pytest.param((2, 2), lambda x: layers.GRU(2)(x), marks=pytest.mark.slow),
        pytest.param(
            (2, 1),
            lambda x: layers.Bidirectional(layers.LSTM(2, return_sequences=True))(x),
            marks=pytest.mark.slow,
        ),
        ((2, 2), lambda x: layers.GlobalMaxPooling1D()(layers.TimeDistributed(layers.Dense(3, "tanh"))(x))),
    ],
    ids=["softsign", "group_norm", "attention", "conv", "gru", "bidirectional_lstm", "max_pooling"],
)
def test_layers_that_no_other_engine_knows_agree_with_differences(shape, between, differences):
    keras.utils.set_random_seed(0)
    x = keras.Input(shape)
    model = keras.Model(x, layers.Dense(1, "sigmoid")(layers.Flatten()(between(x))))
    events = np.random.default_rng(0).normal(size=(4, *shape))
    result = taylor_coefficients(model, events, engine="autodiff")
    flat = events.reshape(4, -1)
    gradient, hessian = differences(lambda x: model(tf.reshape(x, (-1, *shape)), training=False)[:, 0], flat)
    hessian *= 1 - np.eye(flat.shape[1]) / 2
    assert np.abs(hessian).max() > 1e-3
    expected = np.hstack([gradient, hessian[:, *np.triu_indices(flat.shape[1])]])
    # The differences are as exact as h^4 times a sixth derivative, which normalised differences of few numbers raise.
    np.testing.assert_allclose(result.values, expected, rtol=1e-7, atol=1e-8)


def test_copies_of_events_give_what_vectorised_tapes_give_to_any_order():
    features, x = FeatureSet.complete(NAMES, 3), DenseNetwork().events(5)
    response = Response(DenseNetwork("tanh", "softmax", (3, 4, 2)).model())

    def respond(rows, copies):
        return response([rows])

    needed = [sorted({i[:k] for i in features.indices if len(i) >= k}) for k in (1, 2, 3)]
    by_copies, vectorised = (_derivatives(respond, tf.constant(x), needed, 1, way) for way in (_by_copies, _vectorised))
    for ours, expected in zip(by_copies, vectorised, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-14)  # sums in two orders, in float64


@pytest.mark.slow
def test_fixed_inputs_go_with_the_copies_of_their_events():
    steps, theta = keras.Input((2, 2), name="features"), keras.Input((1,), name="theta")
    model = keras.Model([steps, theta], layers.Multiply()([layers.Dense(1)(layers.SimpleRNN(3)(steps)), theta]))
    x, theta = np.random.default_rng(0).normal(size=(5, 2, 2)), np.arange(5.0)[:, None]
    ours = taylor_coefficients(model, [x, theta], engine="autodiff").values
    of_one = taylor_coefficients(model, [x, [[1.0]]], engine="autodiff").values
    np.testing.assert_allclose(ours, theta * of_one, rtol=1e-12, atol=1e-14)


def test_tensorflow_is_left_as_it_was():
    moments = tf.nn.moments
    autodiff(Response(DenseNetwork().model()), FeatureSet.complete(NAMES, 2))([tf.constant(DenseNetwork().events(3))])
    assert tf.nn.moments is moments
