"""The papers' numbers, copied digit by digit and keyed by experiment and row.

TAYLOR: Wunsch, Friese, Wolf and Quast, arXiv:1803.08782, section 4.

NEOS: Simpson and Heinrich, arXiv:2203.05570, which has curves without numbers, and one number in its text.

AFFINE: Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, Tables 3, 4 (trained on the signal at 500 and 1500 GeV
alone) and 5. A row is called as in the paper: kind of network, "(full)" where the batches are fully balanced, then the
distribution of the background's mass.
"""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

MASSES = (500, 750, 1000, 1250, 1500)  # GeV, the columns of Tables 3 to 5


class PerMass(NamedTuple):
    """One row of a table: per cent at each of MASSES, and the average that the paper prints.

    Args:
        auc: area under the ROC curve.
        mean_auc: the paper's average of `auc`.
        significance: significance ratio, where the table has it.
        mean_significance: the paper's average of `significance`.
    """

    auc: tuple[float, ...]
    mean_auc: float
    significance: tuple[float, ...] | None = None
    mean_significance: float | None = None


def affine_table(number: int) -> dict[str, PerMass]:
    """Table 3, 4 or 5 by row, from `published.csv`."""
    numbers = pd.read_csv(Path(__file__).with_name("published.csv"), index_col=["table", "row", "quantity"]).loc[number]
    found = {}
    for (row, quantity), values in numbers.iterrows():
        *at_masses, mean = values.tolist()
        found.setdefault(row, {}).update({quantity: tuple(at_masses), f"mean_{quantity}": mean})
    return {row: PerMass(**fields) for row, fields in found.items()}


AFFINE_TABLE_3, AFFINE_TABLE_4, AFFINE_TABLE_5 = map(affine_table, (3, 4, 5))


class Extrapolation(NamedTuple):
    """By how much the mean AUC falls in training on one mass alone, in per cent; bounds, from a figure's caption.

    Args:
        lightest: "more than" this on 500 GeV alone.
        others: "at most" this on any other mass alone.
    """

    lightest: float
    others: float


AFFINE_FIG_8 = Extrapolation(lightest=30.0, others=8.0)


class DataSet(NamedTuple):
    """A column of AFFINE's Table 1.

    Args:
        n_train: training events.
        n_test: test events.
        signal: share of signal in the training events, per cent.
        signal_imbalance: signal events of the most frequent mass for one of the rarest; "up to".
        n_features: features of an event.
    """

    n_train: float
    n_test: float
    signal: float
    signal_imbalance: float
    n_features: int


AFFINE_TABLE_1 = {
    "HEPMASS": DataSet(7e6, 3.5e6, signal=50.0, signal_imbalance=1.0, n_features=27),
    "HEPMASS-IMB": DataSet(4e6, 3.5e6, signal=13.0, signal_imbalance=166.0, n_features=27),
}

AFFINE_TABLE_2 = (300, 150, 100, 50)  # units of the hidden layers

# Of the networks in the code of the paper's authors; the text says "about 70k".
AFFINE_PARAMETERS = {"Single-NN": 73_751, "pNN": 74_051, "Affine": 76_151}


class HiggsML(NamedTuple):
    """Of the network on HiggsML.

    Args:
        auc: area under the ROC curve, per cent, with all inputs and with the reduced ones.
        ams: approximate median significance with all inputs.
        n_inputs: inputs in the upper 5 % of the ranking, which are the reduced ones.
        n_peak: features with DER_mass_vis among the first ten.
    """

    auc: float
    ams: float
    n_inputs: int
    n_peak: int


TAYLOR_HIGGSML = HiggsML(auc=92.0, ams=2.61, n_inputs=9, n_peak=7)

FIRST_ORDER, FIRST_ANGLE = "first feature of the first order", "first feature with a \N{GREEK SMALL LETTER PHI}"

TAYLOR_HIGGSML_RANKS = {
    "DER_mass_vis, DER_pt_ratio_lep_tau": 1,
    "DER_mass_vis, DER_mass_vis": 6,
    "DER_mass_vis": 10,
    FIRST_ORDER: 10,
    FIRST_ANGLE: 82,
}


class LearningCurve(NamedTuple):
    """Of the network in training on task c, in gradient steps.

    Args:
        plateau_auc: per cent, on the first plateau.
        plateau: where the AUC comes to it, "approximately up to minimization step 30".
        fall: where the first-order features begin to decrease.
        second_rise: where the AUC rises again, "roughly 100 minimization steps later" than `plateau`.
        stop: where the stopping criterion is met.
    """

    plateau_auc: float
    plateau: int
    fall: int
    second_rise: int
    stop: int


TAYLOR_FIG_2 = LearningCurve(plateau_auc=84.0, plateau=30, fall=50, second_rise=130, stop=339)

NEOS_TIME_RATIO = 3.0  # section 4: training times "are a factor of 3 or so higher" than with cross-entropy
