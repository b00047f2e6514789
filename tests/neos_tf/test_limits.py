"""Upper limits against closed forms and numpy pyhf."""

import functools

import numpy as np
import pyhf
import pytest
import tensorflow as tf
from scipy.optimize import brentq
from scipy.stats import norm

from neos_tf import TemplateModel, UpperLimitLoss, cls, upper_limit
from tests.neos_tf.accurate_pyhf import accurate_fits
from tests.neos_tf.conftest import B, S
from tests.neos_tf.workspaces import MU, histosys, parameter, sample, specification

QUANTILES = (2.0, 1.0, 0.0, -1.0, -2.0)


def counting(lower=0.0, upper=100.0):
    """n ~ Poisson(mu s + b)."""
    samples = [sample("signal", "signal", MU), sample("background", "background")]
    bounds = parameter("mu", bounds=[[lower, upper]])
    return TemplateModel.from_spec(specification(bounds, counting=samples), n_bins=1)


BOUNDED, WIDE = counting(), counting(upper=1e4)


@functools.cache
def graph(model, level=0.05, jit_compile=False):
    """Observed and expected limits, their gradients with respect to the signal, and whether they converged."""

    @tf.function(autograph=False, jit_compile=jit_compile)
    def limits(signal, observations):
        with tf.GradientTape() as tape:
            tape.watch(signal)
            likelihood = model.bind({"signal": signal, "background": [B]})
            found = upper_limit(likelihood, likelihood.data(observations), level)
            values = tf.concat([found.observed[None], found.expected], axis=0)
        return values, tape.jacobian(values, signal, experimental_use_pfor=False)[:, 0], found.converged

    return lambda s, n: limits(tf.constant([s], tf.float64), tf.constant([n], tf.float64))


def ratio(n, tested, best):
    return 2 * (tested - best - n * np.log(tested / best))


def closed_form(s, n, level=0.05, bounded=True):
    """Observed and expected limits, CCGV Eqs. (14), (16), (59), (65)."""

    def observed(mu):
        best = max(n, B) if bounded else n
        q, q_asimov = ratio(n, mu * s + B, best) if mu * s + B > best else 0, ratio(B, mu * s + B, B)
        root = np.sqrt(q_asimov)
        linear = not bounded or q <= q_asimov
        distance = np.sqrt(q) - root if linear else (q - q_asimov) / (2 * root)
        return norm.logsf(distance + root) - norm.logsf(distance) - np.log(level)

    def expected(mu, n_sigma):
        root = np.sqrt(ratio(B, mu * s + B, B))
        return norm.logsf(n_sigma + root) - norm.logsf(n_sigma) - np.log(level)

    search = functools.partial(brentq, a=1e-3, b=1e3, xtol=1e-14, rtol=1e-14)
    return np.array([search(observed), *(search(expected, args=(n_sigma,)) for n_sigma in QUANTILES)])


@pytest.mark.parametrize("s", [S, 30 * S, pytest.param(1e-2 * S, marks=pytest.mark.slow)])
@pytest.mark.parametrize("n", [40.0, 50.0, 53.0, 75.0])
def test_counting_experiment_is_the_closed_form(s, n):
    """With fewer events than background, as many, and excesses; far below, and far above the start."""
    values, slopes, converged = graph(BOUNDED if s >= S else WIDE)(s, n)
    expected = closed_form(s, n) if s >= S else closed_form(S, n) * 100
    np.testing.assert_allclose(values, expected, rtol=1e-10)  # of a q of order 1 between -2 ln L of order 10
    np.testing.assert_allclose(slopes, -expected / s, rtol=1e-6)  # what counts is mu s
    assert converged


@pytest.mark.slow
def test_limits_of_a_parameter_that_may_be_negative():
    """CCGV Eq. (59) holds for q_mu everywhere: pyhf's test_stat="q"."""
    model = counting(lower=-5.0)
    values, _, converged = graph(model)(S, 40.0)
    np.testing.assert_allclose(values, closed_form(S, 40.0, bounded=False), rtol=1e-10)
    assert converged and values[0] < closed_form(S, 40.0)[0] - 0.01
    likelihood = model.bind({"signal": [S], "background": [B]})
    np.testing.assert_allclose(cls(likelihood, likelihood.data([40.0]), values[0]).observed, 0.05, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("level", [1e-4, 0.32])
def test_another_level(level):
    values, _, converged = graph(BOUNDED, level)(S, 53.0)
    np.testing.assert_allclose(values, closed_form(S, 53.0, level), rtol=1e-10)
    assert converged


@pytest.mark.slow
def test_compiled_limits_are_the_same():
    for received, expected in zip(graph(BOUNDED, jit_compile=True)(S, 53.0), graph(BOUNDED)(S, 53.0), strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-10)


def test_where_there_is_no_limit_it_is_infinite_and_not_converged():
    values, slopes, converged = graph(BOUNDED)(0.0, 50.0)
    assert not converged and np.isposinf(values).all() and np.isfinite(slopes).all()
    values, _, converged = graph(BOUNDED)(S / 30, 50.0)  # the last two are above the bound, 100
    assert not converged
    np.testing.assert_allclose(values[1:4], 30 * closed_form(S, 50.0)[1:4], rtol=1e-10)
    assert np.isposinf(values[0]) and np.isposinf(values[5])


def test_bad_arguments_are_named(with_nuisance):
    for level in (0.0, 1.0, 95.0, float("nan"), [0.05, 0.1]):
        with pytest.raises(ValueError, match="level between 0 and 1"):
            upper_limit(with_nuisance, level=level)
    spec = specification(counting=[sample("background", [B], histosys("level", [B - 4], [B + 6]))])
    with pytest.raises(ValueError, match=r"parameter of interest\. Received: none"):
        upper_limit(TemplateModel.from_spec(spec, poi=None).bind())


def test_eager_limits_without_data_are_those_of_the_loss(with_nuisance):
    """And CLs there is the level."""
    found = upper_limit(with_nuisance)
    assert found.converged and found.observed == found.expected[2]
    np.testing.assert_allclose(cls(with_nuisance, poi_test=found.observed).observed, 0.05, rtol=1e-9)
    for log, value in ((True, np.log(found.observed)), (False, found.observed)):
        loss = UpperLimitLoss(log=log).of_likelihood(with_nuisance)
        np.testing.assert_allclose(loss.value, value, rtol=1e-10)
        assert loss.converged


@pytest.mark.slow
def test_limits_and_their_gradients_with_nuisance_parameters_agree_with_pyhf():
    templates = {"signal": [4.0, 9.0], "background": [60.0, 40.0], "up": [66.0, 41.0], "down": [55.0, 38.0]}
    shape = histosys("shape", "down", "up")
    samples = [sample("signal", "signal", MU), sample("background", "background", shape)]
    model = TemplateModel.from_spec(specification(region=samples), n_bins=2)
    observations = [65.0, 45.0]

    @tf.function(autograph=False)
    def limits(templates):
        with tf.GradientTape() as tape:
            tape.watch(templates)
            likelihood = model.bind(templates)
            found = upper_limit(likelihood, likelihood.data(observations))
            total = found.observed + tf.reduce_sum(found.expected)
        return found, total, tape.gradient(total, templates)

    def at(step):
        return limits(
            {name: tf.constant(values, tf.float64) + step * direction[name] for name, values in templates.items()}
        )

    rng = np.random.default_rng(0)
    direction = {name: rng.normal(size=2) for name in templates}
    found, _, slopes = at(0.0)
    with accurate_fits():
        pyhf_model = pyhf.Workspace(model.bind(templates).workspace(observations)).model()
        observed, expected = pyhf.infer.intervals.upper_limits.toms748_scan(
            observations + pyhf_model.config.auxdata, pyhf_model, 0.0, 10.0, rtol=1e-10
        )
    np.testing.assert_allclose(found.observed, observed, rtol=1e-8)  # roots to 1e-10 of CLs to 1e-9
    np.testing.assert_allclose(found.expected, expected, rtol=1e-8)
    assert found.converged
    h = 1e-3  # truncation of order (h / 4)**2 and rounding of 1e-12 / h are both below 1e-7
    numeric = (at(h)[1] - at(-h)[1]) / (2 * h)
    received = sum(np.sum(slopes[name] * direction[name]) for name in templates)
    np.testing.assert_allclose(received, numeric, rtol=1e-6)


def test_a_parameter_that_is_held_stays_where_it_is(with_nuisance):
    """Held by its name alone; the first guess of a limit must not move it. Then it is the counting experiment."""
    (name,) = (name for name in with_nuisance.model.parameter_names if name != "mu")
    by_name, by_value = (upper_limit(with_nuisance, fixed=fixed) for fixed in ([name], {name: 0.0}))
    assert by_name.converged and upper_limit(with_nuisance).expected[2] > 1.01 * by_name.expected[2]
    np.testing.assert_allclose(by_name.expected, by_value.expected, rtol=1e-10)
    np.testing.assert_allclose(by_name.expected, closed_form(S, B)[1:], rtol=1e-10)
    data = with_nuisance.data([53.0])
    np.testing.assert_allclose(upper_limit(with_nuisance, data, fixed=[name]).observed, closed_form(S, 53.0)[0])
