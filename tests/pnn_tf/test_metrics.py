import decimal
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


def exact_ams(s, b):
    s, b = decimal.Decimal(float(s)), decimal.Decimal(float(b))
    with decimal.localcontext(prec=60):  # s / b = 1e-18 leaves more than 20 digits after the cancellation
        return float((2 * ((s + b) * (1 + s / b).ln() - s)).sqrt())


def test_ams_is_exact_whatever_the_sizes():
    signal, background = 10.0 ** np.arange(-6, 10), 10.0 ** np.arange(-3, 13, 0.5)
    signal = np.append(signal, 3.0 * signal)[:, np.newaxis]
    expected = [[exact_ams(s, b) for b in background] for (s,) in signal]
    np.testing.assert_allclose(ams(signal, background, 0), expected, rtol=3e-15)  # some roundings of 1e-16
    assert ams(1e-6, 1e9, 0) == pytest.approx(1e-6 / np.sqrt(1e9), rel=1e-15)  # s / sqrt(b), the next term 2e-16
    assert ams(0.0, background, 0).tolist() == [0.0] * len(background)


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
    for apart in 2.0 ** -np.arange(20, 53):  # 1 - apart is exact
        # A = 1 - apart, to first order: A (1 - A) (1 + (m - 1) / 2) / (n m)
        expected = math.sqrt(apart * (1 + (10**6 - 1) / 2)) / 10**6
        assert auc_error(1 - apart, 10**6, 10**6) == pytest.approx(expected, rel=4 * apart + 1e-12)


def with_negative_weights(generator, n_events=400, share=0.2):
    """(label, score, weight) as of MC@NLO: weights 1 and -1, or 0.5 and -0.5, in places of either class."""
    label = np.arange(n_events) % 2
    score = generator.normal(1.2 * label, 1.0)
    weight = np.where(generator.random(n_events) < share, -1.0, 1.0) * np.where(label == 1, 1.0, 0.5)
    return label, score, weight


def test_auc_with_negative_weights_is_the_sum_over_pairs():
    label, score, weight = with_negative_weights(np.random.default_rng(4))
    for values in (score, np.round(score)):
        signal, background = label == 1, label == 0
        above = np.sign(values[signal][:, None] - values[background]) / 2 + 0.5
        product = weight[signal][:, None] * weight[background]
        expected = np.sum(above * product) / np.sum(product)
        assert roc_auc(label, values, weight) == pytest.approx(expected, rel=1e-12)
        # DeLong's error from the same pairs: the means over the other class, and their weighted scatter.
        of_signal = (above @ weight[background]) / weight[background].sum()
        of_background = (weight[signal] @ above) / weight[signal].sum()
        variance = 0
        for w, value in ((weight[signal], of_signal), (weight[background], of_background)):
            n = w.sum() ** 2 / np.sum(w**2)
            variance += np.sum(w**2 * (value - expected) ** 2) / w.sum() ** 2 * n / (n - 1)
        assert Ranking(label, values).auc_error(weight) == pytest.approx(np.sqrt(variance), rel=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25])
def test_the_error_of_a_weighted_auc_is_that_of_repeated_samples(share):
    generator = np.random.default_rng(5)
    found = []
    for _ in range(1000):
        label, score, weight = with_negative_weights(generator, share=share)
        ranking = Ranking(label, score)
        found.append((ranking.auc(weight), ranking.auc_error(weight)))
    auc, error = np.transpose(found)
    # 1000 repetitions determine a standard deviation to 2.2 %: three of them, and a little.
    assert np.sqrt(np.mean(error**2)) == pytest.approx(auc.std(), rel=0.08)
    # The AUC of unit Gaussians a distance d apart is Phi(d / sqrt 2).
    expected = 0.5 * (1 + math.erf(1.2 / 2))
    assert auc.mean() == pytest.approx(expected, abs=4 * auc.std() / math.sqrt(1000))


def test_an_auc_of_weights_that_nearly_cancel_is_not_known():
    assert Ranking([1, 1, 1, 0], [3, 2, 1, 0]).auc_error([1, -0.9, 0.1, 1]) == math.inf


def test_the_error_without_weights_is_that_of_weights_of_one():
    label, score, _ = samples(300)[2]
    ranking = Ranking(label, score)
    assert ranking.auc_error() == pytest.approx(ranking.auc_error(np.full((300, 1), 2.0)), rel=1e-12)


def test_cuts_where_negative_weights_cancel_are_not_taken():
    # At 0.6 the background, 1 - 1, cancels; at 0.4 it is 1, less than its error, the root of 3; at 0.3 both are 2.
    label = [1, 0, 0, 1, 0, 1, 0, 0]
    score = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]
    weight = [1, 1, -1, 1, 1, 1, 1, 1]
    assert significance_ratio(label, score, weight) == (pytest.approx(3 / 5**0.5), 0.3, pytest.approx(0.6**0.5))


def test_significance_with_negative_weights_is_the_best_over_the_cuts_that_count():
    label, score, weight = with_negative_weights(np.random.default_rng(6))

    def significance(cut):
        classes = [weight[(score >= cut) & (label == of)] for of in (1, 0)]
        s, b = map(np.sum, classes)
        known = all(np.sum(w) >= np.sqrt(np.sum(w**2)) for w in classes)
        return s / np.sqrt(s + b) if known and len(classes[0]) else 0.0

    result = significance_ratio(label, score, weight)
    assert result.ams == pytest.approx(max(map(significance, score)), rel=1e-12)
    assert result.ams == pytest.approx(significance(result.cut), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: roc_auc([1, 1], [0.1, 0.2]), "signal and background"),
        (lambda: roc_auc([1, 0], [0.1, 0.2], [0, 1]), "signal and background"),
        (lambda: significance_ratio([0, 0], [0.1, 0.2]), "signal"),
        (lambda: roc_auc([1, 0], [np.nan, 0.2]), "score .*NaN .*1 of 2"),
        (lambda: roc_auc([1, 0], [0.1]), "2, .*score .*1"),
        (lambda: roc_auc([1, 2], [0.1, 0.2]), r"label .*\[2\]"),
        (lambda: roc_auc([1, 0], [0.1, 0.2], [1, -1]), "sums of the weights of 1 and -1"),
        (lambda: Ranking([1, 0], [0.1, 0.2]).auc_error([-1, 1]), "sums of the weights of -1 and 1"),
        (lambda: significance_ratio([1, 1, 0], [0.1, 0.3, 0.2], [1, -1, 1]), "a sum of 0"),
        (lambda: significance_ratio([1, 0, 0], [0.1, 0.3, 0.2], [1, -1, 1]), "no cut"),
        (lambda: roc_auc([1, 0], ["0.1", "0.2"]), "score to be real numbers.* dtype <U3, such as .*0.1"),
        (lambda: roc_auc([1, 0], np.array([0.1, None])), "score to be real numbers.* dtype object"),
        (lambda: roc_auc([1, 0], [0.1, 0.2j]), "score to be real numbers.* dtype complex128"),
        (lambda: roc_auc([1, 0], [0.1, 0.2], [1, np.nan]), "weight .*NaN .*1 of 2"),
        (lambda: roc_auc([], []), r"label .*\(0,\)"),
        (lambda: auc_error(92.77, 100, 100), "auc=92.77"),
        (lambda: auc_error(np.nan, 100, 100), "auc=nan"),
        (lambda: auc_error(0.9, 0, 100), "n_signal=0"),
        (lambda: auc_error(0.9, 100, 0), "n_background=0"),
        (lambda: ams(-1, 1), "signal >= 0"),
        (lambda: ams(1, 0, 0), "> 0"),
        (lambda: ams(np.nan, 1), "signal >= 0"),
        (lambda: ams(1, np.inf), "finite"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
