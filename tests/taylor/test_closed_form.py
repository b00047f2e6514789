import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pnn_tf import AffineConditioning
from taylor import FeatureSet, NoRule
from taylor.adjoint import adjoint
from taylor.closed_form import closed_form, set_partitions
from taylor.response import Response
from tests.problems import DenseNetwork

pytestmark = pytest.mark.usefixtures("float64")

NAMES = ("a", "b", "c")


@pytest.mark.parametrize("last", ["linear", "sigmoid"])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus", "silu", "relu"])
def test_derivatives_to_the_fourth_order_are_those_by_hand(activation, last):
    network, features = DenseNetwork(activation, last), FeatureSet.complete(NAMES, 4)
    x = network.events(7)
    expected = np.stack([network.of_one_hidden_layer(x, index) for index in features.indices], axis=1)
    ours = closed_form(Response(network.model()), features)([tf.constant(x)])
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-13)  # up to 15 terms of order 1, in float64


@pytest.mark.parametrize("last", ["sigmoid", "softmax"])
def test_derivatives_of_a_logit_are_those_of_a_linear_output(last):
    network, features = DenseNetwork("silu", last, (3, 6, 2)), FeatureSet.complete(NAMES, 3)
    x = tf.constant(network.events(7))
    logit = closed_form(Response(network.model(), output=1, target="logit"), features)([x])
    linear = closed_form(Response(DenseNetwork("silu", "linear", (3, 6, 2)).model(), output=1), features)([x])
    assert np.array_equal(logit, linear)
    assert np.abs(logit).max() > 0.1


def test_features_come_as_asked_for():
    network = DenseNetwork()
    x = network.events(7)
    for chosen in ([(2, 1, 0), 0, (2, 0), (1, 1, 1)], [(0, 2, 2)], [(1, 0)]):
        features = FeatureSet.chosen(NAMES, chosen)
        ours = closed_form(Response(network.model()), features)([tf.constant(x)])
        expected = np.stack([network.of_one_hidden_layer(x, index) for index in features.indices], axis=1)
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-13)


def test_linear_layers_on_both_sides_of_the_hidden_one_belong_to_it():
    inner = [
        layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0]),
        layers.Dense(5),
        layers.BatchNormalization(),
        layers.Dense(6, "tanh"),
        layers.Rescaling(0.5, offset=0.1),
        layers.Dense(4),
        layers.BatchNormalization(),
        layers.Dropout(0.5),
        layers.Dense(1, "sigmoid"),
    ]
    model = keras.Sequential([keras.Input((3,)), *inner])
    response, features = Response(model), FeatureSet.complete(NAMES, 2)
    x = [tf.constant(DenseNetwork().events(7))]
    np.testing.assert_allclose(
        closed_form(response, features)(x), adjoint(response, features)(x), rtol=1e-12, atol=1e-14
    )


def in_front(layer):
    return keras.Sequential([keras.Input((3,)), layer, layers.Dense(4, "tanh"), layers.Dense(1, "sigmoid")])


def conditioned():
    x, theta = keras.Input((3,), name="features"), keras.Input((2,), name="theta")
    z = AffineConditioning(name="affine")([x, theta])
    return keras.Model([x, theta], layers.Dense(1, "sigmoid")(layers.Dense(4, "tanh")(z)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: in_front(layers.Dense(4, "tanh")), "single hidden layer"),
        (lambda: DenseNetwork(last="softmax", widths=(3, 6, 2)).model(), "softmax"),
        (lambda: keras.Sequential([keras.Input((3,)), layers.Dense(1)]), "one hidden layer"),
        (conditioned, "linear map"),
        (lambda: in_front(layers.GroupNormalization(1, name="unknown")), "'unknown' .* has no rule"),
    ],
)
def test_networks_of_another_kind_are_named(make, message):
    model = make()
    tensors = [tf.ones((4, tensor.shape[1]), tf.float64) for tensor in model.inputs]
    with pytest.raises(NoRule, match=message):
        closed_form(Response(model), FeatureSet.complete(NAMES, 2))(tensors)


def test_partitions_are_counted_by_the_bell_numbers():
    counts = [len({frozenset(map(frozenset, blocks)) for blocks in set_partitions(tuple(range(n)))}) for n in range(6)]
    assert counts == [1, 1, 2, 5, 15, 52]
    assert len(list(set_partitions(tuple(range(5))))) == 52
