"""Test statistics, limits and significances against closed forms."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from neos_tf import TemplateModel, cls, discovery_scan, discovery_significance, fit, q0, qmu, qmu_tilde
from tests.neos_tf.conftest import B, S
from tests.neos_tf.workspaces import MU, parameter, sample, specification

EXAMPLE = {"signal": [S], "background": [B]}
QUANTILES = np.array([2.0, 1.0, 0.0, -1.0, -2.0])  # of the statistic: where it is large, CLs is small


@pytest.fixture(scope="module")
def counting():
    """n ~ Poisson(mu s + b), with known s and b: q is a difference of logarithms."""
    samples = [sample("signal", "signal", MU), sample("background", "background")]
    return TemplateModel.from_spec(specification(counting=samples), n_bins=1)


@pytest.fixture(scope="module")
def likelihood(counting):
    return counting.bind(EXAMPLE)


def ratio(n, tested, best):
    """-2 ln L(tested) / L(best) of n counts, for two expectations."""
    return 2 * (tested - best - n * np.log(tested / best))


def asymptotic_cls(q, q_asimov):
    """CCGV Eqs. (59), (65), (66), and the second case for large q~."""
    root = np.sqrt(q_asimov)
    distance = np.sqrt(q) - root if q <= q_asimov else (q - q_asimov) / (2 * root)
    return norm.sf(distance + root) / norm.sf(distance)


def asimov_significance(s, b):
    return np.sqrt(2 * ((s + b) * np.log(1 + s / b) - s))


@pytest.mark.parametrize("n", [44.0, 50.0, 53.0, 58.0])
def test_counting_experiment_is_the_closed_form(likelihood, n):
    """With fewer events than background, as many, an excess, and one that is larger than the signal."""
    data = likelihood.data([n])
    mu = max(0, (n - B) / S)
    best = B + mu * S
    result = fit(likelihood, data)
    np.testing.assert_allclose(result.pars, [mu], rtol=1e-12, atol=1e-13)  # 1e-16 of a width of 1.2, condition ~50
    assert result.converged

    q = ratio(n, S + B, best) if mu <= 1 else 0.0
    # Differences of -2 ln L of order 10 in float64.
    np.testing.assert_allclose(qmu_tilde(1.0, likelihood, data).value, q, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(q0(likelihood, data).value, ratio(n, B, best), rtol=1e-12, atol=1e-13)

    test = cls(likelihood, data)
    q_asimov = ratio(B, S + B, B)
    np.testing.assert_allclose(test.qmu_asimov, q_asimov, rtol=1e-12)
    np.testing.assert_allclose(test.observed, asymptotic_cls(q, q_asimov), rtol=1e-11)  # of a q with these errors
    np.testing.assert_allclose(test.log_expected, np.log(2 * norm.sf(np.sqrt(q_asimov))), rtol=1e-12)
    expected = norm.sf(QUANTILES + np.sqrt(q_asimov)) / norm.sf(QUANTILES)
    np.testing.assert_allclose(test.expected, expected, rtol=1e-12)
    assert test.converged


def test_asimov_data_need_one_fit(likelihood):
    test, full = cls(likelihood), cls(likelihood, likelihood.expected_data([0.0]))
    assert test.observed == test.expected[2]
    np.testing.assert_allclose(test.observed, 2 * norm.sf(np.sqrt(ratio(B, S + B, B))), rtol=1e-12)
    np.testing.assert_allclose(test.expected, full.expected, rtol=1e-12)
    half = cls(likelihood, poi_test=0.1)  # not a number of float32
    np.testing.assert_allclose(half.qmu_asimov, ratio(B, 0.1 * S + B, B), rtol=1e-11)


def test_asimov_significance_is_the_closed_form(likelihood):
    discovery = discovery_significance(likelihood)
    np.testing.assert_allclose(discovery.significance, asimov_significance(S, B), rtol=1e-12)
    np.testing.assert_allclose(discovery.p_value, norm.sf(asimov_significance(S, B)), rtol=1e-12)
    strong = discovery_significance(likelihood, poi_asimov=0.3)
    np.testing.assert_allclose(strong.significance, asimov_significance(0.3 * S, B), rtol=1e-11)
    observed = discovery_significance(likelihood, likelihood.data([63.0]))
    np.testing.assert_allclose(observed.significance, asimov_significance(13.0, B), rtol=1e-12)


def test_scan_of_discoveries_is_that_of_each_hypothesis(counting, likelihood):
    signals = [S, 2 * S]
    scan = discovery_scan([counting.bind({"signal": [s], "background": [B]}) for s in signals], likelihood.data([63.0]))
    np.testing.assert_allclose(scan.significance, [asimov_significance(13.0, B)] * 2, rtol=1e-11)
    expected = np.array([asimov_significance(s, B) for s in signals])
    np.testing.assert_allclose(scan.expected_significance, expected, rtol=1e-11)
    np.testing.assert_allclose(scan.p_value, norm.sf(scan.significance), rtol=1e-11)
    np.testing.assert_allclose(scan.expected_p_value, norm.sf(expected), rtol=1e-10)
    assert np.all(scan.converged)
    for several in ([], [likelihood, TemplateModel.from_spec(counting.get_config()["spec"], n_bins=1).bind(EXAMPLE)]):
        with pytest.raises(ValueError, match="likelihoods of one model"):
            discovery_scan(several, likelihood.data([63.0]))


@pytest.mark.parametrize("in_graph", [False, True])
def test_a_scan_may_have_data_of_each_hypothesis(counting, in_graph):
    likelihoods = [counting.bind({"signal": [s], "background": [b]}) for s, b in ((S, B), (2 * S, 30.0), (S, 40.0))]
    rows = [likelihood.data([n]) for likelihood, n in zip(likelihoods, (63.0, 42.0, 35.0), strict=True)]
    expected = [asimov_significance(13.0, B), asimov_significance(12.0, 30.0), 0.0]
    scan = tf.function(discovery_scan, autograph=False) if in_graph else discovery_scan
    for data in (rows, tf.stack(rows), np.stack(rows).tolist()):
        np.testing.assert_allclose(scan(likelihoods, data).significance, expected, rtol=1e-11, atol=1e-6)  # root of q
        if in_graph:
            break
    for wrong in (rows[:2], [rows]):
        with pytest.raises(ValueError, match=r"\(n_hypotheses, n_data\) of 3 hypotheses. Received: shape"):
            discovery_scan(likelihoods, wrong)


def test_limits_of_a_parameter_that_may_be_negative():
    """q_mu knows of mu < 0, and q~_mu refuses."""
    spec = specification(
        parameter("mu", inits=[1.0], bounds=[[-5.0, 5.0]]),
        counting=[sample("signal", [S], MU), sample("background", [B])],
    )
    likelihood = TemplateModel.from_spec(spec).bind()
    data = likelihood.data([44.0])
    np.testing.assert_allclose(qmu(1.0, likelihood, data).value, ratio(44, S + B, 44.0), rtol=1e-12)
    assert q0(likelihood, data).value == 0
    root = np.sqrt(ratio(B, S + B, B))
    expected = norm.sf(np.sqrt(ratio(44, S + B, 44.0))) / norm.sf(np.sqrt(ratio(44, S + B, 44.0)) - root)
    np.testing.assert_allclose(cls(likelihood, data).observed, expected, rtol=1e-11)  # pyhf's test_stat="q"
    with pytest.raises(ValueError, match=r"lower bound 0. Received: -5.0. Use qmu"):
        qmu_tilde(1.0, likelihood, data)


def gradient(counting, statistic):
    """Of a statistic with respect to the signal."""
    signal = tf.constant([S], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(signal)
        value = statistic(counting.bind({"signal": signal, "background": [B]}))
    return value, tape.gradient(value, signal).numpy()[0]


@pytest.mark.parametrize(
    "statistic",
    [
        lambda likelihood: qmu_tilde(1.0, likelihood, likelihood.data([B + 2 * S])).value,
        lambda likelihood: q0(likelihood, likelihood.data([B - S])).value,
        lambda likelihood: discovery_significance(likelihood, likelihood.data([B - S])).significance,
        lambda likelihood: discovery_significance(likelihood, likelihood.data([B])).significance,
        lambda likelihood: discovery_significance(likelihood, poi_asimov=0.0).significance,
        lambda likelihood: cls(likelihood, poi_test=0.0).qmu_asimov,
    ],
    ids=["above mu", "below 0", "Z below 0", "Z at 0", "Z without signal", "mu = 0"],
)
def test_where_a_statistic_is_0_its_gradient_is_0(counting, statistic):
    value, slope = gradient(counting, statistic)
    np.testing.assert_allclose(value, 0, atol=1e-6)  # the root of a rounded 0
    np.testing.assert_allclose(slope, 0, atol=1e-5)  # 1e-14 / 1e-6 and more where it is not rounded to 0


def test_observed_cls_with_q_0_has_the_gradient_of_the_asimov_data(counting):
    """Above mu the test statistic is 0: CLs = 1 / (2 Phi(sqrt(q_A)))."""
    value, slope = gradient(counting, lambda likelihood: cls(likelihood, likelihood.data([B + 2 * S])).observed)

    def closed_form(s):
        return 0.5 / norm.cdf(np.sqrt(ratio(B, s + B, B)))

    np.testing.assert_allclose(value, closed_form(S), rtol=1e-12)
    quotient = (closed_form(S + 1e-4) - closed_form(S - 1e-4)) / 2e-4  # to 1e-9
    np.testing.assert_allclose(slope, quotient, rtol=1e-7)


def test_tiny_cls_have_their_logarithm_and_its_gradient(counting):
    """Where CLs itself is 0, at 60 standard deviations."""
    strong = 600.0

    def log_cls(s):
        return np.log(2) + norm.logcdf(-np.sqrt(ratio(B, s + B, B)))

    signal = tf.constant([strong], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(signal)
        test = cls(counting.bind({"signal": signal, "background": [B]}))
    assert test.expected[2] < 1e-150 and test.log_expected < -350
    np.testing.assert_allclose(test.log_expected, log_cls(strong), rtol=1e-12)
    quotient = (log_cls(strong + 0.01) - log_cls(strong - 0.01)) / 0.02  # to 1e-8 of its size
    np.testing.assert_allclose(tape.gradient(test.log_expected, signal), [quotient], rtol=1e-7)


def test_result_is_not_converged_where_a_fit_is_not(with_nuisance):
    data = with_nuisance.data([70.0])
    assert not fit(with_nuisance, data, max_iterations=1).converged
    assert not cls(with_nuisance, data, max_iterations=1).converged
    assert not q0(with_nuisance, data, max_iterations=1).converged
    assert cls(with_nuisance, data).converged and q0(with_nuisance, data).converged
