"""Cells and the error of an AUC."""

import math

import numpy as np
import pytest

from benchmarks.comparison import Cell, auc_error, cell


def test_a_cell_is_mean_and_spread_and_difference():
    measured = cell([1.0, 2.0, 6.0], paper=2.5)
    assert measured == Cell(3.0, pytest.approx(math.sqrt(7.0)), 2.5)
    assert measured.difference == pytest.approx(0.5)
    assert cell([1.0]) == Cell(1.0, None, None)
    assert cell([1.0]).difference is None


def test_the_error_of_a_useless_classifier_is_that_of_the_rank_sum():
    # Without separation the variance of the AUC is known exactly: (n + m + 1) / (12 n m).
    assert auc_error(0.5, 300, 700) == pytest.approx(math.sqrt(1001 / (12 * 300 * 700)), rel=1e-12)


def test_the_error_is_that_of_repeated_samples():
    # Exponential scores, for which the formula's Q1 and Q2 are exact; A = 4/5 for rates 1 and 4.
    generator = np.random.default_rng(3)
    n_signal, n_background = 100, 150
    repeated = []
    for _ in range(2000):
        signal, background = generator.exponential(4.0, n_signal), np.sort(generator.exponential(1.0, n_background))
        repeated.append(np.searchsorted(background, signal).mean() / n_background)
    # 2000 repetitions determine a standard deviation to 1.6 %: three of them, and a little.
    assert np.std(repeated) == pytest.approx(auc_error(0.8, n_signal, n_background), rel=0.06)
