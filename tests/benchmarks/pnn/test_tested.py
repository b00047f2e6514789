"""What is kept of scores: AUC, ROC curve and the error of a difference, against the whole samples."""

import numpy as np
import pytest

import pnn_tf
from benchmarks.claims import Missing
from benchmarks.pnn.tested import N_GROUPS, SIGNAL_EFFICIENCY, curve, difference_table, estimates, minus, summary
from pnn_tf.compare import Difference, compare_auc

N = 5000


@pytest.fixture(scope="module")
def scores():
    """Scores of two correlated classifiers, signal (2, N) and background (2, N); the second is noisier."""
    generator = np.random.default_rng(5)
    signal, background = generator.normal(1, 1, N), generator.normal(0, 1, N)
    noise = generator.normal(0, 0.5, (2, N))
    return np.stack([signal, signal + noise[0]]), np.stack([background, background + noise[1]])


@pytest.fixture(scope="module")
def rows(scores):
    """Of seed 1 both classifiers, of seed 2 only the second, of seed 3 the second twice."""
    first, second = (summary(750, s, b) for s, b in zip(*scores, strict=True))
    names = (("first", 1, first), ("second", 1, second), ("second", 2, second), ("first", 3, second))
    return [{"row": name, "seed": seed, "tested": tested} for name, seed, tested in (*names, ("second", 3, second))]


def alone(row):
    return [[row["tested"]]]


def test_auc_and_curve_are_those_of_all_events(scores, rows):
    signal, background = (part[0] for part in scores)
    tested = rows[0]["tested"]
    assert tested["auc"] == pytest.approx(pnn_tf.roc_auc(np.repeat([1, 0], N), np.concatenate([signal, background])))
    # Placements are rounded to six digits.
    assert np.mean(tested["signal"]) == pytest.approx(tested["auc"], abs=1e-6)
    assert np.mean(tested["background"]) == pytest.approx(tested["auc"], abs=1e-6)
    signal = np.sort(signal)[::-1]
    for efficiency, passing in zip(SIGNAL_EFFICIENCY[:-1], tested["background_efficiency"], strict=False):
        k = round(efficiency * N)  # signal events that pass: the cut lies between the k-th and the next
        assert np.mean(background > signal[k - 1]) - 1e-6 <= passing <= np.mean(background >= signal[k]) + 1e-6
    mean = (np.array(tested["background_efficiency"]) + rows[1]["tested"]["background_efficiency"]) / 2
    np.testing.assert_allclose(curve([tested, rows[1]["tested"]]).background, mean)


def test_the_error_from_groups_is_that_from_events(scores, rows):
    exact = compare_auc(np.repeat([1, 0], N), *(np.concatenate(pair) for pair in zip(*scores, strict=True)))
    found = minus(rows[:2], "first", "second", alone)
    assert found.value == pytest.approx(exact.value, abs=1e-5)  # rounding of the groups' means
    # Three standard deviations of an error from N_GROUPS groups.
    assert found.error == pytest.approx(exact.error, rel=3 / np.sqrt(2 * N_GROUPS))
    assert minus(rows, "first", "first", alone) == Difference(0, 0, 2)
    # Two backgrounds count as one: neither value nor error changes.
    assert minus(rows[:2], "first", "second", lambda row: alone(row) * 2) == pytest.approx(found)


def test_seeds_that_are_finished_for_both_add_their_spread(rows):
    both, first = minus(rows, "first", "second", alone), minus(rows[:2], "first", "second", alone)
    assert both.value == pytest.approx(first.value / 2) and both.trainings == 2
    # Of 0 and d, the standard deviation is d / sqrt 2, that of the mean d / 2, of which 12.7 hold 95 %; the errors of
    # the test events are averaged.
    assert both.error == pytest.approx(np.hypot(first.value / 2 * 12.706 / 2, first.error / 2), rel=1e-4)
    (found,) = estimates({"here": ("first", "second", alone)})(rows).items()
    assert found[0] == "here" and found[1][:3] == pytest.approx((100 * both.value, 100 * both.error, 2))
    table = difference_table("", "", {"a": {500: both}}, "{} GeV")
    assert table.columns == ("500 GeV",) and table.lines[0][1][0][:2] == (100 * both.value, 100 * both.error)
    with pytest.raises(Missing, match="first, third"):
        minus(rows, "first", "third", alone)


def test_too_few_events_are_refused():
    with pytest.raises(ValueError, match=f"at least {N_GROUPS} test events"):
        summary(750, np.zeros(N_GROUPS - 1), np.zeros(N))
