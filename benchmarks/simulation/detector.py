"""A fast parametrised detector on arrays: what a general-purpose detector measures of the particle level.

Its arguments are the systematic uncertainties of an analysis, so that a variation needs no new collisions. The b-tag
and the isolation follow the ATLAS-style configuration of Delphes 3 (de Favereau et al. 2014), which HEPMASS was made
with (Baldi et al. 2016, section 4); where the rest comes from is said in docs/simulation.md.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .particles import ParticleLevel


@dataclass(frozen=True)
class Detector:
    """Parameters of the detector and of the selection.

    Args:
        jet_scale: (a, b): a jet's momentum is multiplied by a + b ln(pt / 100 GeV).
        jet_resolution: (noise in GeV, stochastic in sqrt(GeV), constant) of pt, added in quadrature.
        soft_met: standard deviation of each component of the soft missing momentum, GeV.
        lepton_resolution: relative, of pt.
        b_efficiency: plateaux of the b-tag at abs(eta) below 1.2 and up to 2.5; it turns on as tanh(0.03 pt - 0.4).
        c_efficiency: the same for charm.
        light_efficiency: of light jets, at any pt and abs(eta) up to 2.5.
        isolation: largest relative isolation of the lepton.
        lepton_min_pt, lepton_max_eta, jet_min_pt, jet_max_eta: acceptance, in GeV.
    """

    jet_scale: tuple[float, float] = (1.01, 0.01)
    jet_resolution: tuple[float, float, float] = (1.0, 0.55, 0.03)
    soft_met: float = 10.0
    lepton_resolution: float = 0.02
    b_efficiency: tuple[float, float] = (0.5, 0.4)
    c_efficiency: tuple[float, float] = (0.2, 0.1)
    light_efficiency: float = 0.001
    isolation: float = 0.1
    lepton_min_pt: float = 15.0
    lepton_max_eta: float = 2.5
    jet_min_pt: float = 20.0
    jet_max_eta: float = 3.0

    def __post_init__(self):
        for name, value in vars(self).items():
            if name.endswith("_efficiency") and not 0 <= np.min(value) <= np.max(value) < 1:
                raise ValueError(f"{name}={value}: expected efficiencies in [0, 1).")
            if (name.endswith("_resolution") or name == "soft_met") and np.min(value) < 0:
                raise ValueError(f"{name}={value}: expected resolutions that are not negative.")


class Objects(NamedTuple):
    """What the detector sees of all events, before tags and selection; GeV and radians.

    Args:
        lepton: (n_events, 3) pt, eta, phi.
        met: (n_events, 2) x and y of the missing transverse momentum.
        jets: (n_events, n_jets, 4) pt, eta, phi, mass; harder ones first, pt 0 where absent or below the threshold.
        flavour: (n_events, n_jets) 5, 4 or 0.
        order: (n_events, n_jets) the place of each jet at particle level.
    """

    lepton: np.ndarray
    met: np.ndarray
    jets: np.ndarray
    flavour: np.ndarray
    order: np.ndarray


@dataclass(frozen=True)
class Measured:
    """Events with two tags, GeV and radians.

    Args:
        lepton, met, jets: as of `Objects`.
        tag: (n_events, n_jets) True for the two leading b-tagged jets.
        index: (n_events,) the row of each event at particle level.
    """

    lepton: np.ndarray
    met: np.ndarray
    jets: np.ndarray
    tag: np.ndarray
    index: np.ndarray


# An event is selected with its probability to have two b-tags. These are small (0.17 on average), so events are kept
# with that probability divided by TAG_BOUND, and the tags drawn given that there are at least two: the same
# distribution from half the collisions. Where the probability is above the bound an event is kept once, not more.
TAG_BOUND = 0.45


def measure(events: ParticleLevel, detector: Detector, rng: np.random.Generator) -> Measured:
    """Measure all objects, and select events with a lepton, at least four jets and at least two b-tags, in order."""
    objects = smear(events, detector, rng)
    probability = tag_probability(objects, detector)
    is_selected = selected(objects, events.isolation, detector)
    is_selected &= rng.random(len(events)) * TAG_BOUND < two_tags(probability)
    index = np.flatnonzero(is_selected)
    tag = _draw_tags(probability[index], rng)
    return Measured(objects.lepton[index], objects.met[index], objects.jets[index], leading_two(tag), index)


def smear(events: ParticleLevel, detector: Detector, rng: np.random.Generator) -> Objects:
    """Measured momenta. Detectors that differ in numbers alone use the same random numbers for the same object."""
    lepton = events.lepton.astype(np.float64)
    lepton[:, 0] *= 1 + detector.lepton_resolution * rng.standard_normal(len(lepton))
    jets = events.jets.astype(np.float64)
    pt, phi = jets[..., 0], jets[..., 2]
    positive = np.where(pt > 0, pt, 1.0)
    scale = detector.jet_scale[0] + detector.jet_scale[1] * np.log(positive / 100.0)
    noise, stochastic, constant = detector.jet_resolution
    resolution = np.sqrt((noise / positive) ** 2 + stochastic**2 / positive + constant**2)
    factor = np.maximum(scale * (1 + resolution * rng.standard_normal(pt.shape)), 0.05)
    lost = pt * (1 - factor)
    met = events.met + np.stack([(lost * np.cos(phi)).sum(axis=1), (lost * np.sin(phi)).sum(axis=1)], axis=-1)
    met += detector.soft_met * rng.standard_normal(met.shape)
    jets[..., [0, 3]] *= factor[..., None]
    jets[(jets[..., 0] < detector.jet_min_pt) | (abs(jets[..., 1]) > detector.jet_max_eta)] = 0.0
    order = np.argsort(-jets[..., 0], axis=1, kind="stable")
    jets = np.take_along_axis(jets, order[..., None], axis=1)
    return Objects(lepton, met, jets, np.take_along_axis(events.jet_flavour, order, axis=1), order)


def selected(objects: Objects, isolation: np.ndarray, detector: Detector) -> np.ndarray:
    """(n_events,) whether there are an isolated lepton and at least four jets."""
    return (
        (objects.lepton[:, 0] > detector.lepton_min_pt)
        & (abs(objects.lepton[:, 1]) < detector.lepton_max_eta)
        & (isolation < detector.isolation)
        & ((objects.jets[..., 0] > 0).sum(axis=1) >= 4)
    )


def tag_probability(objects: Objects, detector: Detector) -> np.ndarray:
    """(n_events, n_jets) probability of each jet to be b-tagged."""
    pt, eta, flavour = objects.jets[..., 0], abs(objects.jets[..., 1]), objects.flavour
    b, c = (np.where(eta < 1.2, *efficiency) for efficiency in (detector.b_efficiency, detector.c_efficiency))
    heavy = np.where(flavour == 5, b, c) * np.maximum(np.tanh(0.03 * pt - 0.4), 0.0)
    probability = np.where(flavour >= 4, heavy, detector.light_efficiency)
    return np.where((pt > 0) & (eta < 2.5), probability, 0.0)


def two_tags(probability: np.ndarray) -> np.ndarray:
    """(n_events,) probability of two tags or more, from those (n_events, n_jets) of the jets."""
    none = np.prod(1 - probability, axis=1)
    return np.maximum(1 - none - none * (probability / (1 - probability)).sum(axis=1), 0.0)  # never -1e-17


def leading_two(tag: np.ndarray) -> np.ndarray:
    """(n_events, n_jets) the first two tags of each event, which alone stay flagged in HEPMASS."""
    return tag & (np.cumsum(tag, axis=1) <= 2)


def _draw_tags(probability, rng):
    """Tags given that there are at least two."""
    tag = np.zeros(probability.shape, bool)
    open_events = np.arange(len(tag))
    while len(open_events):
        draw = rng.random((len(open_events), tag.shape[1])) < probability[open_events]
        enough = draw.sum(axis=1) >= 2
        tag[open_events[enough]] = draw[enough]
        open_events = open_events[~enough]
    return tag
