import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from taylor import FeatureSet, NoRule
from taylor.adjoint import adjoint
from taylor.response import Response
from tests.problems import DenseNetwork

pytestmark = pytest.mark.usefixtures("float64")

PAIRS = np.triu_indices(3)
SECOND = FeatureSet.complete(("a", "b", "c"), 2)
EXACT = {"rtol": 1e-12, "atol": 1e-14}  # sums of some dozen terms of order 1, in float64


def by_hand(network, x, column=0):
    gradient, hessian = network.output_derivatives(x, column)
    return np.hstack([gradient, hessian[:, *PAIRS]])


@pytest.mark.parametrize("last", ["linear", "sigmoid", "softmax"])
@pytest.mark.parametrize("hidden", [(6,), (6, 5)], ids=["one hidden layer", "two"])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus", "silu", "relu"])
def test_derivatives_are_those_by_hand(activation, hidden, last):
    network = DenseNetwork(activation, last, (3, *hidden, 3 if last == "softmax" else 1))
    x, model = network.events(7), network.model()
    column = 1 if last == "softmax" else 0
    np.testing.assert_allclose(model(x), network_output(network, x), rtol=1e-12)
    ours = adjoint(Response(model, output=column), SECOND)([tf.constant(x)])
    np.testing.assert_allclose(ours, by_hand(network, x, column), **EXACT)
    if last != "linear":
        ours = adjoint(Response(model, output=column, target="logit"), SECOND)([tf.constant(x)])
        gradient, hessian = network.logit_derivatives(x)
        np.testing.assert_allclose(ours, np.hstack([gradient[:, column], hessian[:, column][:, *PAIRS]]), **EXACT)


def network_output(network, x):
    u = network.logit(x)
    if network.last == "softmax":
        return np.exp(u) / np.exp(u).sum(axis=1, keepdims=True)
    return 1 / (1 + np.exp(-u)) if network.last == "sigmoid" else u


def test_softmax_of_two_outputs_is_a_sigmoid_of_their_difference():
    network = DenseNetwork(last="softmax", widths=(3, 6, 2))
    x = network.events(7)
    (_, _), (w, c) = network.layers
    model = DenseNetwork().model()
    model.set_weights([*network.layers[0], w[:, 1:] - w[:, :1], c[1:] - c[:1]])
    two = adjoint(Response(network.model(), output=1), SECOND)([tf.constant(x)])
    np.testing.assert_allclose(two, adjoint(Response(model), SECOND)([tf.constant(x)]), **EXACT)


def test_features_come_as_asked_for():
    network = DenseNetwork(widths=(3, 6, 5, 1))
    x = tf.constant(network.events(7))
    response = Response(network.model())
    complete = adjoint(response, SECOND)([x])
    for chosen in ([(2, 1), 0, (0, 0), 2], [(0, 2)], [2, 1], [(1, 1)]):
        features = FeatureSet.chosen(("a", "b", "c"), chosen)
        columns = [SECOND.indices.index(index) for index in features.indices]
        np.testing.assert_allclose(adjoint(response, features)([x]), complete.numpy()[:, columns], **EXACT)


def test_an_input_that_is_not_used_has_no_influence():
    x, unused = keras.Input((2,), name="x"), keras.Input((1,), name="unused")
    model = keras.Model([x, unused], layers.Dense(1, "sigmoid")(layers.Dense(4, "tanh")(x)))
    ours = adjoint(Response(model), SECOND)([tf.ones((5, 2), tf.float64), tf.ones((5, 1), tf.float64)]).numpy()
    unused = ["c" in label for label in SECOND.labels]
    assert not ours[:, unused].any()
    assert ours[:, np.logical_not(unused)].all()


def test_several_inputs_are_analysed_in_the_order_that_is_named(differences):
    rng = np.random.default_rng(0)
    first, second = keras.Input((2,), name="first"), keras.Input((1,), name="second")
    product = layers.Multiply()([layers.Dense(4, "tanh")(first), layers.Dense(4, "silu")(second)])
    model = keras.Model([first, second], layers.Dense(1, "sigmoid")(layers.Dense(4, "tanh")(product)))
    x = rng.normal(size=(5, 3))
    gradient, hessian = differences(lambda rows: model([rows[:, 1:], rows[:, :1]])[:, 0], x)
    ours = adjoint(Response(model, inputs=["second", "first"]), SECOND)([tf.constant(x[:, 1:]), tf.constant(x[:, :1])])
    # As exact as the differences.
    np.testing.assert_allclose(ours, np.hstack([gradient, hessian[:, *PAIRS]]), rtol=1e-9, atol=1e-10)


def test_each_of_several_output_tensors_can_be_the_response(differences):
    x = keras.Input((3,))
    z = layers.Dense(4, "tanh")(x)
    one, other = layers.Dense(2, "softmax", name="one")(z), layers.Dense(1, "sigmoid", name="other")(z)
    model = keras.Model(x, {"one": one, "other": other})
    events = np.random.default_rng(0).normal(size=(5, 3))
    names = model.output_names
    for output in (("one", 1), ("other", 0)):
        ours = adjoint(Response(model, output=output), SECOND)([tf.constant(events)])
        name, column = output
        gradient, hessian = differences(lambda rows, n=name, c=column: model(rows)[n][:, c], events)
        np.testing.assert_allclose(ours, np.hstack([gradient, hessian[:, *PAIRS]]), rtol=1e-9, atol=1e-10)
    assert set(names) == {"one", "other"}


def test_a_linear_response_has_no_second_order():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    ours = adjoint(Response(model), SECOND)([tf.ones((4, 3), tf.float64)]).numpy()
    assert np.array_equal(ours[:, :3], np.tile(model.layers[0].kernel.numpy().T, (4, 1)))
    assert not ours[:, 3:].any()


def test_what_the_engine_does_not_cover_is_named():
    class Subclass(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(NoRule, match=r"second order.* 3"):
        adjoint(Response(DenseNetwork().model()), FeatureSet.complete(("a", "b", "c"), 3))
    with pytest.raises(NoRule, match="Subclass has a call of its own"):
        adjoint(Response(Subclass()), SECOND)
    x, unused = keras.Input((2,), name="x"), keras.Input((1,), name="unused")
    constant = keras.Model([x, unused], layers.Dense(1)(x))
    with pytest.raises(ValueError, match=r"depends on the analysed inputs\. Received: one that does not"):
        adjoint(Response(constant, inputs=["unused"]), FeatureSet.complete(("a",), 2))(
            [tf.ones((2, 2)), tf.ones((2, 1))]
        )
