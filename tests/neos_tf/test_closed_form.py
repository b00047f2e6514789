"""Closed-form rates and derivatives against pyhf in NumPy and differences of its likelihood."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

from neos_tf import TemplateModel, uncertainties
from neos_tf.closed_form import ClosedForm
from tests.neos_tf.accurate_pyhf import hessian
from tests.neos_tf.workspaces import (
    LUMI,
    MU,
    SHAPE,
    WORKSPACES,
    histosys,
    luminosity,
    normsys,
    random_specification,
    sample,
    shapesys,
    specification,
    staterror,
)

CODES = [("code0", "code1"), ("code2", "code1"), ("code4p", "code4")]
# Every modifier, four factors in one product, a parameter of both interpolations, little expected in one bin.
EVERYTHING = specification(
    luminosity(0.03),
    region=[
        sample("signal", [9.0, 14.0], MU, LUMI, SHAPE, normsys("scale", 0.93, 1.1), staterror("region", [0.5, 0.8])),
        sample("simulated", [60.0, 40.0], histosys("tilt", [57.0, 42.0], [66.0, 39.0]), normsys("tilt", 1.1, 0.95)),
        sample("fakes", [20.0, 11.0], shapesys("fakes", [3.0, 2.5]), normsys("scale", 0.8, 1.05), LUMI),
        sample("multijet", [15.0, 0.5], SHAPE, staterror("region", [2.0, 0.1])),
    ],
    control=[sample("multijet", [120.0, 90.0, 3.0], histosys("tilt", [121.0, 90.0, 2.0], [119.0, 92.0, 3.5]))],
)
ITEM = specification(
    c=[
        sample("signal", [5.0, 8.0], MU, normsys("alpha", 0.8, 1.2)),
        sample("background", [50.0, 60.0], normsys("alpha", 0.9, 1.1)),
    ]
)


def of(spec, codes=CODES[-1], **options):
    settings = {"histosys": {"interpcode": codes[0]}, "normsys": {"interpcode": codes[1]}}
    return TemplateModel.from_spec(spec, modifier_settings=settings, **options)


def data_of(model, seed=0):
    """Off what is expected at the start, auxiliary data as well; nothing is observed in the last bin."""
    rng = np.random.default_rng(seed)
    data = np.array(model.pyhf_model.expected_data(model.initial))
    data *= rng.uniform(0.8, 1.2, len(data))
    data[sum(model.channels.values()) - 1] = 0
    return data


def points_of(model, seed=0):
    """At the start and at random, on either side of all pieces of the interpolations."""
    rng = np.random.default_rng(seed)
    spread = np.where(model.initial == 0, 2.0, 0.3)
    random = model.initial + spread * rng.uniform(-1, 1, (4, len(model.initial)))
    return [model.initial, *np.clip(random, model.lower, model.upper)]


def with_zeros(model, *names):
    """A point at which the named parameters are 0."""
    zero = [any(name.startswith(start) for start in names) for name in model.parameter_names]
    return np.where(zero, 0.0, model.initial * 1.1 + 0.2)


@pytest.mark.parametrize("codes", CODES, ids="-".join)
@pytest.mark.parametrize("spec", [EVERYTHING, WORKSPACES["three_channels"], WORKSPACES["own_settings"]])
def test_rates_and_values_are_those_of_pyhf(spec, codes):
    model = of(spec, codes)
    numbers, data = model.bind().numbers, data_of(model)
    at, points = model.closed_form(numbers, tf.constant(data)), points_of(model)
    for point in points:
        expected = model.pyhf_model.expected_data(point, include_auxdata=False)
        np.testing.assert_allclose(model.closed_form.rates(numbers, tf.constant(point)), expected, rtol=5e-15)
    rises = [2 * (model.pyhf_model.logpdf(points[0], data) - model.pyhf_model.logpdf(x, data))[0] for x in points]
    values = np.array([at(tf.constant(point)).value for point in points])
    np.testing.assert_allclose(values - values[0], rises, rtol=1e-12, atol=1e-11)  # of sums of some 1e3


@pytest.mark.parametrize("seed", range(4))
def test_random_models_have_rates_of_pyhf(seed):
    model = TemplateModel.from_spec(random_specification(seed))
    for point in points_of(model):
        expected = model.pyhf_model.expected_data(point, include_auxdata=False)
        rates = model.closed_form.rates(model.bind().numbers, tf.constant(point))
        np.testing.assert_allclose(rates, expected, rtol=5e-15)


@pytest.mark.parametrize(
    ("codes", "zeros"),
    [
        *((codes, ()) for codes in CODES),
        (CODES[-1], ("mu",)),
        (CODES[-1], ("mu", "lumi")),
        (CODES[-1], ("mu", "lumi", "shape", "staterror")),
        (CODES[-1], ("scale", "tilt", "mu")),
        (CODES[1], ("mu", "shape")),
    ],
    ids=str,
)
def test_derivatives_are_differences_of_pyhf(codes, zeros):
    """Where factors are 0 as well, one or several of a product."""
    model = of(EVERYTHING, codes)
    point, data = with_zeros(model, *zeros), data_of(model)
    expected = hessian(model.pyhf_model, point, data)
    received = model.closed_form(model.bind().numbers, tf.constant(data))(tf.constant(point))
    np.testing.assert_allclose(received.hessian, tf.transpose(received.hessian), rtol=1e-14, atol=1e-12)
    # Errors of the reference are estimates from how the extrapolation settles.
    curvature = np.maximum(np.abs(np.diag(expected.value)), 1)
    scale = np.sqrt(np.outer(curvature, curvature))
    assert np.all(np.abs(received.hessian / 2 - expected.value) <= 10 * expected.error + 1e-8 * scale)
    assert np.all(expected.error < 1e-5 * scale)
    for i, unit in enumerate(np.eye(len(point))):
        step = 1e-3 * unit
        one, minus_one, two, minus_two = (model.pyhf_model.logpdf(point + k * step, data)[0] for k in (1, -1, 2, -2))
        slope = -(8 * (one - minus_one) - (two - minus_two)) / (12e-3)
        np.testing.assert_allclose(received.gradient[i] / 2, slope, rtol=1e-7, atol=1e-8)  # rounding 1e-13 / 1e-3


@pytest.mark.parametrize("codes", CODES[:2], ids="-".join)
def test_slope_at_a_kink_is_that_between_both_sides(codes):
    """Of codes 0 and 1, which have one at 0, as of central differences."""
    model = of(EVERYTHING, codes)
    point, numbers = with_zeros(model, "tilt", "scale"), model.bind().numbers
    at = model.closed_form(numbers, tf.constant(data_of(model)))
    for i in (model.parameter_names.index(name) for name in ("tilt", "scale")):
        step = 1e-6 * (np.arange(len(point)) == i)
        quotient = (at(tf.constant(point + step)).value - at(tf.constant(point - step)).value) / 2e-6
        np.testing.assert_allclose(at(tf.constant(point)).gradient[i], quotient, rtol=1e-6)


def test_factors_that_turn_negative():
    """Code 4 does, between strong variations to one side."""
    samples = [
        sample("signal", [9.0], MU, normsys("one", 0.01, 30.0), normsys("two", 0.9, 1.4)),
        sample("background", [500.0]),
    ]
    model = of(specification(c=samples))
    numbers, rates = model.bind().numbers, []
    for one in (-0.8, -0.4, 0.3):
        for two in (-0.35, 0.0, 0.5):
            named = {"mu": 1.3, "one": one, "two": two}
            point = np.array([named[name] for name in model.parameter_names])
            expected = model.pyhf_model.expected_data(point, include_auxdata=False)
            np.testing.assert_allclose(model.closed_form.rates(numbers, tf.constant(point)), expected, rtol=1e-14)
            rates.append(expected[0] - 500)
    assert min(rates) < 0 < max(rates)


def test_positive_is_the_expected_hessian():
    """Of the Asimov data the Hessian is Fisher's matrix; of others it is positive semi-definite."""
    model = of(EVERYTHING)
    likelihood, point = model.bind(), with_zeros(model)
    asimov = model.closed_form(likelihood.numbers, likelihood.expected_data(point))(tf.constant(point))
    np.testing.assert_allclose(asimov.positive, asimov.hessian, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(asimov.gradient, 0, atol=1e-11)
    np.testing.assert_allclose(asimov.value, 0, atol=1e-12)
    other = model.closed_form(likelihood.numbers, tf.constant(data_of(model)))(tf.constant(point))
    np.testing.assert_allclose(other.positive, asimov.positive, rtol=1e-12, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(other.positive)
    assert eigenvalues[0] > -1e-15 * len(eigenvalues) * eigenvalues[-1]  # rounding of a float64, a matrix's worth


def test_floor_has_no_slope_below():
    spec = specification(c=[sample("signal", [5.0, 0.0, 2.0], MU), sample("b", [9.0, 0.0, 0.0])])
    model = of(spec, floor=0.1)
    data, numbers = tf.constant([10.0, 1.0, 2.0], tf.float64), model.bind().numbers
    received = model.closed_form(numbers, data)(tf.constant([0.0], tf.float64))
    np.testing.assert_allclose(received.gradient, 2 * 5 * (1 - 10 / 9), rtol=1e-14)
    np.testing.assert_allclose(received.hessian, [[2 * 25 * 10 / 81]], rtol=1e-14)
    floored = sum(0.1 - n + n * np.log(n / 0.1) for n in (1.0, 2.0)) + 9 - 10 + 10 * np.log(10 / 9)
    np.testing.assert_allclose(received.value, 2 * floored, rtol=1e-14)


def test_nothing_observed_where_nothing_is_expected():
    """-ln L of such a bin is its rate, a straight line."""
    spec = specification(c=[sample("signal", [5.0, 4.0], MU), sample("b", [20.0, 0.0])])
    model = of(spec)
    received = model.closed_form(model.bind().numbers, tf.constant([24.0, 0.0], tf.float64))(tf.zeros(1, tf.float64))
    np.testing.assert_allclose(received.gradient, [2 * (5 * (1 - 24 / 20) + 4)], rtol=1e-14)
    np.testing.assert_allclose(received.hessian, [[2 * 25 * 24 / 400]], rtol=1e-14)


def test_bins_without_anything_are_no_difference():
    spec = specification(c=[sample("signal", [5.0, 0.0], MU), sample("b", [20.0, 0.0])])
    assert of(spec).closed_form is not None


def test_hessian_at_zeros_is_differentiable():
    """With respect to numbers, data and parameters, against differences of itself."""
    model = of(EVERYTHING)
    point, data = with_zeros(model, "mu", "lumi", "scale"), data_of(model)
    weights = np.random.default_rng(1).normal(size=(len(point), len(point)))
    arguments = [model.bind().numbers, tf.constant(data), tf.constant(point)]

    @tf.function(autograph=False)
    def total(numbers, data, point):
        return tf.reduce_sum(weights * model.closed_form(numbers, data)(point).hessian)

    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = total(*arguments)
    gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(value, arguments)]
    for number, (argument, gradient) in enumerate(zip(arguments, gradients, strict=True)):
        direction = np.random.default_rng(number).normal(size=argument.shape) * np.maximum(0.1, np.abs(argument))
        direction[:2] *= number > 0  # the constants 0 and 1
        moved = [
            total(*arguments[:number], argument + 1e-3 * step * direction, *arguments[number + 1 :])
            for step in (1, -1, 2, -2)
        ]
        quotient = (8 * (moved[0] - moved[1]) - (moved[2] - moved[3])) / 12e-3
        np.testing.assert_allclose(np.sum(gradient * direction), quotient, rtol=1e-6)  # truncation of order 1e-3^4


def test_uncertainties_where_the_signal_strength_is_0():
    likelihood = of(ITEM).bind()
    data, point = likelihood.data([52.0, 71.0]), np.zeros(2)
    names = likelihood.model.parameter_names
    second = likelihood.model.closed_form(likelihood.numbers, data)(tf.constant(point)).hessian / 2
    np.testing.assert_allclose(second[0, 1], 1.1335, atol=5e-5)
    sigmas = dict(zip(names, uncertainties(likelihood, point, data).numpy(), strict=True))
    np.testing.assert_allclose([sigmas["mu"], sigmas["alpha"]], [0.900, 0.784], atol=5e-4)
    numeric = np.linalg.inv(hessian(likelihood.model.pyhf_model, point, data.numpy()).value)
    np.testing.assert_allclose(list(sigmas.values()), np.sqrt(np.diag(numeric)), rtol=1e-7)


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # of pyhf, which pytest.warns says again
def test_a_form_that_differs_from_pyhf_is_left_alone(monkeypatch):
    monkeypatch.setattr(ClosedForm, "rates", lambda self, numbers, x: tf.zeros(self._n_bins, tf.float64))
    with pytest.warns(UserWarning, match="Expected rates .* as pyhf computes in NumPy"):
        model = of(ITEM)
    assert model.closed_form is None
    likelihood, point = model.bind(), np.full(2, 0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        received = uncertainties(likelihood, point, likelihood.data([52.0, 71.0]))
    monkeypatch.undo()
    expected = uncertainties(of(ITEM).bind(), point, likelihood.data([52.0, 71.0]))
    np.testing.assert_allclose(received, expected, rtol=1e-12)


def test_rates_far_below_the_counts_have_the_closed_form():
    """Where its warning would be an error: -2 ln L of pyhf is of order 40 a count."""
    model = of(specification(c=[sample("signal", [1e-12], MU), sample("background", [1e-9])]))
    assert model.closed_form is not None
