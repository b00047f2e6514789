"""What TAYLOR, section 4, states of a ranking of features and of a network of the first inputs, as claims.

Ranks count from 1. The paper does not say where it starts, and its first author's later code starts from 0.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import pandas as pd

import pnn_tf
from benchmarks.claims import Claim, above, below, over_seeds, within
from benchmarks.published import FIRST_ANGLE, FIRST_ORDER, TAYLOR_HIGGSML
from benchmarks.tables import pick
from taylor import FeatureSet, TaylorImportance

PEAK = "DER_mass_vis"
N_TOP = 10  # features that are looked at
# Primitive azimuths are those of an object's direction. By symmetry about the beam none of them alone separates.
ANGLE = r"_phi(?:,|$)"
KINDS = {FIRST_ORDER: r"^[^,]*$", FIRST_ANGLE: ANGLE}


def importance(*rows: Mapping) -> TaylorImportance:
    """<|t|> and its error averaged over the rows, which are of one treatment, with the ranking that follows."""
    features = FeatureSet.complete(tuple(rows[0]["inputs"]), 2)
    mean, error = (np.mean([row[field] for row in rows], axis=0) for field in ("mean", "error"))
    return TaylorImportance(features, mean, error, rows[0]["n_test"], rows[0]["engine"])


def matching(pattern: str, *rows: Mapping) -> pd.Series:
    """(n_features,) along the ranking, whether the label of a feature matches a regular expression."""
    return importance(*rows).to_frame()["feature"].str.contains(pattern)


def with_input(name: str) -> str:
    """Matches the features that contain an input, whose name is one word."""
    return rf"\b{name}\b"


def rank(what: str, row: Mapping) -> int:
    """The rank of a feature by its label, or of the first feature of a kind: FIRST_ORDER or FIRST_ANGLE."""
    return 1 + int(matching(KINDS.get(what, f"^{re.escape(what)}$"), row).argmax())


def rank_of_input(name: str, row: Mapping) -> int:
    """The rank of an input among the features of the first order."""
    return int(matching(KINDS[FIRST_ORDER], row)[: rank(name, row)].sum())


def n_top(name: str, row: Mapping) -> int:
    """How many of the first N_TOP features contain an input."""
    return int(matching(with_input(name), row)[:N_TOP].sum())


def angles_low(row: Mapping) -> float:
    """Share of the features with a primitive azimuth that are in the lower half of the ranking, per cent."""
    found = matching(ANGLE, row)
    return 100 * float(found[len(found) // 2 :].sum() / found.sum())


def large(row: Mapping) -> float:
    """Share of the features whose <|t|> is above half of the largest, per cent."""
    return 100 * float(np.mean(np.array(row["mean"]) > max(row["mean"]) / 2))


def error_of_auc(row: Mapping) -> float:
    """Standard error of the unweighted AUC with all inputs from the finite test sample, points."""
    return 100 * pnn_tf.auc_error(row["auc"][0], row["n_signal"], row["n_test"] - row["n_signal"])


def auc_of_kept(row: Mapping) -> float:
    """AUC with the kept inputs minus that with all, weighted where there are weights, points."""
    with_all, with_kept = row["auc_weighted"] or row["auc"]
    return 100 * (with_kept - with_all)


def roc_of_kept(row: Mapping) -> dict[str, float]:
    """The same of the background's efficiency, at some of the signal's."""
    return {f"{at} % of the signal": 100 * (row["roc"][1][at - 1] - row["roc"][0][at - 1]) for at in (10, 50, 90)}


AUC, AMS, N_INPUTS, N_PEAK = TAYLOR_HIGGSML
PAIR, SQUARE = f"{PEAK}, DER_pt_ratio_lep_tau", f"{PEAK}, {PEAK}"
OF_ANY = (  # statement, what is read off a row, criterion, published, unit, decimals, error from the test sample
    ("No feature with a φ is in the upper 5 %: rank of the first", partial(rank, FIRST_ANGLE), above(25), 82, "", 0),
    ("Features with a φ come last: share in the lower half", angles_low, above(50), None, "%", 0),
    ("Few features count: share with <|t|> above half of the largest", large, below(5), None, "%", 1),
    ("The kept inputs do as well as all: AUC", auc_of_kept, within(0.5), 0.0, "points", 2),
    ("The kept inputs do as well as all: background efficiency", roc_of_kept, within(0.5), 0.0, "points", 2),
)
OF_HIGGSML = (
    ("Weighted AUC", lambda row: 100 * row["auc_weighted"][0], within(0.5, AUC), AUC, "%", 2, error_of_auc),
    ("AMS of the best cut on test events", lambda row: row["ams"][0], within(0.26, AMS), AMS, "", 2),
    ("AMS of the best cut on training events", lambda row: row["ams_unbiased"][0], within(0.26, AMS), AMS, "", 2),
    (f"({PAIR}) is the first feature: its rank", partial(rank, PAIR), within(0.5, 1), 1, "", 1),
    (f"({SQUARE}) is among the first ten: its rank", partial(rank, SQUARE), below(10.5), 6, "", 1),
    (f"{PEAK} is among the first ten: its rank", partial(rank, PEAK), below(10.5), 10, "", 1),
    (f"{PEAK} is the first input: its rank among these", partial(rank_of_input, PEAK), within(0.5, 1), 1, "", 1),
    (f"Most of the first ten features contain {PEAK}", partial(n_top, PEAK), above(5), N_PEAK, "features", 1),
    ("Nine inputs make up the upper 5 %", lambda row: len(row["kept"]), within(1.5, N_INPUTS), N_INPUTS, "inputs", 1),
    *OF_ANY,
)


def claims_on(names: Mapping[str, str]) -> Iterator[Claim]:
    """The paper's claims on both treatments of undefined values; what can be said of other events as our own.

    The names are those of the rows, by treatment.
    """
    for treatment in ("mean", "keep", "none"):
        row, ours = names[treatment], treatment == "none"
        of, scales = ("HEPMASS-like", ("embedded",)) if ours else (row, ("paper", "file"))
        for text, value, criterion, paper, unit, decimals, *error in OF_ANY if ours else OF_HIGGSML:
            measure, paper = over_seeds(value, partial(pick, row=row), *error), None if ours else paper
            yield Claim(f"{text} ({of})", measure, criterion, paper, "", unit, decimals, ours, scales=scales)
