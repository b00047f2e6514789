"""Workspaces in and out, and ten that analyses have published, where they are at hand.

Those are of pyhf's tests and tutorials, of HEPData and of simplified and pruned likelihoods made from them.
"""

import gzip
import json
from pathlib import Path

import numpy as np
import pyhf
import pytest

from neos_tf import TemplateModel, cls, fit
from tests.neos_tf.accurate_pyhf import accurate_fits, reference
from tests.neos_tf.workspaces import (
    MU,
    WORKSPACES,
    histosys,
    modifier,
    normsys,
    parameter,
    sample,
    shapesys,
    specification,
    staterror,
    workspace,
)

PUBLISHED = Path(__file__).parents[2] / ".." / "shared" / "data" / "workspaces"
SMALL = [
    "1Lbb_simpl",
    "2L0J_simpl",
    "bay_SRee_SRmm_Srem_v2",
    "prun_example_workspace",
    "pyhf_tests_test_patchset_example_bkgonly",
]
LARGE = ["1Lbb_tut", "bay_ttbar_ljets_xsec_inclusive_pruned", "prun_spec_original", "sbA_full", "staus_comb"]
at_hand = pytest.mark.skipif(not PUBLISHED.exists(), reason="needs the ten workspaces of ../shared/data")
BACKGROUND = sample("background", "b", normsys("k", 0.9, 1.15), staterror("c", "b_error"))
SIGNAL = sample("s", [5.0], MU)
OBSERVED = [58.0, 72.0, 0.0]


def published(name):
    with gzip.open(PUBLISHED / f"{name}.json.gz") as file:
        return json.load(file)


def signal_and_background(background=BACKGROUND, **settings):
    samples = [sample("signal", [5.0, 10.0, 0.0], MU, normsys("k", 0.94, 1.05)), background]
    parameters = [parameter("mu", bounds=[[0.0, 5.0]], inits=[0.5]), parameter("k", bounds=[[-4.0, 4.0]])]
    return TemplateModel.from_spec(workspace([OBSERVED], *parameters, c=samples), **settings)


def assert_same_model(likelihood, given, **options):
    """What pyhf makes of a workspace is what we have, to the rounding of sums in float64."""
    own = pyhf.Workspace(given)  # which holds it against the schema
    theirs = own.model(**options)
    config, model = theirs.config, likelihood.model
    assert (config.poi_name, tuple(config.par_names)) == (model.poi_name, model.parameter_names)
    assert np.array_equal(config.suggested_init(), model.initial)
    assert np.array_equal(config.suggested_bounds(), np.stack([model.lower, model.upper], axis=1))
    assert np.array_equal(config.suggested_fixed(), model.fixed)
    data = np.array(own.data(theirs))
    np.testing.assert_allclose(likelihood.data(), data, rtol=1e-13)
    rng = np.random.default_rng(0)
    for point in (model.initial, model.initial * 1.02 + 0.05 * rng.uniform(-1, 1, len(model.initial))):
        point = np.clip(point, model.lower, model.upper)
        np.testing.assert_allclose(likelihood.expected_data(point), theirs.expected_data(point), rtol=1e-12)
        np.testing.assert_allclose(likelihood.logpdf(point, data), theirs.logpdf(point, data)[0], rtol=1e-9)


@at_hand
@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_published_workspaces_agree_with_pyhf_and_go_back(name):
    given = published(name)
    likelihood = TemplateModel.from_spec(given).bind()
    assert_same_model(likelihood, given)
    assert_same_model(likelihood, json.loads(json.dumps(likelihood.workspace())))


@pytest.mark.slow
@at_hand
@pytest.mark.parametrize("name", SMALL)
def test_fits_and_cls_of_published_workspaces_agree_with_pyhf(name):
    """Newton's method ends within 1e-10 of an uncertainty in both; CLs below 1e-3 have some digits less."""
    given = published(name)
    likelihood = TemplateModel.from_spec(given).bind()
    expected, found = reference(given), cls(likelihood, likelihood.data())
    assert found.converged
    np.testing.assert_allclose(found.observed, expected.cls, rtol=1e-7)
    np.testing.assert_allclose(found.expected, expected.expected_cls, rtol=1e-7)


def cls_of_pyhf(given, **options):
    with accurate_fits():
        own = pyhf.Workspace(given)
        model = own.model(**options)
        observed, expected = pyhf.infer.hypotest(1.0, own.data(model), model, return_expected_set=True)
    return [float(observed), *expected]


def test_workspace_gives_the_same_cls_in_pyhf():
    """With a floor, a bin where nothing is expected, other codes, a measurement with settings, and other numbers."""
    settings = {"normsys": {"interpcode": "code1"}}
    model = signal_and_background(n_bins=3, floor=1e-3, modifier_settings=settings)
    likelihood = model.bind({"b": [50.0, 60.0, 0.0], "b_error": [3.0, 2.0, 0.0]})
    assert model.pyhf_options == {"modifier_settings": settings, "clip_bin_data": 1e-3}
    given = likelihood.workspace(**model.pyhf_options)
    found = cls(likelihood, likelihood.data())
    assert found.converged
    expected = cls_of_pyhf(given, **model.pyhf_options)
    np.testing.assert_allclose([found.observed, *found.expected], expected, rtol=1e-9)  # Newton's method ends there
    assert abs(cls_of_pyhf(given, clip_bin_data=1e-3)[0] - expected[0]) > 1e-4
    with pytest.raises(ValueError, match=r"modifier_settings=.*clip_bin_data=0.001.*options = model.pyhf_options"):
        likelihood.workspace()


@pytest.mark.parametrize(("low", "high", "observed"), [(0.8, 1.1, 55.0), (1.2, 0.9, 56.0)])
def test_fits_with_code1_leave_the_point_where_it_has_a_kink(low, high, observed):
    """Both start at alpha = 0, where |alpha| has no derivative; the best one is on either side."""
    samples = [sample("signal", [5.0], MU), sample("background", [50.0], normsys("k", low, high))]
    settings = {"normsys": {"interpcode": "code1"}}
    spec = workspace([[observed]], c=samples)
    likelihood = TemplateModel.from_spec(spec, modifier_settings=settings).bind()
    found = fit(likelihood, likelihood.data(), fixed_poi=0.0)
    with accurate_fits():
        own = pyhf.Workspace(spec)
        model = own.model(modifier_settings=settings)
        pars, value = pyhf.infer.mle.fixed_poi_fit(0.0, own.data(model), model, return_fitted_val=True)
    assert found.converged and np.abs(pars[1 - model.config.poi_index]) > 0.1
    np.testing.assert_allclose(found.pars, pars, atol=1e-8)
    np.testing.assert_allclose(found.twice_nll, value, rtol=1e-12)


@pytest.mark.parametrize("name", ["all_modifiers_of_the_manual", "own_settings", "empty_shapesys", "abcd"])
def test_workspace_goes_back_to_pyhf(name):
    """With every number changed, and so not by copying what was given; cabinetry takes it as well."""
    model = TemplateModel.from_spec(WORKSPACES[name])
    likelihood = model.bind({name: 1.02 * template.numbers for name, template in model.templates.items()})
    if model.observations is None:
        model.observations = np.arange(10.0, 10 + sum(model.channels.values()))
    given = json.loads(json.dumps(likelihood.workspace()))
    assert_same_model(likelihood, given)
    assert not np.allclose(
        pyhf.Workspace(given).model().expected_data(model.initial), model.bind().expected_data(model.initial)
    )
    again = TemplateModel.from_spec(given)
    assert again.bind().workspace() == given
    cabinetry = pytest.importorskip("cabinetry")
    assert cabinetry.model_utils.model_and_data(given)[1] == pytest.approx(likelihood.data().numpy())


def test_workspace_of_asimov_data_and_without_parameter_of_interest():
    model = TemplateModel.from_spec(specification(c=[sample("b", [9.0, 7.0], normsys("k", 0.9, 1.1))]), poi=None)
    likelihood = model.bind()
    with pytest.raises(ValueError, match=r"observations, as the specification has none"):
        likelihood.workspace()
    with pytest.raises(ValueError, match=r"observations of shape \(2,\).*\(3,\)"):
        likelihood.workspace([1.0, 2.0, 3.0])
    given = likelihood.workspace(likelihood.expected_data(model.initial, include_auxdata=False))
    assert given["observations"] == [{"name": "c", "data": [9.0, 7.0]}]
    assert pyhf.Workspace(given).model().config.poi_name is None


@pytest.mark.parametrize("errors", [[3.0, 0.0, 0.1], [3.0, 2.0, 0.0]])
def test_uncertainty_of_zero_is_refused_where_the_parameter_is_free(errors):
    """pyhf fixes such a factor, which would have a width of 1 here; where nothing is expected it does not matter."""
    model = signal_and_background(n_bins=3)
    bin_ = errors.index(0.0)
    with pytest.raises(ValueError, match=rf"Received: 0 for staterror_c\[{bin_}\].*an uncertainty that can be 0 into"):
        model.bind({"b": [50.0, 60.0, 1.0], "b_error": errors})
    assert model.bind({"b": np.where(errors, [50.0, 60.0, 1.0], 0.0), "b_error": errors}).workspace()
    with_numbers = sample("background", [50.0, 60.0, 1.0], normsys("k", 0.9, 1.15), staterror("c", errors))
    assert signal_and_background(with_numbers).fixed.sum() == 1


def test_workspace_with_other_fixed_parameters_is_refused():
    """An uncertainty that is not 0 where that of the specification is."""
    background = sample("background", [50.0, 60.0, 1.0], staterror("c", [3.0, 0.0, 0.1]))
    likelihood = signal_and_background(background).bind({"c/background/staterror_c": [3.0, 2.0, 0.1]})
    with pytest.raises(ValueError, match=r"Received: others for staterror_c\[1\]"):
        likelihood.workspace()


@pytest.mark.parametrize("settings", [{"sigmas": [0.3, 0.1]}, {"auxdata": [1.1, 1.0]}, {"factors": [50.0, 20.0]}])
def test_settings_of_bins_go_before_the_templates(settings):
    """Sigmas of a staterror, measurements of both, and what a shapesys counts."""
    kind, name = (shapesys, "x") if "factors" in settings else (staterror, "staterror_c")
    background = sample("background", [100.0, 50.0], kind("x" if kind is shapesys else "c", [1.0, 2.0]))
    spec = workspace([[101.0, 55.0]], parameter(name, **settings), c=[sample("signal", [5.0, 5.0], MU), background])
    likelihood = TemplateModel.from_spec(spec).bind()
    assert_same_model(likelihood, spec)
    if "auxdata" in settings:
        assert np.array_equal(likelihood.model.centres, [1.0, *settings["auxdata"]])


def test_observations_of_channels_that_were_pruned_do_not_matter():
    spec = workspace([[7.0], [8.0]], c=[SIGNAL], d=[sample("s", [5.0])])
    del spec["channels"][1]
    assert np.array_equal(TemplateModel.from_spec(spec).observations, [7.0])
    with pytest.raises(ValueError, match="observations of each channel once"):
        TemplateModel.from_spec({**spec, "observations": [*spec["observations"], {"name": "c", "data": [7.0]}]})


def test_parameter_of_interest_that_is_asked_for_counts():
    spec = workspace([[7.0]], c=[sample("s", [5.0], MU, modifier("normfactor", "k"))])
    assert TemplateModel.from_spec(spec).poi_name == "mu"
    assert TemplateModel.from_spec(spec, poi=None).poi_name is None
    model = TemplateModel.from_spec(spec, poi="k")
    assert (model.poi_name, model.poi_index) == ("k", model.parameter_names.index("k"))
    assert model.bind().workspace()["measurements"][0]["config"]["poi"] == "k"
    assert TemplateModel.from_spec(**model.get_config()).poi_name == "k"
    with pytest.raises(ValueError, match=r"poi to be one of .*, k, mu. Received: poi='x'"):
        TemplateModel.from_spec(spec, poi="x")


@pytest.mark.parametrize("poi", ["mu_signal", "", None])
def test_workspace_without_parameter_of_interest_is_taken(poi):
    """Before its patch a background-only workspace does not have the one that it names."""
    spec = workspace([[7.0]], poi=poi, c=[sample("b", [5.0], normsys("k", 0.9, 1.1))])
    if poi is None:
        del spec["measurements"][0]["config"]["poi"]
    model = TemplateModel.from_spec(spec)
    assert model.poi_name is None
    assert pyhf.Workspace(model.bind().workspace()).model().config.poi_name is None


def patchset_of(background_only):
    def entry(mass, counts):
        signal = sample("signal", counts, MU)
        patch = [{"op": "add", "path": "/channels/0/samples/0", "value": signal}]
        return {"metadata": {"name": f"signal_{mass}", "values": [mass, 50]}, "patch": patch}

    metadata = {
        "name": "signals",
        "description": "two masses",
        "references": {"hepdata": "ins1234567"},
        "digests": {"sha256": pyhf.utils.digest(background_only, algorithm="sha256")},
        "labels": ["mass", "width"],
    }
    return {"metadata": metadata, "patches": [entry(300, [1.0]), entry(600, [2.0])], "version": "1.0.0"}


def test_patch_of_a_patchset():
    background_only = workspace([[7]], c=[sample("b", [5.0], normsys("k", 0.9, 1.1))])
    patchset = patchset_of(background_only)
    named = TemplateModel.from_spec(background_only, patchset=patchset, patch="signal_600")
    by_values = TemplateModel.from_spec(background_only, patchset=patchset, patch=(300, 50))
    assert (named.poi_name, by_values.poi_name) == ("mu", "mu")
    assert (named.templates["c/signal"].numbers, by_values.templates["c/signal"].numbers) == (2, 1)
    assert TemplateModel.from_spec(**named.get_config()).templates["c/signal"].numbers == 2
    assert_same_model(named.bind(), pyhf.PatchSet(patchset).apply(background_only, "signal_600"))
    for patch in ("signal_900", (300,), 300):
        with pytest.raises(ValueError, match=r"\(mass, width\) of a patch, of signal_300, signal_600. Received"):
            TemplateModel.from_spec(background_only, patchset=patchset, patch=patch)
    with pytest.raises(ValueError, match=r"patchset and patch together"):
        TemplateModel.from_spec(background_only, patchset=patchset)
    background_only["observations"][0]["data"] = [8]
    with pytest.raises(ValueError, match=r"pyhf says: The digest verification failed"):
        TemplateModel.from_spec(background_only, patchset=patchset, patch="signal_600")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ([1], "dict. Received: list"),
        ({"samples": []}, "Received: samples as well"),
        ({**specification(c=[SIGNAL]), "poi": "k"}, "Received: poi as well"),
        ({**workspace([[5.0]], c=[SIGNAL]), "parameters": []}, "Received: parameters as well"),
        ({**workspace([[5.0]], c=[SIGNAL]), "observations": [{"name": "d", "data": [5.0]}]}, r"\{'c': 1\}.*'d', 1"),
        (workspace([[5.0, 6.0]], c=[SIGNAL]), r"observations of each channel once.*'c', 2"),
        (specification(c=[sample("s", [5.0], normsys("k", -0.5, 1.1), MU)]), "NaN, as from a normsys with hi or"),
        (specification(parameter("mu", init=[1.0]), c=[SIGNAL]), r"'init' was unexpected[^$]*Path: parameters\[0\]"),
        (specification(*[parameter("mu")] * 2, c=[SIGNAL]), "pyhf says: Multiple parameter configurations for mu"),
        (specification(parameter("mu", inits=[1.0, 2.0]), c=[SIGNAL]), r"Incorrect number of values \(2\) for inits"),
        (specification(c=[sample("s", [5.0], normsys("mu", 0.9, 1.1), MU)]), "pyhf says: Multiple values for"),
        (
            specification(
                c=[SIGNAL, sample("b", [7.0], staterror("x", [1.0]))], d=[sample("s", [5.0], staterror("x", [1.0]))]
            ),
            "samples of each staterror to have it in the same channels",
        ),
    ],
)
def test_what_is_wrong_with_a_specification_is_named(spec, message):
    with pytest.raises(ValueError, match=message), np.errstate(invalid="ignore"):
        TemplateModel.from_spec(spec)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"measurement": "other"}, "measurement out of measurement. Received: 'other'"),
        ({"modifier_settings": {"normsys": {"interpcode": "code9"}}}, "one of code1, code4.*Received.*code9"),
        ({"modifier_settings": {"normsy": {"interpcode": "code1"}}}, "modifier_settings as.*Received.*normsy'"),
    ],
)
def test_what_is_wrong_with_arguments_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        TemplateModel.from_spec(workspace([[5.0]], c=[SIGNAL]), **arguments)


def test_specification_of_the_user_is_neither_changed_nor_kept():
    """Tuples and arrays are taken as the lists of a file."""
    given = workspace(
        [(51, 48)], c=[sample("s", np.array([12, 11]), MU, histosys("k", (11, 10), np.array([13.0, 12.0])))]
    )
    model = TemplateModel.from_spec(given)
    config = model.get_config()
    model.bind().workspace()["channels"].clear()
    assert isinstance(given["channels"][0]["samples"][0]["data"], np.ndarray)
    given["channels"][0]["samples"][0]["data"][0] = 99
    assert model.get_config() == config == json.loads(json.dumps(config))
