"""What is kept of scores: AUC, ROC curve and the error of a difference, against the whole samples."""

import numpy as np
import pytest

import pnn_tf
from benchmarks.pnn.tested import N_GROUPS, SIGNAL_EFFICIENCY, auc_difference, summary
from pnn_tf.compare import Difference, difference, placements

N = 5000


@pytest.fixture(scope="module")
def scores():
    """Scores of two correlated classifiers, signal (2, N) and background (2, N); the second is noisier."""
    generator = np.random.default_rng(5)
    signal, background = generator.normal(1, 1, N), generator.normal(0, 1, N)
    noise = generator.normal(0, 0.5, (2, N))
    return np.stack([signal, signal + noise[0]]), np.stack([background, background + noise[1]])


def test_auc_and_curve_are_those_of_all_events(scores):
    signal, background = (part[0] for part in scores)
    tested = summary(750, signal, background)
    assert tested["auc"] == pytest.approx(pnn_tf.roc_auc(np.repeat([1, 0], N), np.concatenate([signal, background])))
    # Placements are rounded to six digits.
    assert np.mean(tested["signal"]) == pytest.approx(tested["auc"], abs=1e-6)
    assert np.mean(tested["background"]) == pytest.approx(tested["auc"], abs=1e-6)
    signal = np.sort(signal)[::-1]
    for efficiency, passing in zip(SIGNAL_EFFICIENCY[:-1], tested["background_efficiency"], strict=False):
        k = round(efficiency * N)  # signal events that pass: the cut lies between the k-th and the next
        assert np.mean(background > signal[k - 1]) - 1e-6 <= passing <= np.mean(background >= signal[k]) + 1e-6


def test_the_error_from_groups_is_that_from_events(scores):
    exact = difference(*([placements(s, b)] for s, b in zip(*scores, strict=True)))
    first, second = (summary(750, s, b) for s, b in zip(*scores, strict=True))
    found = auc_difference([first], [second])
    assert found.value == pytest.approx(exact.value, abs=1e-5)  # rounding of the groups' means
    # Three standard deviations of an error from N_GROUPS groups.
    assert found.error == pytest.approx(exact.error, rel=3 / np.sqrt(2 * N_GROUPS))
    assert auc_difference([first], [first]) == Difference(0, 0)


def test_seeds_add_their_spread(scores):
    first, second = (summary(750, s, b) for s, b in zip(*scores, strict=True))
    both = auc_difference([first, second], [second, second])
    alone = auc_difference([first], [second])
    assert both.value == pytest.approx(alone.value / 2)
    # Of 0 and d, the standard deviation is d / sqrt 2, that of the mean d / 2, of which 12.7 hold 95 %; the errors of
    # the test events are averaged.
    assert both.error == pytest.approx(np.hypot(alone.value / 2 * 12.706 / 2, alone.error / 2), rel=1e-4)


def test_too_few_events_are_refused():
    with pytest.raises(ValueError, match=f"at least {N_GROUPS} test events"):
        summary(750, np.zeros(N_GROUPS - 1), np.zeros(N))
