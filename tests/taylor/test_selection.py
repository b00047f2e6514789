"""Inputs behind the top of a ranking, counted by hand."""

import numpy as np
import pytest

from taylor import FeatureSet, TaylorImportance, select_features

NAMES = ("mass", "pt", "phi")
# Columns: mass, pt, phi, then the pairs in lexicographic order. Ranked: (pt, phi), mass, (mass, mass), pt, the others.
MEAN = np.array([5.0, 3.0, 0.1, 4.0, 0.2, 0.3, 0.4, 6.0, 0.5])


@pytest.fixture
def importance():
    return TaylorImportance(FeatureSet.complete(NAMES, 2), MEAN, np.zeros(9), 100, "adjoint")


@pytest.mark.parametrize(
    ("asked", "names", "n_features"),
    [
        ({"k": 1}, ("pt", "phi"), 1),
        ({"k": 2}, ("pt", "phi", "mass"), 2),
        ({"fraction": 0.05}, ("pt", "phi"), 1),  # 0.45 of a feature, rounded up
        ({"fraction": 1.0}, ("pt", "phi", "mass"), 9),
    ],
)
def test_inputs_come_in_the_order_of_the_ranking(importance, asked, names, n_features):
    selection = select_features(importance, **asked)
    assert selection.names == names
    assert [NAMES[i] for i in selection.indices] == list(names)
    assert selection.n_features == n_features


def test_a_fraction_that_is_a_whole_number_of_features_is_not_rounded_up(importance):
    # 495 features of which 0.2 are 99; the product of floats is 99.00000000000001 or so for some fractions.
    features = FeatureSet.complete(tuple(f"x{i}" for i in range(30)), 2)
    importance = TaylorImportance(features, np.arange(495.0), np.zeros(495), 100, "adjoint")
    assert [select_features(importance, fraction=k / 495).n_features for k in range(1, 496)] == list(range(1, 496))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "Expected one of fraction and k"),
        ({"fraction": 0.1, "k": 1}, "Expected one of fraction and k"),
        ({"fraction": 0.0}, "fraction above 0"),
        ({"fraction": 1.1}, "fraction above 0"),
        ({"k": 0}, "k between 1 and 9"),
        ({"k": 10}, "k between 1 and 9"),
    ],
)
def test_what_is_out_of_range_is_refused(importance, asked, message):
    with pytest.raises(ValueError, match=message):
        select_features(importance, **asked)
