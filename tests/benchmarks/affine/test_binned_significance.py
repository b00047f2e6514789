"""The significance ratio from histograms, against closed forms of evenly spread scores."""

import numpy as np
import pytest

import pnn_tf
from benchmarks.affine.binned_significance import binned_significance_ratio


def test_two_ranges_align_what_lies_apart():
    """Signal even on [1/2, 1], background on [0, 1] with as much weight.

    The cut at 1/2 passes all signal and half of the background: ratio sqrt(2/3). With two ranges, bin i and above holds
    1 - i/50 of either: sqrt((1 - i/50) / 2), so sqrt(1/2) at most.
    """
    even = (np.arange(5000) + 0.5) / 5000
    label, score = np.repeat([1, 0], 5000), np.concatenate([0.5 + even / 2, even])
    # Edges lie where one of 5000 events may fall on either side: 2e-4 of the events, half of that in the root.
    assert pnn_tf.significance_ratio(label, score).ratio == pytest.approx(np.sqrt(2 / 3), abs=2e-4)
    assert binned_significance_ratio(label, score, common_range=True) == pytest.approx(np.sqrt(2 / 3), abs=2e-4)
    assert binned_significance_ratio(label, score) == pytest.approx(np.sqrt(1 / 2), abs=2e-4)


def test_two_ranges_can_also_flatter():
    """Nine of ten signal events at 1/2, one at 0 and 1 each; background at 3/5 to 9/10, above them.

    No cut passes those at 1/2 without all the background. The authors' index 25 does: 1/2 for the signal, above 3/4
    for the background, half of which lies at 3/5.
    """
    label = np.repeat([1, 0], 10)
    score = np.array([0.0, *[0.5] * 8, 1.0, *[0.6] * 5, *[0.9] * 5])
    assert pnn_tf.significance_ratio(label, score).ratio == pytest.approx(np.sqrt(1 / 2))
    assert binned_significance_ratio(label, score) == pytest.approx(9 / np.sqrt(9 + 5) / np.sqrt(10))


def test_common_bins_lose_what_lies_within_one():
    """All background at 0, all signal at 1/100 but one event at 1: the first of 50 bins holds both."""
    label, score = np.repeat([1, 0], 100), np.array([1.0, *[0.01] * 99, *[0.0] * 100])
    assert pnn_tf.significance_ratio(label, score).ratio == 1
    assert binned_significance_ratio(label, score, common_range=True) == pytest.approx(np.sqrt(1 / 2))
    assert binned_significance_ratio(label, score, n_bins=200, common_range=True) == pytest.approx(1)


def test_weights_count_and_common_bins_never_exceed_the_exact_ratio():
    generator = np.random.default_rng(0)
    label = np.repeat([1, 0], [400, 2000])
    score = 1 / (1 + np.exp(-generator.normal(2.0 * label)))
    weight = np.where(label == 1, 1.0, 1 / 5)
    binned = binned_significance_ratio(label, score, weight, common_range=True)
    # 50 bins: the best cut is less than 1/50 away, where the ratio is flat.
    assert 0 <= pnn_tf.significance_ratio(label, score, weight).ratio - binned < 0.01
    assert binned_significance_ratio(label, score, 7 * weight, common_range=True) == pytest.approx(binned)
    assert binned_significance_ratio(label, score, common_range=True) < binned - 0.01


@pytest.mark.parametrize(
    ("label", "score", "message"), [([1, 1], [0.1, 0.2], "2 and 0"), ([1, 0], [0.1, np.nan], "NaN")]
)
def test_bad_events_are_refused(label, score, message):
    with pytest.raises(ValueError, match=message):
        binned_significance_ratio(label, score)
