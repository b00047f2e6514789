"""ROC curves in few points."""

import json

import numpy as np
import pytest

import pnn_tf


def test_the_points_are_of_the_exact_curve_and_hold_its_best_cut():
    generator = np.random.default_rng(1)
    label = generator.integers(0, 2, 20_000)
    score, weight = generator.normal(label, 1), generator.exponential(size=20_000)
    curve = pnn_tf.roc_curve(label, score, weight, n_points=60)
    assert len(curve.cut) <= 60
    total = [weight[label == of].sum() for of in (1, 0)]
    for signal, background, cut in zip(*curve, strict=True):
        passing = [weight[(label == of) & (score >= cut)].sum() for of in (1, 0)]
        assert [signal, background] == pytest.approx(np.divide(passing, total), abs=1e-12)  # sums of 20,000 weights
    balanced = np.where(label == 1, weight / total[0], weight / total[1])
    best = pnn_tf.significance_ratio(label, score, balanced)
    assert best.cut in curve.cut
    # Straight lines between points that are at most 1 / 19 apart in the signal efficiency: the curve bends little.
    auc = np.trapezoid(np.append(0, curve.signal), np.append(0, curve.background))
    assert auc == pytest.approx(pnn_tf.roc_auc(label, score, weight), abs=0.003)


def test_a_curve_can_be_stored():
    curve = pnn_tf.roc_curve([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1])
    stored = json.loads(json.dumps({name: values.tolist() for name, values in curve._asdict().items()}))
    assert pnn_tf.RocCurve(**stored) == ([0.5, 1, 1], [0, 0.5, 1], [0.9, 0.5, 0.1])


def test_a_class_without_weight_and_too_few_points_are_refused():
    with pytest.raises(ValueError, match="signal and background of positive weight"):
        pnn_tf.roc_curve([1, 1, 0], [1, 2, 3], [1, 1, 0])
    with pytest.raises(ValueError, match="n_points >= 9"):
        pnn_tf.roc_curve([1, 0], [1, 2], n_points=8)
