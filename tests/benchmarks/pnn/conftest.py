"""A small sample with the features and masses of HEPMASS, for tests of experiments."""

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES
from benchmarks.published import MASSES
from benchmarks.samples import Samples


def hepmass_events(n_events: int, seed: int) -> Events:
    """Half signal, all masses equally; unit Gaussians, of which jet1_pt and m_wwbb are shifted by mass / 1000 GeV."""
    generator = np.random.default_rng(seed)
    theta = np.resize(np.repeat(MASSES, 2), n_events).astype(float)
    label = np.resize([0, 1], n_events)
    features = generator.normal(size=(n_events, len(FEATURE_NAMES)))
    for name in ("jet1_pt", "m_wwbb"):
        features[:, FEATURE_NAMES.index(name)] += label * theta / 1000
    return Events(features, theta, label, names=FEATURE_NAMES)


@pytest.fixture(scope="session")
def samples() -> Samples:
    data = {"name": "Gaussians", "n_train": 4000, "n_test": 2000, "fingerprint": "0" * 64}
    return Samples(hepmass_events(4000, 1), hepmass_events(2000, 2), data)
