"""Binned shares of features, in which units, and how far two of them are apart."""

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES
from benchmarks.data.hepmass_like import read_recipe
from benchmarks.pnn.distributions import (
    M_WWBB,
    N_BINS,
    axis_label,
    bin_edges,
    distribution,
    physical,
    reconstructed_mass,
    separation,
)


def test_shares_are_of_all_events_of_each_class():
    features = [[0.5], [1.5], [1.6], [9.0], [0.1], [1.1]]
    events = Events(features, [500, 500, 500, 500, 750, 750], [0, 0, 0, 0, 1, 1], names=("x",))
    found = distribution(events, "x", np.array([0.0, 1.0, 2.0]))
    assert found["background"] == [0.25, 0.5]  # a quarter lies outside
    assert found["masses"] == [750.0] and found["signal"] == [[0.5, 0.5]]
    # |0.5 - 0.25| + |0.5 - 0.5| inside, and a quarter against none outside.
    assert separation(found, 750.0) == pytest.approx((0.25 + 0.25) / 2)


def test_shapes_that_do_not_overlap_are_one_apart():
    events = Events([[0.5], [1.5]], [500, 500], [0, 1], names=("x",))
    assert separation(distribution(events, "x", np.array([0.0, 1.0, 2.0])), 500.0) == 1
    assert separation(distribution(events, "x", np.array([0.0, 2.0])), 500.0) == 0


def test_few_values_have_a_bin_each_and_many_equal_bins():
    assert bin_edges(np.array([4, 6, 5, 4])).tolist() == [3.5, 4.5, 5.5, 6.5]
    edges = bin_edges(np.linspace(0, 1, 1001))
    assert len(edges) == N_BINS + 1
    np.testing.assert_allclose([edges[0], edges[-1]], [0.002, 0.99])


def test_physical_features_have_the_recipes_mean_and_whole_counts():
    events = Events(np.zeros((1, 27)), [500], [1], names=FEATURE_NAMES)
    found = dict(zip(FEATURE_NAMES, physical(events, "hepmass-like").features[0], strict=True))
    mean = dict(zip(FEATURE_NAMES, read_recipe()["mean"], strict=True))
    assert found["jet1_pt"] == pytest.approx(mean["jet1_pt"], rel=1e-6)  # float32
    assert found["n_jets"] == round(mean["n_jets"])
    assert physical(events, "hepmass") is events
    assert reconstructed_mass(events, "hepmass-like") == pytest.approx(mean[M_WWBB], rel=1e-6)
    assert reconstructed_mass(events, "hepmass") == pytest.approx(1005.875, abs=1e-3)


def test_units_are_those_of_the_feature():
    names = ("met", "met_phi", "jet2_pt", "m_jlv", "n_jets", "jet1_eta")
    labels = ["met (GeV)", "met_phi (rad)", "jet2_pt (GeV)", "m_jlv (GeV)", "n_jets", "jet1_eta"]
    assert [axis_label(name, in_units=True) for name in names] == labels
