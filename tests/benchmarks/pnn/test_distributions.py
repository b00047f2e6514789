"""Binned shares of features, and how far two of them are apart."""

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.pnn.distributions import N_BINS, bin_edges, distribution, separation


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
    values = np.linspace(0, 1, 1001)
    edges = bin_edges(values)
    assert len(edges) == N_BINS + 1
    np.testing.assert_allclose([edges[0], edges[-1]], [0.002, 0.99])
