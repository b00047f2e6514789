"""What was compiled is used again only for what is still the same network, and only as long as the model is there."""

import gc
import types
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import taylor
from taylor.analysis import analysis_of
from taylor.network_state import state_of

FACTOR = 1.0
SETTINGS = types.SimpleNamespace(factor=1.0)
X = np.zeros((1, 2), "float32")
NEAR = np.full((40, 2), 0.1, "float32")


def slope(x):
    return FACTOR * x


class Scaled(keras.Model):
    """A factor from each of the places that a `call` may take it from; the response is linear."""

    shared = 1.0

    def __init__(self):
        super().__init__()
        self.factor = 1.0
        self.several = [1.0]
        self.table = np.ones(3)
        self.tensor = tf.ones(())
        self.function = slope
        self.nested = {"inner": (types.SimpleNamespace(factor=1.0),)}
        self.dense = layers.Dense(1, kernel_initializer="ones")

    def call(self, x):
        factor = self.factor * self.shared * sum(self.several) * float(self.table[1]) * self.method()
        return self.function(self.dense(x)) * factor * self.tensor * self.nested["inner"][0].factor * SETTINGS.factor

    def method(self):
        return 1.0


def dense(activation="sigmoid"):
    return keras.Sequential([keras.Input((2,)), layers.Dense(1, activation, kernel_initializer="ones")])


def slope_of(model):
    return float(taylor.taylor_coefficients(model, X, features=["x1"], engine="autodiff").values[0, 0])


def test_another_activation_is_seen(uncompiled):
    model = dense()
    assert taylor.taylor_coefficients(model, X, order=1).values[0, 0] == 0.25
    model.layers[-1].activation = keras.activations.linear
    assert taylor.taylor_coefficients(model, X, order=1).values[0, 0] == 1.0
    assert taylor.mean_abs_coefficients(model, X, order=1).mean[0] == 1.0
    model.pop()
    model.add(layers.Dense(1, "tanh", kernel_initializer=keras.initializers.Constant(3.0)))
    assert taylor.taylor_coefficients(model, X, order=1).values[0, 0] == 3.0


def change_global(model, monkeypatch):
    monkeypatch.setitem(globals(), "FACTOR", 2.0)


CHANGES = {
    "number": lambda model, monkeypatch: setattr(model, "factor", 2.0),
    "list": lambda model, monkeypatch: model.several.append(1.0),
    "array in place": lambda model, monkeypatch: model.table.__setitem__(1, 2.0),
    "tensor": lambda model, monkeypatch: setattr(model, "tensor", tf.constant(2.0)),
    "function": lambda model, monkeypatch: setattr(model, "function", lambda x: 2 * x),
    "global of a function": change_global,
    "object in a global": lambda model, monkeypatch: monkeypatch.setattr(SETTINGS, "factor", 2.0),
    "object in a tuple in a dict": lambda model, monkeypatch: setattr(model.nested["inner"][0], "factor", 2.0),
    "class attribute": lambda model, monkeypatch: monkeypatch.setattr(Scaled, "shared", 2.0),
    "method of the class": lambda model, monkeypatch: monkeypatch.setattr(Scaled, "method", lambda self: 2.0),
    "call of the model": lambda model, monkeypatch: setattr(model, "call", lambda x: 2 * model.dense(x)),
    "call of a layer": lambda model, monkeypatch: setattr(
        model.dense, "call", lambda x, training=None: 2 * keras.ops.sum(x, axis=1, keepdims=True)
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_call_reads_is_part_of_the_state(change, monkeypatch, uncompiled):
    model = Scaled()
    model(X)
    assert slope_of(model) == 1.0
    assert state_of(model) == state_of(model)
    CHANGES[change](model, monkeypatch)
    assert slope_of(model) == 2.0


def closure(factor):
    return lambda x: x * factor


def test_closures_and_defaults_of_functions_are_part_of_the_state(uncompiled):
    model = keras.Sequential(
        [keras.Input((2,)), layers.Lambda(closure(1.0)), layers.Dense(1, kernel_initializer="ones")]
    )
    assert slope_of(model) == 1.0
    same = state_of(model)
    model.layers[0].function = closure(1.0)
    assert state_of(model) == same
    model.layers[0].function = closure(2.0)
    assert slope_of(model) == 2.0
    model.layers[0].function = lambda x, factor=3.0: x * factor
    assert slope_of(model) == 3.0
    model.layers[0].function.__defaults__ = (4.0,)
    assert slope_of(model) == 4.0


def test_a_normalization_that_is_adapted_again_is_seen(uncompiled):
    norm = layers.Normalization()
    norm.adapt(np.array([[-1.0, -1.0], [1.0, 1.0]]))
    model = keras.Sequential([keras.Input((2,)), norm, layers.Dense(1, kernel_initializer="ones")])
    assert slope_of(model) == pytest.approx(1.0, abs=1e-6)
    norm.adapt(np.array([[-4.0, -4.0], [4.0, 4.0]]))
    assert slope_of(model) == pytest.approx(0.25, abs=1e-6)


def test_a_dtype_policy_and_a_layer_of_an_inner_model_are_part_of_the_state():
    inner = dense()
    model = keras.Sequential([keras.Input((2,)), inner])
    states = {state_of(model)}
    inner.layers[0].activation = keras.activations.tanh
    states.add(state_of(model))
    inner.layers[0].dtype_policy = "mixed_bfloat16"
    states.add(state_of(model))
    assert len(states) == 3


def test_a_rule_that_is_registered_later_counts(monkeypatch, uncompiled):
    class Twice(layers.Layer):
        def call(self, x):
            return 2 * x

    monkeypatch.setattr("taylor.rules.RULES", taylor.rules.RULES)
    model = keras.Sequential([keras.Input((2,)), Twice(), layers.Dense(1)])
    with pytest.warns(UserWarning, match="Twice"):
        assert taylor.taylor_coefficients(model, X, order=1).engine == "autodiff"
    taylor.rule(Twice)(lambda layer, x: taylor.steps.Scale(2 * x.value, x, 2 * tf.ones(x.units)))
    try:
        assert taylor.taylor_coefficients(model, X, order=1).engine == "adjoint"
    finally:
        del taylor.rules.RULES[Twice]


@pytest.mark.parametrize(
    "layer",
    [
        layers.Bidirectional(layers.GRU(2)),
        layers.Conv1D(2, 2),
        layers.LayerNormalization(),
        layers.LSTM(2),
        layers.SimpleRNN(2, dropout=0.1),
        layers.SpectralNormalization(layers.Dense(2)),
        layers.TimeDistributed(layers.Dense(2)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_call_changes_no_state(layer):
    model = keras.Sequential([keras.Input((3, 2)), layer])
    before = state_of(model)
    model(np.zeros((2, 3, 2)))
    assert state_of(model) == before


def test_training_and_new_weights_change_no_state():
    model = keras.Sequential([keras.Input((2,)), layers.BatchNormalization(), layers.Dropout(0.1), layers.Dense(1)])
    before = state_of(model)
    model.compile("adam", "mse", metrics=["mae"])
    x, y = np.random.default_rng(0).normal(size=(8, 2)), np.zeros(8)
    inside = []
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_, **logs: inside.append(state_of(model)),
        on_epoch_end=lambda *_, **logs: inside.append(state_of(model)),
        on_test_batch_end=lambda *_, **logs: inside.append(state_of(model)),
    )
    model.fit(x, y, batch_size=4, epochs=2, validation_data=(x, y), callbacks=[look], verbose=0)
    model.evaluate(x, y, verbose=0)
    model.predict(x, verbose=0)
    model.set_weights(model.get_weights())
    assert {before, *inside, state_of(model)} == {before}


def test_a_new_object_is_another_one_though_it_has_the_old_address(uncompiled):
    model = Scaled()
    model(X)
    for factor in (1.0, 2.0, 3.0, 4.0):  # each takes the place of the one before it
        model.tensor = None
        model.tensor = tf.constant(factor)
        assert slope_of(model) == factor


def looked_at(model):
    taylor.taylor_coefficients(model, NEAR)
    taylor.mean_abs_coefficients(model, NEAR)
    taylor.taylor_coefficients(model, NEAR, order=1, target="logit", engine="autodiff")
    return model, model.layers[-1], analysis_of(model, NEAR)[0]


def test_models_and_what_was_compiled_for_them_are_freed():
    made = []
    for _ in range(2):
        made += map(weakref.ref, looked_at(dense()))
    gc.collect()  # the models,
    gc.collect()  # and then what was kept for them
    assert [reference() for reference in made] == [None] * len(made)


def test_a_response_without_its_model_says_so():
    analysis, _ = analysis_of(dense(), X)
    gc.collect()
    with pytest.raises(ReferenceError, match="Keep it in a variable"):
        analysis.response.model  # noqa: B018
