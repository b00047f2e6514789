"""What is asked of a trained network, against closed forms, pyhf, scikit-learn and a signal that is surely there."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

import neos_tf
from benchmarks.data.events import Events
from benchmarks.search import findings
from benchmarks.search.events import VARIED, Sample
from benchmarks.search.measurement import Scorer, make_templates
from tests.benchmarks.small_search import by_mass, samples, templates

MASS = 750.0


@pytest.fixture(scope="module")
def likelihood():
    return templates(MASS).likelihood


@pytest.fixture(scope="module")
def limits():
    return findings.limits(by_mass, samples().train, samples().test, MASS)


def test_the_limit_without_systematics_is_the_closed_form(limits):
    """Of Asimov data without signal, with everything known: q(mu) = 2 sum(mu s - b log(1 + mu s / b))."""
    signal, background = (templates(MASS).numbers[name] for name in ("signal", "background"))

    def excess(mu):
        q = 2 * np.sum(mu * signal - background * np.log1p(mu * signal / background))
        return np.sqrt(q) - norm.isf(0.05 / 2)  # CLs = 2 (1 - Phi(sqrt(q))) where the data are as expected

    assert limits.without_systematics == pytest.approx(brentq(excess, 1e-3, 500), rel=1e-6)


def test_what_is_known_lowers_the_limit(limits, likelihood):
    assert limits.expected == sorted(limits.expected) and len(limits.expected) == 5
    assert 0 < limits.without_systematics < limits.without_scale < limits.without_statistics < limits.expected[2]
    assert 0 < limits.sigma_scale < 1  # the histogram knows something of the scale
    np.testing.assert_allclose(limits.expected, neos_tf.upper_limit(likelihood).expected, rtol=1e-9)
    assert (limits.n_merged, limits.n_floored) == (templates(MASS).n_merged, templates(MASS).n_floored)


def test_the_auc_is_that_of_weighted_events(limits):
    parts = samples().test.signal(MASS), samples().test.background()
    label = np.repeat([1, 0], [len(part.weight) for part in parts])
    score, weight = (np.concatenate(c) for c in ([by_mass(p.features, MASS) for p in parts], [p.weight for p in parts]))
    assert limits.auc == pytest.approx(roc_auc_score(label, score, sample_weight=weight), rel=1e-9)


def test_a_limit_that_does_not_converge_is_none(monkeypatch):
    limit = neos_tf.UpperLimit(np.array(1.0), np.ones(5), np.array(False))
    monkeypatch.setattr(findings.neos_tf, "upper_limit", lambda *arguments, **options: limit)
    monkeypatch.setattr(findings.neos_tf, "uncertainties", lambda likelihood, pars: np.ones(len(pars)))
    found = findings.limits(by_mass, samples().train, samples().test, MASS)
    assert found[:4] == (None,) * 4


def test_background_and_a_signal_are_nominal_parameters(likelihood):
    pars = findings.background_and(7.0, likelihood)
    assert dict(zip(likelihood.model.parameter_names, pars, strict=True)) == {
        name: 7.0 if name == "mu" else float("simulation" in name) for name in likelihood.model.parameter_names
    }
    rates = likelihood.expected_data(pars, include_auxdata=False)
    numbers = templates(MASS).numbers
    np.testing.assert_allclose(rates, numbers["background"] + 7 * numbers["signal"], rtol=1e-12)


def test_pyhf_has_the_same_limit(likelihood):
    assert findings.difference_from_pyhf(likelihood) < 1e-6


@pytest.mark.parametrize("mass", [625.0, 850.0])
def test_pyhf_has_the_same_limit_wherever_its_minimiser_has_far_to_go(mass):
    """It has the same to 1e-7 with init_pars=background_and(0.0, likelihood), where data are as expected."""
    assert findings.difference_from_pyhf(templates(mass).likelihood) < 1e-6


def test_another_workspace_has_another_limit(likelihood, monkeypatch):
    numbers = dict(templates(MASS).numbers)
    for name in numbers:
        if name.startswith("signal"):
            numbers[name] = 1.1 * numbers[name]
    other = likelihood.model.bind(numbers)
    workspace = neos_tf.Likelihood.workspace
    monkeypatch.setattr(
        neos_tf.Likelihood, "workspace", lambda _, observed, **options: workspace(other, observed, **options)
    )
    # A limit of 1 / 1.1, one step of Newton's method away.
    assert findings.difference_from_pyhf(likelihood) == pytest.approx(np.log(1.1), rel=0.1)


def test_limits_exclude_what_is_there_in_5_per_cent(likelihood):
    n_toys = 200
    share = findings.coverage(likelihood, n_toys, seed=1)
    assert abs(share - 0.05) < 4 * np.sqrt(0.05 * 0.95 / n_toys) and n_toys * share == round(n_toys * share)


def test_counts_are_those_of_background_and_one_signal():
    events, cross_section = samples().test.nominal, 50.0
    counts = findings.draw_counts(samples().test, 850.0, cross_section, seed=3)
    is_background, is_signal = events.label == 0, (events.label == 1) & (events.theta[:, 0] == 850)
    for chosen, factor in ((is_background, 1.0), (is_signal, cross_section)):
        expected = factor * events.weight[chosen].sum(dtype=np.float64)
        assert abs(counts[chosen].sum() - expected) < 4 * np.sqrt(expected)
    assert counts[is_signal].sum() > 100 and not counts[~(is_background | is_signal)].any()
    assert not counts[events.weight == 0].any()
    np.testing.assert_array_equal(counts, findings.draw_counts(samples().test, 850.0, cross_section, seed=3))
    assert (counts != findings.draw_counts(samples().test, 850.0, cross_section, seed=4)).any()


def bumps():
    """Bumps at three masses on a flat background, all of one feature; nothing is uncertain but 2 % of the events."""
    rng, masses = np.random.default_rng(1), np.repeat([500.0, 850.0, 1200.0], 500)
    x = np.r_[rng.uniform(300, 2000, 20_000), rng.normal(masses, 30)]
    theta, label = np.r_[rng.choice(masses, 20_000), masses], np.repeat([0, 1], [20_000, 1500])
    nominal = Events(x[:, None], theta, label, weight=np.where(label, 0.02, 1.0))  # 10 events for 1 pb
    more, less = (replace(nominal, weight=factor * nominal.weight) for factor in (1.02, 0.98))
    return Sample(nominal, dict.fromkeys(VARIED, nominal) | {"btag_up": more, "btag_down": less})


def test_a_large_signal_is_found_at_its_mass_in_the_same_events(monkeypatch):
    test, data_of_masses, scan = bumps(), [], findings.neos_tf.discovery_scan

    def distance(features, mass):
        return -np.abs(features[:, 0].astype(float) - mass)

    def listening(likelihoods, data, *arguments):
        data_of_masses.append(np.asarray(data)[: sum(likelihoods[0].model.channels.values())])
        return scan(likelihoods, data, *arguments)

    monkeypatch.setattr(findings.neos_tf, "discovery_scan", listening)
    counts = findings.draw_counts(test, 850.0, 40.0, seed=3)
    found = findings.injected(distance, test, test, counts, 40.0)
    low, there, high = found.significance.numpy()
    assert there > 5 and max(low, high) < 3 and found.converged.numpy().all()
    # 400 events; about 1400 of background are as near, and their number is known from the others.
    assert there == pytest.approx(float(found.expected_significance[1]), abs=3)
    np.testing.assert_allclose(found.p_value, norm.sf(found.significance), rtol=1e-9)
    for mass, data in zip(test.masses, data_of_masses, strict=True):
        edges = make_templates(distance, test, test, mass).edges
        expected, _ = np.histogram(distance(test.nominal.features, mass), edges, weights=counts)
        np.testing.assert_array_equal(data, expected)
        assert data.sum() == counts.sum()


WEIGHTS = np.zeros(27)
WEIGHTS[[0, 3, 26]] = 0.01, -0.005, 0.002  # of lep_pt, met and m_wwbb, per GeV; all others do not matter


@pytest.fixture(scope="module")
def linear():
    features, theta = keras.Input((27,), name="features"), keras.Input((1,), name="theta")
    output = keras.layers.Dense(1, "sigmoid")(keras.layers.Concatenate()([features, theta]))
    network = keras.Model({"features": features, "theta": theta}, output)
    network.set_weights([np.r_[WEIGHTS, -0.002][:, None], np.array([0.1])])
    return Scorer(network)


def test_importance_is_the_mean_slope_and_0_of_what_is_ignored(linear):
    found = findings.importance(linear, samples().test, 300)
    assert found.theta[:, 0].tolist() == list(samples().test.masses)
    background = samples().test.background()
    features = background.features[findings.expected_rows(background, 300)].astype(float)
    for mass, of_mass in zip(samples().test.masses, found.importances, strict=True):
        output = 1 / (1 + np.exp(-(features @ WEIGHTS - 0.002 * mass + 0.1)))
        slopes = np.abs(np.mean(output * (1 - output)) * WEIGHTS * features.std(axis=0))
        received = {one.feature: float(one.mean) for one in of_mass.ranking(1000)}
        for name, slope in zip(samples().test.nominal.names, slopes, strict=True):
            if slope:
                assert received[name] == pytest.approx(slope, rel=1e-4)  # float32
            else:
                assert received.get(name, 0.0) == 0


def test_importance_to_the_scale_is_the_shift_of_the_logit(linear):
    test, names = samples().test, samples().test.nominal.names
    found = findings.importance_to_scale(linear, test, 1000.0, 200)
    rows = findings.expected_rows(test.background(), 200)
    shift = test.background("jes_up").features[rows].astype(float) - test.background().features[rows]
    expected = dict(zip(names, WEIGHTS * shift.mean(axis=0), strict=True))
    received = {one.feature: one.contribution for one in found.ranking()}
    assert received["m_wwbb"] > 0 and set(received) <= set(names)
    for name in names:
        # float32 sums, and logits of about 1.
        assert received.get(name, 0.0) == pytest.approx(expected[name], rel=1e-4, abs=1e-6)


def test_rows_are_drawn_as_data_would_be():
    background = samples().test.background()
    rows = findings.expected_rows(background, 20_000)
    assert (background.weight[rows] > 0).all()
    met = samples().test.nominal.names.index("met")
    values = background.features[:, met].astype(float)
    expected = np.average(values, weights=background.weight)
    assert abs(values[rows].mean() - expected) < 4 * values[rows].std() / np.sqrt(len(rows))
