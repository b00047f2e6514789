"""What TAYLOR, section 4, states of the ranking of features, read off the rows of an experiment.

Ranks count from 1. The paper does not say where it starts, and its first author's later code starts from 0.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.published import FIRST_ANGLE, FIRST_ORDER
from taylor import FeatureSet, TaylorImportance

N_TOP = 10  # features that are looked at


def importance(*rows: Mapping) -> TaylorImportance:
    """<|t|> and its error averaged over the rows, which are of one treatment, with the ranking that follows."""
    features = FeatureSet.complete(tuple(rows[0]["inputs"]), 2)
    mean, error = (np.mean([row[field] for row in rows], axis=0) for field in ("mean", "error"))
    return TaylorImportance(features, mean, error, rows[0]["n_test"], rows[0]["engine"])


def containing(ranking: TaylorImportance, inputs: Sequence[str]) -> np.ndarray:
    """(n_features,) along the ranking, whether a feature contains one of the inputs."""
    columns = {ranking.features.names.index(name) for name in inputs}
    return np.array([not columns.isdisjoint(line.inputs) for line in ranking.ranking()])


def angles(ranking: TaylorImportance) -> np.ndarray:
    """(n_features,) along the ranking, whether a feature contains a primitive azimuth: one of an object's direction.

    By symmetry about the beam none of them alone separates anything.
    """
    return containing(ranking, [name for name in ranking.features.names if name.endswith("_phi")])


def rank(what: str, row: Mapping) -> int:
    """The rank of a feature by its label, or of the first feature of a kind: FIRST_ORDER or FIRST_ANGLE."""
    ranking = importance(row)
    if what == FIRST_ANGLE:
        return 1 + int(np.argmax(angles(ranking)))
    if what == FIRST_ORDER:
        return int(ranking.ranks[ranking.features.orders == 1].min())
    return int(ranking.ranks[ranking.features.labels.index(what)])


def rank_of_input(name: str, row: Mapping) -> int:
    """The rank of an input among the features of the first order."""
    ranks = importance(row).ranks
    return int(np.sum(ranks[: len(row["inputs"])] <= ranks[row["inputs"].index(name)]))


def n_top(name: str, row: Mapping) -> int:
    """How many of the first N_TOP features contain an input."""
    return int(containing(importance(row), [name])[:N_TOP].sum())


def angles_low(row: Mapping) -> float:
    """Share of the features with a primitive azimuth that are in the lower half of the ranking, per cent."""
    chosen = angles(importance(row))
    return 100 * float(chosen[len(chosen) // 2 :].sum() / chosen.sum())


def large(row: Mapping) -> float:
    """Share of the features whose <|t|> is above half of the largest, per cent."""
    return 100 * float(np.mean(np.array(row["mean"]) > max(row["mean"]) / 2))
