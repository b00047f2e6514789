"""The search against a minimum that is known, and its measurement against that of a network with the same output."""

import keras
import numpy as np
import pytest

import neos_tf
from benchmarks.neos import search
from benchmarks.neos.training import NUISANCE, Recipe, load_samples, measurement

RECIPE = Recipe(n_events=500)
CANDIDATE = search.Candidate((-0.7, 0.9, 0.0, 0.0, 0.0), (0.0, 0.2, 0.55, 0.8, 1.0))


def test_scores_are_the_sigmoid_of_a_quadratic_form():
    candidate = search.Candidate((1.0, 2.0, 3.0, 4.0, 5.0), (0.0, 1.0))
    logit = 0.1 - 2 * 0.2 + 3 * 0.01 - 4 * 0.02 + 5 * 0.04
    expected = [1 / (1 + np.exp(-logit)), 0.5]
    np.testing.assert_allclose(candidate.scores(np.array([[0.1, -0.2], [0.0, 0.0]])), expected, rtol=1e-14)


def test_templates_are_ordinary_histograms_of_the_yield():
    events = {"signal": np.array([[-5.0, 0.0], [0.0, 0.0], [0.0, 0.1], [5.0, 0.0]])}
    candidate = search.Candidate((1.0, 0.0, 0.0, 0.0, 0.0), (0.0, 0.4, 0.6, 1.0))
    assert candidate.templates(events, {"signal": 20.0})["signal"].tolist() == [5.0, 10.0, 5.0]


@pytest.mark.slow
def test_the_measurement_is_that_of_a_network_with_the_same_output():
    events, model = load_samples(RECIPE, ("code",)).blobs["code"].train, measurement(RECIPE)
    measured = search.measuring(model, RECIPE.yields)(CANDIDATE, events)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid", use_bias=False)])
    network.set_weights([np.array(CANDIDATE.coefficients[:2])[:, None]])
    statistic = neos_tf.SummaryStatistic(network, model, CANDIDATE.edges, RECIPE.bandwidth, yields=RECIPE.yields)
    statistic.compile(loss=neos_tf.BCELoss())
    batches = neos_tf.sample_batches(events, len(events["signal"]), seed=None)
    expected = statistic.evaluate(batches, return_dict=True, verbose=0)
    # The same histograms, unless an event is within float32 of an edge; from there on the same code.
    assert np.exp(measured["log_cls"]) == pytest.approx(expected["cls"], rel=1e-9)
    assert measured["sigma_mu"] == pytest.approx(expected["sigma_mu"], rel=1e-9)
    assert measured["sigma_gamma"] == pytest.approx(expected[f"sigma_{NUISANCE}"], rel=1e-9)
    assert measured["converged"]


def test_the_search_comes_near_a_minimum_that_is_known():
    seen, heard = [], []

    def objective(candidate):
        """Least, 0, at coefficients of 0.3 and equal bins; more than 2 on average of random ones."""
        seen.append(candidate)
        return float(np.sum((np.array(candidate.coefficients) - 0.3) ** 2) + np.ptp(np.diff(candidate.edges)))

    improvements, n_trials = search.search(objective, 4, seconds=2.0, seed=1, listen=lambda *what: heard.append(what))
    values = [improvement.value for improvement in improvements]
    assert values == sorted(values, reverse=True)
    # The first is drawn at random, and drawing at random comes to half of it within ten.
    assert values[-1] == objective(improvements[-1].candidate) < values[0] / 2
    shares, best = zip(*heard, strict=True)
    assert (sum(shares), best[-1], len(heard)) == (pytest.approx(1), values[-1], n_trials)
    for candidate in seen:
        assert len(candidate.coefficients) == search.N_COEFFICIENTS and len(candidate.edges) == 5
        assert (candidate.edges[0], candidate.edges[-1]) == (0.0, 1.0) and np.diff(candidate.edges).min() > 0


def test_one_candidate_is_tried_however_little_time_there_is_and_failures_are_passed_over():
    improvements, n_trials = search.search(lambda _: np.inf, 4, seconds=1e-9, seed=1, listen=lambda *_: None)
    assert (n_trials, len(improvements)) == (1, 1)
