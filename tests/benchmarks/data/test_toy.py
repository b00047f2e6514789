"""The toy of PNN against its own closed forms and against its best classifier on drawn events."""

import math

import numpy as np
import pytest
from scipy import stats

import pnn_tf
from benchmarks.data.toy import CUT, HIGH, LOW, WIDTH, bayes_accuracy, bayes_auc, bayes_posterior, load_toy

N = 40_000


@pytest.fixture(scope="module")
def events():
    return load_toy((-2.0, 0.5), N, seed=3)


def test_events_are_of_the_two_densities(events):
    for theta in (-2.0, 0.5):
        of_theta = events.select(events.theta[:, 0] == theta)
        for label, density in ((1, stats.norm(theta, WIDTH)), (0, stats.uniform(LOW, HIGH - LOW))):
            x = of_theta.features[of_theta.label == label, 0]
            assert len(x) == N // 2
            assert stats.kstest(x, density.cdf).pvalue > 1e-4  # the seed is fixed, so this cannot fail by chance


def test_the_same_seed_draws_the_same_events():
    first, again, other = (load_toy((0.0,), 10, seed=seed).features for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).all()


def test_the_posterior_is_the_ratio_of_the_densities():
    x = np.linspace(-1, 2, 13)
    signal = stats.norm(0.5, WIDTH).pdf(x)
    np.testing.assert_allclose(bayes_posterior(x, 0.5), signal / (signal + 1 / (HIGH - LOW)), rtol=1e-12)
    assert bayes_posterior([0.5 + CUT], 0.5)[0] == pytest.approx(0.5)


def test_accuracy_and_auc_are_those_of_the_posterior_on_events(events):
    score = bayes_posterior(events.features[:, 0], events.theta[:, 0])
    accuracy, auc = bayes_accuracy(), bayes_auc()
    error = math.sqrt(accuracy * (1 - accuracy) / len(events))
    assert np.mean((score > 0.5) == events.label) == pytest.approx(accuracy, abs=4 * error)
    # Four standard errors. The posterior depends on the distance alone, so both theta can be taken together.
    assert pnn_tf.roc_auc(events.label, score) == pytest.approx(auc, abs=4 * pnn_tf.auc_error(auc, N, N))


@pytest.mark.parametrize(
    ("thetas", "n_events", "match"), [((), 10, "at least one"), ((0.0,), 0, "at least one"), ((0, 4.5), 10, "widths")]
)
def test_what_cannot_be_drawn_is_refused(thetas, n_events, match):
    with pytest.raises(ValueError, match=match):
        load_toy(thetas, n_events)
