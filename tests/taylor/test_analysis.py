import keras
import numpy as np
import pytest
from keras import layers

from taylor.analysis import Analysis, analysis_of, require_memory
from tests.problems import DenseNetwork
from tests.taylor.misfits import Centre, Double, Jitter

X = DenseNetwork().events(8)


class Cusp(layers.Layer):
    """Not a number below zero."""

    def call(self, x):
        return keras.ops.sqrt(x)


def with_layer(*inner):
    return keras.Sequential([keras.Input((3,)), *inner, layers.Dense(1, "sigmoid")])


@pytest.fixture(scope="module")
def model():
    return DenseNetwork().model()


def tried(model, x=X, **arguments):
    analysis, parts = analysis_of(model, x, **arguments)
    analysis.try_out(parts)
    return analysis


def test_auto_takes_the_fastest_engine_that_can(model):
    assert tried(model).engine == "adjoint"
    assert tried(model, order=3).engine == "closed_form"
    assert tried(model, features=[(0, 0, 0)]).engine == "closed_form"
    two_hidden = DenseNetwork(widths=(3, 2, 2, 1)).model()
    assert tried(two_hidden, features=["x1", (0, 0, 0)]).engine == "autodiff"


def test_auto_says_when_it_must_take_the_slow_way():
    with pytest.warns(UserWarning, match=r"layer 'twice' \(Double\) has no rule. Nested tapes.*taylor.rule"):
        assert tried(with_layer(Double(name="twice")), order=1).engine == "autodiff"


def test_the_same_arguments_find_the_analysis_that_was_compiled(model):
    first, _ = analysis_of(model, X)
    assert analysis_of(model, X + 1, order=2)[0] is first
    assert analysis_of(model, X, order=1)[0] is not first
    assert analysis_of(model, X, target="logit")[0] is not first
    assert analysis_of(model, X, scale=[1, 1, 2])[0] is not first
    assert analysis_of(DenseNetwork().model(), X)[0] is not first


def test_more_features_make_smaller_chunks(model):
    sizes = [analysis_of(model, X, order=order)[0].chunk_size for order in (1, 2, 4)]
    assert sizes == sorted(sizes, reverse=True)
    assert all(size >= 16 and size & (size - 1) == 0 for size in sizes)  # powers of two


def test_the_scale_of_a_normalization_layer_is_found():
    deviation = np.array([2.0, 3.0, 4.0])
    norm = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=deviation**2)
    by_layer = analysis_of(with_layer(norm), X, scale="normalization")[0]
    shared = analysis_of(with_layer(norm), X, scale="normalization")[0]  # the layer is in two models now
    for analysis in (by_layer, shared):
        np.testing.assert_allclose(analysis._factors[:4], [*deviation, 2.0], rtol=1e-6)  # float32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "fast"}, "engine to be 'auto' or one of .* Received: engine='fast'"),
        ({"order": 0}, "whole number of at least 1. Received: order=0"),
        ({"order": 1.5}, "Received: order=1.5"),
        ({"order": "2"}, "Received: order='2'"),
        ({"names": ["a", "b"]}, r"Expected 3 different names.* Received: names=\('a', 'b'\)"),
        ({"names": ["a", "b", "b"]}, "Expected 3 different names"),
        ({"features": ["mass"]}, "Expected inputs out of .'x1', 'x2', 'x3'.*Received: 'mass'"),
        ({"inputs": ["mass"]}, "inputs to name some of"),
        ({"target": "score"}, "Received: target='score'"),
        ({"output": 1}, "column below 1.*output=1"),
        ({"scale": [1.0, 1.0]}, "Expected scale with 3 positive numbers"),
        ({"scale": [1.0, 0.0, 1.0]}, "Expected scale with 3 positive numbers"),
        ({"scale": [1.0, np.nan, 1.0]}, "Expected scale with 3 positive numbers"),
        ({"scale": "normalization"}, "one Normalization layer right after the input .* Received: 0"),
    ],
)
def test_bad_arguments_are_named(arguments, message, model):
    with pytest.raises(ValueError, match=message):
        analysis_of(model, X, **arguments)


def test_features_that_do_not_fit_in_memory_are_refused_at_once():
    wide = keras.Sequential([keras.Input((1000,)), layers.Dense(1, "sigmoid")])
    with pytest.raises(MemoryError, match=r"4.21e\+10 features of order 4 would take .* features=\[...\]"):
        analysis_of(wide, np.zeros((1, 1000)), order=4)
    with pytest.raises(MemoryError, match=r"An array would take 1e\+15 GB.*Take less."):
        require_memory(1e24, "An array", "Take less.")
    require_memory(1e3, "An array", "Take less.")


@pytest.mark.parametrize(
    ("make", "engine", "message"),
    [
        (
            lambda: with_layer(Double(name="twice")),
            "adjoint",
            "engine='adjoint' cannot .*'twice'.*Use engine='autodiff'",
        ),
        (DenseNetwork(widths=(3, 2, 2, 1)).model, "closed_form", "engine='closed_form' cannot .* single hidden layer"),
    ],
)
def test_an_engine_that_was_asked_for_is_not_replaced(make, engine, message):
    with pytest.raises(ValueError, match=message):
        tried(make(), engine=engine)


@pytest.mark.filterwarnings("ignore:The adjoint engine")
@pytest.mark.parametrize(
    ("layer", "message"),
    [(Jitter, "two different"), (Centre, "other events of the batch")],
)
def test_random_layers_and_layers_that_mix_events_are_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        tried(with_layer(layer()), order=1)


@pytest.mark.filterwarnings("ignore:The adjoint engine")
def test_a_response_that_is_not_a_number_is_neither_random_nor_mixed():
    assert tried(with_layer(Cusp()), order=1).engine == "autodiff"


def test_what_xla_takes_minutes_for_is_not_compiled(model):
    assert analysis_of(model, X)[0].jit_compile
    assert analysis_of(model, X, order=2, engine="autodiff")[0].jit_compile
    assert not analysis_of(model, X, order=3, engine="autodiff")[0].jit_compile
    assert isinstance(analysis_of(model, X)[0], Analysis)
