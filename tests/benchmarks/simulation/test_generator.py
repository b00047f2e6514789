"""A few hundred real collisions: needs the `simulation` extra."""

import numpy as np
import pytest
import vector

from benchmarks.simulation.generator import JET_MIN_PT, LeptonVeto, Process, generate, veto_efficiency
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


def test_momenta_balance_and_the_mass_is_that_of_the_resonance(resonance):
    """Of lepton, jets and missing momentum, with a neutrino at the lepton's eta."""
    names = ("pt", "eta", "phi", "mass")
    jets = vector.array(dict(zip(names, np.moveaxis(resonance.jets.astype(float), -1, 0), strict=True)))
    massless = np.column_stack([resonance.lepton, np.zeros(len(resonance))]).astype(float)
    lepton = vector.array(dict(zip(names, massless.T, strict=True)))
    met_x, met_y = resonance.met.T.astype(float)
    # All cancels but what is soft, and muons inside jets; each piece is of the order of 200 GeV.
    assert np.median(abs(jets.px.sum(axis=1) + lepton.px + met_x)) < 15
    pz = np.hypot(met_x, met_y) * np.sinh(lepton.eta)
    neutrino = vector.array({"px": met_x, "py": met_y, "pz": pz, "mass": 0 * pz})
    total = jets[:, 0] + jets[:, 1] + jets[:, 2] + jets[:, 3] + lepton + neutrino
    assert np.median(total.mass) == pytest.approx(1000, abs=80)  # soft radiation is lost, initial-state jets are gained


@pytest.mark.parametrize("kind", ["scalar", "zprime"])
def test_the_other_resonances_can_be_made(kind):
    assert len(generate(Process(kind, 750.0), 20, seed=1)) > 3


def test_veto_spares_what_the_selection_needs():
    """The decision at process level is on looser cuts than the selection of 15 GeV and 2.5."""
    process = [Particle(6, 100, 0), *([Particle(1, 50, 0)] * 5), Particle(11, 8, 0.5)]
    assert not LeptonVeto().doVetoProcessLevel(Record(process))
    assert LeptonVeto().doVetoProcessLevel(Record([*process[:-1], Particle(13, 6, 0.5)]))
    assert LeptonVeto().doVetoProcessLevel(Record([*process[:-1], Particle(13, 60, 3.1)]))


def test_most_collisions_pass_the_veto():
    """Leptons of 7 GeV and below, or beyond an abs(eta) of 3, are some 5 % of those of top pairs; errors are 0.5 %."""
    background, resonance = (veto_efficiency(process, 2000, 3) for process in (Process(), Process("spin2", 1500.0)))
    assert 0.93 < background < resonance < 0.99


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


def test_unknown_pythia_setting_is_named(monkeypatch):
    monkeypatch.setattr(Process, "settings", lambda self: ["Nonsense:flag = on"])
    with pytest.raises(ValueError, match="Nonsense"):
        generate(Process(), 10, seed=1)


def test_particle_level_survives_a_file(resonance, tmp_path):
    path = tmp_path / "new" / "chunk.npz"
    resonance.save(path)
    loaded = ParticleLevel.load(path)
    for name, value in vars(resonance).items():
        np.testing.assert_array_equal(value, getattr(loaded, name))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"chunk\.npz is damaged"):
        ParticleLevel.load(path)
