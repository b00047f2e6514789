"""Interpolation, tested: a parametrised network at masses between those it knows, beside networks trained there.

Baldi et al., Eur. Phys. J. C 76 (2016) 235, section 5, leave out a mass of their set, 250 GeV from the next ones on
either side; no published set has masses between. Here networks that know 500, 750, 1000, 1250 and 1500 GeV are tested
at 525, 600, 875, 1125 and 1375 GeV, where other simulated signal is at hand.

All have the same background, and as many signal events at each mass. Two things then differ at once: the parametrised
network is at a mass it does not know, and it has learnt from four others. Two more tell these apart: one trained at the
masses between, and one that has as few signal events in all as an individual network.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from matplotlib.figure import Figure

import pnn_tf
from benchmarks import contrasts
from benchmarks.affine.texts import OF_START, SIMULATED
from benchmarks.claims import Claim, above, below
from benchmarks.contrasts import Trainings
from benchmarks.data import SOURCES
from benchmarks.data.events import Events
from benchmarks.experiment import Experiment
from benchmarks.pnn.recipes import fit
from benchmarks.pnn.tested import EQUAL
from benchmarks.samples import events_fingerprint
from benchmarks.style import INK, KIND_COLOURS, SKY
from benchmarks.tables import Table
from benchmarks.terminal import Display

INDIVIDUAL = "individual"


class Setup(NamedTuple):
    """What a network for all masses is trained on."""

    colour: str
    conditioning: str | None  # of pnn_tf.parametric_network
    there: bool = False  # signal at the masses of the test, else at the five of the sample
    share: float = 1.0  # of the signal events that an individual network has at its mass


NETWORKS = {
    "pNN": Setup(KIND_COLOURS["pNN"], "concat"),
    "pNN, a fifth": Setup(SKY, "concat", share=0.2),
    "pNN, there": Setup(KIND_COLOURS["Individual-NNs"], "concat", there=True),
    "Affine": Setup(KIND_COLOURS["Affine"], "affine"),
    "single": Setup(KIND_COLOURS["Single-NN"], None),
}
COLOURS = {INDIVIDUAL: INK} | {network: setup.colour for network, setup in NETWORKS.items()}
ALL = "all"  # masses, as a group to average over
PAIRS = {  # by heading: the second is subtracted from the first
    **{network: (network, INDIVIDUAL) for network in NETWORKS},
    "pNN minus pNN, there": ("pNN", "pNN, there"),
}


@dataclass(frozen=True)
class Config(Trainings):
    """The trainings, signal events at each mass and background events of each network, validation included."""

    n_signal: int = 10_000
    n_background: int = 50_000


class Samples(NamedTuple):
    """Signal at the five masses of the sample and at those between, background, and test events at those between."""

    known: Events
    between: Events
    background: Events
    test: Events
    data: dict


def load(config: Config) -> Samples:
    """Reads the embedded sample and its variant; which of their events are used does not depend on the seed."""
    train, test = map(SOURCES["hepmass-like"], ("train", "test"))
    between, between_test = map(SOURCES["hepmass-like-between"], ("train", "test"))
    test, known = Events.concatenate([between_test, test.select(test.label == 0)]), train.select(train.label == 1)
    parts = (
        *(signal.draw(config.n_signal * len(signal.hypotheses)) for signal in (known, between)),
        train.select(train.label == 0).draw(config.n_background),
        test.draw(round(config.test_share * len(test))),
    )
    data = {"name": "HEPMASS-like (simulated)", "n_train": len(parts[0]) + len(parts[2]), "n_test": len(parts[3])}
    return Samples(*parts, data | {"fingerprint": events_fingerprint(*parts)})


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Trains and tests all networks once: a `contrasts.Row`."""
    masses, seed = samples.test.hypotheses[:, 0], contrasts.seed_of(name, seed)
    best_epoch, n_train = {}, {}

    def fitted(network: str, signal: Events, conditioning: str | None = None, background_theta=None):
        background = samples.background
        if background_theta is not None:  # of the events that validate; those that train draw it anew in each batch
            background = replace(background, theta=background_theta.draw(len(background), (seed, 0)))
        events, work = Events.concatenate([signal, background]), 1 / (len(masses) + len(NETWORKS))
        told = {"conditioning": conditioning, "background_theta": background_theta}
        trained = fit(config, events, f"{name}: {network}", seed, display, work=work, **told)
        best_epoch.setdefault(network, []).append(trained.best_epoch)
        n_train[network] = trained.n_train
        return trained.model

    placed = {INDIVIDUAL: []}
    for mass in masses:
        model = fitted(INDIVIDUAL, samples.between.select(samples.between.theta[:, 0] == mass))
        placed[INDIVIDUAL].append(contrasts.at_mass(model, samples.test, mass))
    for network, setup in NETWORKS.items():
        signal = samples.between if setup.there else samples.known
        if setup.share < 1:
            signal = signal.draw(round(setup.share * len(signal)), seed)
        model = fitted(network, signal, setup.conditioning, pnn_tf.Identical(signal.hypotheses))
        placed[network] = [contrasts.at_mass(model, samples.test, mass) for mass in masses]
    measured = contrasts.measure(placed, PAIRS.values(), {ALL: range(len(masses))})
    return {"masses": masses.tolist(), **measured, "best_epoch": best_epoch, "n_train": n_train}


def tables(record: Mapping) -> Iterator[Table]:
    """AUC of each network, and differences."""
    yield contrasts.auc_table(
        'AUC in per cent at each mass, averaged over the trainings, ± their standard deviation. "There" is trained at '
        'these masses; "a fifth" has a fifth of the signal events, as many in all as an individual network; "single" '
        "is told no mass.",
        record["rows"],
    )
    yield contrasts.difference_table(
        "Minus the individual networks, in points on the same test events, ± the standard error: of the test sample, "
        "and of the mean over the trainings. Last, what it costs not to know the masses.",
        record["rows"],
        PAIRS,
    )


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """AUC of all networks at the masses between, and what they have more or less than individual networks."""
    masses = record["rows"][0]["masses"]
    panels = {
        "As many signal events a mass": (INDIVIDUAL, "pNN", "pNN, there", "Affine"),
        "Fewer signal events, or no mass told": (INDIVIDUAL, "pNN", "pNN, a fifth", "single"),
    }
    trained_on = {network: masses if setup.there else () for network, setup in NETWORKS.items()}
    yield (
        "AUC against mass, with the error of the test sample (Hanley and McNeil), most of which is common to all "
        "networks; below, what each has more than the individual networks on the same events (DeLong).",
        contrasts.figure(record["rows"], panels, COLOURS, trained_on),
    )


SAID = (
    ("At masses that it does not know, a pNN = individual networks trained there", PAIRS["pNN"], EQUAL),
    ("Not knowing the masses costs a pNN nothing: = the same network trained there", ("pNN", "pNN, there"), EQUAL),
    ("Learning from other masses too makes a pNN better than individual networks", PAIRS["pNN, there"], above(0)),
    ("With as many signal events in all as each of them, a pNN is worse", PAIRS["pNN, a fifth"], below(0)),
    ("Affine conditioning, at masses that it does not know, = individual networks", PAIRS["Affine"], EQUAL),
    ("A single network that is told no mass is worse than individual networks", PAIRS["single"], below(0)),
)
EXPERIMENT = Experiment(
    id="pnn-between",
    where="masses between",
    summary="a parametrised network at masses between those it knows, beside ones trained there",
    introduction=(
        "Networks that know 500, 750, 1000, 1250 and 1500 GeV, tested at 525, 600, 875, 1125 and 1375 GeV beside an "
        "individual network trained at each, on {data[name]} events: {n_signal:,} of signal at a mass and "
        "{n_background:,} of background for every network, validation included; {data[n_test]:,} test events, {epochs} "
        "epochs, {trainings} trainings of all networks. Baldi et al. (2016) leave one of the five masses out; no "
        "published set has signal between them."
    ),
    scales={
        "smoke": Config(epochs=2, n_signal=1000, n_background=10_000, test_share=0.1, trainings=1),
        "embedded": Config(),
        "paper": Config(trainings=10),  # there is no larger sample
    },
    load=load,
    names=contrasts.names,
    make_row=make_row,
    line=contrasts.line,
    tables=tables,
    figures=figures,
    claims=[
        Claim(f"{statement}, mean AUC", contrasts.estimate(pair, ALL), criterion, ours=True)
        for statement, pair, criterion in SAID
    ],
    departures=(
        SIMULATED,
        "Four layers of 300 to 50 units with dropout and Adam at a rate of 2e-3, as in the AFFINE tables at embedded "
        "scale, instead of the paper's five layers of 500.",
        "The background's mass is drawn in each batch from the masses that the signal has.",
        "All networks see their events {epochs} times, so an individual one takes fewer steps than one for all masses.",
        OF_START,
    ),
    ours=True,
)
