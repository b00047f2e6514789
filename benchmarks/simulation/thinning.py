"""Collisions thinned out by their chance to be selected, so that a small file holds what many selected events need.

Of top pairs one collision in 16 passes the selection of HEPMASS. A collision is kept with a probability that follows
its chance to have two b-tags, and stands for 1 / probability collisions: any detector near the nominal one can measure
what is kept.
"""

import numpy as np

from .detector import Detector, selected, smear, tag_probability, two_tags
from .particles import ParticleLevel

STEPS = 50  # the probability to be kept is a multiple of 1 / STEPS, which a byte holds
TAG_BOUND = 0.3  # chance of two tags from which on all collisions are kept; few have more

# No resolution and looser thresholds: of the events that the nominal detector selects, fewer than 1 in 1000 are lost.
LOOSE = Detector(
    jet_resolution=(0.0, 0.0, 0.0), soft_met=0.0, lepton_resolution=0.0, lepton_min_pt=14.0, jet_min_pt=15.0
)


def thin(events: ParticleLevel, rng: np.random.Generator) -> tuple[ParticleLevel, np.ndarray]:
    """Some of the events, and the number (n_kept,) of collisions that each stands for."""
    objects = smear(events, LOOSE, rng)
    chance = two_tags(tag_probability(objects, LOOSE)) * selected(objects, events.isolation, LOOSE)
    probability = np.minimum(np.ceil(STEPS * chance / TAG_BOUND) / STEPS, 1.0)
    kept = np.flatnonzero(rng.random(len(events)) < probability)
    return events.select(kept), 1 / probability[kept]
