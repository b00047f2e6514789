"""Background masses from the reconstructed mass."""

import numpy as np
import pytest

from benchmarks.affine import reconstructed_mass
from benchmarks.data.events import Events


def test_each_event_gets_the_nearest_hypothesis():
    mean, std = reconstructed_mass.scale("hepmass-like")
    mass = np.array([100.0, 624.0, 626.0, 1000.0, 1374.0, 1376.0, 5000.0])  # GeV
    features = np.stack([np.zeros(7), (mass - mean) / std], axis=1)
    hypotheses = [500, 750, 1000, 1250, 1500, 500, 750]
    events = Events(features, hypotheses, np.ones(7), names=("other", "m_wwbb"))
    strategy = reconstructed_mass.nearest_hypothesis("hepmass-like", events)
    assert strategy.draw(7, seed=None, features=features).numpy()[:, 0].tolist() == [
        500,
        500,
        750,
        1000,
        1250,
        1500,
        1500,
    ]
    assert not strategy.sampled
    assert reconstructed_mass.nearest_hypothesis("hepmass", events).edges != strategy.edges


def test_events_without_the_reconstructed_mass_are_refused():
    with pytest.raises(ValueError, match="m_wwbb"):
        reconstructed_mass.nearest_hypothesis("hepmass-like", Events(np.zeros((2, 1)), [500, 750], [1, 1]))
