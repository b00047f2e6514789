"""Training events without some of the hypotheses."""

import numpy as np
import pytest

import pnn_tf
from benchmarks.data.events import Events
from benchmarks.interpolation import training_events

MASSES = (500.0, 750.0, 1000.0, 1250.0, 1500.0)


@pytest.fixture(scope="module")
def events():
    """Half signal, all masses equally."""
    features = np.random.default_rng(1).normal(size=(4000, 2))
    return Events(features, np.resize(np.repeat(MASSES, 2), 4000), np.resize([0, 1], 4000))


def test_background_stays_with_a_theta_that_is_trained_on(events):
    kept = training_events(events, (500, 1500), seed=1)
    signal = kept.label == 1
    assert np.count_nonzero(~signal) == 2000 and np.count_nonzero(signal) == 800
    assert set(kept.theta[signal, 0]) == set(kept.theta[~signal, 0]) == {500, 1500}
    # 2000 draws of two: a standard deviation of 22.
    assert np.count_nonzero(kept.theta[~signal] == 500) == pytest.approx(1000, abs=110)
    assert np.array_equal(kept.features[~signal], events.features[events.label == 0])

    again, other = (training_events(events, (500, 1500), seed=seed).theta for seed in (1, 2))
    assert np.array_equal(again, kept.theta) and not np.array_equal(other, kept.theta)

    uniform = pnn_tf.Uniform(500, 1500, sampled=False)
    kept = training_events(events, (500, 1500), background=uniform)
    theta = kept.theta[kept.label == 0]
    assert len(np.unique(theta)) > 1900 and theta.min() >= 500 and theta.max() <= 1500


def test_hypotheses_of_several_parameters_are_held_out_as_points():
    points = np.array([[1, 0.1], [1, 0.2], [2, 0.1], [2, 0.2]])  # 0.1 and 0.2 are other numbers in float32
    theta, label = np.repeat(points, 4, axis=0), np.tile([0, 1, 1, 1], 4)
    events = Events(np.zeros((16, 1)), theta, label, parameter_names=("mass", "width"))
    kept = training_events(events, points[[0, 1, 3]])
    assert np.count_nonzero(kept.label) == 9 and len(kept) == 13
    assert not (kept.theta == np.float32([2, 0.1])).all(axis=1).any()


def test_an_unknown_hypothesis_is_refused(events):
    with pytest.raises(ValueError, match=r"out of the hypotheses of the signal, .*500.*Received: .*600"):
        training_events(events, (500, 600))
