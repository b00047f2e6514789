"""Binned shares of features, and in which units."""

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES
from benchmarks.data.hepmass_like import read_recipe
from benchmarks.pnn.distributions import N_BINS, bin_edges, distribution, in_units


def test_shares_are_of_all_events_of_each_class():
    events = Events([[0], [1], [1], [2], [0], [1]], [500, 500, 500, 500, 750, 750], [0, 0, 0, 0, 1, 1], names=("x",))
    found = distribution(events, "x", "hepmass")
    assert found["edges"] == [-0.5, 0.5, 1.5, 2.5] and found["background"] == [0.25, 0.5, 0.25]
    assert found["masses"] == [750.0] and found["signal"] == [[0.5, 0.5, 0]]
    many = Events(np.arange(2000)[:, None] / 2, np.full(2000, 500), np.arange(2000) % 2, names=("x",))
    assert sum(distribution(many, "x", "hepmass")["background"]) == pytest.approx(0.988, abs=2e-3)  # of 1000 events


def test_few_values_have_a_bin_each_and_many_equal_bins():
    assert bin_edges(np.array([4, 6, 5, 4])).tolist() == [3.5, 4.5, 5.5, 6.5]
    edges = bin_edges(np.linspace(0, 1, 1001))
    assert len(edges) == N_BINS + 1
    np.testing.assert_allclose([edges[0], edges[-1]], [0.002, 0.99])


def test_features_in_units_have_the_recipes_mean_and_whole_counts():
    events, mean = Events(np.zeros((1, 27)), [500], [1], names=FEATURE_NAMES), read_recipe()["mean"]
    (of_jet,), (number,) = (in_units(events, name, "hepmass-like") for name in ("jet1_pt", "n_jets"))
    assert of_jet == pytest.approx(mean[FEATURE_NAMES.index("jet1_pt")], rel=1e-6)  # float32
    assert number == round(mean[FEATURE_NAMES.index("n_jets")])
    assert in_units(events, "jet1_pt", "hepmass") == 0
