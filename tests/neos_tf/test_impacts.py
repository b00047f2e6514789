"""Impacts and pulls against fits of pyhf in NumPy, and against cabinetry."""

import numpy as np
import pyhf
import pytest
import tensorflow as tf

from neos_tf import TemplateModel, covariance, fit, impacts, postfit, pulls
from tests.neos_tf.accurate_pyhf import accurate_fits, uncertainties
from tests.neos_tf.workspaces import MU, histosys, modifier, normsys, sample, specification

SPEC = specification(
    c=[
        sample("signal", [5.0, 10.0, 4.0], MU, normsys("xsec", 0.9, 1.15)),
        sample(
            "background",
            [50.0, 60.0, 70.0],
            histosys("shape", [45.0, 63.0, 68.0], [58.0, 56.0, 75.0]),
            modifier("normfactor", "k", None),
            modifier("staterror", "stat", [4.0, 5.0, 3.0]),
        ),
    ]
)
OBSERVED = [60.0, 75.0, 70.0]


@pytest.fixture(scope="module")
def likelihood():
    return TemplateModel.from_spec(SPEC).bind()


@pytest.fixture(scope="module")
def data(likelihood):
    return likelihood.data(OBSERVED)


@pytest.fixture(scope="module")
def found(likelihood, data):
    return impacts(likelihood, data)


@pytest.fixture(scope="module")
def reference(likelihood, data):
    """Best fit, uncertainties and the parameter of interest with `name` held at a value, of pyhf in NumPy."""
    model = pyhf.Model(SPEC, poi_name="mu")
    values = list(data.numpy())
    names = likelihood.model.parameter_names

    def poi_with(name, value):
        init, fixed = np.array(model.config.suggested_init()), model.config.suggested_fixed()
        init[names.index(name)], fixed[names.index(name)] = value, True
        with accurate_fits():
            return pyhf.infer.mle.fit(values, model, list(init), fixed_params=fixed)[model.config.poi_index]

    with accurate_fits():
        best = pyhf.infer.mle.fit(values, model)
    return best, uncertainties(model, best, values), poi_with


def test_impacts_are_those_of_fits_with_a_parameter_held(found, reference, likelihood):
    best, sigma, poi_with = reference
    names = likelihood.model.parameter_names
    assert found.names == tuple(name for name in names if name != "mu") and np.all(found.converged)
    np.testing.assert_allclose(found.poi, best[names.index("mu")], rtol=1e-7)  # pyhf's fit: 1e-10 of an uncertainty
    np.testing.assert_allclose(found.poi_uncertainty, sigma[names.index("mu")], rtol=1e-6)  # of differences
    for place, name in enumerate(found.names):
        centre, width = best[names.index(name)], sigma[names.index(name)]
        prefit = {"shape": 1.0, "xsec": 1.0, "stat[0]": 0.08}.get(name)
        for up, own, prefitted in (
            (1, found.postfit_up, found.prefit_up),
            (-1, found.postfit_down, found.prefit_down),
        ):
            expected = poi_with(name, centre + up * width) - best[names.index("mu")]
            np.testing.assert_allclose(own[place], expected, rtol=1e-5)  # sigma is known to 1e-6
            if prefit:
                expected = poi_with(name, centre + up * prefit) - best[names.index("mu")]
                np.testing.assert_allclose(prefitted[place], expected, rtol=1e-6)
    assert found.prefit_up[found.names.index("k")] == 0


def test_ranking_and_table(found):
    order = [found.names[place] for place in found.ranking.numpy()]
    assert order == ["k", "shape", "stat[1]", "stat[2]", "xsec", "stat[0]"]
    lines = str(found).splitlines()
    assert [line.split()[0] for line in lines[1:]] == order
    assert lines[0].split() == ["post-fit", "up", "post-fit", "down", "pre-fit", "up", "pre-fit", "down"]
    assert f"{found.postfit_up[order.index('k')].numpy():.4g}" in str(found)


def test_cabinetry_agrees(found, data):
    """To the 1e-2 standard deviations that its minimiser leaves."""
    fits = pytest.importorskip("cabinetry").fit
    model = pyhf.Model(SPEC, poi_name="mu")
    ranking = fits.ranking(model, list(data.numpy()), fit_results=fits.fit(model, list(data.numpy())))
    places = [found.names.index(label) for label in ranking.labels]
    for name in ("postfit_up", "postfit_down", "prefit_up", "prefit_down"):
        ours = getattr(found, name).numpy()[places]
        np.testing.assert_allclose(ours, getattr(ranking, name), atol=0.03 * found.poi_uncertainty.numpy())


def test_postfit_is_the_fit_beside_the_constraints(found, reference, likelihood):
    best, sigma, _ = reference
    after = found.postfit
    assert after.names == likelihood.model.parameter_names and after.converged
    np.testing.assert_allclose(after.pars, best, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(after.uncertainties, sigma, rtol=1e-6)
    constrained = np.isfinite(after.prefit)
    np.testing.assert_allclose(np.array(after.pulls)[constrained], pulls(likelihood, after.pars).numpy()[constrained])
    np.testing.assert_allclose(
        after.widths[after.names.index("stat[0]")], sigma[after.names.index("stat[0]")] / 0.08, rtol=1e-6
    )
    assert np.array_equal(constrained, [name not in ("k", "mu") for name in after.names])
    assert str(after).splitlines()[1].split()[0] == after.names[0]


def test_held_parameters_are_left_out(likelihood, data):
    """The covariance of the others is the inverse of their block of the Hessian."""
    after = postfit(likelihood, data, fixed=["stat", "xsec"])
    free = [likelihood.model.parameter_names.index(name) for name in after.names]
    assert set(after.names) == {"mu", "k", "shape"}
    best = fit(likelihood, data, fixed=["stat", "xsec"])
    hessian = np.linalg.inv(covariance(likelihood, best.pars, data))[np.ix_(free, free)]
    np.testing.assert_allclose(after.uncertainties, np.sqrt(np.diag(np.linalg.inv(hessian))), rtol=1e-9)
    np.testing.assert_allclose(after.pars, best.pars.numpy()[free], rtol=1e-12)


@pytest.mark.slow
def test_impacts_in_a_graph(likelihood, data, found):
    graph = tf.function(lambda data: impacts(likelihood, data), autograph=False)(data)
    np.testing.assert_allclose(graph.postfit_up, found.postfit_up, rtol=1e-9)
    assert str(graph) == str(found)
