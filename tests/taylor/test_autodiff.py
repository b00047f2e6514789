import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from keras import layers

from pnn_tf import AffineConditioning, ConcatConditioning
from taylor import FeatureSet, taylor_coefficients
from taylor.adjoint import adjoint
from taylor.autodiff import autodiff
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
