import numpy as np
import pytest
import tensorflow as tf

from neos_tf import TemplateModel, fit
from neos_tf.staterror import profile_staterrors
from tests.neos_tf.workspaces import MU, modifier, sample, specification, staterror, workspace


def single(observed=20.0):
    """One bin of 4 mu + 20 gamma, gamma measured as 1 with width 0.1."""
    samples = [sample("signal", [4.0], MU), sample("background", [20.0], staterror("bin", [2.0]))]
    likelihood = TemplateModel.from_spec(specification(bin=samples)).bind()
    return likelihood, likelihood.data([observed])


def one_region():
    """Two bins, both of which have a gamma."""
    samples = [sample("signal", [3.0, 5.0], MU), sample("background", [8.0, 2.0], staterror("region", [1.0, 0.6]))]
    return workspace([[14, 8]], region=samples)


def two_regions():
    """A sample without staterror in one region, and a channel without any."""
    return workspace(
        [[14, 8], [33], [60]],
        region=[
            sample("signal", [3.0, 5.0], MU),
            sample("first", [8.0, 2.0], staterror("region", [1.0, 0.6])),
            sample("second", [3.0, 2.0], staterror("region", [0.5, 0.2])),
        ],
        control=[sample("first", [30.0], staterror("control", [3.0]))],
        other=[sample("first", [55.0], modifier("normsys", "scale", {"lo": 0.9, "hi": 1.1}))],
    )


def test_gamma_is_the_root_of_its_equation():
    likelihood, data = single(31.0)
    names = likelihood.model.parameter_names
    mu, place = names.index("mu"), 1 - names.index("mu")
    points = np.ones((3, 2))
    points[:, mu] = [0.0, 1.0, 2.5]
    gamma = profile_staterrors(tf.constant(points), likelihood, data).numpy()[:, place]
    scaled, others = 20.0, 4 * points[:, mu]
    slope = scaled - 31 * scaled / (gamma * scaled + others) + (gamma - 1) / 0.1**2
    np.testing.assert_allclose(slope, 0, atol=1e-11)  # of terms of up to 100, in float64


def test_nothing_observed_has_its_root_too():
    likelihood, data = single(0.0)
    points = tf.constant([[0.0, 0.0]], tf.float64)  # no signal: s + (gamma - 1) / sigma^2 = 0
    profiled = profile_staterrors(points, likelihood, data).numpy()[0]
    gamma = profiled[1 - likelihood.model.poi_index]
    np.testing.assert_allclose(gamma, 1 - 20 * 0.1**2, rtol=1e-14)


def test_bounds_hold():
    likelihood, _ = single()
    data = likelihood.data([1e7])
    profiled = profile_staterrors(tf.constant([[0.0, 0.0]], tf.float64), likelihood, data).numpy()[0]
    assert profiled[1 - likelihood.model.poi_index] == likelihood.model.upper[1 - likelihood.model.poi_index]


def test_likelihood_is_flat_in_every_gamma():
    spec = two_regions()
    likelihood = TemplateModel.from_spec(spec).bind()
    model, data = likelihood.model, likelihood.data()
    assert len(model.staterrors.parameters) == 3
    point = np.where(np.arange(len(model.initial)) == model.poi_index, 1.7, model.initial + 0.2)
    points = profile_staterrors(tf.constant(point[None]), likelihood, data)
    with tf.GradientTape() as tape:
        tape.watch(points)
        value = likelihood.logpdf(points, data)
    gradient = tape.gradient(value, points).numpy()[0]
    np.testing.assert_allclose(gradient[model.staterrors.parameters], 0, atol=1e-11)  # of terms of order 100
    others = np.setdiff1d(np.arange(len(point)), model.staterrors.parameters)
    assert np.array_equal(points.numpy()[0, others], point[others])
    assert np.all(np.abs(gradient[others]) > 0.1)


@pytest.mark.parametrize("spec", [one_region, pytest.param(two_regions, marks=pytest.mark.slow)])
def test_fit_with_profiled_gammas_and_its_gradient_are_those_of_the_search(spec):
    model = TemplateModel.from_spec(spec())
    names = list(model.templates)
    templates = [tf.constant(model.templates[name].numbers) for name in names]
    values, gradients = [], []
    for profile_staterror in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(templates)
            likelihood = model.bind(dict(zip(names, templates, strict=True)))
            result = fit(likelihood, likelihood.data(), profile_staterror=profile_staterror)
            total = tf.reduce_sum(result.pars * (1 + np.arange(len(model.initial)))) + result.twice_nll
        assert result.converged
        values.append(np.append(result.pars, result.twice_nll))
        gradients.append(np.concatenate([np.ravel(gradient) for gradient in tape.gradient(total, templates)]))
    np.testing.assert_allclose(values[1], values[0], rtol=1e-9)  # both end within 1e-8 of a step of Newton's
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-8, atol=1e-8)
    assert np.abs(gradients[0]).max() > 0.1


def test_two_gammas_in_a_bin_are_refused():
    samples = [
        sample("signal", [4.0], MU, modifier("staterror", "one", [0.5])),
        sample("background", [20.0], modifier("staterror", "another", [2.0])),
    ]
    likelihood = TemplateModel.from_spec(specification(bin=samples)).bind()
    with pytest.raises(ValueError, match=r"one staterror parameter a bin.*another\[0\].*Do without profile_staterror"):
        fit(likelihood, likelihood.data([24.0]), profile_staterror=True)
    assert fit(likelihood, likelihood.data([24.0])).converged
