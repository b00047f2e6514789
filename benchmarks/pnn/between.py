"""Interpolation, tested: a parametrised network at masses between those it knows, beside networks trained there.

Baldi et al., Eur. Phys. J. C 76 (2016) 235, section 5, leave out a mass of their set, 250 GeV from the next ones on
either side; no published set has masses between. Here networks that know 500, 750, 1000, 1250 and 1500 GeV are tested
at 525, 600, 875, 1125 and 1375 GeV, where other simulated signal is at hand.

The comparison is at an equal number of signal events: as many at each of the five known masses as an individual network
has at its own, and the same background for every network. Two things then differ at once: the parametrised network is
at a mass it does not know, and it has learnt from four others. Two more networks tell these apart: one parametrised
network trained at the masses between (it knows them, and learns from the others), and one that has as few signal events
in all as an individual network alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from matplotlib.figure import Figure

import pnn_tf
from benchmarks import contrasts, paired
from benchmarks.affine.departures import OF_START
from benchmarks.comparison import Finding, Section, listed
from benchmarks.contrasts import Row, Trainings, contrast
from benchmarks.data import SOURCES
from benchmarks.data.events import Events
from benchmarks.samples import events_fingerprint
from benchmarks.style import INK, KIND_COLOURS, SKY
from benchmarks.terminal import Display
from benchmarks.training import show_epochs, train

INDIVIDUAL = "individual"


class Setup(NamedTuple):
    """What a network for all masses is trained on."""

    conditioning: str | None  # of pnn_tf.parametric_network
    there: bool = False  # signal at the masses of the test, else at the five of the sample
    share: float = 1.0  # of the signal events that an individual network has at its mass


NETWORKS = {
    "pNN": Setup("concat"),
    "pNN, a fifth": Setup("concat", share=0.2),
    "pNN, there": Setup("concat", there=True),
    "Affine": Setup("affine"),
    "single": Setup(None),
}
COLOURS = {
    INDIVIDUAL: INK,
    "pNN": KIND_COLOURS["pNN"],
    "pNN, a fifth": SKY,
    "pNN, there": KIND_COLOURS["Individual-NNs"],
    "Affine": KIND_COLOURS["Affine"],
    "single": KIND_COLOURS["Single-NN"],
}
ALL = "all"  # masses, as a group to average over
PAIRS = {  # by heading: the second is subtracted from the first
    **{network: (network, INDIVIDUAL) for network in NETWORKS},
    "pNN minus pNN, there": ("pNN", "pNN, there"),
}


@dataclass(frozen=True)
class Config(Trainings):
    """The trainings, and the events.

    Args:
        n_signal: signal events at each mass, validation included.
        n_background: background events of each network, validation included.
    """

    n_signal: int = 10_000
    n_background: int = 50_000


SCALES = {
    "smoke": Config(epochs=2, n_signal=1000, n_background=10_000, test_share=0.1, trainings=1),
    "embedded": Config(),
    "paper": Config(trainings=10),  # there is no larger sample
}


class Samples(NamedTuple):
    """Signal at the five masses of the sample and at those between, background, and test events at those between."""

    known: Events
    between: Events
    background: Events
    test: Events
    data: dict


def load(config: Config) -> Samples:
    """Reads the embedded sample and its variant; which of their events are used does not depend on the seed."""
    train, test = SOURCES["hepmass-like"]("train"), SOURCES["hepmass-like"]("test")
    between = {split: SOURCES["hepmass-like-between"](split) for split in ("train", "test")}
    test = Events.concatenate([between["test"], test.select(test.label == 0)])
    known = train.select(train.label == 1)
    samples = Samples(
        known=known.draw(config.n_signal * len(known.hypotheses)),
        between=between["train"].draw(config.n_signal * len(between["train"].hypotheses)),
        background=train.select(train.label == 0).draw(config.n_background),
        test=test.draw(round(config.test_share * len(test))),
        data={},
    )
    return samples._replace(
        data={
            "name": "HEPMASS-like (simulated)",
            "n_train": len(samples.known) + len(samples.background),
            "n_test": len(samples.test),
            "fingerprint": events_fingerprint(*samples[:4]),
        }
    )


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Trains and tests all networks once."""
    masses = samples.test.hypotheses[:, 0]
    n_fits = len(masses) + len(NETWORKS)
    best_epoch, n_train = {}, {}

    def fit(network: str, setup: Setup, signal: Events, background_theta=None):
        background = samples.background
        if background_theta is not None:  # of the events that validate; those that train draw it anew in each batch
            background = replace(background, theta=background_theta.draw(len(background), (seed, 0)))
        trained = train(
            config,
            Events.concatenate([signal, background]),
            conditioning=setup.conditioning,
            background_theta=background_theta,
            seed=seed,
            on_epoch=show_epochs(display, f"{name}: {network}", 1 / n_fits / config.epochs),
        )
        trained.model.set_weights(trained.best_weights)
        best_epoch.setdefault(network, []).append(trained.best_epoch)
        n_train[network] = trained.n_train
        return trained.model

    placed = {INDIVIDUAL: []}
    for mass in masses:
        signal = samples.between.select(samples.between.theta[:, 0] == mass)
        model = fit(INDIVIDUAL, Setup(None), signal)
        placed[INDIVIDUAL].append(contrasts.at_mass(model, samples.test, mass))
    for network, setup in NETWORKS.items():
        signal = samples.between if setup.there else samples.known
        if setup.share < 1:
            signal = signal.draw(round(setup.share * len(signal)), seed)
        model = fit(network, setup, signal, pnn_tf.Identical(signal.hypotheses))
        placed[network] = [contrasts.at_mass(model, samples.test, mass) for mass in masses]
    measured = contrasts.measure(placed, PAIRS.values(), {ALL: list(range(len(masses)))})
    return {"masses": masses.tolist(), **measured, "best_epoch": best_epoch, "n_train": n_train}


run = contrasts.run_of(make_row)
one_line = contrasts.one_line


def plot(rows: list[Row]) -> Figure:
    """AUC of all networks at the masses between, and what they have more or less than individual networks."""
    masses = rows[0]["masses"]
    trained_on = {network: masses if setup.there else () for network, setup in NETWORKS.items()}
    left = (INDIVIDUAL, "pNN", "pNN, there", "Affine")
    right = (INDIVIDUAL, "pNN", "pNN, a fifth", "single")
    panels = {"As many signal events a mass": left, "Fewer signal events, or no mass told": right}
    return contrasts.figure(rows, panels, COLOURS, trained_on)


def section(record: dict) -> Section:
    """Tables, figure and what follows from them, computed from the record's rows."""
    rows, config, data = record["rows"], record["configuration"], record["data"]
    return Section(
        title="PNN: masses between",
        introduction=(
            f"Networks that know 500, 750, 1000, 1250 and 1500 GeV, tested at {listed(rows[0]['masses'])} GeV beside "
            f"an individual network trained at each, on {data['name']} events: {config['n_signal']:,} of signal at a "
            f"mass and {config['n_background']:,} of background for every network, validation included; "
            f"{data['n_test']:,} test events, {config['epochs']} epochs, {len(rows)} training"
            f"{'s' if len(rows) > 1 else ''} of all networks. Baldi et al., Eur. Phys. J. C 76 (2016) 235, leave one "
            "of the five masses out; no published set has signal between them."
        ),
        findings=tuple(_findings(rows, config)),
        tables=(
            (
                'AUC in per cent at each mass, averaged over the trainings, ± their standard deviation. "There" is '
                'trained at these masses; "a fifth" has a fifth of the signal events, as many in all as an '
                'individual network; "single" is told no mass.',
                contrasts.auc_table(rows),
            ),
            (
                "Minus the individual networks, in points on the same test events, ± the standard error: of the test "
                "sample, and of the mean over the trainings. Last, what it costs not to know the masses.",
                contrasts.difference_table(rows, PAIRS),
            ),
        ),
        figures=(
            (
                "AUC against mass, with the error of the test sample (Hanley and McNeil), most of which is common to "
                "all networks; below, what each has more than the individual networks on the same events (DeLong).",
                plot(rows),
            ),
        ),
        departures=(
            "The events are HEPMASS-like: simulated for this project after the description of HEPMASS.",
            "Four layers of 300 to 50 units with dropout and Adam at a rate of 2e-3, as in the AFFINE tables at "
            "embedded scale, instead of the paper's five layers of 500.",
            "The background's mass is drawn in each batch from the masses that the signal has.",
            f"All networks see their events {config['epochs']} times, an individual one in "
            f"{_n_steps(INDIVIDUAL, rows, config):,} steps and the pNN in {_n_steps('pNN', rows, config):,}.",
            OF_START,
        ),
    )


def _n_steps(network: str, rows: list[Row], config: dict) -> int:
    return config["epochs"] * rows[0]["n_train"][network] // config["batch_size"]


def _findings(rows: list[Row], config: dict) -> Iterator[Finding]:
    gain = {pair: contrast(rows, pair, ALL) for pair in PAIRS.values()}
    alone = {mass: contrast(rows, ("pNN", INDIVIDUAL), i) for i, mass in enumerate(rows[0]["masses"])}
    lowest = min(alone, key=lambda mass: alone[mass].value)
    yield Finding(
        "pNN minus individual",
        f"Mean AUC at masses that the parametrised network does not know, with {config['n_signal']:,} signal events at "
        f"each that it knows: it is {paired.verdict(gain['pNN', INDIVIDUAL])}. Its lowest is {alone[lowest]} points at "
        f"{lowest:g} GeV.",
        paired.cell(gain["pNN", INDIVIDUAL]),
    )
    there = gain["pNN, there", INDIVIDUAL]
    yield Finding(
        "pNN minus pNN there",
        "What not knowing the mass costs: against the same network trained at the masses of the test, it is "
        f"{paired.verdict(gain['pNN', 'pNN, there'])}. What learning from four other masses brings: that one, against "
        f"the individual networks, is {paired.verdict(there)} ({there}).",
        paired.cell(gain["pNN", "pNN, there"]),
    )
    yield Finding(
        "pNN with a fifth minus individual",
        f"Trained on {config['n_signal']:,} signal events in all, as many as each individual network, it is "
        f"{paired.verdict(gain['pNN, a fifth', INDIVIDUAL])}.",
        paired.cell(gain["pNN, a fifth", INDIVIDUAL]),
    )
    yield Finding(
        "Affine minus individual",
        f"Affine conditioning, on the same events as the pNN: {paired.verdict(gain['Affine', INDIVIDUAL])}.",
        paired.cell(gain["Affine", INDIVIDUAL]),
    )
    yield Finding(
        "Single minus individual",
        "One network that is told no mass, on the same events as the pNN: "
        f"{paired.verdict(gain['single', INDIVIDUAL])}.",
        paired.cell(gain["single", INDIVIDUAL]),
    )
