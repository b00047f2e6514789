"""Fits against closed forms."""

import numpy as np
import pytest

from neos_tf import TemplateModel, cls, covariance, fit, fixed_poi_fit, pulls, twice_nll, uncertainties
from tests.neos_tf.accurate_pyhf import reference as pyhf_reference
from tests.neos_tf.conftest import B, S
from tests.neos_tf.workspaces import MU, WORKSPACES, histosys, modifier, normsys, sample, shapesys, specification


def test_fit_with_a_nuisance_parameter_is_the_closed_form(with_nuisance):
    """A free signal takes up any count, and the nuisance parameter stays where it was measured."""
    model = with_nuisance.model
    assert model.parameter_names == ("level", "mu")
    data = with_nuisance.data([59.0])
    result = fit(with_nuisance, data)
    np.testing.assert_allclose(result.pars, [0, 9 / S], atol=1e-12)
    matrix = covariance(with_nuisance, result.pars, data)
    # Code 4p has the slope (up - down) / 2 = 5 at 0. The variance of S mu is that of the count and of the background.
    np.testing.assert_allclose(matrix, [[1, -5 / S], [-5 / S, (59 + 5**2) / S**2]], rtol=1e-11)  # of a fit to 1e-12
    np.testing.assert_allclose(uncertainties(with_nuisance, result.pars, data), np.sqrt(np.diag(matrix)), rtol=1e-14)
    np.testing.assert_allclose(twice_nll(result.pars, with_nuisance, data), result.twice_nll, rtol=1e-14)
    fixed = fixed_poi_fit(1.0, with_nuisance, data)
    assert fixed.converged and fixed.pars[1] == 1 and fixed.pars[0] > 0 and fixed.twice_nll > result.twice_nll
    assert np.array_equal(fixed.free, [True, False])


def test_covariance_of_fixed_parameters_is_0():
    likelihood = TemplateModel.from_spec(WORKSPACES["histfactory_manual"]).bind()
    model = likelihood.model
    matrix = covariance(likelihood).numpy()
    assert 0 < model.fixed.sum() < len(model.fixed)
    assert np.all(matrix[model.fixed] == 0) and np.all(matrix[:, model.fixed] == 0)
    assert np.all(np.diag(matrix)[~model.fixed] > 0)
    assert np.array_equal(uncertainties(likelihood) > 0, ~model.fixed)


def test_a_constraint_that_is_left_out_adds_no_information():
    """A Poisson constraint of n = 100 has information n / gamma^2 on gamma, a normal one that of its width."""
    background = sample(
        "background", [50.0, 60.0], shapesys("gamma", [5.0, 3.0]), histosys("alpha", [45, 60], [55, 62])
    )
    spec = specification(channel=[sample("signal", [5.0, 8.0], MU), background, sample("other", [20.0, 10.0])])
    likelihood = TemplateModel.from_spec(spec).bind()
    names, pars = likelihood.model.parameter_names, likelihood.model.initial + 0.2
    data = likelihood.data([70.0, 90.0])
    with_all = np.linalg.inv(covariance(likelihood, pars, data))
    for name, information in (("gamma[0]", 100 / 1.2**2), ("alpha", 1.0)):
        without = np.linalg.inv(covariance(likelihood, pars, data, unconstrained=[name]))
        expected = np.diag([information if name == other else 0.0 for other in names])
        np.testing.assert_allclose(with_all - without, expected, atol=1e-9)  # of entries up to 400, inverted twice


def test_pulls_are_in_widths_of_the_constraints():
    likelihood = TemplateModel.from_spec(WORKSPACES["own_settings"]).bind()
    names = likelihood.model.parameter_names
    pars = np.array(likelihood.model.initial)
    moved = {"tilt": 1.2, "lumi": 1.034, "statistics[0]": 1.24, "mu": 3.0}
    for name, value in moved.items():
        pars[names.index(name)] = value
    pulled = dict(zip(names, pulls(likelihood, pars).numpy(), strict=True))
    np.testing.assert_allclose(pulled["tilt"], 1.2 - 0.2, rtol=1e-14)  # measured as 0.2
    np.testing.assert_allclose(pulled["lumi"], 0.034 / 0.017, rtol=1e-13)
    np.testing.assert_allclose(pulled["statistics[0]"], 0.24 / (6 / 50), rtol=1e-13)
    assert pulled["mu"] == pulled["k_factor"] == 0


def test_pulls_of_staterror():
    samples = [
        sample("signal", [S], MU, modifier("staterror", "statistics", [3.0])),
        sample("background", [B], modifier("staterror", "statistics", [4.0])),
    ]
    likelihood = TemplateModel.from_spec(specification(c=samples)).bind()
    gamma = 1 - likelihood.model.poi_index
    pars = np.where(np.arange(2) == gamma, 1.1, 1.0)
    np.testing.assert_allclose(pulls(likelihood, pars)[gamma], 0.1 / (5 / (S + B)), rtol=1e-13)


@pytest.fixture(scope="module")
def at_a_saddle():
    samples = [
        sample("signal", [5.0, 10.0], MU),
        sample("background", [50.0, 60.0], histosys("shape", [60.0, 63.0], [60.0, 63.0])),
    ]
    return TemplateModel.from_spec(specification(c=samples)).bind()


@pytest.mark.parametrize("observed", [[70.0, 70.0], [58.0, 72.0]])
def test_saddles_are_left(observed, at_a_saddle):
    """A variation that goes up either way: where it starts the slope is 0, and either side is lower."""
    likelihood, data = at_a_saddle, at_a_saddle.data(observed)
    for options in ({}, {"fixed_poi": 0.0}):
        result = fit(likelihood, data, **options)
        sides = [fit(likelihood, data, init={"shape": start}, **options).twice_nll for start in (-1.0, 1.0)]
        np.testing.assert_allclose(result.twice_nll, np.min(sides), rtol=1e-13)
        assert result.converged and result.twice_nll < twice_nll([0.0, 0.0], likelihood, data) - 1


def test_bin_without_events_nor_background():
    """The minimum is at mu = 0, where that bin expects nothing; CLs is that of pyhf in NumPy."""
    samples = [sample("signal", [5.0, 5.0], MU), sample("background", [20.0, 0.0], normsys("scale", 0.9, 1.1))]
    likelihood = TemplateModel.from_spec(specification(c=samples)).bind()
    data = likelihood.data([24.0, 0.0])
    result = fit(likelihood, data)
    assert result.converged and result.pars[likelihood.model.poi_index] == 0
    test = cls(likelihood, data)
    assert test.converged
    expected = pyhf_reference(likelihood.workspace([24.0, 0.0]))
    np.testing.assert_allclose(test.observed, expected.cls, rtol=1e-8)  # of pyhf's fits to 1e-10 of an uncertainty
    np.testing.assert_allclose(test.expected, expected.expected_cls, rtol=1e-8)


def test_rounding_of_many_counts_is_no_reason_to_stop():
    """Of 1e12 counts -2 ln L is known to 1e-3, and its minimum from the gradient, to 1e-9 standard deviations."""
    samples = [sample("signal", "signal", MU), sample("background", "background", normsys("scale", 0.9, 1.1))]
    model = TemplateModel.from_spec(specification(c=samples), n_bins=3)
    background, signal = np.array([1e12, 2e12, 1.5e12]), np.array([1e6, 3e6, 5e6])
    likelihood = model.bind({"signal": signal, "background": background})
    for seed in range(4):
        counts = np.random.default_rng(seed).poisson(1.01 * background + signal)
        result = fit(likelihood, likelihood.data(counts.astype(float)))
        assert result.converged and result.n_iterations < 12 and result.gradient_norm < 1e-6
