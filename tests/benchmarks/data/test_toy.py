"""The toy of PNN against its own closed forms and against its best classifier on drawn events."""

import math

import numpy as np
import pytest

import pnn_tf
from benchmarks.data.toy import CUT, HIGH, LOW, WIDTH, bayes_accuracy, bayes_auc, bayes_posterior, load_toy

N = 40_000


@pytest.fixture(scope="module")
def events():
    return load_toy((-2.0, 0.5), N, seed=3)


def test_events_are_of_the_two_densities(events):
    assert len(events) == 2 * N and events.parameter_names == ("theta",)
    for theta in (-2.0, 0.5):
        of_theta = events.select(events.theta[:, 0] == theta)
        signal, background = (of_theta.features[of_theta.label == label, 0] for label in (1, 0))
        assert len(signal) == len(background) == N // 2
        # Four standard errors of mean and standard deviation each.
        assert signal.mean() == pytest.approx(theta, abs=4 * WIDTH / math.sqrt(N / 2))
        assert signal.std() == pytest.approx(WIDTH, abs=4 * WIDTH / math.sqrt(N))
        assert background.min() >= LOW and background.max() <= HIGH
        std = (HIGH - LOW) / math.sqrt(12)
        assert background.mean() == pytest.approx((LOW + HIGH) / 2, abs=4 * std / math.sqrt(N / 2))
        assert background.std() == pytest.approx(std, abs=4 * std * math.sqrt(0.8 / 4 / (N / 2)))  # kurtosis 1.8


def test_the_same_seed_draws_the_same_events():
    first, again, other = (load_toy((0.0,), 10, seed=seed).features for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).all()


def test_the_posterior_is_the_ratio_of_the_densities():
    x = np.linspace(-1, 2, 13)
    gauss = np.exp(-(((x - 0.5) / WIDTH) ** 2) / 2) / (WIDTH * math.sqrt(2 * math.pi))
    np.testing.assert_allclose(bayes_posterior(x, 0.5), gauss / (gauss + 1 / (HIGH - LOW)), rtol=1e-12)
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
