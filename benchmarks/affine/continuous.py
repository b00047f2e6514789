"""A network trained on a continuous range of masses, and one trained at five points: an open question of AFFINE.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 7: "the signal is generated at few discrete mass
hypotheses, what about parametrizing on the whole, continuous mass range?" They give no numbers. Here both networks have
the same number of signal events and the same background, and are tested at the five points, and at five masses between.

The mass of the background is drawn anew in each batch, for either network from where the signal has its masses: out of
the five, or uniform over the range. So neither mass tells signal from background, and each network meets background
wherever it meets signal. (The masses of the continuous signal are uniform before the selection, which keeps more at
middle masses. This adds a function of the mass alone to what is learnt, which changes no AUC at a given mass.)
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
from benchmarks import contrasts, paired
from benchmarks.affine.departures import OF_START
from benchmarks.comparison import Finding, Section, listed
from benchmarks.contrasts import Row, Trainings, contrast
from benchmarks.data import SOURCES
from benchmarks.data.events import Events
from benchmarks.published import MASSES
from benchmarks.samples import events_fingerprint
from benchmarks.style import KIND_COLOURS, ORANGE, SKY
from benchmarks.terminal import Display
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


SCALES = {
    "smoke": Config(epochs=2, n_signal=5000, n_background=10_000, test_share=0.1, trainings=1),
    "embedded": Config(),
    "paper": Config(trainings=10),  # there is no larger sample
}


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
    five = train.select(train.label == 1).draw(config.n_signal)
    uniform = np.random.default_rng(0).uniform(*RANGE, len(background))
    signal = SOURCES["hepmass-like-continuous"]("train", n_events=config.n_signal)
    samples = Samples(
        five=Events.concatenate([five, background]),
        range=Events.concatenate([signal, replace(background, theta=uniform)]),
        test=test.draw(round(config.test_share * len(test))),
        data={},
    )
    return samples._replace(
        data={
            "name": "HEPMASS-like (simulated)",
            "n_train": len(samples.five),
            "n_test": len(samples.test),
            "fingerprint": events_fingerprint(*samples[:3]),
        }
    )


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Trains and tests the four networks once."""
    masses = samples.test.hypotheses[:, 0]
    placed, best_epoch, n_train = {}, {}, {}
    for kind, conditioning in CONDITIONING.items():
        for network, events, background in (
            (f"{kind}, five points", samples.five, pnn_tf.Identical(samples.five.hypotheses)),
            (f"{kind}, range", samples.range, pnn_tf.Uniform(*RANGE)),
        ):
            trained = train(
                config,
                events,
                conditioning=conditioning,
                background_theta=background,
                seed=seed,
                on_epoch=show_epochs(display, f"{name}: {network}", 1 / 4 / config.epochs),
            )
            trained.model.set_weights(trained.best_weights)
            placed[network] = [contrasts.at_mass(trained.model, samples.test, mass) for mass in masses]
            best_epoch[network], n_train[network] = [trained.best_epoch], trained.n_train
    measured = contrasts.measure(placed, PAIRS.values(), groups(masses))
    return {"masses": masses.tolist(), **measured, "best_epoch": best_epoch, "n_train": n_train}


run = contrasts.run_of(make_row)
one_line = contrasts.one_line


def groups(masses) -> dict[str, list[int]]:
    """Places of the masses that the five-point network knows, of those between, and of all but the lightest."""
    known, heavy = np.isin(masses, MASSES), np.greater_equal(masses, HEAVY)
    which = {"at the five": known, "between": ~known, f"from {HEAVY:g} on": heavy}
    return {name: np.flatnonzero(chosen).tolist() for name, chosen in which.items()}


def plot(rows: list[Row]) -> Figure:
    """AUC of both networks against mass, and their difference, for either way of conditioning."""
    panels = {kind: (f"{kind}, five points", f"{kind}, range") for kind in CONDITIONING}
    trained_on = {f"{kind}, five points": MASSES for kind in CONDITIONING}
    return contrasts.figure(rows, panels, COLOURS, trained_on)


def section(record: dict) -> Section:
    """Tables, figure and what follows from them, computed from the record's rows."""
    rows, config, data = record["rows"], record["configuration"], record["data"]
    return Section(
        title="AFFINE, open question 2: a continuous mass range",
        introduction=(
            f"Networks trained at {', '.join(f'{mass:g}' for mass in MASSES[:-1])} and {MASSES[-1]:g} GeV beside "
            f"networks trained on masses from {RANGE[0]:g} to {RANGE[1]:g} GeV, on {data['name']} events: "
            f"{config['n_signal']:,} of signal and {config['n_background']:,} of background for either, validation "
            f"included. {data['n_test']:,} test events at ten masses, {config['epochs']} epochs, {len(rows)} "
            f"training{'s' if len(rows) > 1 else ''} of all four networks. Anzalone, Diotallevi and Bonacorsi, "
            "arXiv:2202.00424, ask the question in section 7 and give no numbers."
        ),
        findings=tuple(_findings(rows)),
        tables=(
            (
                "AUC in per cent at each mass (GeV), averaged over the trainings, ± their standard deviation.",
                contrasts.auc_table(rows),
            ),
            (
                "Differences in points on the same test events, ± their standard error: of the test sample, and of the "
                "mean over the trainings.",
                contrasts.difference_table(rows, PAIRS),
            ),
        ),
        figures=(
            (
                "AUC against mass, with the error of the test sample (Hanley and McNeil), most of which is common to "
                "all networks; below, the difference of the two on the same events (DeLong).",
                plot(rows),
            ),
        ),
        departures=(
            "The events are HEPMASS-like: simulated for this project after the description of HEPMASS.",
            "The mass of the background is drawn in each batch: out of the five where the signal is at five points, "
            "uniform over the range where the signal is. Validation background has masses drawn once, alike.",
            "Both are uniform before the selection; the signal that passes it is somewhat denser at middle masses.",
            "Length and rate of the training are those of the other tables at embedded scale, not the paper's.",
            OF_START,
        ),
    )


def _findings(rows: list[Row]) -> Iterator[Finding]:
    masses = rows[0]["masses"]
    unknown = listed([masses[i] for i in groups(masses)["between"]])
    for kind in CONDITIONING:
        pair = f"{kind}, range", f"{kind}, five points"
        known, between, heavy = (contrast(rows, pair, group) for group in groups(masses))
        alone = [contrast(rows, pair, i) for i in range(len(masses))]
        lowest, highest = (pick(range(len(masses)), key=lambda i: alone[i].value) for pick in (min, max))
        yield Finding(
            f"{kind}: range minus five points, between the points",
            f"Mean AUC at {unknown} GeV: trained on the range it is {paired.verdict(between)}. At the five points "
            f"themselves it is {paired.verdict(known)} ({known}), from {HEAVY:g} GeV on {paired.verdict(heavy)} "
            f"({100 * heavy.value:+.3f} ± {100 * heavy.error:.3f}). It does best at {masses[highest]:g} GeV "
            f"({alone[highest]}) and worst at {masses[lowest]:g} GeV ({alone[lowest]}). At an end of the range it has "
            "signal on one side alone, and few events nearby, where five points have a fifth of theirs.",
            paired.cell(between),
        )
    for trained in ("five points", "range"):
        pair = f"Affine, {trained}", f"pNN, {trained}"
        known, between = (contrast(rows, pair, group) for group in ("at the five", "between"))
        yield Finding(
            f"Affine minus pNN, {trained}, between the points",
            f"There affine conditioning is {paired.verdict(between)}, at the five points {paired.verdict(known)} "
            f"({known}).",
            paired.cell(between),
        )
    if len(rows) > 1:
        spread = {
            network: np.std([100 * np.mean(row["auc"][network]) for row in rows], ddof=1) for network in rows[0]["auc"]
        }
        yield Finding(
            "Chance in training",
            f"Over {len(rows)} trainings the mean AUC has a standard deviation of "
            + ", ".join(f"{value:.2f} ({network})" for network, value in spread.items())
            + " points.",
        )
