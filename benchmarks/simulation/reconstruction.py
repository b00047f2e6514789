"""From the detector to the 27 features of HEPMASS, in the official order.

Baldi et al. 2016, section 4: lepton, missing transverse momentum, number of jets, the four leading jets with their
b-tags, and the five masses of the hypothesis X -> t tbar -> W b W b.
"""

import numpy as np

from .detector import Measured

W_MASS, TOP_MASS = 80.4, 172.5  # GeV
NEUTRINO_MAX_PZ = 400.0  # GeV
NEUTRINO_JITTER = 1.0  # GeV


def features(measured: Measured, rng: np.random.Generator) -> np.ndarray:
    """(n_events, 27) features in GeV and radians, in the order of `FEATURE_NAMES`.

    m_jj and m_jjj are of the two untagged jets and the tagged one whose mass is nearest to the top's; m_jlv is of the
    other tagged jet, the lepton and the neutrino; m_wwbb of the lepton, the neutrino and the four leading jets. The
    neutrino's solution is chosen at random.
    """
    lepton, met, jets, tag = measured.lepton, measured.met, measured.jets, measured.tag
    lepton4 = _four_momentum(lepton[:, 0], lepton[:, 1], lepton[:, 2], 0.0)
    w4 = lepton4 + _neutrino(lepton4, met, rng)
    jets4 = _four_momentum(*np.moveaxis(jets, -1, 0))
    m_jj, m_jjj, other_b4 = _hadronic_top(jets4, jets[..., 0] > 0, tag)
    columns = [*lepton.T, np.hypot(*met.T), np.arctan2(met[:, 1], met[:, 0]), (jets[..., 0] > 0).sum(axis=1)]
    for k in range(4):
        columns += [*jets[:, k, :3].T, tag[:, k]]
    columns += [m_jj, m_jjj, _mass(w4), _mass(other_b4 + w4), _mass(w4 + jets4[:, :4].sum(axis=1))]
    return np.stack(columns, axis=1).astype(np.float32)


def _hadronic_top(jets4, present, tag):
    """Masses of the pair and of the triplet nearest to the top's, and the tagged jet that is left."""
    n_events, n_untagged = len(jets4), jets4.shape[1] - 2
    tagged = np.argsort(~tag, axis=1, kind="stable")[:, :2]
    untagged = np.argsort(tag, axis=1, kind="stable")[:, :n_untagged]
    tagged4 = np.take_along_axis(jets4, tagged[..., None], axis=1)
    untagged4 = np.take_along_axis(jets4, untagged[..., None], axis=1)
    exists = np.take_along_axis(present, untagged, axis=1)
    first, second = np.triu_indices(n_untagged, 1)
    pair4 = untagged4[:, first] + untagged4[:, second]
    triplet_mass = _mass(pair4[:, :, None] + tagged4[:, None, :])
    distance = np.where((exists[:, first] & exists[:, second])[..., None], abs(triplet_mass - TOP_MASS), np.inf)
    pair, b = np.divmod(distance.reshape(n_events, -1).argmin(axis=1), 2)
    event = np.arange(n_events)
    return _mass(pair4[event, pair]), triplet_mass[event, pair, b], tagged4[event, 1 - b]


def _neutrino(lepton4, met, rng):
    """The neutrino that gives the W's mass: either solution for pz at random; where none is real, the lepton's eta."""
    energy, x, y, z = lepton4.T
    pt2 = x**2 + y**2
    met2 = (met**2).sum(axis=1)
    product = 0.5 * W_MASS**2 + x * met[:, 0] + y * met[:, 1]
    centre = product * z / pt2
    discriminant = centre**2 - (energy**2 * met2 - product**2) / pt2
    half_gap = np.sqrt(np.maximum(discriminant, 0)) * rng.choice([-1, 1], len(z))
    real = np.where(abs(centre + half_gap) < NEUTRINO_MAX_PZ, centre + half_gap, centre - half_gap)
    real = real + NEUTRINO_JITTER * rng.standard_normal(len(z))
    pz = np.where(discriminant >= 0, real, z * np.sqrt(met2 / pt2))
    pz = np.clip(pz, -NEUTRINO_MAX_PZ, NEUTRINO_MAX_PZ)
    return np.stack([np.sqrt(met2 + pz**2), *met.T, pz], axis=-1)


def _four_momentum(pt, eta, phi, mass):
    x, y, z = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    return np.stack([np.sqrt(x**2 + y**2 + z**2 + mass**2), x, y, z], axis=-1)


def _mass(momentum):
    return np.sqrt(np.maximum(momentum[..., 0] ** 2 - (momentum[..., 1:] ** 2).sum(axis=-1), 0.0))
