import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from taylor import FeatureSet, rule, taylor_coefficients
from taylor.analysis import analysis_of
from taylor.rules import RULES
from tests.problems import DenseNetwork
from tests.taylor.misfits import Centre, Double, Jitter

NETWORK = DenseNetwork("tanh", "sigmoid", (3, 6, 1))
SECOND = FeatureSet.complete(("x1", "x2", "x3"), 2)
EXACT = {"rtol": 1e-12, "atol": 1e-14}  # sums of some dozen terms of order 1, in float64


def by_hand(network, x, features=SECOND):
    """(n_events, n_features) coefficients of a network with one hidden layer."""
    derivatives = [network.of_one_hidden_layer(x, index) for index in features.indices]
    return features.factors * np.stack(derivatives, axis=1)


@pytest.fixture(scope="module")
def model():
    return NETWORK.model()


def with_layer(layer):
    return keras.Sequential([keras.Input((3,)), layer, layers.Dense(1, "sigmoid")])


def test_coefficients_are_derivatives_over_factorials(model):
    x = NETWORK.events(20)
    result = taylor_coefficients(model, x)
    assert (result.engine, result.features) == ("adjoint", SECOND)
    np.testing.assert_allclose(result.values, by_hand(NETWORK, x), **EXACT)
    assert np.array_equal(result.first, result.values[:, :3])
    assert np.array_equal(result.second, result.values[:, 3:])
    gradient, hessian = NETWORK.output_derivatives(x)
    np.testing.assert_allclose(result.first, gradient, **EXACT)
    for column, (i, j) in enumerate([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]):
        factor = 0.5 if i == j else 1.0
        np.testing.assert_allclose(result.second[:, column], factor * hessian[:, i, j], **EXACT)


def test_they_are_those_of_the_taylor_expansion(model):
    """The third-order expansion around an event errs by a term of the fourth order."""
    x = NETWORK.events(20)
    result = taylor_coefficients(model, x, order=3)
    assert result.engine == "closed_form"
    np.testing.assert_allclose(result.values, by_hand(NETWORK, x, result.features), rtol=1e-12, atol=1e-14)
    direction = np.array([0.5, -0.4, 0.3])

    def error(length):
        expansion = np.sum(result.values * result.features.powers_of(length * direction), axis=1)
        change = model.predict_on_batch(x + length * direction) - model.predict_on_batch(x)
        return np.abs(change[:, 0] - expansion)

    assert error(0.01).max() < 1e-9
    # 2^4, up to the fifth order, which is 0.02 times smaller.
    assert np.median(error(0.02) / error(0.01)) == pytest.approx(16, rel=0.05)


def test_chunks_of_any_number_of_events_are_put_together(model, small_chunks):
    size = analysis_of(model, NETWORK.events(1))[0].chunk_size
    x = NETWORK.events(2 * size + 7)
    expected = by_hand(NETWORK, x)
    for n_events in (1, size, size + 1, 2 * size + 7):
        values = taylor_coefficients(model, x[:n_events]).values
        np.testing.assert_allclose(values, expected[:n_events], **EXACT)
    assert np.array_equal(taylor_coefficients(model, tf.constant(x)).values, values)


def test_float32_is_float64_to_its_precision():
    x = NETWORK.events(50)
    single = taylor_coefficients(NETWORK.model("float32"), x).values
    assert single.dtype == tf.float32
    # Sums of a few dozen terms of order 1: some eps = 1e-7.
    np.testing.assert_allclose(single, by_hand(NETWORK, x), rtol=1e-5, atol=1e-6)


def test_features_are_chosen_by_index_or_by_the_names_of_a_data_frame(model, uncompiled):
    x, chosen = NETWORK.events(20), [(2, 1), 0, (0, 0), 2]
    expected = by_hand(NETWORK, x, FeatureSet.chosen(("a", "b", "c"), chosen))
    by_index = taylor_coefficients(model, x, features=chosen)
    np.testing.assert_allclose(by_index.values, expected, **EXACT)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(x, columns=["mass", "pt", "eta"])
    by_name = taylor_coefficients(model, frame, features=[("eta", "pt"), "mass", ("mass", "mass"), "eta"])
    assert by_name.features.labels == ("pt, eta", "mass", "mass, mass", "eta")
    assert np.array_equal(by_name.values, by_index.values)
    assert taylor_coefficients(model, frame, names=["a", "b", "c"], order=1).features.names == ("a", "b", "c")


def test_the_scale_takes_raw_inputs_to_standardised_ones_and_back(model, uncompiled):
    """With x = mean + deviation z: dy/dz = deviation dy/dx."""
    mean, deviation = np.array([10.0, 0.0, -3.0]), np.array([50.0, 0.2, 1.5])
    z = NETWORK.events(20)
    norm = layers.Normalization(mean=mean, variance=deviation**2, dtype="float64")
    raw_inputs = keras.Input((3,), dtype="float64")
    raw = keras.Model(raw_inputs, model(norm(raw_inputs)))
    expected = by_hand(NETWORK, z)
    # Standardisation within the model is exact to eps times mean / deviation.
    close = {"rtol": 1e-10, "atol": 1e-13}
    for scale in ("normalization", deviation, deviation.tolist()):
        np.testing.assert_allclose(
            taylor_coefficients(raw, mean + deviation * z, scale=scale).values, expected, **close
        )
    of_raw = taylor_coefficients(raw, mean + deviation * z).values
    np.testing.assert_allclose(taylor_coefficients(model, z, scale=1 / deviation).values, of_raw, **close)


def test_one_row_of_theta_serves_all_events(uncompiled):
    x, theta = NETWORK.events(20), np.array([[0.3]])
    features, parameter = keras.Input((3,), name="features"), keras.Input((1,), name="theta")
    hidden = layers.Dense(4, "tanh")(layers.Concatenate()([features, parameter]))
    model = keras.Model({"features": features, "theta": parameter}, layers.Dense(1, "sigmoid")(hidden))
    one = taylor_coefficients(model, {"features": x, "theta": theta}).values
    many = taylor_coefficients(model, {"features": x, "theta": np.repeat(theta, 20, axis=0)}).values
    assert one.shape == (20, 9)
    np.testing.assert_allclose(one, many, rtol=1e-5, atol=1e-7)  # float32
    both = taylor_coefficients(
        model, {"features": x, "theta": theta.repeat(20, 0)}, inputs=["theta", "features"], order=1
    )
    assert both.features.names == ("theta", "features1", "features2", "features3")
    np.testing.assert_allclose(both.values[:, 1:], one[:, :3], rtol=1e-5, atol=1e-7)


@pytest.mark.filterwarnings("ignore:The adjoint engine")
@pytest.mark.parametrize("largest", [2**24 + 1, 2**31 - 1])
def test_whole_numbers_are_held_fixed_and_never_made_floating_point(largest, uncompiled):
    """Neighbours of float32's last whole number, 2^24, and of int32's."""
    x, kind = keras.Input((3,), name="jets"), keras.Input((1,), name="kind", dtype="int32")
    odd = layers.Lambda(lambda k: keras.ops.cast(k % 2, "float32"))(kind)
    model = keras.Model([x, kind], layers.Multiply()([layers.Dense(1, "tanh")(x), odd]))
    events, kinds = NETWORK.events(4).astype("float32"), np.array([[largest], [largest - 1], [largest], [largest - 1]])
    result = taylor_coefficients(model, {"jets": events, "kind": kinds})
    assert result.features.names == ("x1", "x2", "x3")
    assert np.abs(result.values[::2]).min() > 0
    assert not result.values[1::2].numpy().any()
    graph = tf.function(lambda x, k: taylor_coefficients(model, [x, k]).values)
    np.testing.assert_allclose(graph(events, kinds), result.values, rtol=1e-5, atol=1e-7)  # float32
    with pytest.raises(ValueError, match=r"whole numbers in \['kind'\]"):
        taylor_coefficients(model, [events, kinds], inputs=["jets", "kind"])


@pytest.mark.filterwarnings("ignore:The adjoint engine")
def test_numbers_an_input_each_come_as_columns(uncompiled):
    pandas = pytest.importorskip("pandas")
    names = ("mass", "pt")
    inputs = [keras.Input((), name="mass"), keras.Input((1,), name="pt")]
    model = keras.Model(inputs, layers.Dense(1, "tanh")(keras.ops.stack([inputs[0], inputs[1][:, 0]], axis=1)))
    events = NETWORK.events(4)[:, :2].astype("float32")
    columns = dict(zip(names, events.T, strict=True))
    stacked = keras.Sequential([keras.Input((2,)), *model.layers[-1:]])
    expected = taylor_coefficients(stacked, events, names=names)
    for x in (columns, pandas.DataFrame(columns), [events[:, 0], events[:, 1]]):
        result = taylor_coefficients(model, x)
        assert result.features == expected.features
        np.testing.assert_allclose(result.values, expected.values, rtol=1e-5, atol=1e-6)  # float32


def test_a_graph_may_use_them(model):
    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float64)])
    def steepness(x):
        result = taylor_coefficients(model, x)
        assert result.engine == "adjoint"
        return tf.norm(result.first, axis=1), result.values

    for n_events in (1, 20):
        x = NETWORK.events(n_events)
        norm, values = steepness(tf.constant(x))
        np.testing.assert_allclose(values, by_hand(NETWORK, x), **EXACT)
        np.testing.assert_allclose(norm, np.linalg.norm(by_hand(NETWORK, x)[:, :3], axis=1), **EXACT)


def test_changed_weights_count_and_are_not_traced_again():
    traces = []

    @rule(Double)
    def double(layer, x):
        traces.append(layer)
        return RULES[layers.Rescaling](layers.Rescaling(2.0), x)

    try:
        model = keras.Sequential([keras.Input((3,)), Double(), layers.Dense(1, "sigmoid")])
        x = NETWORK.events(20).astype("float32")
        before = taylor_coefficients(model, x, order=1).values
        n_traces = len(traces)
        model.layers[-1].kernel.assign(-model.layers[-1].kernel)  # the bias is zero: all derivatives change sign
        after = taylor_coefficients(model, x + 0.0, order=1).values
        np.testing.assert_allclose(after, -before, rtol=1e-5, atol=1e-6)  # float32, where 1 - s loses digits near s = 1
        assert np.abs(before).max() > 0.01
        assert len(traces) == n_traces >= 2  # once when it was tried out, and once when it was traced
    finally:
        del RULES[Double]


def test_a_layer_without_a_rule_is_differentiated_by_tapes_and_said():
    dense = NETWORK.model("float32")
    x = NETWORK.events(20)
    doubled = keras.Sequential([keras.Input((3,)), Double(name="twice"), *dense.layers])
    with pytest.warns(UserWarning, match=r"'twice' \(Double\) has no rule") as caught:
        result = taylor_coefficients(doubled, x, features=["x2", (0, 1)])
    assert caught[0].filename == __file__
    assert result.engine == "autodiff"
    expected = by_hand(NETWORK, 2 * x, result.features) * [2, 4]
    np.testing.assert_allclose(result.values, expected, rtol=1e-5, atol=1e-6)  # float32
    with pytest.raises(ValueError, match="engine='adjoint' cannot analyse this model: layer 'twice'"):
        taylor_coefficients(doubled, x, engine="adjoint")


def test_a_second_order_that_vanishes_is_said(uncompiled):
    relu = keras.Sequential([keras.Input((3,)), layers.Dense(5, "relu"), layers.Dense(1, "sigmoid")])
    x = NETWORK.events(20)
    with pytest.warns(UserWarning, match="second order and above are zero: the response is piecewise linear") as caught:
        result = taylor_coefficients(relu, x, target="logit")
    assert caught[0].filename == __file__
    assert not result.second.numpy().any()
    assert result.first.numpy().any()
    assert taylor_coefficients(relu, x).second.numpy().any()  # of the sigmoid


def test_a_saturated_network_is_not_taken_for_a_piecewise_linear_one(model, uncompiled):
    x = 1e6 * (1 + np.abs(NETWORK.events(20)))
    with pytest.warns(UserWarning, match="are zero, those of the first order too: .* saturated"):
        assert not taylor_coefficients(model, x).values.numpy().any()
    with pytest.warns(UserWarning, match="piecewise linear or saturated, or these inputs do not act together"):
        taylor_coefficients(model, x, features=[(0, 1)])


@pytest.mark.filterwarnings("ignore:The adjoint engine")
@pytest.mark.parametrize(("layer", "message"), [(Jitter, "two different"), (Centre, "other events of the batch")])
def test_random_layers_and_layers_that_mix_events_are_refused_in_graphs_too(layer, message):
    x = NETWORK.events(20).astype("float32")
    with pytest.raises(ValueError, match=message):
        taylor_coefficients(with_layer(layer()), x, order=1)
    model = with_layer(layer())
    with pytest.raises(ValueError, match=message):
        tf.function(lambda x: taylor_coefficients(model, x, order=1).values)(x)


def with_one(value):
    x = NETWORK.events(20)
    x[3, 1] = value
    return x


@pytest.mark.parametrize(
    ("x", "arguments", "error", "message"),
    [
        (with_one(np.nan), {}, ValueError, r"NaN or infinity in 1 of 20 events \(the first: 3\), columns \[1\]"),
        (with_one(np.inf), {}, ValueError, "1 of 20 events"),
        (np.ones((4, 2)), {}, ValueError, r"of shape \(n_events, 3\). Received: \(4, 2\)"),
        (np.ones((0, 3)), {}, ValueError, r"at least one, in all inputs. Received: \[0\]"),
        (np.ones((4, 3), int), {}, TypeError, "Expected floating-point numbers .* Received: int64"),
        (np.ones((4, 3)), {"order": 0}, ValueError, "order=0"),
        (np.ones((4, 3)), {"order": 10**6}, MemoryError, "features of order 1000000 .* GB"),
        (
            np.broadcast_to(np.ones(3), (10**12, 3)),
            {},
            MemoryError,
            "9 coefficients of 1000000000000 events .* GB",
        ),
        (np.ones((4, 3)), {"engine": "adjoint", "order": 3}, ValueError, "engine='adjoint' .*3"),
    ],
)
def test_bad_events_and_arguments_are_named(x, arguments, error, message, model):
    with pytest.raises(error, match=message):
        taylor_coefficients(model, x, **arguments)


class Doubled(keras.Model):
    """Made of a graph of layers, but called otherwise."""

    def call(self, inputs, training=False):
        return 2 * super().call(inputs, training=training)


@pytest.mark.parametrize("several", [False, True])
def test_a_functional_model_with_a_call_of_its_own_is_called(several, uncompiled):
    x, theta = keras.Input((2,), name="features"), keras.Input((1,), name="theta")
    last = layers.Dense(1, kernel_initializer="ones")
    events = {"features": np.ones((3, 2)), "theta": np.ones((3, 1))}
    if several:
        model = Doubled({"features": x, "theta": theta}, last(layers.Concatenate()([x, theta])))
    else:
        model, events = Doubled(x, last(x)), events["features"]
    with pytest.warns(UserWarning, match="Doubled has a call of its own"):
        result = taylor_coefficients(model, events, order=1)
    assert result.values.numpy().tolist() == [[2.0, 2.0]] * 3
