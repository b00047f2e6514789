import keras
import numpy as np
import pytest

from taylor import keras_graph
from tests.taylor.misfits import Double


def test_layers_at_any_depth():
    cell = keras.layers.LSTMCell(2)
    inner = keras.Sequential([keras.Input((3, 1)), keras.layers.RNN(cell)])
    dense = keras.layers.Dense(2)
    x = keras.Input((3, 1))
    model = keras.Model(x, dense(dense(inner(x))))
    found = keras_graph.layers(model)
    assert found[0] is model
    for layer in (inner, inner.layers[0], cell, dense):
        assert sum(other is layer for other in found) == 1


def test_which_models_have_a_graph():
    x = keras.Input((2,))
    assert keras_graph.has_graph(keras.Model(x, keras.layers.Dense(1)(x)))
    assert keras_graph.has_graph(keras.Sequential([x, keras.layers.Dense(1)]))
    assert not keras_graph.has_graph(keras.Sequential([keras.layers.Dense(1)]))  # not built
    assert not keras_graph.has_graph(Double())
    assert not keras_graph.has_graph(keras.layers.Dense(1))


@pytest.fixture
def branched():
    """A model of two inputs and two outputs, with a layer that is called twice."""
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    square = keras.layers.Dense(2, name="square")
    z = square(square(a))
    return keras.Model([a, b], [keras.layers.Add(name="add")([z, b]), z])


def by_name(layer, operands):
    return f"{layer.name}({'+'.join(operands) if isinstance(operands, list) else operands})"


def test_evaluate_calls_the_layers(branched):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 2)).astype("float32")
    values = keras_graph.evaluate(branched, [a, b], lambda layer, *arguments, **keywords: layer(*arguments, **keywords))
    for value, expected in zip(values, branched([a, b]), strict=True):
        np.testing.assert_array_equal(value, expected)


def test_evaluate_takes_values_of_any_kind(branched):
    """Names in place of tensors: what comes out says what was called on what."""
    assert keras_graph.evaluate(branched, ["a", "b"], by_name) == ["add(square(square(a))+b)", "square(square(a))"]


def test_evaluate_as_far_as_a_tensor_within(branched):
    (add,) = [layer for layer in branched.layers if layer.name == "add"]
    called = []

    def call(layer, operands):
        called.append(layer.name)
        return by_name(layer, operands)

    assert keras_graph.evaluate(branched, ["a", "b"], call, outputs=[add.input[0]]) == ["square(square(a))"]
    assert called == ["square", "square"]


def test_evaluate_keeps_to_the_model_asked_for(branched):
    """The part of a model that follows a tensor within, from which the calls before are not reached."""
    _, z = branched.outputs
    (add,) = [layer for layer in branched.layers if layer.name == "add"]
    rest = keras.Model([z, branched.inputs[1]], branched.outputs[0])
    assert keras_graph.evaluate(rest, ["z", "b"], by_name) == ["add(z+b)"]
    assert keras_graph.producer(rest.outputs[0])[0] is add


def test_training_mode_is_seen_in_models_inside():
    inner_input = keras.Input((2,))
    inner = keras.Model(inner_input, keras.layers.Dropout(0.5, name="noisy")(inner_input, training=True))
    x = keras.Input((2,))
    z = keras.layers.Dropout(0.5, name="quiet")(x)
    assert keras_graph.in_training_mode(keras.Model(x, inner(z))) == ["noisy"]
    assert keras_graph.in_training_mode(keras.Model(x, z)) == []


def test_producer_and_what_it_was_called_with():
    a, b = keras.Input((2,)), keras.Input((2,))
    add, dense = keras.layers.Add(), keras.layers.Dense(1)
    operation, operands = keras_graph.producer(add([a, b]))
    assert operation is add and operands[0] is a and operands[1] is b
    z = dense(a)
    dense(b)  # a second call of the layer does not change where z comes from
    operation, operands = keras_graph.producer(z)
    assert operation is dense and len(operands) == 1 and operands[0] is a


def test_is_called_on():
    a, b = keras.Input((2,)), keras.Input((2,))
    dense = keras.layers.Dense(2)
    z = dense(a)
    assert keras_graph.is_called_on(dense, a)
    assert not keras_graph.is_called_on(dense, b) and not keras_graph.is_called_on(dense, z)
