"""Copies of events: a Poisson distribution, and the same for an event wherever it is drawn."""

import numpy as np
import pytest

from taylor.bootstrap import draw_copies


@pytest.mark.parametrize("n_replicas", [1, 8, 13])
def test_copies_follow_from_the_number_of_the_event(n_replicas):
    whole = draw_copies(0, 300, n_replicas, 7).numpy()
    assert whole.shape == (300, n_replicas)
    for first in (1, 64, 299):
        assert np.array_equal(draw_copies(first, 300 - first, n_replicas, 7), whole[first:])
    for numbers in ([0, 3, 4, 299], [5, 290], [2]):
        found = draw_copies(np.array(numbers), 6, n_replicas, 7).numpy()  # two or more only fill up
        assert np.array_equal(found[: len(numbers)], whole[numbers])
    far = draw_copies(10**12, 5, n_replicas, 7).numpy()
    assert np.array_equal(draw_copies(np.array([10**12, 10**12 + 4]), 2, n_replicas, 7), far[[0, 4]])


def test_they_are_of_a_poisson_distribution():
    copies = draw_copies(0, 100_000, 10, 1).numpy().astype(int)
    # A million numbers: 1e-3 for the mean, sqrt(3) of that for the variance, 4 sigma each.
    assert abs(copies.mean() - 1) < 4e-3
    assert abs(copies.var() - 1) < 7e-3
    expected = np.exp(-1.0) / np.cumprod([1, 1, 2, 3, 4])
    np.testing.assert_allclose(np.bincount(copies.ravel())[:5] / copies.size, expected, atol=4 * 5e-4)
    assert np.abs(np.corrcoef(copies.T) - np.eye(10)).max() < 5 / np.sqrt(100_000)
    assert np.abs(np.corrcoef(copies[:-1, 0], copies[1:, 0])[0, 1]) < 5 / np.sqrt(100_000)
    assert not np.array_equal(copies, draw_copies(0, 100_000, 10, 2))


def test_no_replicas_are_no_columns():
    assert draw_copies(3, 5, 0, 1).shape == (5, 0)
