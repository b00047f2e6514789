"""A search in a 64th of the embedded events with tiny networks, made once for all tests."""

from functools import cache

import numpy as np

from benchmarks.search.events import Samples, load_samples
from benchmarks.search.measurement import Scorer, Templates, make_templates
from benchmarks.search.networks import CROSS_ENTROPY, Settings, trained

SETTINGS = Settings(units=(8,), epochs=1, steps=2, steps_from_scratch=2, sample_batch=50)
SEED = 1


@cache
def samples() -> Samples:
    return load_samples(every=64)


def scorer(name: str = CROSS_ENTROPY) -> Scorer:
    """A training, with two steps if on the measurement."""
    return trained(name, samples().train, SETTINGS, SEED)


def by_mass(features: np.ndarray, mass: float) -> np.ndarray:
    """A score that is no network: how near the mass of all objects is to that of the resonance."""
    return -np.abs(np.log(features[:, samples().train.nominal.names.index("m_wwbb")] / mass)).astype(np.float64)


@cache
def templates(mass: float) -> Templates:
    """By that score."""
    return make_templates(by_mass, samples().train, samples().test, mass)
