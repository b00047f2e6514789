"""A few hundred real collisions: needs the `simulation` extra."""

import numpy as np
import pytest

from benchmarks.simulation.generator import JET_MIN_PT, RESONANCES, LeptonVeto, Process, generate
from benchmarks.simulation.particles import ParticleLevel


@pytest.fixture(scope="module")
def resonance():
    return generate(Process("spin2", 1000.0), 150, seed=3)


def test_same_seed_same_collisions(resonance):
    again = generate(Process("spin2", 1000.0), 150, seed=3)
    other = generate(Process("spin2", 1000.0), 150, seed=4)
    for name, value in vars(resonance).items():
        np.testing.assert_array_equal(value, getattr(again, name))
    assert not np.array_equal(resonance.lepton[:20], other.lepton[:20])


def test_kept_events_have_a_lepton_and_four_jets(resonance):
    assert 60 < len(resonance) <= 150
    assert (resonance.mass == 1000).all()
    assert (resonance.lepton[:, 0] > 10).all() and (abs(resonance.lepton[:, 1]) < 2.7).all()
    assert (resonance.isolation < 0.5).all() and (resonance.isolation >= 0).all()
    pt = resonance.jets[..., 0]
    assert (pt[:, :4] >= JET_MIN_PT).all()
    assert (np.diff(pt, axis=1) <= 0).all()
    assert (resonance.jet_flavour[pt == 0] == 0).all()
    # Both tops decay to b; a jet of 12 GeV is missed now and then.
    assert ((resonance.jet_flavour == 5).sum(axis=1) >= 1).mean() > 0.95
    assert ((resonance.jet_flavour == 5).sum(axis=1) >= 2).mean() > 0.7


def test_transverse_momentum_is_balanced(resonance):
    """Lepton, jets and missing momentum cancel but for what is soft, and for muons inside jets."""
    phi = resonance.jets[..., 2]
    x = (resonance.jets[..., 0] * np.cos(phi)).sum(axis=1) + resonance.lepton[:, 0] * np.cos(resonance.lepton[:, 2])
    imbalance = x + resonance.met[:, 0]
    assert np.median(abs(imbalance)) < 15  # GeV; each piece is of the order of 200


def test_mass_of_all_objects_peaks_at_the_resonance(resonance):
    pt, eta, phi, mass = np.moveaxis(resonance.jets.astype(float), -1, 0)
    x, y, z = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    visible = np.stack([np.sqrt(x**2 + y**2 + z**2 + mass**2), x, y, z], -1)[:, :4].sum(axis=1)
    pt, eta, phi = resonance.lepton.astype(float).T
    lepton = np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], -1)
    pz = np.sinh(eta) * np.hypot(*resonance.met.T)  # a neutrino at the lepton's eta
    neutrino = np.stack([np.sqrt((resonance.met**2).sum(1) + pz**2), *resonance.met.T, pz], -1)
    total = visible + lepton + neutrino
    m = np.sqrt(total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1))
    assert np.median(m) == pytest.approx(1000, abs=80)  # soft radiation is lost, initial-state jets are gained


@pytest.mark.parametrize("kind", RESONANCES)
def test_every_resonance_can_be_made(kind):
    assert len(generate(Process(kind, 750.0), 20, seed=1)) > 3


def test_veto_spares_what_the_selection_needs():
    """The decision at process level is on looser cuts than the selection of 15 GeV and 2.5."""
    process = [Particle(6, 100, 0), *([Particle(1, 50, 0)] * 5), Particle(11, 8, 0.5)]
    assert not LeptonVeto().doVetoProcessLevel(Record(process))
    assert LeptonVeto().doVetoProcessLevel(Record([*process[:-1], Particle(13, 6, 0.5)]))
    assert LeptonVeto().doVetoProcessLevel(Record([*process[:-1], Particle(13, 60, 3.1)]))


class Particle:
    def __init__(self, flavour, pt, eta):
        self.idAbs, self.pT, self.eta = (lambda: flavour), (lambda: pt), (lambda: eta)


class Record(list):
    def size(self):
        return len(self)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"kind": "graviton"}, "kind='graviton'"),
        ({"kind": "spin2"}, "needs a mass"),
        ({"mass": 500.0}, "background has none"),
        ({"kind": "spin2", "mass": 300.0}, "two tops"),
        ({"kind": "spin2", "mass": 12000.0}, "0.8 of the energy"),
    ],
)
def test_impossible_processes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Process(**arguments)


def test_unknown_pythia_setting_is_named():
    with pytest.raises(ValueError, match="Nonsense"):
        generate(Process(extra=("Nonsense:flag = on",)), 10, seed=1)


def test_particle_level_survives_a_file(resonance, tmp_path):
    path = tmp_path / "new" / "chunk.npz"
    resonance.save(path)
    loaded = ParticleLevel.load(path)
    for name, value in vars(resonance).items():
        np.testing.assert_array_equal(value, getattr(loaded, name))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"chunk\.npz is damaged"):
        ParticleLevel.load(path)
