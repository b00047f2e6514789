"""AFFINE Figs. 7, 8 and 12: networks at masses that they were not trained on.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 5.1. A parametric network is trained without one mass
(Fig. 7), on one mass alone (Fig. 8), and beside an affine one on two masses (Fig. 12a, b); and on two masses of
HEPMASS-IMB with uniform background masses, with and without regularisation (Fig. 12c). The paper shows all of them as
figures, and in its text bounds on what is lost in Fig. 8.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import pnn_tf
from benchmarks import interpolation
from benchmarks.affine.texts import CIRCUMSTANCES, PAPER, SIMULATED
from benchmarks.claims import Claim, Estimate, above, below, over_trainings
from benchmarks.data import imbalanced
from benchmarks.experiment import Experiment
from benchmarks.interpolation import Trial, curves, held_out
from benchmarks.published import AFFINE_FIG_8, MASSES
from benchmarks.samples import Samples, Source
from benchmarks.style import KIND_COLOURS, ORANGE
from benchmarks.tables import Table, by_seed, long, paired, percent, pick, table
from benchmarks.training import QUICK, Recipe, show_epochs

CONDITIONING = {"pNN": "concat", "Affine": "affine"}
ALL = "pNN on all"
OF_IMBALANCED = "pNN on 500 and 1500, IMB"
BETWEEN, ENDS = (750, 1000, 1250), (500, 1000, 1500)  # GeV, what Figs. 12a and 12b hold out
UNITS = ("%", "points")  # the paper does not say which its losses are
LIGHTEST, OTHERS = AFFINE_FIG_8
UNIFORM, FREE = f"{OF_IMBALANCED}, uniform", f"{OF_IMBALANCED}, uniform, unregularised"


@dataclass(frozen=True)
class Config(Source, Recipe):
    """The recipe of training, and the events."""


class Setup(NamedTuple):
    """What a row trains: a kind of network, on which hypotheses, and how."""

    network: str
    trial: Trial
    imbalanced: bool = False  # the signal of HEPMASS-IMB
    uniform: bool = False  # background masses uniform over the range trained on, else out of the masses trained on
    regularised: bool = True  # with dropout and L2 penalties

    @property
    def row(self) -> str:
        """Name of the row."""
        marks = {"IMB": self.imbalanced, "uniform": self.uniform, "unregularised": not self.regularised}
        return ", ".join([f"{self.network} {self.trial.name}", *(mark for mark, there in marks.items() if there)])


def setups() -> Iterator[Setup]:
    """What is trained, networks of one size after another: their training steps are traced once."""
    every, ends = interpolation.on_all(MASSES), interpolation.ends_only(MASSES)
    two, _ = interpolation.leave_half_out(MASSES)
    less = *interpolation.leave_one_out(MASSES), *interpolation.one_only(MASSES)
    yield from (Setup("pNN", trial) for trial in (every, *less))
    yield from (Setup(network, trial) for network in CONDITIONING for trial in (ends, two))
    yield Setup("Affine", every)
    for uniform, regularised in ((False, True), (True, True), (True, False)):
        yield Setup("pNN", ends, True, uniform, regularised)


SETUPS = {setup.row: setup for setup in setups()}


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """Trains and tests one network: what `interpolate` returns, and how it was trained."""
    setup = SETUPS[name]
    masses = [mass for (mass,) in setup.trial.trained_on]
    display.advance(0, f"{name}, seed {seed}: preparing")
    measured = interpolation.interpolate(
        config if setup.regularised else replace(config, dropout=0.0, kernel_l2=0.0, bias_l2=0.0),
        imbalanced(samples.train) if setup.imbalanced else samples.train,
        samples.test,
        setup.trial.trained_on,
        conditioning=CONDITIONING[setup.network],
        background=pnn_tf.Uniform(min(masses), max(masses), sampled=False) if setup.uniform else None,
        seed=seed,
        on_epoch=show_epochs(display, f"{name}, seed {seed}", 1 / config.epochs),
    )
    how = {field: getattr(setup, field) for field in ("network", "imbalanced", "uniform", "regularised")}
    return how | {"epochs": config.epochs} | measured


def frame_of(rows: Sequence[Mapping]) -> pd.DataFrame:
    """The long frame of AUCs in per cent."""
    return long(rows, {"auc": percent("auc")}, at=MASSES)


def losses(rows: Sequence[Mapping], trained: str, unit: str = "points") -> pd.DataFrame:
    """The long frame of what pNNs on fewer masses lose against that on all, a row a mass.

    Args:
        rows: of the experiment.
        trained: "without" a mass: AUC lost at this mass; or "on" it alone: mean AUC lost over all.
        unit: "points", or "%" of the AUC on all.
    """
    auc, found = frame_of(rows), []
    for mass in MASSES:
        where = {"at": mass if trained == "without" else None}
        loss = paired(auc, ALL, f"pNN {trained} {mass}", **where)
        loss = loss if unit == "points" else (100 * loss / by_seed(auc, ALL, **where)).dropna()
        found.append(pd.DataFrame({"row": f"{trained} {mass} GeV", "seed": loss.index, "value": loss.to_numpy()}))
    decimals = 2 if trained == "without" else 1
    return pd.concat(found).assign(quantity=f"loss ({unit})", decimals=decimals, spread=True, paper=np.nan)


def tables(record: Mapping) -> Iterator[Table]:
    """AUC, its means where trained and where held out, and what is lost."""
    rows = record["rows"]
    yield interpolation.auc_table(
        "AUC in per cent at the epoch with the best validation AUC.", rows, "AUC in %, trained"
    )
    spans = {
        "trained": percent(lambda row: np.mean(np.array(row["auc"])[~held_out(row)])),
        "held out": percent(
            lambda row: np.mean(np.array(row["auc"])[held_out(row)]) if held_out(row).any() else np.nan
        ),
        "validation": percent("validation_auc"),
    }
    caption = "Mean AUC in per cent at masses trained on and held out, and AUC of the validation events."
    yield table(caption, "AUC in %, trained", long(rows, spans), columns="quantity")
    for caption, lost in (
        ("AUC lost at a mass by training without it.", losses(rows, "without")),
        ("Mean AUC lost by training on one mass alone.", pd.concat([losses(rows, "on", unit) for unit in UNITS])),
    ):
        yield table(caption, "trained", lost, columns="quantity")


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """Figs. 7, 8 and 12."""
    rows, blue = record["rows"], {ALL: KIND_COLOURS["pNN"]}
    for caption, title, name, row in (
        (
            "Fig. 7: without one mass, and trained on all. Error bars, here and below: the standard error from the "
            "finite test sample, much of it common to all networks.",
            *("without {} GeV", "pNN without it", "pNN without {}"),
        ),
        ("Fig. 8: trained on one mass alone, and on all.", "{} GeV alone", "pNN on it alone", "pNN on {}"),
    ):
        panels = {
            title.format(mass): {ALL: pick(rows, row=ALL), name: pick(rows, row=row.format(mass))} for mass in MASSES
        }
        yield caption, curves(panels, "mass (GeV)", blue | {name: ORANGE})
    panels = {
        f"({letter}) {pair} GeV": {kind: pick(rows, row=f"{kind} on {pair}") for kind in CONDITIONING}
        for letter, pair in (("a", "500 and 1500"), ("b", "750 and 1250"))
    }
    panels["(c) 500 and 1500 GeV, imbalanced"] = {
        "pNN": pick(rows, row=OF_IMBALANCED),
        "pNN uniform, regularised": pick(rows, row=UNIFORM),
        "pNN uniform, not regularised": pick(rows, row=FREE),
    }
    yield (
        "Fig. 12: trained on two masses, (a) and (b) on the balanced sample with background at the same two, (c) on "
        "HEPMASS-IMB.",
        curves(panels, "mass (GeV)", KIND_COLOURS),
    )


def gaps(trained: str, more: Sequence[int], less: Sequence[int]) -> Callable[..., dict[str, Estimate]]:
    """From rows, by how many points `losses` at some masses (GeV) are above those at others."""

    def measure(rows: Sequence[Mapping]) -> dict[str, Estimate]:
        lost = losses(rows, trained)
        return {
            f"{a} above {b} GeV": over_trainings(paired(lost, f"{trained} {a} GeV", f"{trained} {b} GeV"))
            for a in more
            for b in less
        }

    return measure


def falls(masses: Sequence[int], unit: str) -> Callable[..., dict[str, Estimate]]:
    """From rows, the loss of the mean AUC in training on one mass alone."""
    return lambda rows: {f"{m} GeV": over_trainings(by_seed(losses(rows, "on", unit), f"on {m} GeV")) for m in masses}


def minus(first: str, second: str, masses: Sequence[float]) -> Callable[..., Estimate]:
    """From rows, AUC of one minus that of another, in points, averaged over masses (GeV)."""
    return lambda rows: over_trainings(paired(frame_of(rows), first, second, at=masses))


def validation_auc(rows: Sequence[Mapping]) -> Estimate:
    """Of the network without regularisation, in per cent."""
    return over_trainings([100 * row["validation_auc"] for row in pick(rows, row=FREE)])


EXPERIMENT = Experiment(
    id="affine-interpolation",
    where="Figs. 7, 8 and 12",
    summary="networks at masses they were not trained on: without one, on one, on two",
    introduction=f"Networks at masses that they were not trained on, on {CIRCUMSTANCES}. The signal of a mass held out "
    f"is left out; the whole background stays, at the masses that remain. Figures and bounds: {PAPER}.",
    scales={
        "smoke": Config(epochs=2, n_train=20_000, n_test=10_000, units=(50, 50), **QUICK),
        "embedded": Config(epochs=10, **QUICK),
        "paper": Config(sample="hepmass"),
    },
    load=Config.load,
    names=lambda config: SETUPS,
    make_row=make_row,
    line=lambda row: f"mean AUC {100 * np.mean(row['auc']):.2f} %",
    tables=tables,
    figures=figures,
    claims=(
        Claim(
            "500 GeV is the hardest mass to interpolate: loss there above that elsewhere",
            gaps("without", [500], [750, 1000, 1250, 1500]),
            above(0),
            where="Fig. 7",
        ),
        *(
            Claim(f"{statement}, read as {unit}", falls(masses, unit), criterion, published, "Fig. 8", unit, 1)
            for unit in UNITS
            for statement, masses, criterion, published in (
                ("On 500 GeV alone the mean AUC falls by more than 30 %", [500], above(LIGHTEST), LIGHTEST),
                ("On any other mass alone it falls by at most 8 %", [750, 1000, 1250, 1500], below(OTHERS), OTHERS),
            )
        ),
        Claim(
            "Training on 750 or 1000 GeV alone costs less than on 1250 or 1500 GeV alone",
            gaps("on", [1250, 1500], [750, 1000]),
            above(0),
            where="Fig. 8",
        ),
        *(
            Claim(
                f"Affine interpolates better than the pNN, both trained at {pair} GeV",
                minus(f"Affine on {pair}", f"pNN on {pair}", masses),
                above(0),
                where=where,
                ours=True,
            )
            for pair, masses, where in (("500 and 1500", BETWEEN, "Fig. 12a"), ("750 and 1250", ENDS, "Fig. 12b"))
        ),
        Claim(
            "Uniform background masses: without regularisation a network interpolates worse",
            minus(FREE, UNIFORM, BETWEEN),
            below(0),
            where="Fig. 12c",
        ),
        Claim(
            "Uniform background masses: without regularisation validation events are classified almost perfectly",
            validation_auc,
            above(99),
            where="Fig. 12c",
            unit="%",
        ),
    ),
    departures=(
        SIMULATED,
        "The paper does not say what becomes of the background of a mass held out. Here all of it stays, and draws its "
        "mass once from those that remain, validation events included.",
        "In Fig. 12c uniform masses are drawn once, between the two masses trained on, for validation events too.",
        "The epoch with the best validation AUC is kept, as in the code of the paper's authors.",
    ),
)
