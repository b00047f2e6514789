import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from benchmarks.data.gaussians import TASKS, bayes_coefficients, bayes_posterior, gaussian_standardiser, load_gaussians
from pnn_tf import auc_error

N_EVENTS = 100_000  # as in the paper

# Mean absolute t_1, t_2, t_11, t_12, t_22 and AUC of the posterior, found independently on a sample of 100 000 events.
REFERENCE = {
    "a": ((0.182, 0.182, 0.041, 0.081, 0.041), 0.842),
    "b": ((0.171, 0.171, 0.045, 0.226, 0.045), 0.751),
    "c": ((0.180, 0.180, 0.081, 0.213, 0.081), 0.878),
    "d": ((0.233, 0.233, 0.263, 0.145, 0.263), 0.857),
}
POINTS = np.random.default_rng(3).uniform(-4, 4, (500, 2))  # out to where the posterior saturates

pytestmark = pytest.mark.parametrize("task", TASKS)


def test_events_have_the_moments_of_table_1(task):
    events = load_gaussians(task, N_EVENTS, seed=1)
    assert events.names == ("x1", "x2")
    assert (events.theta.shape, events.parameter_names) == ((N_EVENTS, 0), ())
    for label, (mean, covariance) in zip((1, 0), TASKS[task], strict=True):
        features = events.features[events.label == label].astype(np.float64)
        n = len(features)
        assert n == N_EVENTS // 2
        # Five standard errors: sqrt(variance / n), and at most variance sqrt(2 / n) for a covariance.
        variance = covariance[0, 0]
        np.testing.assert_allclose(features.mean(axis=0), mean, atol=5 * np.sqrt(variance / n))
        np.testing.assert_allclose(np.cov(features.T), covariance, atol=5 * variance * np.sqrt(2 / n))


def test_events_are_drawn_by_seed(task):
    first, again, other = (load_gaussians(task, 7, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.features, again.features)
    assert (first.features != other.features).all()
    assert first.label.tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_standardiser_is_that_of_the_mixture(task):
    standardise = gaussian_standardiser(task)
    np.testing.assert_allclose(standardise.std**2, {"a": 1.25, "b": 1.0, "c": 1.25, "d": 1.75}[task], rtol=1e-15)
    standardised = standardise(load_gaussians(task, N_EVENTS, seed=2).features).astype(np.float64)
    # Five standard errors of a mean, 1 / sqrt(n), and of a standard deviation, sqrt((kurtosis - 1) / 4 n), where the
    # kurtosis is at most that of task d: 3 (0.5^2 + 3^2) / 2 / 1.75^2 = 4.53.
    np.testing.assert_allclose(standardised.mean(axis=0), 0, atol=5 / np.sqrt(N_EVENTS))
    np.testing.assert_allclose(standardised.std(axis=0), 1, atol=5 * np.sqrt(3.53 / 4 / N_EVENTS))


def test_posterior_is_the_share_of_the_signal(task):
    signal, background = (stats.multivariate_normal(*gaussian).pdf(POINTS) for gaussian in TASKS[task])
    # Logits up to 80, each from terms of that size with relative rounding errors of 1e-16.
    np.testing.assert_allclose(bayes_posterior(task, POINTS), signal / (signal + background), rtol=1e-13)


def test_posterior_far_away(task):
    x = np.array([[40.0, 40.0], [-40.0, -40.0], [40.0, -40.0]])  # densities of 0 in double precision
    posterior = {"a": [1, 0, 0.5], "b": [1, 1, 0], "c": [1, 1, 0], "d": [0, 0, 0]}[task]
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_allclose(bayes_posterior(task, x), posterior, atol=1e-15)
        assert np.isfinite(bayes_coefficients(task, x)).all()


def test_coefficients_are_those_of_finite_differences(task):
    standardise = gaussian_standardiser(task)

    def posterior(u):
        return bayes_posterior(task, standardise.mean + standardise.std * u)

    u = (POINTS - standardise.mean) / standardise.std
    step = 1e-3
    e1, e2 = step * np.eye(2)
    first = [(posterior(u + e) - posterior(u - e)) / (2 * step) for e in (e1, e2)]
    t11, t22 = ((posterior(u + e) - 2 * posterior(u) + posterior(u - e)) / step**2 / 2 for e in (e1, e2))
    t12 = posterior(u + e1 + e2) - posterior(u + e1 - e2) - posterior(u - e1 + e2) + posterior(u - e1 - e2)
    expected = np.column_stack([*first, t11, t12 / (4 * step**2), t22])
    # The differences leave out step^2 / 6 of a third derivative, or step^2 / 24 of a fourth: measured, up to 14
    # step^2, and proportional to step^2. Rounding gives 1e-16 / step^2 = 1e-10. The coefficients are of order 0.1.
    np.testing.assert_allclose(bayes_coefficients(task, POINTS), expected, atol=20 * step**2)


def test_mean_coefficients_and_auc_are_those_of_the_reference(task):
    events, (means, reference) = load_gaussians(task, N_EVENTS, seed=4), REFERENCE[task]
    coefficients = np.abs(bayes_coefficients(task, events.features))
    error = coefficients.std(axis=0) / np.sqrt(N_EVENTS)
    # Half of the reference's last digit, and three standard errors of two samples of the same size.
    assert (np.abs(coefficients.mean(axis=0) - means) < 0.0005 + 3 * np.sqrt(2) * error).all()
    auc = roc_auc_score(events.label, bayes_posterior(task, events.features))
    error = auc_error(auc, N_EVENTS // 2, N_EVENTS // 2)
    assert abs(auc - reference) < 0.0005 + 3 * np.sqrt(2) * error
    # a: the means are sqrt(2) apart, AUC = Phi(1). b: the difference of two logits goes as r^2 - r'^2 of two normal
    # vectors in two dimensions with variances 3/2 and 1/2, so r^2 is exponential with means 3 and 1. d: the same with
    # variances 3 and 1/2. c has no closed form.
    exact = {"a": stats.norm.cdf(1), "b": 3 / 4, "c": auc, "d": 6 / 7}[task]
    assert abs(auc - exact) < 5 * error


def test_errors(task):
    for function in (bayes_posterior, bayes_coefficients, load_gaussians):
        with pytest.raises(ValueError, match=r"one of \('a', 'b', 'c', 'd'\). Received: task='e'"):
            function("e", 10)
    with pytest.raises(ValueError, match=r"shape \(n_events, 2\). Received: shape \(2,\)"):
        bayes_posterior(task, np.zeros(2))
    with pytest.raises(ValueError, match=r"at least 1. Received: n_events=0"):
        load_gaussians(task, 0)
