import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from taylor import taylor_coefficients
from taylor.response import Response
from tests.problems import DenseNetwork, sigmoid_derivatives


class Subclass(keras.Model):
    def __init__(self, dtype=None):
        super().__init__(dtype=dtype)
        self.hidden, self.last = layers.Dense(4, "tanh", dtype=dtype), layers.Dense(2, dtype=dtype)

    def call(self, x):
        return self.last(self.hidden(x))


def parametric():
    features, theta = keras.Input((3,), name="features"), keras.Input((2,), name="theta")
    z = layers.Dense(4, "tanh")(layers.Concatenate()([features, theta]))
    score, flavour = layers.Dense(1, "sigmoid", name="score")(z), layers.Dense(3, "softmax", name="flavour")(z)
    return keras.Model({"theta": theta, "features": features}, [score, flavour])


@pytest.fixture(scope="module")
def model():
    return parametric()


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(5, 3)).astype("float32"), rng.normal(size=(5, 2)).astype("float32")]


def test_an_output_is_chosen_by_tensor_and_column(model, parts):
    score, flavour = model({"features": parts[0], "theta": parts[1]})
    for output, expected in [
        (0, score[:, 0]),
        (("score", 0), score[:, 0]),
        (("flavour", 2), flavour[:, 2]),
        ((1, 1), flavour[:, 1]),
    ]:
        assert np.array_equal(Response(model, output=output)([tf.constant(part) for part in parts]), expected)


def test_features_of_a_parametric_model_are_analysed_and_theta_is_fixed_unless_named(model):
    response = Response(model)
    assert response.input_names == ("features", "theta")
    assert response.analysed == (0,)
    assert Response(model, inputs=("theta", "features")).analysed == (1, 0)
    assert Response(model, inputs="theta").analysed == (1,)
    one, other = keras.Input((1,), name="one"), keras.Input((1,), name="other")
    assert Response(keras.Model([other, one], layers.Add()([one, other]))).analysed == (0, 1)


def test_events_are_arranged_in_the_order_of_the_inputs(model, parts):
    x, theta = parts
    response = Response(model)
    for given in ({"theta": theta, "features": x}, [x, theta], (x, theta)):
        arranged = response.arrange(given)
        assert arranged[0] is x
        assert arranged[1] is theta
    rows = Response(DenseNetwork().model()).arrange([[1.0, 2.0, 3.0]])
    assert rows[0].shape == (1, 3)
    whole_theta = np.ones((5, 2), int)  # only what is differentiated in must be continuous
    assert response.arrange([x, whole_theta])[1] is whole_theta


def test_columns_have_names_of_the_data_frame_or_of_the_inputs(model, parts):
    x, theta = parts
    assert Response(model).column_names([x, theta]) == ("x1", "x2", "x3")
    both = Response(model, inputs=("theta", "features"))
    assert both.column_names([x, theta]) == ("theta1", "theta2", "features1", "features2", "features3")
    single = keras.Input((1,), name="mass")
    one_column = keras.Model([single, keras.Input((2,), name="x")], layers.Dense(1)(single))
    assert Response(one_column).column_names([x[:, :1], theta]) == ("mass", "x1", "x2")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(x, columns=["mass", "pt", "eta"])
    assert Response(DenseNetwork().model()).column_names(frame) == ("mass", "pt", "eta")
    assert Response(model).column_names({"features": frame, "theta": theta}) == ("mass", "pt", "eta")


@pytest.mark.parametrize("last", ["sigmoid", "softmax"])
def test_the_logit_is_the_argument_of_the_last_activation(last):
    network = DenseNetwork(last=last, widths=(3, 4, 3))
    x = network.events(5)
    response = Response(network.model(), output=1, target="logit")
    np.testing.assert_allclose(response([tf.constant(x)]), network.logit(x)[:, 1], rtol=1e-13)  # a few sums in float64


def test_an_activation_that_is_used_twice_is_left_out_only_at_the_end():
    activation, x = layers.Activation("sigmoid"), keras.Input((3,))
    hidden, last = layers.Dense(4), layers.Dense(1)
    response = Response(keras.Model(x, activation(last(activation(hidden(x))))), target="logit")
    events = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    expected = sigmoid_derivatives(events @ hidden.kernel + hidden.bias)[0] @ last.kernel
    # Terms of order one are summed in float32, and may cancel.
    np.testing.assert_allclose(response([tf.constant(events)]), expected[:, 0], rtol=1e-5, atol=1e-6)


def test_softmax_and_activation_layers_have_a_logit_too():
    x = keras.Input((3,))
    events = tf.constant(np.random.default_rng(0).normal(size=(5, 3)), tf.float32)
    dense = layers.Dense(2, use_bias=False)
    for last in (layers.Softmax(), layers.Activation("softmax"), layers.Activation("sigmoid")):
        response = Response(keras.Model(x, last(dense(x))), output=1, target="logit")
        np.testing.assert_allclose(response([events]), (events @ dense.kernel)[:, 1], rtol=1e-6)  # float32


def test_a_subclass_and_an_output_without_columns_respond():
    model = Subclass()
    x = tf.ones((4, 3))
    assert np.array_equal(Response(model, output=1)([x]), model(x)[:, 1])
    flat = keras.Input((3,))
    model = keras.Model(flat, keras.ops.sum(flat, axis=1))
    assert Response(model)([x]).numpy().tolist() == [3.0] * 4


def with_input(dtype):
    number = keras.Input((1,), dtype=dtype)
    return keras.Model(number, layers.Dense(1)(layers.Flatten()(layers.Embedding(5, 2)(number))))


def in_training(layer):
    x = keras.Input((3,))
    return keras.Model(x, layers.Dense(1)(layer(x, training=True)))


def with_an_inner_model_in_training(layer):
    return keras.Sequential([keras.Input((3,)), in_training(layer)])


def images():
    return keras.Sequential([keras.Input((3,)), layers.Reshape((3, 1))])


def dense(last=None, **arguments):
    return keras.Sequential([keras.Input((3,)), layers.Dense(2, last, **arguments)])


def quantized():
    model = dense()
    model.layers[0].quantize("int8")
    return model


def test_low_rank_updates_of_a_kernel_count():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1, "sigmoid")])
    model.layers[0].enable_lora(1)
    events = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    before = taylor_coefficients(model, events).values
    b = model.layers[0].trainable_weights[-1]
    b.assign(np.ones(b.shape))
    by_layers, by_tapes = (taylor_coefficients(model, events, engine=engine) for engine in ("adjoint", "autodiff"))
    np.testing.assert_allclose(by_layers.values, by_tapes.values, rtol=1e-5, atol=1e-6)  # float32
    assert np.abs(by_layers.values - before).max() > 1e-2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Response(dense(), target="probability"), "one of .'output', 'logit'.. Received: target='probability'"),
        (lambda: Response(dense(), output=2), "column below 2. Received: output=2"),
        (lambda: Response(dense(), output=-1), "column below 2. Received: output=-1"),
        (lambda: Response(Subclass(), output=2)([tf.ones((4, 3))]), "column below 2. Received: output=2"),
        (lambda: Response(parametric(), output=("mass", 0)), "one of the output tensors .*'score', 'flavour'"),
        (lambda: Response(parametric(), output=(2, 0)), "one of the output tensors"),
        (lambda: Response(images()), r"outputs of shape \(n_events, n_outputs\). Received: \(None, 3, 1\)"),
        (lambda: Response(dense(), inputs=["mass"]), "inputs to name some of .* Received: inputs=.'mass',."),
        (lambda: Response(dense(), inputs=()), "inputs to name some of"),
        (lambda: Response(dense("tanh"), target="logit"), "target='logit' .*sigmoid or softmax"),
        (lambda: Response(Subclass(), target="logit"), "target='logit' .*functional"),
        (lambda: Response(keras.Sequential([layers.Dense(1)])), "Sequential.*keras.Input"),
        (lambda: Response(dense(dtype="mixed_bfloat16")), "computes in float32 or float64. Received: bfloat16"),
        (lambda: Response(dense(dtype="float16")), "Received: float16"),
        (lambda: Response(quantized()), r"without quantized layers. Received: .'dense.*model.quantize"),
        (lambda: Response(with_input("int32")), "floating-point numbers in .* whole numbers in"),
        (lambda: Response(in_training(layers.BatchNormalization(name="norm"))), r"training=True: \['norm'\]"),
        (lambda: Response(in_training(layers.Dropout(0.5, name="drop"))), r"training=True: \['drop'\]"),
        (lambda: Response(with_an_inner_model_in_training(layers.Dropout(0.5, name="drop"))), r"\['drop'\]"),
        (lambda: Response(dense()).arrange(np.ones((4, 2))), r"of shape \(n_events, 3\). Received: \(4, 2\)"),
        (lambda: Response(dense()).arrange(np.ones(3)), r"of shape \(n_events, 3\). Received: \(3,\)"),
        (lambda: Response(parametric()).arrange(np.ones((4, 3))), "one array for each of the inputs .* Received: 1"),
        (lambda: Response(parametric()).arrange({"features": np.ones((4, 3))}), "inputs .* Received: .'features',."),
    ],
)
def test_bad_models_and_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_model_or_no_continuous_number_is_a_type_error():
    with pytest.raises(TypeError, match=r"Expected a keras.Model.* Received: Dense"):
        Response(layers.Dense(1))
    with pytest.raises(TypeError, match=r"no derivative in a whole number. Received: int64.*astype"):
        Response(dense()).arrange(np.ones((4, 3), np.int64))
