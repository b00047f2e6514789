"""Several outputs in one pass: what each of them gives alone; and the winning one, by the rows of all."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import taylor
from taylor import importance_of_outputs, mean_abs_coefficients, taylor_coefficients
from taylor.adjoint import adjoint
from taylor.autodiff import autodiff
from taylor.closed_form import closed_form
from taylor.response import Outputs, Response
from tests.problems import DenseNetwork

pytestmark = pytest.mark.usefixtures("float64")

EXACT = {"rtol": 1e-12, "atol": 1e-14}  # sums of some dozen terms of order 1, in float64
SECOND = taylor.FeatureSet.complete(("a", "b", "c"), 2)
PAIRS = np.triu_indices(3)


class Subclass(keras.Model):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def call(self, x):
        return self.network(x)


@pytest.mark.parametrize("last", ["linear", "sigmoid", "softmax"])
@pytest.mark.parametrize("hidden", [(6,), (6, 5)], ids=["one hidden layer", "two"])
@pytest.mark.parametrize("engine", [adjoint, closed_form, autodiff])
def test_columns_are_those_by_hand_output_after_output(engine, hidden, last, uncompiled):
    if engine is closed_form and (last == "softmax" or len(hidden) == 2):
        pytest.skip("not what the closed form is for")
    network = DenseNetwork("tanh", last, (3, *hidden, 4))
    x, response = network.events(7), Response(network.model(), output=Outputs(columns=(2, 0, 3)))
    assert response([tf.constant(x)]).shape == (7, 3)
    expected = []
    for column in (2, 0, 3):
        gradient, hessian = network.output_derivatives(x, column)
        expected.append(np.hstack([gradient, hessian[:, *PAIRS]]))
    np.testing.assert_allclose(engine(response, SECOND)([tf.constant(x)]), np.hstack(expected), **EXACT)


@pytest.mark.parametrize("target", ["output", "logit"])
@pytest.mark.parametrize("last", ["sigmoid", "softmax"])
@pytest.mark.parametrize("engine", [adjoint, autodiff])
def test_the_winning_output_has_the_coefficients_of_its_column(engine, last, target, uncompiled):
    network = DenseNetwork("silu", last, (3, 6, 5, 4))
    x, model = network.events(40), network.model()
    model.layers[-1].bias.assign_sub(network.logit(x).mean(axis=0))  # so that several win somewhere
    each, winning = (Response(model, output=output, target=target) for output in (Outputs(), "winning"))
    largest = np.argmax(model(x), axis=1)
    assert len(set(largest)) >= 3
    np.testing.assert_allclose(winning([x]), np.max(each([x]), axis=1), **EXACT)
    expected = engine(each, SECOND)([tf.constant(x)]).numpy().reshape(40, 4, 9)[np.arange(40), largest]
    np.testing.assert_allclose(engine(winning, SECOND)([tf.constant(x)]), expected, **EXACT)


@pytest.mark.parametrize("engine", ["adjoint", "autodiff"])
def test_of_equal_outputs_the_first_wins(engine):
    # y = (2 x, x, 2 x) at x = 1: the first and the last are equal; at x = -1 the second wins.
    model = keras.Sequential([keras.Input((1,)), layers.Dense(3, use_bias=False)])
    model.layers[0].set_weights([np.array([[2.0, 1.0, 2.0]])])
    for output in ("winning", (0, "winning")):
        ours = taylor_coefficients(model, [[1.0], [-1.0]], order=1, output=output, engine=engine)
        assert ours.values.numpy().tolist() == [[2], [1]]


def test_the_closed_form_does_not_know_a_winner():
    model = DenseNetwork("tanh", "sigmoid", (3, 6, 2)).model()
    with pytest.raises(ValueError, match="the closed form is of one output"):
        taylor_coefficients(model, np.zeros((2, 3)), output="winning", engine="closed_form")
    assert taylor_coefficients(model, np.zeros((2, 3)), order=3, output="winning").engine == "autodiff"


@pytest.fixture(scope="module")
def classifier():
    network = DenseNetwork("tanh", "softmax", (3, 6, 5, 4))
    return network.model(), network.events(300)


@pytest.mark.parametrize("target", ["output", "logit"])
def test_each_output_is_what_it_would_be_alone(classifier, target, small_chunks):
    model, x = classifier
    keywords = {
        "weight": np.random.default_rng(0).uniform(0.5, 1.5, 300),
        "regions": {"right": x[:, 0] > 0},
        "names": ["mass", "pt", "eta"],
        "scale": [1.0, 2.0, 3.0],
    }
    ours = importance_of_outputs(model, x, bootstrap=3, target=target, **keywords)
    assert ours.names == ("0", "1", "2", "3")
    assert ours.mean.shape == ours.error.shape == (4, 9)
    assert ours.features.names == ("mass", "pt", "eta")
    importance = ours.importances[2]
    alone = mean_abs_coefficients(model, x, output=2, target=target, **keywords)
    assert list(importance.regions) == ["right"]
    assert importance.replicas.shape == (3, 9)
    # The same sums in blocks of another size: rounding, which the difference of squares in the error enlarges.
    np.testing.assert_allclose(importance.mean, alone.mean, rtol=1e-9)
    np.testing.assert_allclose(importance.error, alone.error, rtol=1e-6)
    np.testing.assert_allclose(importance.regions["right"].mean, alone.regions["right"].mean, rtol=1e-9)


def test_outputs_are_chosen_by_column_or_name(classifier, uncompiled):
    model, x = classifier
    everything = importance_of_outputs(model, x).mean
    chosen = importance_of_outputs(model, x, outputs=[3, 1])
    named = importance_of_outputs(model, x, outputs=["qcd", "top", "w", "z"])
    some = importance_of_outputs(model, x, outputs={"z": 3, "top": 1})
    assert (chosen.names, some.names) == (("3", "1"), ("z", "top"))
    np.testing.assert_allclose(chosen.mean, everything[[3, 1]], **EXACT)
    np.testing.assert_allclose(named.mean, everything, **EXACT)
    np.testing.assert_allclose(some["top"].mean, everything[1], **EXACT)


def test_a_dataset_and_a_model_of_several_tensors_give_the_same(classifier, uncompiled):
    model, x = classifier
    regression = layers.Dense(1)(model.inputs[0])
    several = keras.Model(model.inputs, [regression, layers.Identity(name="classes")(model.outputs[0])])
    dataset = tf.data.Dataset.from_tensor_slices((x, x[:, 0] > 0)).batch(33)
    region = {"regions": lambda x, y: {"right": y}}
    expected = importance_of_outputs(model, x, regions={"right": x[:, 0] > 0})
    for ours in (
        importance_of_outputs(model, dataset, **region),
        importance_of_outputs(several, dataset, tensor="classes", **region),
    ):
        np.testing.assert_allclose(ours.mean, expected.mean, rtol=1e-9)
        right = [[o.regions["right"].mean for o in result.importances] for result in (ours, expected)]
        np.testing.assert_allclose(*right, rtol=1e-9)


def test_a_subclassed_model_names_its_columns(classifier, uncompiled):
    model, x = classifier
    subclass = Subclass(model)
    expected = importance_of_outputs(model, x[:20], outputs=[0, 2])
    with pytest.warns(UserWarning, match="Nested tapes"):
        ours = importance_of_outputs(subclass, x[:20], outputs=[0, 2])
    np.testing.assert_allclose(ours.mean, expected.mean, rtol=1e-9)
    with pytest.raises(ValueError, match=r"Subclass does not say how many"):
        importance_of_outputs(subclass, x, outputs=["a", "b", "c", "d"])
    with pytest.warns(UserWarning, match="Nested tapes"):
        winner = taylor_coefficients(subclass, x[:20], output="winning").values
    np.testing.assert_allclose(winner, taylor_coefficients(model, x[:20], output="winning").values, **EXACT)


def test_the_network_is_compiled_once(classifier, monkeypatch):
    model, x = classifier
    made = []
    compiled = taylor.streaming.compiled
    monkeypatch.setattr("taylor.streaming.compiled", lambda *a, **k: made.append(1) or compiled(*a, **k))
    importance_of_outputs(model, x, outputs=[2, 3, 0])
    assert len(made) == 1


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([], "outputs as columns or names"),
        ("top", "outputs as columns or names"),
        ([4], "Expected output to be a column below 4"),
        (["a", "b"], "Expected 4 different names"),
        (["a", "b", "c", "a"], "Expected 4 different names"),
        ([1, 1], "Expected 2 different names"),
    ],
)
def test_what_makes_no_sense_is_refused(classifier, outputs, message):
    model, x = classifier
    with pytest.raises(ValueError, match=message):
        importance_of_outputs(model, x, outputs=outputs)
    with pytest.raises(TypeError, match="Expected outputs"):
        importance_of_outputs(model, x, output=1)
