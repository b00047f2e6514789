import keras
import numpy as np
import pytest

from pnn_tf import keras_graph


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


def test_layers_of_a_subclass():
    class Tower(keras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [keras.layers.Dense(2), keras.Sequential([keras.layers.Dropout(0.1)])]

    model = Tower()
    kinds = [type(layer) for layer in keras_graph.layers(model)]
    assert kinds.count(keras.layers.Dense) == kinds.count(keras.layers.Dropout) == 1


def test_followers_are_the_operations_that_take_the_output():
    x = keras.Input((2,))
    shared, first, second = (keras.layers.Dense(2) for _ in range(3))
    z = shared(x)
    keras.Model(x, [first(z), second(z) * 2])
    assert keras_graph.followers(shared) == [first, second]
    assert [type(operation).__name__ for operation in keras_graph.followers(second)] == ["Multiply"]
    assert keras_graph.followers(first) == []


def test_the_producer_of_a_tensor_is_an_operation_and_what_it_was_called_with():
    x = keras.Input((2,))
    dense = keras.layers.Dense(2)
    first = dense(x)
    second = dense(first)  # a second call of the same layer
    assert keras_graph.producer(first)[0] is keras_graph.producer(second)[0] is dense
    assert keras_graph.producer(first)[1][0] is x and keras_graph.producer(second)[1][0] is first


@pytest.fixture
def branched():
    """A model of two inputs and two outputs, with a layer that is called twice."""
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    square = keras.layers.Dense(2, name="square")
    z = square(square(a))
    return keras.Model([a, b], {"sum": keras.layers.Add(name="add")([z, b]), "square": z})


def test_evaluate_calls_the_layers(branched):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 2)).astype("float32")
    values = keras_graph.evaluate(branched, [a, b], lambda layer, *arguments, **keywords: layer(*arguments, **keywords))
    expected = keras.tree.flatten(branched([a, b]))
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_array_equal(value, other)


def test_evaluate_takes_values_of_any_kind(branched):
    """Names in place of tensors: what comes out says what was called on what."""

    def call(layer, operands):
        return f"{layer.name}({'+'.join(operands) if isinstance(operands, list) else operands})"

    values = keras_graph.evaluate(branched, ["a", "b"], call)
    assert sorted(values) == ["add(square(square(a))+b)", "square(square(a))"]


def test_the_only_input_is_in_the_structure_of_the_model():
    x = keras.Input((1,), name="x")
    y = keras.layers.Dense(1)(x)
    for structure, expected in ((x, 7), ([x], [7]), ({"x": x}, {"x": 7})):
        assert keras_graph.as_only_input(keras.Model(structure, y), 7) == expected
    assert keras_graph.as_only_input(keras.Sequential([x, keras.layers.Dense(1)]), 7) == 7


def test_a_model_with_a_call_of_its_own_is_not_functional():
    class Doubled(keras.Model):
        def call(self, inputs):
            return 2 * super().call(inputs)

    class Trained(keras.Model):
        def train_step(self, data):
            return {}

    x = keras.Input((1,))
    y = keras.layers.Dense(1)(x)
    assert keras_graph.is_functional(keras.Model(x, y)) and keras_graph.is_functional(Trained(x, y))
    assert not keras_graph.is_functional(Doubled(x, y))
    assert not keras_graph.is_functional(keras.Sequential([keras.layers.Dense(1)]))
