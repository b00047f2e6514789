"""The papers' numbers, copied digit by digit and keyed by experiment and row.

TAYLOR: Wunsch, Friese, Wolf and Quast, arXiv:1803.08782, section 4.

NEOS: Simpson and Heinrich, arXiv:2203.05570, which has curves without numbers, and one number in its text.

AFFINE: Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, Tables 3, 4 and 5. A row is called as in the paper: kind
of network, "(full)" where the batches are fully balanced, then the distribution of the background's mass.
"""

from typing import NamedTuple

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


AFFINE_TABLE_3 = {
    "Single-NN": PerMass((68.55, 89.37, 96.38, 98.07, 98.69), 90.21),
    "Individual-NNs": PerMass((77.35, 92.59, 97.42, 98.89, 99.45), 93.14),
    "pNN uniform (fixed)": PerMass((70.95, 91.80, 97.26, 98.79, 99.37), 91.63),
    "Affine uniform (fixed)": PerMass((71.24, 90.81, 96.94, 98.64, 99.26), 91.38),
    "pNN uniform (sampled)": PerMass((71.63, 91.71, 97.25, 98.82, 99.39), 91.76),
    "Affine uniform (sampled)": PerMass((70.16, 91.61, 97.16, 98.75, 99.34), 91.40),
    "pNN identical (fixed)": PerMass((76.78, 92.56, 97.46, 98.92, 99.46), 93.04),
    "Affine identical (fixed)": PerMass((77.34, 92.80, 97.55, 98.96, 99.49), 93.23),
    "pNN identical (sampled)": PerMass((76.77, 92.60, 97.48, 98.92, 99.46), 93.05),
    "Affine identical (sampled)": PerMass((77.31, 92.77, 97.55, 98.96, 99.49), 93.22),
}

# Trained on the signal at 500 and 1500 GeV alone: the other three masses are interpolated.
AFFINE_TABLE_4 = {
    "pNN identical (sampled)": PerMass(
        (76.65, 76.66, 93.93, 97.92, 98.93), 88.82, (73.77, 74.08, 88.06, 92.37, 89.14), 83.48
    ),
    "pNN (full) identical (sampled)": PerMass(
        (76.88, 73.69, 93.85, 98.21, 99.17), 88.36, (74.30, 75.21, 88.40, 93.58, 92.73), 84.84
    ),
    "Affine (full) identical (sampled)": PerMass(
        (76.20, 84.68, 94.87, 97.87, 98.89), 90.50, (73.96, 80.26, 89.03, 92.75, 89.05), 85.01
    ),
}

AFFINE_TABLE_5 = {
    "Single-NN": PerMass((72.62, 86.56, 92.68, 93.83, 94.06), 87.95, (73.32, 79.38, 85.36, 86.73, 86.75), 82.31),
    "Individual-NNs": PerMass((76.81, 92.28, 96.98, 98.44, 98.93), 92.69, (73.87, 85.96, 91.60, 93.43, 92.83), 87.54),
    "pNN identical (fixed)": PerMass(
        (76.71, 92.46, 97.35, 98.80, 99.35), 92.93, (74.29, 86.11, 92.37, 94.47, 92.20), 87.89
    ),
    "pNN (full) identical (fixed)": PerMass(
        (76.29, 92.33, 97.33, 98.79, 99.34), 92.82, (74.17, 86.14, 92.44, 95.18, 96.30), 88.85
    ),
    "Affine (full) identical (fixed)": PerMass(
        (76.45, 92.46, 97.38, 98.78, 99.31), 92.88, (74.12, 86.23, 92.50, 95.07, 94.77), 88.54
    ),
    "pNN identical (sampled)": PerMass(
        (76.71, 92.46, 97.35, 98.80, 99.35), 92.93, (74.37, 86.11, 92.33, 94.28, 92.01), 87.82
    ),
    "pNN (full) identical (sampled)": PerMass(
        (76.38, 92.39, 97.34, 98.79, 99.34), 92.85, (74.14, 86.16, 92.46, 95.16, 96.42), 88.87
    ),
    "Affine (full) identical (sampled)": PerMass(
        (76.41, 92.43, 97.37, 98.80, 99.34), 92.87, (74.12, 86.18, 92.47, 95.09, 94.90), 88.55
    ),
    "pNN uniform (fixed)": PerMass(
        (76.67, 92.41, 97.33, 98.79, 99.34), 92.91, (74.28, 86.09, 92.36, 94.73, 93.03), 88.10
    ),
    "pNN (full) uniform (fixed)": PerMass(
        (72.20, 91.41, 97.11, 98.70, 99.25), 91.73, (72.17, 85.42, 92.16, 94.93, 96.23), 88.18
    ),
    "Affine (full) uniform (fixed)": PerMass(
        (67.02, 91.15, 97.08, 98.70, 99.30), 90.65, (70.71, 85.39, 92.04, 94.88, 96.34), 87.87
    ),
    "pNN uniform (sampled)": PerMass(
        (72.20, 91.48, 97.17, 98.72, 99.29), 91.77, (72.82, 85.54, 92.11, 94.82, 95.05), 88.07
    ),
    "pNN (full) uniform (sampled)": PerMass(
        (71.35, 91.54, 97.18, 98.73, 99.31), 91.62, (71.50, 85.43, 92.19, 94.98, 96.44), 88.11
    ),
    "Affine (full) uniform (sampled)": PerMass(
        (66.08, 90.37, 96.82, 98.51, 99.14), 90.18, (71.90, 84.85, 91.55, 94.40, 95.91), 87.72
    ),
}


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
