"""Comparisons: closed forms, and how often nothing seems to have moved something."""

from dataclasses import replace

import numpy as np
import pytest

from taylor import FeatureSet, TaylorImportance
from tests.taylor import toys

FEATURES = FeatureSet.complete(("mass", "pt", "eta"), 1)
FIRST = TaylorImportance(FEATURES, np.array([3.0, 2.0, 1.0]), np.full(3, 0.03), 10, "adjoint")
SECOND = TaylorImportance(FEATURES, np.array([3.1, 0.5, 1.0]), np.full(3, 0.04), 10, "adjoint")


def test_without_replicas_errors_add_in_squares():
    result = FIRST.compare(SECOND)
    np.testing.assert_allclose(result.difference, [-0.1, 1.5, 0], atol=1e-12)
    np.testing.assert_allclose(result.error, 0.05)
    np.testing.assert_allclose(result.pull, [-2, 30, 0], atol=1e-12)
    assert result.ranks.tolist() == [[1, 2, 3], [1, 3, 2]]
    assert result.moved.tolist() == [False, True, True]
    second = result.ranking()[1]
    assert (second.feature, second.rank, second.other_rank, second.mean, second.other_mean) == ("pt", 2, 3, 2.0, 0.5)
    assert result.ranking(1) == result.ranking()[:1]


def test_it_prints_and_makes_a_frame():
    assert str(FIRST.compare(SECOND)) == (
        "Comparison of 3 features: the ranks of 2 have moved by more than their errors (95 %)\n"
        "rank  second  feature  order     <|t|>    second  difference     error    pull  moved\n"
        "   1       1  mass         1         3       3.1        -0.1      0.05    -2.0\n"
        "   2       3  pt           1         2       0.5         1.5      0.05    30.0    yes\n"
        "   3       2  eta          1         1         1           0      0.05     0.0    yes"
    )
    assert FIRST.compare(SECOND)._repr_html_().count("<tr>") == 4
    pytest.importorskip("pandas")
    assert FIRST.compare(SECOND).to_frame()["moved"].tolist() == [False, True, True]


def test_what_is_common_to_the_same_events_cancels():
    rng = np.random.default_rng(1)
    common = rng.exponential(size=(1000, 3))
    noise = rng.normal(scale=0.05, size=(1000, 3))
    first, second = toys.importance(common, 400), toys.importance(common + noise, 400)
    result = first.compare(second)
    # 400 replicas give a standard deviation to 1 / sqrt(800) = 3.5 %.
    np.testing.assert_allclose(result.error, noise.std(axis=0) / np.sqrt(1000), rtol=0.15)
    assert (result.error < 0.1 * np.hypot(first.error, second.error)).all()
    itself = first.compare(first)
    assert not itself.moved.any() and not itself.error.any() and not itself.pull.any()


@pytest.mark.parametrize("n_replicas", [0, 100])
@pytest.mark.parametrize("means", ["alike", "apart"])
def test_two_halves_of_one_toy_move_no_more_often_than_stated(n_replicas, means):
    """30 features whose means are the same, or differ by a third of their errors, so that ranks are a lottery."""
    rng = np.random.default_rng(2)
    scale = 1 + (0.02 * np.arange(30) if means == "apart" else 0)
    n_toys, n_moved = 60, 0
    for toy in range(n_toys):
        halves = scale * rng.exponential(size=(2, 300, 30))
        first, second = (toys.importance(half, n_replicas, seed=2 * toy + i) for i, half in enumerate(halves))
        n_moved += first.compare(second, seed=toy).moved.sum()
    # 1800 features, not quite independent: 0.05 with a standard deviation of some 0.006.
    assert n_moved / (30 * n_toys) < 0.05 + 0.012
    assert n_moved > 0


def test_a_real_move_is_found_with_replicas():
    rng = np.random.default_rng(3)
    first = toys.importance(np.array([3.0, 2.0, 1.0]) * rng.exponential(size=(2000, 3)), 100)
    second = toys.importance(np.array([3.0, 1.0, 2.0]) * rng.exponential(size=(2000, 3)), 100, seed=1)
    assert first.compare(second).moved.tolist() == [False, True, True]
    np.testing.assert_allclose(first.compare(second).error, np.hypot(first.error, second.error), rtol=0.3)  # 4 s of 100


def test_the_chance_of_training_counts_where_it_is_known():
    noisy = replace(FIRST, spread=np.full(3, 4.0), n_networks=4)
    result = noisy.compare(SECOND)
    np.testing.assert_allclose(result.error, np.sqrt(0.05**2 + 2.0**2))
    assert not result.moved.any()
    assert np.array_equal(noisy.compare(SECOND, seed=1).moved, result.moved)


def test_more_replicas_are_needed_for_a_higher_level():
    """Too few replicas are passed over, and means drawn from the errors."""
    few = [replace(one, replicas=np.tile([1.0, 2.0, 3.0], (39, 1))) for one in (FIRST, SECOND)]
    assert not few[0].compare(few[1]).moved.any()
    assert few[0].compare(few[1], level=0.96).moved.tolist() == [False, True, True]


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="Expected importances of the same features"):
        FIRST.compare(replace(SECOND, features=FeatureSet.complete(("a", "b", "c"), 1)))
    with pytest.raises(ValueError, match=r"same target\. Received: 'output' and 'logit'"):
        replace(FIRST, target="output").compare(replace(SECOND, target="logit"))
    with pytest.raises(ValueError, match=r"in \(0, 1\). Received: level=95"):
        FIRST.compare(SECOND, level=95)
