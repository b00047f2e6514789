import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pnn_tf import Ranking, ams, auc_error, roc_auc, significance_ratio


def samples(n_events=2000):
    """(label, score, weight) without ties, with few distinct scores, with weights of which some are zero."""
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=n_events)
    score = rng.normal(label, 1.0)
    weight = rng.exponential(size=n_events) * (rng.random(n_events) > 0.2)
    coarse = np.round(score * 2) / 2
    return [
        (label, score, None),
        (label, score.astype("float32"), None),
        (label, coarse, None),
        (label, score, weight),
        (label, coarse, weight),
        (label, coarse, weight.astype("float32")),
        (label, np.zeros(n_events), weight),
        (label, np.where(score > 2, np.inf, score), weight),
    ]


@pytest.mark.parametrize("sample", samples()[:-1])
def test_auc_is_that_of_scikit_learn(sample):
    label, score, weight = sample
    expected = roc_auc_score(label, score, sample_weight=weight)
    assert abs(roc_auc(label, score, weight) - expected) < 1e-12  # float64 sums of 2000 terms: 2000 eps at worst


@pytest.mark.parametrize("sample", samples(300))
def test_auc_is_the_probability_that_signal_scores_higher(sample):
    label, score, weight = sample
    weight = np.ones(len(label)) if weight is None else weight.astype("float64")
    signal, background = label == 1, label == 0
    above = score[signal][:, None] > score[background]
    tie = score[signal][:, None] == score[background]
    product = weight[signal][:, None] * weight[background]
    expected = np.sum((above + tie / 2) * product) / np.sum(product)
    assert abs(roc_auc(label, score, weight) - expected) < 1e-12


@pytest.mark.parametrize("sample", samples(300))
def test_significance_is_the_best_over_every_cut(sample):
    label, score, weight = sample
    result = significance_ratio(label, score, weight)
    weight = np.ones(len(label)) if weight is None else weight.astype("float64")

    def significance(cut):
        s, b = (np.sum(weight[(score >= cut) & (label == value)]) for value in (1, 0))
        return s / np.sqrt(s + b) if s else 0.0

    assert result.cut in score
    best = max(map(significance, score))
    np.testing.assert_allclose([result.ams, significance(result.cut)], best, rtol=1e-12)
    np.testing.assert_allclose(result.ratio, best / np.sqrt(np.sum(weight[label == 1])), rtol=1e-12)


def test_perfect_and_useless_classifiers_have_the_values_of_the_paper():
    label = np.array([1, 1, 1, 0, 0, 0])
    assert roc_auc(label, label) == 1
    assert significance_ratio(label, label) == (pytest.approx(np.sqrt(3)), 1, 1)
    useless = significance_ratio(label, np.zeros(6))
    assert roc_auc(label, np.zeros(6)) == 0.5
    assert useless.ratio == pytest.approx(1 / np.sqrt(2))  # Eq. (3)


def test_scale_of_the_weights_changes_neither_auc_nor_ratio():
    label, score, weight = samples()[3]
    assert roc_auc(label, score, 7 * weight) == pytest.approx(roc_auc(label, score, weight), rel=1e-12)
    first, second = significance_ratio(label, score, weight), significance_ratio(label, score, 7 * weight)
    assert second.cut == first.cut
    assert second.ratio == pytest.approx(first.ratio, rel=1e-12)
    assert second.ams == pytest.approx(first.ams * np.sqrt(7), rel=1e-12)


def test_weights_count_as_copies_of_an_event():
    label, score, _ = samples(200)[2]
    copies = np.random.default_rng(1).integers(4, size=200)
    repeated = [np.repeat(values, copies) for values in (label, score)]
    assert roc_auc(label, score, copies) == pytest.approx(roc_auc(*repeated), rel=1e-12)
    assert significance_ratio(label, score, copies) == pytest.approx(significance_ratio(*repeated), rel=1e-12)


def test_one_ranking_serves_several_weights():
    label, score, weight = samples()[4]
    ranking = Ranking(label[:, np.newaxis], score[:, np.newaxis])
    assert ranking.auc() == roc_auc(label, score)
    assert ranking.significance(weight) == significance_ratio(label, score, weight)
    signal, background = ranking.passing()
    assert np.all(np.diff(ranking.cuts) < 0)
    assert signal.tolist() == [np.sum((score >= cut) & (label == 1)) for cut in ranking.cuts]
    assert background.tolist() == [np.sum((score >= cut) & (label == 0)) for cut in ranking.cuts]


def test_ams_tends_to_s_over_root_b_and_falls_with_the_regularisation():
    assert ams(1.0, 1e8, 0) == pytest.approx(1e-4, rel=1e-6)  # the next term of the series is s / (6 b)
    s, b = 50.0, 100.0
    assert ams(s, b, 0) == pytest.approx(np.sqrt(2 * (150 * np.log(1.5) - 50)), rel=1e-12)
    assert ams([s, s], b)[1] == ams(s, b + 10, 0) < ams(s, b, 0)


def test_the_auc_error_of_a_useless_classifier_is_that_of_the_rank_sum():
    # Without separation the variance of the AUC is known exactly: (n + m + 1) / (12 n m).
    assert auc_error(0.5, 300, 700) == pytest.approx(math.sqrt(1001 / (12 * 300 * 700)), rel=1e-12)


def test_the_auc_error_is_that_of_repeated_samples():
    # Exponential scores, for which the formula's Q1 and Q2 are exact; A = 4/5 for rates 1 and 4.
    generator = np.random.default_rng(3)
    n_signal, n_background = 100, 150
    repeated = []
    for _ in range(2000):
        signal, background = generator.exponential(4.0, n_signal), np.sort(generator.exponential(1.0, n_background))
        repeated.append(np.searchsorted(background, signal).mean() / n_background)
    # 2000 repetitions determine a standard deviation to 1.6 %: three of them, and a little.
    assert np.std(repeated) == pytest.approx(auc_error(0.8, n_signal, n_background), rel=0.06)


def test_the_auc_error_vanishes_with_the_overlap_whatever_the_rounding():
    assert auc_error(1.0, 3, 5) == auc_error(0.0, 3, 5) == 0.0
    for apart in 10.0 ** -np.arange(6, 16):  # a formula of differences, whose variance must not come out below 0
        assert 0 <= auc_error(1 - apart, 10**6, 10**6) < 1e-5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: roc_auc([1, 1], [0.1, 0.2]), "signal and background"),
        (lambda: roc_auc([1, 0], [0.1, 0.2], [0, 1]), "signal and background"),
        (lambda: significance_ratio([0, 0], [0.1, 0.2]), "signal"),
        (lambda: roc_auc([1, 0], [np.nan, 0.2]), "score .*NaN .*1 of 2"),
        (lambda: roc_auc([1, 0], [0.1]), "2, .*score .*1"),
        (lambda: roc_auc([1, 2], [0.1, 0.2]), r"label .*\[2\]"),
        (lambda: roc_auc([1, 0], [0.1, 0.2], [1, -1]), "weights .*1 of 2"),
        (lambda: roc_auc([1, 0], [0.1, 0.2], [1, np.nan]), "weight .*NaN .*1 of 2"),
        (lambda: roc_auc([], []), r"label .*\(0,\)"),
        (lambda: auc_error(92.77, 100, 100), "auc=92.77"),
        (lambda: auc_error(np.nan, 100, 100), "auc=nan"),
        (lambda: auc_error(0.9, 0, 100), "n_signal=0"),
        (lambda: auc_error(0.9, 100, 0), "n_background=0"),
        (lambda: ams(-1, 1), "signal >= 0"),
        (lambda: ams(1, 0, 0), "> 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
