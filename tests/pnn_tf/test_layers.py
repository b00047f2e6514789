import keras
import numpy as np
import pytest
import tensorflow as tf

from pnn_tf import AffineConditioning, ConcatConditioning, ThetaScale

LAYERS = [
    AffineConditioning(),
    AffineConditioning("sigmoid", "tanh", use_bias=False, scale_initializer="he_normal"),
    AffineConditioning(scale_bias_initializer="ones", shift_bias_initializer=keras.initializers.Constant(0.5)),
    AffineConditioning("softplus", shifting=False),
    AffineConditioning(shift_activation="tanh", scaling=False),
    ConcatConditioning(),
    ConcatConditioning(units=4, activation="relu"),
]


@pytest.fixture
def inputs():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(6, 3)), rng.normal(size=(6, 2))]


def test_affine_is_the_closed_form(inputs):
    z, theta = inputs
    layer = AffineConditioning("sigmoid", "tanh", scale_bias_initializer="ones", dtype="float64")
    output = layer(inputs)
    scale_map, shift_map = layer.get_weights()
    assert scale_map.shape == shift_map.shape == (3, 3)
    assert np.array_equal(scale_map[-1], np.ones(3)) and np.array_equal(shift_map[-1], np.zeros(3))
    scale = 1 / (1 + np.exp(-(theta @ scale_map[:-1] + 1)))
    shift = np.tanh(theta @ shift_map[:-1])
    rounding = {"rtol": 0, "atol": 1e-14}  # a few operations in float64 on terms of order one, which may cancel
    np.testing.assert_allclose(output, z * scale + shift, **rounding)
    for ours, expected in zip(layer.scale_and_shift(tf.constant(theta)), (scale, shift), strict=True):
        np.testing.assert_allclose(ours, expected, **rounding)


@pytest.mark.parametrize("missing", ["scaling", "shifting"])
def test_half_of_the_layer_is_the_whole_with_a_scale_of_one_or_a_shift_of_zero(missing, inputs):
    z, theta = inputs
    whole, half = (AffineConditioning("softplus", "tanh", dtype="float64", **kw) for kw in ({}, {missing: False}))
    whole(inputs)
    half.build([z.shape, theta.shape])
    scale, shift = whole.get_weights()
    half.set_weights([shift if missing == "scaling" else scale])
    assert half.count_params() == 3 * 3
    scale = np.log1p(np.exp(theta @ scale[:-1] + scale[-1])) if missing == "shifting" else np.ones_like(z)
    shift = np.tanh(theta @ shift[:-1] + shift[-1]) if missing == "scaling" else np.zeros_like(z)
    rounding = {"rtol": 0, "atol": 1e-14}  # as above
    np.testing.assert_allclose(half(inputs), z * scale + shift, **rounding)
    for ours, expected in zip(half.scale_and_shift(tf.constant(theta)), (scale, shift), strict=True):
        np.testing.assert_allclose(ours, expected, **rounding)


def test_affine_starts_as_the_identity_if_told_to(inputs):
    layer = AffineConditioning(scale_initializer="zeros", shift_initializer="zeros", scale_bias_initializer="ones")
    assert np.array_equal(layer(inputs), inputs[0].astype("float32"))


@pytest.mark.parametrize(
    "layer",
    [
        AffineConditioning("softplus", "tanh"),
        AffineConditioning("softplus", shifting=False),
        AffineConditioning(shift_activation="tanh", scaling=False),
        ConcatConditioning(units=4, activation="tanh"),
    ],
)
def test_gradient_agrees_with_finite_differences(layer, inputs):
    layer = type(layer).from_config({**layer.get_config(), "dtype": "float64"})
    inputs = [tf.Variable(x) for x in inputs]
    layer(inputs)
    variables = inputs + [weight.value for weight in layer.weights]

    def value():
        return tf.reduce_sum(tf.sin(layer(inputs)))

    with tf.GradientTape() as tape:
        total = value()
    step = 1e-5  # truncation of order step**2 and rounding of order eps / step are both below 1e-9
    rng = np.random.default_rng(1)
    for variable, gradient in zip(variables, tape.gradient(total, variables), strict=True):
        direction = rng.normal(size=variable.shape)
        variable.assign_add(step * direction)
        above = value()
        variable.assign_sub(2 * step * direction)
        numeric = (above - value()) / (2 * step)
        variable.assign_add(step * direction)
        np.testing.assert_allclose(np.sum(gradient * direction), numeric, atol=1e-8)


def test_concat_appends_theta_or_a_map_of_it(inputs):
    x, theta = (value.astype("float32") for value in inputs)
    assert np.array_equal(ConcatConditioning()([x, theta]), np.hstack([x, theta]))
    layer = ConcatConditioning(units=4, activation="relu")
    output = layer([x, theta])
    kernel, bias = layer.get_weights()
    np.testing.assert_allclose(output, np.hstack([x, np.maximum(theta @ kernel + bias, 0)]), rtol=1e-6)  # float32


@pytest.mark.parametrize("layer", LAYERS)
def test_shape_config_and_weights_survive(layer, inputs, tmp_path):
    z, theta = keras.Input((3,)), keras.Input((2,))
    output = layer([z, theta])
    assert output.shape == (None, *layer.compute_output_shape([(None, 3), (None, 2)])[1:])
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    model = keras.Model([z, theta], output)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for other in (loaded, clone):
        assert np.array_equal(other(inputs), model(inputs))


def test_theta_scale_divides_and_remembers_the_points():
    layer = ThetaScale((1000.0, 2.0), (0.0, 0.5), ((500, 0.25), (1500, 0.5)))
    assert np.array_equal(layer(np.array([[500.0, 1.5]], "float32")), np.array([[0.5, 0.5]], "float32"))
    copy = ThetaScale.from_config(layer.get_config())
    assert (copy.scale, copy.offset) == ([1000.0, 2.0], [0.0, 0.5])
    assert copy.trained_points == [[500.0, 0.25], [1500.0, 0.5]]
    assert not layer.weights


def test_theta_scale_takes_the_parameters_that_it_was_built_for_alone():
    layer = ThetaScale((1000.0, 1.0))
    layer(np.ones((4, 2)))
    assert layer(np.ones((5, 1, 2))).shape == (5, 1, 2)
    for n_parameters in (1, 3):
        with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 2"):
            layer(np.ones((4, n_parameters)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ThetaScale(0), "scale > 0"),
        (lambda: ThetaScale((1000, np.nan)), "scale > 0"),
        (lambda: ThetaScale(np.inf), "scale > 0"),
        (lambda: ThetaScale(1, np.nan), "offset=nan"),
        (lambda: ThetaScale(1, 0, []), "trained_points of shape"),
        (lambda: ThetaScale(1, 0, (1, np.nan)), "trained_points .*nan"),
        (lambda: ThetaScale((1, 2, 3))(np.ones((4, 2))), "2 parameters, in scale"),
        (lambda: ThetaScale(1, (1, 2, 3))(np.ones((4, 2))), "2 parameters, in offset"),
        (lambda: ThetaScale(1, 0, ((1, 1, 1), (2, 2, 2)))(np.ones((4, 2))), "trained_points of 2 .*3"),
        (lambda: ConcatConditioning(activation="relu"), "units.*activation=relu"),
        (lambda: ConcatConditioning(units=0), "units >= 1"),
        (lambda: AffineConditioning(scaling=False, shifting=False), "scaling=True or shifting=True"),
        (lambda: AffineConditioning()(np.ones((4, 2))), r"z, theta.*\(4, 2\)"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
