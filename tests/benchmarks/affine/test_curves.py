"""Thinned curves against the exact ones."""

import numpy as np
import pytest

import pnn_tf
from benchmarks.affine import curves


@pytest.fixture(scope="module")
def events():
    """Labels and scores of 1000 signal and 5000 background events, a third of the latter at one score."""
    generator = np.random.default_rng(3)
    label = np.repeat([1, 0], [1000, 5000])
    score = 1 / (1 + np.exp(-generator.normal(2.5 * label)))
    score[-1700:] = 0.25
    return label, score


def test_a_thinned_curve_keeps_its_area_and_its_best_cut(events):
    label, score = events
    curve = curves.thinned_curve(label, score)
    assert 60 < len(curve["cut"]) <= curves.N_POINTS
    assert all(len(values) == len(curve["cut"]) for values in curve.values())
    assert np.all(np.diff(curve["cut"]) < 0) and curve["signal"][-1] == curve["background"][-1] == 1
    for cut, efficiency in zip(curve["cut"], curve["background"], strict=True):
        # The cut has five digits: it moves by 5e-6 at most, past 1 of 6000 events here.
        assert np.mean(score[label == 0] >= cut) == pytest.approx(efficiency, abs=3 / 5000)
    area = np.trapezoid([0, *curve["signal"]], [0, *curve["background"]])
    # Trapezoids over a convex curve of at least 39 steps in each efficiency: below the exact area by 1/39^2 or less.
    assert area == pytest.approx(pnn_tf.roc_auc(label, score), abs=1e-3)
    exact = pnn_tf.significance_ratio(label, score, np.where(label == 1, 1.0, 1 / 5))
    assert curves.best(curve) == pytest.approx((exact.cut, exact.ratio), rel=1e-4)  # five digits


def test_purity_and_significance_follow_from_the_efficiencies():
    curve = {"cut": [0.9, 0.5, 0.1], "signal": [0.0, 0.6, 1.0], "background": [0.0, 0.2, 1.0]}
    assert curves.purity(curve) == pytest.approx([0, 0.75, 0.5])
    assert curves.significance_ratio(curve) == pytest.approx([0, 0.6 / np.sqrt(0.8), np.sqrt(0.5)])
    assert curves.best(curve) == pytest.approx((0.1, np.sqrt(0.5)))


def test_separation_holds_the_shares_of_each_class():
    shares = curves.separation([1, 1, 1, 1, 0, 0], [0.99, 1.0, 0.5, 0.011, 0.0, 0.03])
    assert sum(shares["signal"]) == sum(shares["background"]) == 1
    assert shares["signal"][49] == 0.5 and shares["signal"][25] == 0.25 and shares["signal"][0] == 0.25
    assert shares["background"][:2] == [0.5, 0.5]
