"""Pseudo-experiments against closed forms, and against those of pyhf."""

import numpy as np
import pyhf
import pytest
import tensorflow as tf
from scipy.stats import poisson

from neos_tf import TemplateModel, toy_cls, toy_discovery
from neos_tf.toys import sample_data
from tests.neos_tf.accurate_pyhf import accurate_fits
from tests.neos_tf.workspaces import MU, normsys, sample, shapesys, specification, staterror

S, B, N = 6.0, 5.0, 4.0
N_TOYS = 200


@pytest.fixture(scope="module")
def counting():
    """Few counts: the statistic takes few values, and each comes often."""
    return TemplateModel.from_spec(specification(c=[sample("signal", [S], MU), sample("background", [B])])).bind()


def test_p_values_of_a_counting_experiment_are_those_of_poisson(counting):
    """q falls with the count, so that CLsb = P(n <= N | S + B), and CLb = P(n <= N | B)."""
    test = toy_cls(counting, counting.data([N]), n_toys=N_TOYS, seed=3)
    exact = poisson.cdf(N, S + B), poisson.cdf(N, B)
    for share, p_value in zip((test.clsb, test.clb), exact, strict=True):
        assert abs(share - p_value) < 4 * np.sqrt(p_value * (1 - p_value) / N_TOYS)
    np.testing.assert_allclose(test.observed, test.clsb / test.clb, rtol=1e-14)
    assert abs(test.observed - exact[0] / exact[1]) < 4 * test.error
    assert test.converged and test.n_unconverged == 0 and test.background.shape == (N_TOYS,)
    # Fewer counts are a smaller CLs: its quantiles are those of the count.
    counts = poisson.ppf([0.02275, 0.1587, 0.5, 0.8413, 0.97725], B)
    exact = poisson.cdf(counts, S + B) / poisson.cdf(counts, B)
    errors = np.sqrt(poisson.cdf(counts, S + B) / N_TOYS) / poisson.cdf(counts, B)
    assert np.all(np.abs(test.expected - exact) < 4 * errors)


def test_discovery_of_a_counting_experiment_is_that_of_poisson(counting):
    found = toy_discovery(counting, counting.data([8.0]), n_toys=N_TOYS, seed=4)
    exact = poisson.sf(7, B)
    assert abs(found.p_value - exact) < 4 * np.sqrt(exact * (1 - exact) / N_TOYS)
    np.testing.assert_allclose(found.error, np.sqrt(found.p_value * (1 - found.p_value) / N_TOYS), rtol=1e-12)
    assert found.converged and found.n_unconverged == 0


def test_draws_have_the_moments_of_the_density():
    samples = [
        sample("signal", [5.0, 0.0], MU),
        sample("background", [50.0, 0.0], normsys("scale", 0.9, 1.1), shapesys("shape", [10.0, 0.0])),
        sample("other", [20.0, 0.0], staterror("stat", [2.0, 0.0])),
    ]
    likelihood = TemplateModel.from_spec(specification(c=samples)).bind()
    pars = np.where(likelihood.model.fixed, likelihood.model.initial, likelihood.model.initial + 0.1)
    n = 20_000
    drawn = sample_data(likelihood, pars, n, (0, 0)).numpy()
    expected = likelihood.expected_data(pars).numpy()
    variance = expected.copy()  # of Poisson's
    config, place = likelihood.model.pyhf_model.config, 2
    for name in config.auxdata_order:
        size = config.param_set(name).n_parameters
        if name != "shape":
            variance[place : place + size] = likelihood.constraint_widths[config.par_slice(name)] ** 2
        place += size
    assert np.all(np.abs(drawn.mean(axis=0) - expected) <= 4 * np.sqrt(variance / n))
    np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=4 * np.sqrt(2 / n) + 1e-2)
    assert np.all(drawn[:, 1] == 0) and np.all(drawn[:, 0] == np.round(drawn[:, 0]))
    assert np.array_equal(drawn, sample_data(likelihood, pars, n, (0, 0)))
    assert not np.array_equal(drawn, sample_data(likelihood, pars, n, (0, 1)))


@pytest.mark.slow
def test_pyhf_draws_the_same_distributions():
    model = pyhf.simplemodels.uncorrelated_background([12.0, 11.0], [50.0, 52.0], [3.0, 7.0])
    likelihood = TemplateModel.from_spec(model.spec).bind()
    data = likelihood.data([51.0, 48.0])
    ours = tf.function(lambda data: toy_cls(likelihood, data, n_toys=N_TOYS, seed=5), autograph=False)(data)
    np.random.seed(6)  # noqa: NPY002 (pyhf draws from it)
    with accurate_fits():
        toys = pyhf.infer.calculators.ToyCalculator(list(data.numpy()), model, ntoys=150, track_progress=False)
        theirs = toys.pvalues(toys.teststatistic(1.0), *toys.distributions(1.0))
    for share, p_value in zip((ours.clsb, ours.clb), theirs[:2], strict=True):
        assert abs(share - p_value) < 4 * np.sqrt(share * (1 - share) * (1 / N_TOYS + 1 / 150))


def test_bad_arguments_are_named(counting):
    with pytest.raises(ValueError, match=r"n_toys of at least 1. Received: 0"):
        toy_cls(counting, counting.data([N]), n_toys=0)
    with pytest.raises(ValueError, match="'mu', which is fixed"):
        toy_discovery(counting, counting.data([N]), fixed=["mu"])
