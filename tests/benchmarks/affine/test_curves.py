"""Curves that rows keep, what follows from them, and the figures that are drawn of them."""

import numpy as np
import pytest

import pnn_tf
from benchmarks.affine import curves
from benchmarks.published import MASSES


@pytest.fixture(scope="module")
def events():
    """Labels and scores of 1000 signal and 5000 background events."""
    label = np.repeat([1, 0], [1000, 5000])
    return label, 1 / (1 + np.exp(-np.random.default_rng(3).normal(2.5 * label)))


def test_a_curve_keeps_the_best_cut(events):
    label, score = events
    curve = curves.curve_of(label, score)
    assert {len(values) for values in curve.values()} == {len(curve["cut"])} and len(curve["cut"]) <= 120
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


def test_figures_draw_the_curves_the_classes_and_the_best_cut(events):
    curve, shares = curves.curve_of(*events), curves.separation(*events)
    figure = curves.baselines({name: [curve | {"mass": mass} for mass in MASSES] for name in ("Single-NN", "pNN x")})
    roc, precision_recall, significance = figure.axes[0], figure.axes[5], figure.axes[10]
    assert np.array_equal(roc.get_lines()[1].get_xydata(), np.transpose([curve["background"], curve["signal"]]))
    assert np.array_equal(precision_recall.get_lines()[0].get_ydata(), curves.purity(curve))
    assert significance.get_lines()[1].get_xydata().tolist() == [list(curves.best(curve))]

    figure = curves.separations({"pNN x": curve, "Affine y": curve}, {"pNN x": shares, "Affine y": shares})
    classes = figure.axes[0].patches
    assert [sum(patch.get_data().values) for patch in classes] == pytest.approx([1] * 2, abs=1e-3)  # five digits
    twins = [axes for axes in figure.axes if axes.get_ylabel() == "significance ratio"]
    assert [axes.get_lines()[1].get_xdata()[0] for axes in twins] == [curves.best(curve)[0]] * 2
