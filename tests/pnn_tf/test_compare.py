"""Paired differences of AUC, against counting pairs and against many test samples."""

import numpy as np
import pytest

import pnn_tf
from pnn_tf.compare import Difference, compare_auc, difference, over_trainings, placements


def test_placements_count_pairs_with_ties_as_halves():
    generator = np.random.default_rng(1)
    signal, background = generator.integers(3, 9, 40) / 10, generator.integers(0, 7, 30) / 10
    above = (signal[:, None] > background) + 0.5 * (signal[:, None] == background)
    placed = placements(signal, background)
    np.testing.assert_allclose(placed.signal, above.mean(axis=1), rtol=1e-12)  # sums of at most 40 numbers
    np.testing.assert_allclose(placed.background, above.mean(axis=0), rtol=1e-12)
    auc = pnn_tf.roc_auc(np.repeat([1, 0], [40, 30]), np.concatenate([signal, background]))
    assert placed.auc == pytest.approx(auc, rel=1e-12)
    assert placed.background.mean() == pytest.approx(auc, rel=1e-12)


def scores(generator, n_signal, n_background, background):
    """Two classifiers on the same events: each sees the shift of the signal with noise of its own."""
    signal = generator.normal(1, 1, n_signal)
    return [
        placements(signal + noise * generator.normal(size=n_signal), background + noise * background_noise)
        for noise, background_noise in (
            (0.3, generator.normal(size=n_background)),
            (0.6, generator.normal(size=n_background)),
        )
    ]


def test_the_error_is_the_scatter_over_test_samples():
    """Of the mean over two hypotheses with the same background: 300 samples, whose scatter is known to 4 %."""
    generator = np.random.default_rng(2)
    found = []
    for _ in range(300):
        background = generator.normal(0, 1, 150)
        pairs = [scores(generator, 100, 150, background) for _ in range(2)]
        found.append(difference(*zip(*pairs, strict=True)))
    values, errors, _ = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.12)  # three standard deviations
    assert errors.std() < 0.2 * errors.mean()


def test_a_classifier_does_not_differ_from_itself_or_from_one_that_ranks_alike():
    generator = np.random.default_rng(3)
    signal, background = generator.normal(1, 1, 50), generator.normal(0, 1, 60)
    first, second = placements(signal, background), placements(np.exp(signal), np.exp(background))
    assert difference([first], [second])[:2] == (0, 0)


def test_the_mean_over_hypotheses_is_the_mean():
    generator = np.random.default_rng(4)
    background = generator.normal(0, 1, 60)
    (a, b), (c, d) = scores(generator, 30, 60, background), scores(generator, 40, 60, background)
    mean = (a.auc + c.auc - b.auc - d.auc) / 2
    assert difference([a, c], [b, d]).value == pytest.approx(mean, abs=1e-12)  # sums of 60 numbers


def test_other_events_are_refused():
    one, other = placements([1, 2], [0, 1]), placements([1, 2, 3], [0, 1])
    with pytest.raises(ValueError, match=r"the same events.*\[\(2, 2\)\] and \[\(3, 2\)\]"):
        difference([one], [other])
    fewer = placements([1, 2], [0])
    with pytest.raises(ValueError, match="the same background at each hypothesis"):
        difference([one, fewer], [one, fewer])


def test_a_difference_is_told_in_points_with_a_sign_from_two_standard_errors_on():
    assert str(Difference(-0.005, 0.002)) == "-0.50 \N{PLUS-MINUS SIGN} 0.20"
    signs = [Difference(value, 0.001).sign for value in (0.0021, -0.0021, 0.0019, -0.0019, 0.0)]
    assert signs == [1, -1, 0, 0, 0]
    assert Difference(0.0, 0.0).sign == 0  # of a classifier and itself


def events(generator, n_signal, n_background):
    """Label, two scores and weights, which are larger for signal that is easy to find."""
    label = np.repeat([1, 0], [n_signal, n_background])
    truth = generator.normal(label, 1)
    first, second = (truth + noise * generator.normal(size=len(label)) for noise in (0.3, 0.8))
    weight = np.where(label == 1, np.exp(0.5 * truth), generator.exponential(size=len(label)))
    return label, first, second, weight


def test_the_value_is_the_difference_of_the_weighted_areas():
    label, first, second, weight = events(np.random.default_rng(5), 60, 80)
    first = first.round(1)  # ties
    for given in (None, weight):
        expected = pnn_tf.roc_auc(label, first, given) - pnn_tf.roc_auc(label, second, given)
        assert compare_auc(label, first, second, given).value == pytest.approx(expected, abs=1e-12)  # rounding


def test_a_constant_weight_changes_nothing_and_a_weight_of_zero_leaves_an_event_out():
    label, first, second, _ = events(np.random.default_rng(6), 60, 80)
    expected = compare_auc(label, first, second)
    assert compare_auc(label, first, second, np.full(140, 1e-3)) == pytest.approx(expected, rel=1e-9)  # rounding
    kept = np.arange(140) % 3 > 0
    expected = compare_auc(label[kept], first[kept], second[kept])
    assert compare_auc(label, first, second, kept.astype(float)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("a", [1.0, 3.0])
def test_the_error_against_one_that_guesses_is_that_of_the_area_in_closed_form(a):
    """Background scores are uniform, those of signal have the density a s^(a - 1): then A = a / (a + 1).

    A signal event of score s is above s of the background, a background event of score t below 1 - t^a of the signal.
    Weights of 1 and 3, half of each, at random: sum w^2 / (sum w)^2 = 1.25 / n. All equal scores have no scatter.
    """
    generator, n_signal, n_background = np.random.default_rng(7), 60_000, 40_000
    label = np.repeat([1, 0], [n_signal, n_background])
    score = generator.random(len(label)) ** np.where(label == 1, 1 / a, 1.0)
    auc = a / (a + 1)
    variances = a / (a + 2) - auc**2, 1 / (2 * a + 1) - (1 - auc) ** 2
    expected = np.sqrt(variances[0] / n_signal + variances[1] / n_background)
    found = compare_auc(label, score, np.zeros(len(label)))
    # A variance from 40,000 events is known to sqrt(2 / 40,000) = 0.7 %, its root to half of that.
    assert found.error == pytest.approx(expected, rel=0.015)
    assert found.value == pytest.approx(auc - 0.5, abs=4 * expected)
    weighted = compare_auc(label, score, np.zeros(len(label)), generator.choice([1.0, 3.0], len(label)))
    assert weighted.error == pytest.approx(np.sqrt(1.25) * expected, rel=0.02)


def test_the_weighted_error_is_the_scatter_over_bootstrap_samples():
    """400 samples drawn from the events with replacement, each class by itself: their scatter is known to 3.5 %."""
    generator = np.random.default_rng(8)
    label, first, second, weight = events(generator, 300, 400)
    values = []
    for _ in range(400):
        rows = np.concatenate([generator.choice(np.flatnonzero(label == of), n) for of, n in ((1, 300), (0, 400))])
        sample = label[rows], weight[rows]
        areas = [pnn_tf.roc_auc(sample[0], scores[rows], sample[1]) for scores in (first, second)]
        values.append(areas[0] - areas[1])
    assert compare_auc(label, first, second, weight).error == pytest.approx(np.std(values, ddof=1), rel=0.12)


def test_lists_are_hypotheses_and_lists_of_these_are_trainings():
    generator = np.random.default_rng(9)
    background = generator.normal(size=(2, 50))  # as two classifiers see it
    labels, pairs = [], []
    for n_signal in (30, 40):
        labels.append(np.repeat([0, 1], [50, n_signal]))
        pairs.append([np.concatenate([own, generator.normal(1, 1, n_signal)]) for own in background])
    first, second = (list(scores) for scores in zip(*pairs, strict=True))
    found = compare_auc(labels, first, second)
    placed = [[placements(s[50:], s[:50]) for s in scores] for scores in (first, second)]
    assert found == pytest.approx(difference(*placed), rel=1e-9)

    one = [compare_auc(labels[0], *pair) for pair in ((first[0], second[0]), (second[0], first[0]))]
    both = compare_auc(labels[0], [first[0], second[0]], [second[0], first[0]])
    assert both == over_trainings(one) and both.trainings == 2
    assert both.value == pytest.approx(0, abs=1e-12) and both.error > max(d.error for d in one)
    again = compare_auc(labels, [first, second], [second, first])
    assert again.trainings == 2 and again.value == pytest.approx(0, abs=1e-12)


def test_the_weights_of_the_background_are_one_at_all_hypotheses_up_to_a_factor():
    generator = np.random.default_rng(10)
    label, first, second, weight = events(generator, 30, 50)
    twice = [label] * 2, [first] * 2, [second] * 2
    found = compare_auc(*twice, [weight, 7 * weight])
    assert found.value == pytest.approx(compare_auc(label, first, second, weight).value, abs=1e-12)
    with pytest.raises(ValueError, match="same weights at each hypothesis"):
        compare_auc(*twice, [weight, weight[::-1]])


def test_what_cannot_be_compared_is_refused():
    label, score = [1, 1, 0, 0], [3.0, 1.0, 2.0, 0.0]
    with pytest.raises(ValueError, match="at least two signal and two background"):
        compare_auc([1, 0, 0, 0], score, score)
    with pytest.raises(ValueError, match="positive weight"):
        compare_auc(label, score, score, [1, 0, 1, 1])
    with pytest.raises(ValueError, match="Expected second as label is"):
        compare_auc([np.array(label)], [np.array(score)], np.array(score))
    with pytest.raises(ValueError, match="1 and 2 trainings"):
        compare_auc(label, score, [score, score])
    with pytest.raises(ValueError, match="2, 1 and 2 of them"):
        compare_auc([label, label], [score], [score, score])


def test_negative_weights_are_those_of_the_pairs_and_of_the_scatter():
    """400 samples, whose scatter is known to 3.5 %."""
    generator = np.random.default_rng(9)
    label, found = np.arange(400) % 2, []
    for _ in range(400):
        truth = generator.normal(label, 1)
        first, second = (truth + noise * generator.normal(size=400) for noise in (0.3, 0.8))
        weight = np.where(generator.random(400) < 0.15, -1.0, 1.0)
        found.append(compare_auc(label, first, second, weight)[:2])
        expected = pnn_tf.roc_auc(label, first, weight) - pnn_tf.roc_auc(label, second, weight)
        assert found[-1][0] == pytest.approx(expected, abs=1e-12)
    values, errors = np.transpose(found)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(ddof=1), rel=0.11)  # three standard deviations
    with pytest.raises(ValueError, match="the sums -1 and 2"):
        compare_auc([1, 1, 0, 0], [1, 2, 3, 4], [1, 2, 3, 4], [-2, 1, 1, 1])
