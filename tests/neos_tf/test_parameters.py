"""What is given to a fit of its parameters: starts, bounds, and values that are held."""

import numpy as np
import pytest
import tensorflow as tf

from neos_tf import (
    ConstraintLoss,
    POIUncertaintyLoss,
    POIVarianceLoss,
    TemplateModel,
    cls,
    discovery_significance,
    fit,
    q0,
    qmu,
    qmu_tilde,
)
from neos_tf.parameters import parameters_with_poi, settings
from tests.neos_tf.workspaces import MU, modifier, normsys, parameter, sample, specification


def likelihood_of(*parameters):
    samples = [sample("signal", [5.0, 10.0], MU), sample("background", [50.0, 60.0], normsys("scale", 0.9, 1.1))]
    return TemplateModel.from_spec(specification(*parameters, c=samples)).bind()


@pytest.fixture(scope="module")
def likelihood():
    return likelihood_of()


@pytest.fixture(scope="module")
def data(likelihood):
    return likelihood.data([58.0, 72.0])


@pytest.fixture(scope="module")
def with_fixed_poi():
    return likelihood_of(parameter("mu", fixed=True, inits=[1.0]))


@pytest.mark.parametrize(
    "statistic",
    [
        lambda likelihood, data, **options: cls(likelihood, data, 2.0, **options),
        lambda likelihood, data, **options: cls(likelihood, **options),
        lambda likelihood, data, **options: qmu(1.0, likelihood, data, **options),
        lambda likelihood, data, **options: qmu_tilde(1.0, likelihood, data, **options),
        lambda likelihood, data, **options: q0(likelihood, data, **options),
        lambda likelihood, data, **options: discovery_significance(likelihood, data, **options),
        lambda likelihood, data, **options: discovery_significance(likelihood, **options),
    ],
    ids=["cls", "expected cls", "qmu", "qmu_tilde", "q0", "discovery", "expected discovery"],
)
def test_fixed_parameter_of_interest_is_refused(likelihood, with_fixed_poi, data, statistic):
    """cls was 0.2778 with it, and is 0.2632 without."""
    with pytest.raises(ValueError, match=r"free\. Received: 'mu', which is fixed\. Take it out of fixed="):
        statistic(with_fixed_poi, data)
    for fixed in (
        "mu",
        {"mu": 1.0},
        ["scale", "mu"],
        np.array([name == "mu" for name in likelihood.model.parameter_names]),
    ):
        with pytest.raises(ValueError, match="'mu', which is fixed"):
            statistic(likelihood, data, fixed=fixed)


@pytest.mark.parametrize("loss", [POIVarianceLoss(), POIUncertaintyLoss(), ConstraintLoss("mu")], ids=repr)
def test_losses_of_fixed_parameters_are_refused(with_fixed_poi, loss):
    with pytest.raises(ValueError, match="'mu', which is fixed"):
        loss.of_likelihood(with_fixed_poi)


def test_fits_with_a_fixed_parameter_of_interest_go_on(with_fixed_poi, likelihood, data):
    held = fit(with_fixed_poi, data)
    np.testing.assert_allclose(held.twice_nll, fit(likelihood, data, fixed_poi=1.0).twice_nll, rtol=1e-14)
    assert held.converged and not held.free[list(likelihood.model.parameter_names).index("mu")]


def test_held_parameters_are_those_of_a_model_without_them(likelihood, data):
    """With the scale held at 1 the background is that of a specification with 1.1 times as many events."""
    samples = [sample("signal", [5.0, 10.0], MU), sample("background", [55.0, 66.0])]
    without = TemplateModel.from_spec(specification(c=samples)).bind()
    names = likelihood.model.parameter_names
    scale, mu = names.index("scale"), names.index("mu")
    expected = fit(without, without.data([58.0, 72.0]))
    as_bool = np.arange(2) == scale
    for options in (
        {"fixed": {"scale": 1.0}},
        {"fixed": ["scale"], "init": {"scale": 1.0}},
        {"fixed": as_bool, "init": as_bool + 0.5 * ~as_bool},
        {"bounds": {"scale": (1.0, 1.0)}},
        {"bounds": np.where(as_bool[:, None], [1.0, 1.0], [0.0, 10.0])},
    ):
        result = fit(likelihood, data, **options)
        np.testing.assert_allclose(result.pars[mu], expected.pars[0], rtol=1e-10)  # 1e-16 of a width of order one
        assert result.converged and result.pars[scale] == 1
    # Asimov data follow what is held.
    np.testing.assert_allclose(cls(likelihood, fixed={"scale": 1.0}).expected, cls(without).expected, rtol=1e-10)
    held = discovery_significance(likelihood, fixed={"scale": 1.0}).significance
    np.testing.assert_allclose(held, discovery_significance(without).significance, rtol=1e-10)


def test_starts_are_where_they_were_put(likelihood, data):
    best = fit(likelihood, data)
    again = tf.function(lambda start: fit(likelihood, data, init=start).n_iterations, autograph=False)
    assert again(best.pars) <= 2 < best.n_iterations
    assert np.array_equal(settings(likelihood.model, init=[3.0, 2.0]).initial, [3.0, 2.0])
    assert np.array_equal(parameters_with_poi(likelihood, 2.0, init=[0.5, 0.5]), parameters_with_poi(likelihood, 2.0))


def test_names_of_modifiers_are_those_of_all_their_parameters():
    background = sample("background", [50.0, 60.0], modifier("staterror", "stat", [5.0, 6.0]))
    likelihood = TemplateModel.from_spec(specification(c=[sample("signal", [5.0, 10.0], MU), background])).bind()
    given = settings(likelihood.model, fixed={"stat": [1.1, 0.9]}, bounds={"stat[0]": (0.5, 1.5)})
    names = likelihood.model.parameter_names
    stat = [names.index("stat[0]"), names.index("stat[1]")]
    np.testing.assert_array_equal(given.initial.numpy()[stat], [1.1, 0.9])
    assert given.fixed[stat].all() and given.fixed.sum() == 2 and given.upper[stat[0]] == 1.5 != given.upper[stat[1]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"init": [1.0]}, r"init of shape \(2,\). Received: shape \(1,\)"),
        ({"init": {"nu": 1.0}}, "init names out of .*mu.*Received: 'nu'"),
        ({"init": {"mu": [1.0]}}, r"init\['mu'\] as one number. Received: shape \(1,\)"),
        ({"bounds": [[0.0, 1.0]]}, r"bounds of shape \(2, 2\). Received: shape \(1, 2\)"),
        ({"bounds": {"mu": (2.0, 1.0)}}, "lower <= upper. Received: others for 'mu'"),
        ({"bounds": {"mu": (0.0, np.nan)}}, "lower <= upper"),
        ({"fixed": [True]}, r"fixed names, values by name, or bool of shape \(2,\)"),
        ({"fixed": [1.0, 0.0]}, "fixed names, .*Received: float64"),
        ({"fixed": "nu"}, "fixed names out of .*Received: 'nu'"),
        ({"fixed": {"mu": 11.0}}, "'mu' to be held within its bounds, 0 to 10. Received: 11. Give bounds="),
        ({"fixed_poi": 11.0}, "'mu' to be held within its bounds, 0 to 10. Received: 11"),
        ({"fixed_poi": -1.0}, "within its bounds"),
        ({"fixed_poi": [1.0, 2.0]}, r"fixed_poi as one number. Received: shape \(2,\)"),
        ({"fixed_poi": 1.0, "fixed": {"mu": 1.0}}, "in fixed or as the tested value. Received: both"),
    ],
)
def test_bad_settings_are_named(likelihood, data, options, message):
    with pytest.raises(ValueError, match=message):
        fit(likelihood, data, **options)


def test_value_outside_of_the_bounds_is_not_converged_in_a_graph(likelihood, data):
    tested = tf.function(lambda poi: fit(likelihood, data, fixed_poi=poi).converged, autograph=False)
    assert not tested(tf.constant(11.0)) and tested(tf.constant(9.0))
    assert qmu(11.0, likelihood, data, bounds={"mu": (0.0, 20.0)}).converged
