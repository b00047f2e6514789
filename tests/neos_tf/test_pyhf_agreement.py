"""neos_tf against numpy pyhf, whose fits Newton's method has polished; stored by tests.neos_tf.make_reference.

Densities of all workspaces and fits of fifteen; how near all fits are: python -m tests.neos_tf.make_reference --check.
"""

import numpy as np
import pyhf
import pytest

from neos_tf import TemplateModel
from tests.neos_tf.accurate_pyhf import accurate_fits, model_and_data
from tests.neos_tf.make_reference import deviations, expected, received, specification_of, stored
from tests.neos_tf.workspaces import WORKSPACES

FAST = [
    "uncorrelated_background",  # best at mu = 0
    "coupled_shapefactor",
    "histfactory_manual",  # parameters that are fixed
]
SLOW = [
    "two_bins",  # best at mu = 0 and not pushed against it
    "one_bin_excess",
    "coupled_normsys",
    "own_settings",
    "shared_staterror",
    "control_region",
    *(f"random_{seed}" for seed in range(5)),
]
# Of parameters in units of their uncertainty, of the others absolute. The reference's fits end within 1e-10 of an
# uncertainty; its uncertainties come from differences, and know themselves to 1e-10 to 3e-8.
TOLERANCE = 1e-9
OF_UNCERTAINTIES = 5e-9


def far(found, numbers):
    """What is farther from numpy pyhf than it may be."""
    assert found["converged"]
    tolerances = {"uncertainties": OF_UNCERTAINTIES}
    return {
        key: value for key, value in deviations(found, numbers).items() if not value < tolerances.get(key, TOLERANCE)
    }


@pytest.mark.parametrize("name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_fits_and_tests_agree_with_pyhf(name):
    assert far(received(specification_of(name)), stored()[name]) == {}


@pytest.mark.slow
def test_where_there_are_two_minima_ours_is_the_lower():
    """pyhf, from the same initial parameters, ends in the other; from ours it stays."""
    spec = WORKSPACES["coupled_histosys"]
    found, numbers = received(spec), stored()["coupled_histosys"]
    assert found["twice_nll"] < numbers["twice_nll"] - 1
    with accurate_fits():
        pyhf_model, data = model_and_data(spec)
        pars, twice_nll = pyhf.infer.mle.fit(data, pyhf_model, init_pars=found["pars"].tolist(), return_fitted_val=True)
    np.testing.assert_allclose(found["pars"], pars, rtol=TOLERANCE)
    np.testing.assert_allclose(found["twice_nll"], twice_nll, rtol=TOLERANCE)


def test_stored_reference_is_of_these_workspaces():
    """Names and data of all, and one fitted anew."""
    assert list(stored()) == [*WORKSPACES, *(f"random_{seed}" for seed in range(20))]
    for name, numbers in stored().items():
        assert np.array_equal(model_and_data(specification_of(name))[1], numbers["data"]), name
    name = "one_bin_excess"
    anew = expected(specification_of(name))
    found = {key: np.array(value) for key, value in anew.items() if key != "uncertainty_errors"}
    found["converged"] = True
    assert far(found, stored()[name]) == {}


@pytest.mark.parametrize("name", WORKSPACES)
def test_densities_agree_with_pyhf(name):
    """At five points, one by one and as a batch, with auxiliary data that are not those of the model."""
    spec = WORKSPACES[name]
    pyhf_model, data = model_and_data(spec)
    model = TemplateModel.from_spec(spec)
    rng = np.random.default_rng(0)
    width = np.minimum(model.upper - model.lower, 2) / 4
    points = np.clip(model.initial + rng.uniform(-1, 1, (5, len(model.initial))) * width, model.lower, model.upper)
    data = data * rng.uniform(0.9, 1.1, len(data))
    likelihood = model.bind()
    expected = [pyhf_model.logpdf(point, data)[0] for point in points]
    # Up to 100 terms of up to 1e4 that cancel, in float64.
    np.testing.assert_allclose(likelihood.logpdf(points, data), expected, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(likelihood.logpdf(points[1], data), expected[1], rtol=1e-12, atol=1e-11)
    for point, expected_data in zip(points, likelihood.expected_data(points), strict=True):
        np.testing.assert_allclose(expected_data, pyhf_model.expected_data(point), rtol=1e-13)
    np.testing.assert_allclose(likelihood.auxdata, pyhf_model.config.auxdata, rtol=1e-13)
