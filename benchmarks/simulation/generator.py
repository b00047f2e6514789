"""Proton collisions up to the particle level: pp -> X -> t tbar and SM t tbar, both decaying to lepton + jets.

Pythia 8 makes the events, FastJet the jets. Baldi et al. 2016 (section 4) used MadGraph 5, Pythia 6 and Delphes, and do
not say what X is: the spin-2 resonance is an empirical stand-in, see docs/simulation.md.
"""

from dataclasses import dataclass

import awkward as ak
import fastjet
import numpy as np
import pythia8mc
import vector

from .particles import N_JETS, ParticleLevel

RELATIVE_WIDTH = 0.01
JET_RADIUS = 0.5
JET_MIN_PT = 12.0  # GeV, at particle level; the detector's threshold of 20 GeV is well above
CALORIMETER_ETA = 4.9
ISOLATION_RADIUS = 0.5
LEPTON_MIN_PT, LEPTON_MAX_ETA = 10.0, 2.7  # loose: the detector selects 15 GeV and 2.5

RESONANCES = {
    "spin2": ("5100039", ["ExtraDimensionsG*:gg2G* = on", "ExtraDimensionsG*:ffbar2G* = on"]),
    "scalar": ("25", ["HiggsSM:gg2H = on"]),
    "zprime": ("32", ["NewGaugeBoson:ffbar2gmZZprime = on", "Zprime:gmZmode = 3"]),
}


@dataclass(frozen=True)
class Process:
    """What is generated: SM t tbar, or a resonance of `mass` GeV and a width of RELATIVE_WIDTH x mass."""

    kind: str = "background"
    mass: float | None = None
    energy: float = 13000.0  # GeV, of the two protons together

    def __post_init__(self):
        known = ("background", *RESONANCES)
        if self.kind not in known:
            raise ValueError(f"kind={self.kind!r} is unknown. Expected one of {', '.join(known)}.")
        if (self.mass is None) != (self.kind == "background"):
            raise ValueError(
                f"kind={self.kind!r} with mass={self.mass}: a resonance needs a mass in GeV, the background has none."
            )
        if self.mass is not None and not 2 * 175.0 <= self.mass < 0.8 * self.energy:
            raise ValueError(f"mass={self.mass} GeV: expected a mass between 350 GeV (two tops) and 0.8 of the energy.")

    def settings(self) -> list[str]:
        """The Pythia settings of this process."""
        shared = [
            "Print:quiet = on",
            f"Beams:eCM = {self.energy}",
            "PDF:pSet = 8",  # CTEQ6L1
            "PartonLevel:MPI = off",
            "SpaceShower:pTmaxMatch = 1",
            "SpaceShower:pTmaxFudge = 0.7",
            "SpaceShower:alphaSvalue = 0.118",
            "TimeShower:pTmaxMatch = 1",
            "ParticleDecays:limitTau0 = on",  # what lives longer than 10 mm reaches the calorimeter
            "111:mayDecay = off",  # both photons of a neutral pion are in one jet
            "24:onMode = off",
            "24:onPosIfAny = 11 13",
            "24:onNegIfAny = 1 2 3 4 5",
        ]
        if self.kind == "background":
            return [*shared, "Top:gg2ttbar = on", "Top:qqbar2ttbar = on"]
        particle, production = RESONANCES[self.kind]
        resonance = [
            f"{particle}:m0 = {self.mass}",
            f"{particle}:mWidth = {RELATIVE_WIDTH * self.mass}",
            f"{particle}:doForceWidth = on",
            f"{particle}:mMin = {0.5 * self.mass}",
            f"{particle}:mMax = {1.5 * self.mass}",
            f"{particle}:onMode = off",
            f"{particle}:onIfAny = 6",
        ]
        return [*shared, *production, *resonance]


class LeptonVeto(pythia8mc.UserHooks):
    """Ends an event before its showers when its lepton is far outside the acceptance, which saves that time."""

    n_seen = 0  # events, vetoed or not

    def canVetoProcessLevel(self):
        return True

    def doVetoProcessLevel(self, process):
        self.n_seen += 1
        for i in range(process.size() - 1, 4, -1):
            if process[i].idAbs() in (11, 13):
                return process[i].pT() < 0.7 * LEPTON_MIN_PT or abs(process[i].eta()) > LEPTON_MAX_ETA + 0.3
        return False


def generate(process: Process, n_events: int, seed: int) -> ParticleLevel:
    """Of `n_events` events that pass `LeptonVeto`, those with a lepton and four jets; `seed` is 1 to 900 000 000."""
    pythia, _ = _initialised(process, seed)
    return _particle_level(pythia.nextBatch(n_events), process.mass or 0.0)


def veto_efficiency(process: Process, n_events: int, seed: int) -> float:
    """Share of the collisions that pass `LeptonVeto`, from `n_events` that do."""
    pythia, veto = _initialised(process, seed, "PartonLevel:all = off", "HadronLevel:all = off")
    for _ in range(n_events):
        pythia.next()
    return n_events / veto.n_seen


def _initialised(process, seed, *further):
    """Pythia, and its veto, which the caller has to keep as well: Pythia holds only a pointer to it."""
    pythia = pythia8mc.Pythia("", False)
    for setting in [*process.settings(), *further, "Random:setSeed = on", f"Random:seed = {seed}"]:
        if not pythia.readString(setting):
            raise ValueError(f"Pythia does not know the setting {setting!r}.")
    veto = LeptonVeto()
    pythia.setUserHooksPtr(veto)
    if not pythia.init():
        raise RuntimeError(f"Pythia could not be initialised for {process}.")
    return pythia, veto


def _particle_level(events, mass) -> ParticleLevel:
    particles = events.prt
    final = particles[particles.status > 0]
    flavour = abs(final.id)
    visible = final[(flavour != 12) & (flavour != 14) & (flavour != 16)]
    momentum = _momentum(visible, id=abs(visible.id))
    momentum = momentum[momentum.pt > 0.0]
    momentum["order"] = ak.local_index(momentum.px)
    lepton, isolation = _leading_isolated_lepton(momentum)

    keep = ak.to_numpy(ak.num(lepton) > 0)
    particles, momentum, lepton, isolation = particles[keep], momentum[keep], lepton[keep], isolation[keep]
    in_detector = momentum[abs(momentum.eta) < CALORIMETER_ETA]
    met_x, met_y = -ak.sum(in_detector.px, axis=1), -ak.sum(in_detector.py, axis=1)
    calorimeter = in_detector[(in_detector.id != 13) & (in_detector.order != lepton.order[:, 0])]
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, JET_RADIUS)
    jets = fastjet.ClusterSequence(calorimeter, definition).inclusive_jets(JET_MIN_PT)
    jets = vector.zip({k: jets[k] for k in ("px", "py", "pz", "E")})
    jets = jets[ak.argsort(jets.pt, axis=1, ascending=False)]

    keep = ak.to_numpy(ak.num(jets) >= 4)
    jets, particles = jets[keep], particles[keep]
    jet_flavour = _jet_flavour(jets, particles)
    lepton, isolation = lepton[keep][:, 0], isolation[keep][:, 0]
    return ParticleLevel(
        lepton=_columns(lepton.pt, lepton.eta, lepton.phi),
        isolation=ak.to_numpy(isolation).astype(np.float32),
        met=_columns(met_x[keep], met_y[keep]),
        jets=_columns(*(_padded(v) for v in (jets.pt, jets.eta, jets.phi, jets.mass))),
        jet_flavour=_padded(jet_flavour).astype(np.uint8),
        mass=np.full(len(lepton), mass, np.float32),
    )


def _leading_isolated_lepton(momentum):
    """The hardest electron or muon with a relative isolation below 0.5, as lists of length 0 or 1."""
    light = (momentum.id == 11) | (momentum.id == 13)
    lepton = momentum[light & (momentum.pt > LEPTON_MIN_PT) & (abs(momentum.eta) < LEPTON_MAX_ETA)]
    lepton = lepton[ak.argsort(lepton.pt, axis=1, ascending=False)]
    pairs = ak.cartesian([lepton, momentum[momentum.pt > 0.5]], axis=1, nested=True)
    one, other = ak.unzip(pairs)
    near = (one.deltaR(other) < ISOLATION_RADIUS) & (one.order != other.order)
    isolation = ak.sum(ak.where(near, other.pt, 0.0), axis=2) / lepton.pt
    loose = isolation < 0.5
    return lepton[loose][:, :1], isolation[loose][:, :1]


def _jet_flavour(jets, particles):
    """5, 4 or 0 a jet: the heaviest quark within the jet's radius, among those that enter hadronisation."""
    entering = particles[(particles.status <= -71) & (particles.status >= -79)]
    flavour = ak.zeros_like(jets.pt)
    for quark in (4, 5):
        quarks = _momentum(entering[abs(entering.id) == quark])
        jet, parton = ak.unzip(ak.cartesian([jets, quarks], axis=1, nested=True))
        flavour = ak.where(ak.any(jet.deltaR(parton) < JET_RADIUS, axis=2), quark, flavour)
    return flavour


def _momentum(particles, **further):
    p = particles.p
    return vector.zip({"px": p.px, "py": p.py, "pz": p.pz, "E": p.e, **further})


def _columns(*values) -> np.ndarray:
    return np.stack([ak.to_numpy(v) for v in values], axis=-1, dtype=np.float32)


def _padded(values) -> np.ndarray:
    return ak.to_numpy(ak.fill_none(ak.pad_none(values, N_JETS, clip=True), 0.0))
