"""AFFINE Table 5: AUC and significance ratio at each mass on HEPMASS-IMB, with and without balanced training.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, sections 4.3 and 6.3. The significance ratio is measured three
times: exact, with every score a cut; as the authors' code had it at the time of the paper, from histograms of
different ranges; and from histograms of one range, as the code had it later. Figs. 11 and 13 are drawn from the curves
that some of the rows keep.
"""

from functools import partial

import numpy as np

from benchmarks.affine import networks
from benchmarks.affine.curves import Curve, Separation, separation, thinned_curve
from benchmarks.affine.networks import Config, load, one_line
from benchmarks.affine.table_5_rows import BASELINES, SEPARATED, SEPARATION_MASS, SETUPS
from benchmarks.affine.table_5_section import plot, section
from benchmarks.data.events import Events
from benchmarks.rows import in_turn
from benchmarks.samples import Samples
from benchmarks.terminal import Display
from benchmarks.training import QUICK

__all__ = ["SCALES", "load", "one_line", "plot", "run", "section"]

SCALES = {
    "smoke": Config(epochs=1, n_train=20_000, n_test=5_000, imbalanced=True, individual_background="all", **QUICK),
    "embedded": Config(epochs=15, imbalanced=True, individual_background="all", **QUICK),
    "paper": Config(sample="hepmass", imbalanced=True, individual_background="all"),
}


class Row(networks.Row):
    """One row of the table with one seed.

    Rows that the figures need have `curves`, and those of Fig. 13 `separations`, of the epoch kept, each with its
    `mass` in GeV; the lists of the others are empty.
    """

    curves: list[Curve]
    separations: list[Separation]


def row_names(config: Config) -> tuple[str, ...]:
    """The rows of the table."""
    return tuple(SETUPS)


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Trains and tests the networks of one row."""
    row = networks.make_row(config, samples, SETUPS[name], name, seed, display, partial(_measure, name))
    del row["curves_last"], row["separations_last"]
    return row


run = in_turn(row_names, make_row)


def _measure(name: str, model, test: Events, hypotheses: np.ndarray) -> dict[str, list]:
    """What a row holds of one network, at each hypothesis; the curves at those that a figure shows."""
    measured, curves, separations = [], [], []
    for hypothesis in hypotheses:
        label, score = networks.scores_at(model, test, hypothesis)
        measured.append(networks.at_one_mass(label, score))
        mass = float(hypothesis[0])
        in_fig_13 = name in SEPARATED and mass == SEPARATION_MASS
        if name in BASELINES or in_fig_13:
            curves.append({"mass": mass, **thinned_curve(label, score)})
        if in_fig_13:
            separations.append({"mass": mass, **separation(label, score)})
    lists = {field: [of_mass[field] for of_mass in measured] for field in measured[0]}
    return lists | {"curves": curves, "separations": separations}
