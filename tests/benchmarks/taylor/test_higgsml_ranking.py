"""Statements about a ranking, on rankings that are known."""

import numpy as np
import pytest

from benchmarks.published import FIRST_ANGLE, FIRST_ORDER, TAYLOR_HIGGSML_RANKS
from benchmarks.taylor import higgsml_ranking
from taylor import FeatureSet, TaylorImportance


def ranking_of(names: tuple[str, ...], *first: str) -> TaylorImportance:
    """Features named come first, in this order, the others after them as they are."""
    features = FeatureSet.complete(names, 2)
    mean = [len(first) - first.index(label) + 1 if label in first else 0 for label in features.labels]
    return TaylorImportance(features, np.array(mean, float), np.zeros(len(mean)), 1, "adjoint")


def test_ranks_without_higgsml_are_those_of_the_peak():
    ranking = ranking_of(("m", "lep_phi", "pt"), "m, pt", "m, m", "lep_phi, pt", "pt")
    assert higgsml_ranking.ranks(ranking, "m") == {"m, m": 2, "m": 5, FIRST_ORDER: 4, FIRST_ANGLE: 3}


def test_ranks_on_higgsml_are_those_that_the_paper_states(rows):
    found = higgsml_ranking.ranks(higgsml_ranking.importance(rows[:1]), "DER_mass_vis")
    assert list(found) == list(TAYLOR_HIGGSML_RANKS)
    assert list(found.values())[:4] == [1, 3, 2, 2]


def test_the_centrality_is_no_primitive_azimuth():
    ranking = ranking_of(("DER_met_phi_centrality", "PRI_met_phi"), "DER_met_phi_centrality")
    assert higgsml_ranking.angles(ranking).tolist() == [False, True, False, True, True]
    assert higgsml_ranking.first_angle(ranking).feature == "PRI_met_phi"


def test_containing_follows_the_ranking():
    ranking = ranking_of(("a", "b", "c"), "b, c", "a")
    labels = [line.feature for line in ranking.ranking()]
    assert higgsml_ranking.containing(ranking, ["a"]).tolist() == ["a" in label for label in labels]


def test_importance_is_the_mean_over_seeds(rows):
    group = higgsml_ranking.by_treatment(rows)["undefined at the mean"]
    assert [row["seed"] for row in group] == [1, 2]
    both = higgsml_ranking.importance(group)
    assert both.mean == pytest.approx((np.array(rows[0]["mean"]) + np.array(rows[2]["mean"])) / 2)
