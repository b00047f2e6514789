"""Cells: mean, spread and difference."""

import math

import pytest

from benchmarks.comparison import Cell, cell


def test_a_cell_is_mean_and_spread_and_difference():
    measured = cell([1.0, 2.0, 6.0], paper=2.5)
    assert measured == Cell(3.0, pytest.approx(math.sqrt(7.0)), 2.5)
    assert measured.difference == pytest.approx(0.5)
    assert cell([1.0]) == Cell(1.0, None, None)
    assert cell([1.0]).difference is None
