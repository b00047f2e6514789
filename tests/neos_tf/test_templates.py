import copy
import runpy

import numpy as np
import pyhf
import pytest
import tensorflow as tf

from neos_tf import TemplateModel, arrangement, correlated_background, fit, uncorrelated_background
from tests.neos_tf.workspaces import (
    MU,
    WORKSPACES,
    histosys,
    modifier,
    normsys,
    sample,
    shapesys,
    specification,
    staterror,
    workspace,
)

NAMED = specification(
    region=[
        sample("signal", "s", MU, normsys("scale", "down", "up")),
        sample("first", "b", histosys("tilt", "s", "b_up"), staterror("region", "b_error")),
        sample("second", [5.0, 6.0], shapesys("free", "second_error")),
    ],
    control=[sample("first", [70.0], normsys("scale", 0.9, 1.1))],
)
NUMBERS = {
    "s": [3.0, 5.0],
    "down": 0.95,
    "up": 1.1,
    "b": [40.0, 30.0],
    "b_up": [41.0, 27.0],
    "b_error": [2.0, 1.5],
    "second_error": [1.0, 1.0],
}


def filled(node, numbers):
    """A specification with numbers in place of names."""
    if isinstance(node, dict):
        return {key: filled(value, numbers) if key not in ("name", "type") else value for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, numbers) for value in node]
    return numbers[node] if isinstance(node, str) else node


@pytest.fixture(scope="module")
def named():
    return TemplateModel.from_spec(NAMED, n_bins=2)


def assert_same(likelihood, pyhf_model):
    """Densities and expectations at a point off the centre."""
    assert likelihood.model.parameter_names == tuple(pyhf_model.config.par_names)
    point = np.array(pyhf_model.config.suggested_init()) * 1.05 + 0.1
    data = pyhf_model.expected_data(point) + 0.7
    np.testing.assert_allclose(likelihood.logpdf(point, data), pyhf_model.logpdf(point, data)[0], rtol=1e-12)  # float64
    np.testing.assert_allclose(likelihood.expected_data(point), pyhf_model.expected_data(point), rtol=1e-13)
    np.testing.assert_allclose(likelihood.auxdata, pyhf_model.config.auxdata, rtol=1e-13)


def test_templates_take_the_place_of_names(named):
    assert named.template_names == ("s", "up", "down", "b", "b_up", "b_error", "second_error")
    assert_same(named.bind(NUMBERS), pyhf.Model(filled(NAMED, NUMBERS), poi_name="mu"))


def test_templates_may_take_the_place_of_numbers(named):
    changed = copy.deepcopy(NAMED)
    changed["channels"][0]["samples"][2]["data"] = [9.0, 8.0]
    changed["channels"][1]["samples"][0]["data"] = [77.0]
    changed["channels"][1]["samples"][0]["modifiers"][0]["data"] = {"hi": 1.2, "lo": 0.9}
    given = {"region/second": [9.0, 8.0], "control/first": [77.0], "control/first/scale/hi": 1.2}
    assert_same(named.bind({**NUMBERS, **given}), pyhf.Model(filled(changed, NUMBERS), poi_name="mu"))


def test_templates_of_any_float_are_taken(named):
    exact = {name: np.float32(values) for name, values in NUMBERS.items()}
    single = {name: tf.constant(values) for name, values in exact.items()}
    assert single["s"].dtype == tf.float32
    point = named.initial
    data = named.bind(NUMBERS).expected_data(point)
    assert named.bind(single).logpdf(point, data) == named.bind(exact).logpdf(point, data)
    assert named.bind(single).logpdf(point, data).dtype == tf.float64


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ({}, r"Expected templates for s, up, down.*missing: s, up, down, b, b_up, b_error, second_error"),
        ({**NUMBERS, "x": [1.0]}, r"Received: s, .*, x; missing: none"),
        ({**NUMBERS, "s": [1.0, 2.0, 3.0]}, r"template 's' of shape \(2,\).*shape \(3,\)"),
        ({**NUMBERS, "up": [1.1]}, r"template 'up' of shape \(\).*shape \(1,\)"),
        ({**NUMBERS, "control/first": 70.0}, r"template 'control/first' of shape \(1,\)"),
    ],
)
def test_bad_templates_are_named(named, templates, message):
    with pytest.raises(ValueError, match=message):
        named.bind(templates)


def test_bad_points_and_data_are_named(named):
    likelihood = named.bind(NUMBERS)
    with pytest.raises(ValueError, match=r"pars of shape \(7,\) or \(n_points, 7\), in the order .*mu.*\(3,\)"):
        likelihood.expected_data([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"observations.*None"):
        likelihood.data()
    with pytest.raises(ValueError, match=r"data of shape \(9,\), 3 bins and 6 auxiliary data.*likelihood.data"):
        fit(likelihood, [40.0, 30.0, 70.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"poi": "signal_strength"}, "poi='signal_strength'"),
        ({"poi": "free"}, "poi='free'"),
        ({"floor": 0.0}, "floor above 0. Received: floor=0.0"),
        ({"n_bins": None}, "n_bins|shape"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    spec = NAMED if "n_bins" not in arguments else specification(c=[sample("s", "s", MU)])
    with pytest.raises(ValueError, match=message):
        TemplateModel.from_spec(spec, **{"n_bins": 2, **arguments})


def test_model_without_parameter_of_interest():
    model = TemplateModel.from_spec(specification(c=[sample("b", [9.0], normsys("scale", 0.9, 1.1))]), poi=None)
    assert model.poi_index is None and model.poi_name is None
    likelihood = model.bind()
    assert fit(likelihood, likelihood.data([9.0])).converged
    with pytest.raises(ValueError, match=r"parameter of interest.*Give poi="):
        fit(likelihood, likelihood.data([9.0]), fixed_poi=1.0)


@pytest.mark.parametrize("build", [correlated_background, uncorrelated_background])
def test_short_models_are_those_of_pyhf(build):
    numbers = {
        "signal": [12.0, 11.0],
        "background": [50.0, 52.0],
        "background_up": [55.0, 47.0],
        "background_down": [45.0, 57.0],
        "background_uncertainty": [3.0, 7.0],
    }
    model = build(2)
    templates = {name: numbers[name] for name in model.template_names}
    assert_same(model.bind(templates), getattr(pyhf.simplemodels, build.__name__)(*templates.values()))


def test_workspace_brings_its_measurement_and_observations():
    spec = workspace([[7.0], [1.0, 2.0]], poi="strength", z=[sample("s", [1.0])], a=[sample("s", [2.0, 3.0])])
    for channel in spec["channels"]:
        channel["samples"][0]["modifiers"].append(modifier("normfactor", "strength"))
    parameters = [{"name": "strength", "inits": [2.0], "bounds": [[1.0, 3.0]]}]
    spec["measurements"].append({"name": "other", "config": {"poi": "strength", "parameters": parameters}})
    model = TemplateModel.from_spec(spec)
    assert (model.poi_name, model.channels) == ("strength", {"a": 2, "z": 1})  # as pyhf sorts them
    assert np.array_equal(model.bind().data(), [1, 2, 7])
    assert (model.initial, model.lower, model.upper) == ([1], [0], [10])
    other = TemplateModel.from_spec(spec, measurement="other")
    assert (other.initial, other.lower, other.upper) == ([2], [1], [3])


@pytest.mark.parametrize("name", ["all_modifiers_of_the_manual", "own_settings", "empty_shapesys", "abcd"])
def test_specification_goes_back_to_pyhf(name):
    """With every number changed, and so not by copying what was given."""
    model = TemplateModel.from_spec(WORKSPACES[name])
    likelihood = model.bind({name: 1.02 * template.numbers for name, template in model.templates.items()})
    returned = pyhf.Model(likelihood.specification(), poi_name=model.poi_name)
    assert_same(likelihood, returned)
    assert not np.allclose(returned.expected_data(model.initial), model.bind().expected_data(model.initial))


def test_specification_of_the_user_is_not_changed():
    spec = copy.deepcopy(NAMED)
    TemplateModel.from_spec(spec, n_bins=2).bind(NUMBERS).specification()["channels"].clear()
    assert spec == NAMED


def test_interpolation_codes_are_taken():
    settings = {"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code0"}}
    spec = filled(NAMED, NUMBERS)
    likelihood = TemplateModel.from_spec(spec, modifier_settings=settings).bind()
    assert_same(likelihood, pyhf.Model(spec, poi_name="mu", modifier_settings=settings))


@pytest.mark.parametrize("backend", ["numpy", "tensorflow"])
def test_backend_and_models_of_the_user_stay(backend):
    spec = filled(NAMED, NUMBERS)
    before = pyhf.get_backend()
    try:
        pyhf.set_backend(backend)
        own = pyhf.Model(spec, poi_name="mu")
        tensorlib, optimizer = pyhf.get_backend()
        point = pyhf.tensorlib.astensor(own.config.suggested_init())
        data = own.expected_data(point)
        value = np.asarray(own.logpdf(point, data))
        likelihood = TemplateModel.from_spec(spec).bind()
        likelihood.logpdf(likelihood.model.initial, likelihood.expected_data(likelihood.model.initial))
        with pytest.raises(pyhf.exceptions.InvalidPdfData):
            likelihood.logpdf(likelihood.model.initial, [1.0])  # fails within pyhf
        assert pyhf.get_backend() == (tensorlib, optimizer) and pyhf.tensorlib is tensorlib
        assert pyhf.default_backend.name == "numpy"
        assert type(own.expected_data(point)) is type(data)
        assert np.array_equal(own.logpdf(point, data), value)
        pyhf.set_backend("numpy")
        assert isinstance(own.expected_data(own.config.suggested_init()), np.ndarray)
        model = likelihood.model  # ours does not follow the user's backend
        assert np.isfinite(model.bind().logpdf(model.initial, likelihood.expected_data(model.initial)))
    finally:
        pyhf.set_backend(*before)


def test_model_that_differs_from_pyhf_is_refused(monkeypatch):
    distribution = arrangement.TENSORFLOW.poisson_dist
    monkeypatch.setattr(arrangement.TENSORFLOW, "poisson_dist", lambda rate: distribution(1.0001 * rate))
    with pytest.raises(RuntimeError, match=r"as pyhf computes in NumPy.*pip install 'pyhf>=0.7.6,<0.8'"):
        correlated_background(2)


def test_another_pyhf_is_refused(monkeypatch):
    monkeypatch.setattr(pyhf, "__version__", "0.8.0")
    with pytest.raises(ImportError, match=r"Received: pyhf 0.8.0.*pip install 'pyhf>=0.7.6,<0.8'"):
        runpy.run_path(arrangement.__file__)


def gradients_of_empty_bins(floor):
    """Of a bin where nothing is expected and nothing observed; the other holds 9."""
    model = TemplateModel.from_spec(specification(c=[sample("s", "s", MU)]), n_bins=2, floor=floor)
    signal = tf.constant([9.0, 0.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(signal)
        likelihood = model.bind({"s": signal})
        value = likelihood.logpdf([1.0], [9.0, 0.0])
    return tape.gradient(value, signal).numpy(), likelihood


def test_gradient_of_empty_bins():
    gradient, likelihood = gradients_of_empty_bins(1e-6)
    np.testing.assert_allclose(gradient, [0, 0], atol=1e-15)  # 9 / 9 - 1; of the floor itself
    assert likelihood.n_floored == 1
    np.testing.assert_allclose(likelihood.expected_data([1.0]), [9, 1e-6], rtol=1e-15)
    without, likelihood = gradients_of_empty_bins(None)
    np.testing.assert_allclose(without, [0, -1], atol=1e-15)  # of -s, with no event to be observed
    assert likelihood.n_floored == 0


def test_nan_does_not_converge():
    model = correlated_background(2)
    up, down = [52.0, 66.0], [47.0, 55.0]
    templates = {"signal": [5.0, np.nan], "background": [50.0, 60.0], "background_up": up, "background_down": down}
    assert not fit(model.bind(templates), [50.0, 60.0, 0.0]).converged
    assert fit(model.bind({**templates, "signal": [5.0, 9.0]}), [50.0, 60.0, 0.0]).converged


def test_settings_survive():
    model = TemplateModel.from_spec(NAMED, n_bins=2, floor=1e-3)
    again = TemplateModel.from_spec(**model.get_config())
    assert again.get_config() == model.get_config() and again.template_names == model.template_names
