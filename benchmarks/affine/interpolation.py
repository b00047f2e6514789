"""AFFINE Figs. 7, 8 and 12: networks at masses that they were not trained on.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 5.1. A parametric network is trained without one mass
(Fig. 7), on one mass alone (Fig. 8), and beside an affine one on two masses (Fig. 12a, b); and on two masses of
HEPMASS-IMB with uniform background masses, with and without regularisation (Fig. 12c).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import pnn_tf
from benchmarks.affine.texts import CIRCUMSTANCES, PAPER, SIMULATED
from benchmarks.claims import Claim, Estimate, above, below, over_seeds, over_trainings
from benchmarks.data import imbalanced
from benchmarks.experiment import Experiment
from benchmarks.interpolation import training_events
from benchmarks.published import AFFINE_FIG_8, MASSES
from benchmarks.samples import Samples, Source
from benchmarks.style import GREEN, INK, KIND_COLOURS, ORANGE, style
from benchmarks.tables import Table, by_seed, long, paired, percent, pick, table, with_average
from benchmarks.training import QUICK, Recipe, show_epochs, train
from pnn_tf import plots

CONDITIONING = {"pNN": "concat", "Affine": "affine"}
ENDS, INNER = "500 and 1500", "750 and 1250"  # GeV, what Figs. 12a and 12b train on
HELD_OUT = {ENDS: (750, 1000, 1250), INNER: (500, 1000, 1500)}
ALL, IMB = "pNN on all", f"pNN on {ENDS}, IMB"
UNIFORM, FREE = f"{IMB}, uniform", f"{IMB}, uniform, unregularised"
UNITS = ("%", "points")  # the paper does not say which its losses are
LIGHTEST, OTHERS = AFFINE_FIG_8


class Setup(NamedTuple):
    """What a row trains: a kind of network, on the signal of which masses (GeV), and how."""

    network: str
    masses: tuple[int, ...]
    imbalanced: bool = False  # the signal of HEPMASS-IMB
    uniform: bool = False  # background masses uniform over the range trained on, else out of the masses trained on
    regularised: bool = True  # with dropout and L2 penalties


SETUPS = {  # networks of one kind one after another: their training steps are traced once
    ALL: Setup("pNN", MASSES),
    **{f"pNN without {out}": Setup("pNN", tuple(mass for mass in MASSES if mass != out)) for out in MASSES},
    **{f"pNN on {mass}": Setup("pNN", (mass,)) for mass in MASSES},
    **{
        f"{kind} on {pair}": Setup(kind, masses)
        for kind in CONDITIONING
        for pair, masses in ((ENDS, (500, 1500)), (INNER, (750, 1250)))
    },
    "Affine on all": Setup("Affine", MASSES),
    IMB: Setup("pNN", (500, 1500), imbalanced=True),
    UNIFORM: Setup("pNN", (500, 1500), imbalanced=True, uniform=True),
    FREE: Setup("pNN", (500, 1500), imbalanced=True, uniform=True, regularised=False),
}


@dataclass(frozen=True)
class Config(Source, Recipe):
    """The recipe of training, and the events."""


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """Trains a network on some masses, and tests it at all, at the epoch with the best validation AUC.

    Returns:
        How it was trained; lists per hypothesis of the test events, in the order of `hypotheses` (n, 1), GeV, of `auc`
        and its standard `error` from the finite test sample, and `validation_auc`, all in [0, 1]. `n_train` counts
        training events without validation.
    """
    setup = SETUPS[name]
    display.advance(0, f"{name}, seed {seed}: preparing")
    events = imbalanced(samples.train) if setup.imbalanced else samples.train
    background = pnn_tf.Uniform(min(setup.masses), max(setup.masses), sampled=False) if setup.uniform else None
    trained = train(
        config if setup.regularised else replace(config, dropout=0.0, kernel_l2=0.0, bias_l2=0.0),
        training_events(events, setup.masses, background=background, seed=seed),
        conditioning=CONDITIONING[setup.network],
        background_theta=background,
        seed=seed,
        on_epoch=show_epochs(display, f"{name}, seed {seed}", 1 / config.epochs),
    )
    trained.model.set_weights(trained.best_weights)
    test = samples.test
    results = pnn_tf.evaluate_hypotheses(trained.model, test.features, test.theta, test.label)
    return {
        **{field: getattr(setup, field) for field in ("network", "imbalanced", "uniform", "regularised")},
        "epochs": config.epochs,
        "trained_on": [[float(mass)] for mass in setup.masses],
        "hypotheses": [list(result.theta) for result in results],
        "auc": [float(result.auc) for result in results],
        "error": [result.auc_error for result in results],
        "validation_auc": max(trained.auc),
        "best_epoch": trained.best_epoch,
        "n_train": trained.n_train,
    }


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
    rows, corner = record["rows"], "AUC in %, trained"
    auc = frame_of(rows)
    yield table("AUC in per cent at the epoch with the best validation AUC.", corner, with_average(auc))
    known = [mass in SETUPS[name].masses for name, mass in zip(auc["row"], auc["at"], strict=True)]
    means = [
        auc.assign(quantity=np.where(known, "trained", "held out")),
        long(rows, {"validation": percent("validation_auc")}),
    ]
    caption = "Mean AUC in per cent at masses trained on and held out, and AUC of the validation events."
    yield table(caption, corner, pd.concat(means), columns="quantity")
    for caption, lost in (
        ("AUC lost at a mass by training without it.", losses(rows, "without")),
        ("Mean AUC lost by training on one mass alone.", pd.concat([losses(rows, "on", unit) for unit in UNITS])),
    ):
        yield table(caption, "trained", lost, columns="quantity")


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """Figs. 7, 8 and 12."""
    rows = record["rows"]
    for caption, title, name, row in (
        (
            "Fig. 7: without one mass, and trained on all. Error bars, here and below: the standard error from the "
            "finite test sample, much of it common to all networks.",
            *("without {} GeV", "pNN without it", "pNN without {}"),
        ),
        ("Fig. 8: trained on one mass alone, and on all.", "{} GeV alone", "pNN on it alone", "pNN on {}"),
    ):
        panels = {title.format(mass): {ALL: ALL, name: row.format(mass)} for mass in MASSES}
        yield caption, curves(rows, panels, {ALL: KIND_COLOURS["pNN"], name: ORANGE})
    free = "pNN uniform, not regularised"
    panels = {
        f"({letter}) {pair} GeV": {kind: f"{kind} on {pair}" for kind in CONDITIONING}
        for letter, pair in (("a", ENDS), ("b", INNER))
    }
    panels[f"(c) {ENDS} GeV, imbalanced"] = {"pNN": IMB, "pNN uniform, regularised": UNIFORM, free: FREE}
    colours = {kind: KIND_COLOURS[kind] for kind in CONDITIONING} | {"pNN uniform, regularised": ORANGE, free: GREEN}
    yield (
        "Fig. 12: trained on two masses, (a) and (b) on the balanced sample with background at the same two, (c) on "
        "HEPMASS-IMB.",
        curves(rows, panels, colours),
    )


def curves(rows: Sequence[Mapping], panels: Mapping[str, Mapping[str, str]], colours: Mapping[str, str]) -> Figure:
    """AUC against mass, averaged over seeds, masses held out as open squares; a panel maps names of lines to rows."""
    n_lines = -(-len(panels) // 3)
    with style():
        figure = Figure(figsize=(10.2, 2.8 * n_lines + 0.5))
        parts = figure.subfigures(n_lines, 3, squeeze=False).ravel()[: len(panels)]
        for part, (title, lines) in zip(parts, panels.items(), strict=True):
            results = {}
            for name, row in lines.items():
                of_row = pick(rows, row=row)
                numbers = (np.mean([each[field] for each in of_row], axis=0) for field in ("auc", "error"))
                points = zip(of_row[0]["hypotheses"], *numbers, strict=True)
                results[name] = [SimpleNamespace(theta=theta, auc=auc, auc_error=e) for theta, auc, e in points]
            trained_on = {name: SETUPS[row].masses for name, row in lines.items()}
            plots.auc(results, trained_on, label="mass (GeV)", colours=colours, legend=False, figure=part)
            part.axes[0].set_title(title)
        limits = [part.axes[0].get_ylim() for part in parts]
        for part in parts:
            part.axes[0].set_ylim(np.min(limits), np.max(limits))
        handles = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()] + [
            Line2D([], [], color=INK, marker="o", ls="", label="trained on"),
            Line2D([], [], color=INK, marker="s", ls="", mfc="none", label="held out"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5))
    return figure


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
            "500 GeV is the hardest mass to interpolate: its AUC falls more than that of others left out (by)",
            gaps("without", [500], [750, 1000, 1250, 1500]),
            above(0),
            where="Fig. 7",
        ),
        *(
            Claim(f"{statement}, read in {unit}", falls(masses, unit), criterion, published, "Fig. 8", unit, 1)
            for unit in UNITS
            for statement, masses, criterion, published in (
                ("A pNN trained on 500 GeV alone loses over 30 % of its mean AUC", [500], above(LIGHTEST), LIGHTEST),
                ("A pNN trained on another mass alone loses up to 8 % of AUC", MASSES[1:], below(OTHERS), OTHERS),
            )
        ),
        Claim(
            "Training on 750 or 1000 GeV alone costs less mean AUC than on 1250 or 1500 GeV alone (by)",
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
            for (pair, masses), where in zip(HELD_OUT.items(), ("Fig. 12a", "Fig. 12b"), strict=True)
        ),
        Claim(
            "With uniform background masses, a pNN interpolates worse without regularisation than with it",
            minus(FREE, UNIFORM, HELD_OUT[ENDS]),
            below(0),
            where="Fig. 12c",
        ),
        Claim(
            "With uniform background masses, a pNN without regularisation has a validation AUC of almost 100 %",
            over_seeds(lambda row: 100 * row["validation_auc"], partial(pick, row=FREE)),
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
