"""A network trained on a continuous range of masses, and one trained at five points: an open question of AFFINE.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 7: "the signal is generated at few discrete mass
hypotheses, what about parametrizing on the whole, continuous mass range?" They give no numbers. Here both networks have
the same number of signal events and the same background, and are tested at the five points, and at five masses between.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
from benchmarks import contrasts
from benchmarks.affine.texts import OF_START, PAPER, SIMULATED
from benchmarks.claims import Claim, above
from benchmarks.contrasts import Trainings
from benchmarks.data import SOURCES
from benchmarks.data.events import Events
from benchmarks.experiment import Experiment
from benchmarks.published import MASSES
from benchmarks.samples import NAMES, events_fingerprint
from benchmarks.style import KIND_COLOURS, ORANGE, SKY
from benchmarks.tables import Table
from benchmarks.training import show_epochs, train

CONDITIONING = {"Affine": "affine", "pNN": "concat"}
RANGE = (500.0, 1500.0)  # GeV, of the continuous masses
HEAVY = 750.0  # GeV, from which on the signal is easily told from the background
PAIRS = {  # by heading: the second is subtracted from the first
    "Affine: range minus points": ("Affine, range", "Affine, five points"),
    "pNN: range minus points": ("pNN, range", "pNN, five points"),
    "points: Affine minus pNN": ("Affine, five points", "pNN, five points"),
    "range: Affine minus pNN": ("Affine, range", "pNN, range"),
}
STATEMENTS = (  # of PAIRS: the first is better
    "Affine is better for training on the range than at five points,",
    "A pNN is better for training on the range than at five points,",
    "Affine is better than a pNN, both trained at five points,",
    "Affine is better than a pNN, both trained on the range,",
)
GROUPS = {"at the five": "at the five points", "between": "between the five points", "from 750 on": "from 750 GeV on"}
PANELS = {kind: (f"{kind}, five points", f"{kind}, range") for kind in CONDITIONING}
COLOURS = {
    "Affine, five points": ORANGE,
    "Affine, range": KIND_COLOURS["Affine"],
    "pNN, five points": SKY,
    "pNN, range": KIND_COLOURS["pNN"],
}


@dataclass(frozen=True)
class Config(Trainings):
    """The trainings, and the events.

    Args:
        n_signal: signal events of either network, validation included.
        n_background: background events, the same for both, validation included.
    """

    n_signal: int = 50_000
    n_background: int = 100_000


class Samples(NamedTuple):
    """Training events at the five points and over the range, and test events at all ten masses."""

    five: Events
    range: Events
    test: Events
    data: dict


def load(config: Config) -> Samples:
    """Reads the embedded sample and its variants; which of their events are used does not depend on the seed."""
    ours, between = SOURCES["hepmass-like"], SOURCES["hepmass-like-between"]
    train, test = ours("train"), Events.concatenate([ours("test"), between("test")])
    background = train.select(train.label == 0).draw(config.n_background)
    signal = SOURCES["hepmass-like-continuous"]("train", n_events=config.n_signal)
    uniform = np.random.default_rng(0).uniform(*RANGE, len(background))
    five = Events.concatenate([train.select(train.label == 1).draw(config.n_signal), background])
    everywhere = Events.concatenate([signal, replace(background, theta=uniform)])
    test = test.draw(round(config.test_share * len(test)))
    data = {"name": NAMES["hepmass-like"], "n_train": len(five), "n_test": len(test)}
    return Samples(five, everywhere, test, data | {"fingerprint": events_fingerprint(five, everywhere, test)})


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """Trains and tests the four networks once."""
    masses = samples.test.hypotheses[:, 0]
    strategies = pnn_tf.Identical(samples.five.hypotheses), pnn_tf.Uniform(*RANGE)
    placed, best_epoch, n_train = {}, {}, {}
    for kind, conditioning in CONDITIONING.items():
        for network, events, background in zip(PANELS[kind], samples[:2], strategies, strict=True):
            trained = train(
                config,
                events,
                conditioning=conditioning,
                background_theta=background,
                seed=contrasts.seed_of(name, seed),
                on_epoch=show_epochs(display, f"{name}: {network}", 1 / 4 / config.epochs),
            )
            trained.model.set_weights(trained.best_weights)
            placed[network] = [contrasts.at_mass(trained.model, samples.test, mass) for mass in masses]
            best_epoch[network], n_train[network] = [trained.best_epoch], trained.n_train
    measured = contrasts.measure(placed, PAIRS.values(), groups(masses))
    return {"masses": masses.tolist(), **measured, "best_epoch": best_epoch, "n_train": n_train}


def groups(masses) -> dict[str, list[int]]:
    """Places of the masses that the five-point network knows, of those between, and of all but the lightest."""
    known, heavy = np.isin(masses, MASSES), np.greater_equal(masses, HEAVY)
    return {name: np.flatnonzero(which).tolist() for name, which in zip(GROUPS, (known, ~known, heavy), strict=True)}


def tables(record: Mapping) -> Iterator[Table]:
    """AUCs, and their differences."""
    rows = record["rows"]
    caption = "AUC in per cent at each mass (GeV), averaged over the trainings, ± their standard deviation."
    yield contrasts.auc_table(caption, rows)
    caption = (
        "Differences in points on the same test events, ± their standard error: of the test sample, and of the mean "
        "over the trainings."
    )
    yield contrasts.difference_table(caption, rows, PAIRS)


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """AUC of both networks against mass, and their difference, for either way of conditioning."""
    trained_on = {five: MASSES for five, _ in PANELS.values()}
    yield (
        "AUC against mass, with the error of the test sample (Hanley and McNeil), most of which is common to all "
        "networks; below, the difference of the two on the same events (DeLong).",
        contrasts.figure(record["rows"], PANELS, COLOURS, trained_on),
    )


EXPERIMENT = Experiment(
    id="affine-continuous",
    where="open question 2: a continuous mass range",
    summary="networks trained on a continuous range of masses, beside ones at five points",
    introduction="Networks trained at 500, 750, 1000, 1250 and 1500 GeV beside networks trained on masses from 500 to "
    "1500 GeV, on {data[name]} events: {n_signal:,} of signal and {n_background:,} of background for either, {epochs} "
    "epochs, {trainings} trainings; {data[n_test]:,} test events at ten masses. "
    f"{PAPER}, ask the question in section 7 and give no numbers.",
    scales={
        "smoke": Config(epochs=2, n_signal=5000, n_background=10_000, test_share=0.1, trainings=1),
        "embedded": Config(),
        "paper": Config(trainings=10),  # there is no larger sample
    },
    load=load,
    names=contrasts.names,
    make_row=make_row,
    line=contrasts.line,
    tables=tables,
    figures=figures,
    claims=tuple(
        Claim(f"{statement} AUC {where}", contrasts.estimate(pair, group), above(0), ours=True)
        for pair, statement in zip(PAIRS.values(), STATEMENTS, strict=True)
        for group, where in GROUPS.items()
    ),
    departures=(
        SIMULATED,
        "The mass of the background is drawn in each batch: out of the five where the signal is at five points, "
        "uniform over the range where the signal is. So neither tells signal from background. Validation background "
        "has masses drawn once, alike.",
        "The signal's masses are uniform before the selection, which keeps more at middle masses. This adds a function "
        "of the mass alone to what is learnt, which changes no AUC at a given mass.",
        "Length and rate of the training are those of the other tables at embedded scale, not the paper's.",
        OF_START,
    ),
    ours=True,
)
