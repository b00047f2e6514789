"""What TAYLOR, section 4, states of the ranking of features, read off the rows of an experiment.

Ranks count from 1. The paper does not say where it starts, and its first author's later code starts from 0.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np

from benchmarks.published import FIRST_ANGLE, FIRST_ORDER, TAYLOR_HIGGSML_RANKS
from taylor import FeatureSet, RankedFeature, TaylorImportance


def by_treatment(rows: Sequence[Mapping]) -> dict[str, list[Mapping]]:
    """The rows of each treatment, one a seed, in the order in which treatments first come."""
    names = list(dict.fromkeys(row["row"] for row in rows))
    ordered = sorted(rows, key=lambda row: names.index(row["row"]))
    return {name: list(group) for name, group in groupby(ordered, key=lambda row: row["row"])}


def importance(rows: Sequence[Mapping]) -> TaylorImportance:
    """<|t|> and its error averaged over the rows, which are of one treatment, with the ranking that follows."""
    features = FeatureSet.complete(tuple(rows[0]["inputs"]), 2)
    mean, error = (np.mean([row[field] for row in rows], axis=0) for field in ("mean", "error"))
    return TaylorImportance(features, mean, error, rows[0]["n_test"], rows[0]["engine"])


def ranks(ranking: TaylorImportance, peak: str) -> dict[str, int]:
    """The ranks that the paper states, by what is ranked; the keys on HiggsML are those of TAYLOR_HIGGSML_RANKS.

    Args:
        ranking: of all features of the first and second order.
        peak: the input with the peak of the signal, DER_mass_vis on HiggsML.
    """
    labels = [label for label in TAYLOR_HIGGSML_RANKS if label in ranking.features.labels] or [f"{peak}, {peak}", peak]
    return {
        **{label: ranking.of(*label.split(", ")).rank for label in labels},
        FIRST_ORDER: highest_first_order(ranking).rank,
        FIRST_ANGLE: first_angle(ranking).rank,
    }


def highest_first_order(ranking: TaylorImportance) -> RankedFeature:
    """The first feature that is a single input."""
    return next(line for line in ranking.ranking() if line.order == 1)


def first_angle(ranking: TaylorImportance) -> RankedFeature:
    """The first feature that contains a primitive azimuth."""
    return ranking.ranking()[int(np.argmax(angles(ranking)))]


def angles(ranking: TaylorImportance) -> np.ndarray:
    """(n_features,) along the ranking, whether a feature contains a primitive azimuth: one of an object's direction.

    By symmetry about the beam none of them alone separates anything.
    """
    return containing(ranking, [name for name in ranking.features.names if name.endswith("_phi")])


def containing(ranking: TaylorImportance, inputs: Sequence[str]) -> np.ndarray:
    """(n_features,) along the ranking, whether a feature contains one of the inputs."""
    columns = {ranking.features.names.index(name) for name in inputs}
    return np.array([not columns.isdisjoint(line.inputs) for line in ranking.ranking()])
