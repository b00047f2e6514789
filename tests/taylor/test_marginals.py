"""Maps of marginals: where the answer is known, and that means are kept."""

import numpy as np
import pytest

from taylor.marginals import marginal_maps

RNG = np.random.default_rng(0)
EXACT = {"rtol": 1e-11, "atol": 1e-11}  # differences of cumulative sums of 500 terms of order 1, in float64


@pytest.mark.parametrize("moved", [lambda x: x + 0.3, lambda x: 1.1 * x - 2, np.exp], ids=["shift", "scale", "exp"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_monotone_map_of_the_same_events_is_found(moved, weighted):
    x = RNG.normal(size=(500, 2))
    weight = RNG.exponential(size=500) if weighted else np.ones(500)
    shuffled = RNG.permutation(500)
    result = marginal_maps(x, moved(x)[shuffled])(weight, 3 * weight[shuffled])
    np.testing.assert_allclose(result, moved(x), rtol=1e-9)  # a weight of 1e-3 loses three digits


def test_means_are_those_of_the_target_and_the_order_stays():
    x, target = RNG.normal(size=(300, 3)), RNG.exponential(size=(450, 3))
    weight, target_weight = RNG.exponential(size=300), RNG.exponential(size=450)
    weight[:20] = target_weight[:30] = 0
    result = marginal_maps(x, target)(weight, target_weight)
    expected = np.average(target, axis=0, weights=target_weight)
    np.testing.assert_allclose(np.average(result, axis=0, weights=weight), expected, **EXACT)
    for column, moved in zip(x[20:].T, result[20:].T, strict=True):
        assert (np.diff(moved[np.argsort(column)]) >= -1e-11).all()
    assert (result[:20] == x[:20]).all()  # nothing is known of events without weight


def test_an_event_of_weight_two_is_two_events():
    x, target = RNG.normal(size=(50, 1)), RNG.normal(size=(70, 1))
    weight, target_weight = RNG.integers(1, 4, 50), RNG.integers(1, 4, 70)
    once = marginal_maps(x, target)(weight.astype(float), target_weight.astype(float))
    copies = marginal_maps(np.repeat(x, weight, axis=0), np.repeat(target, target_weight, axis=0))
    repeated = copies(np.ones(weight.sum()), np.ones(target_weight.sum()))
    np.testing.assert_allclose(repeated, np.repeat(once, weight, axis=0), **EXACT)


def test_equal_values_stay_equal_and_go_to_the_mean_of_what_they_become():
    # Numbers of jets: of ten events with 2 or 3, two more have a third one.
    x, target = np.repeat([[2.0], [3.0]], [6, 4], axis=0), np.repeat([[2.0], [3.0]], [4, 6], axis=0)
    result = marginal_maps(x, target)(np.ones(10), np.ones(10))
    np.testing.assert_allclose(result[:, 0], np.repeat([2 + 2 / 6, 3], [6, 4]), **EXACT)


def test_independent_samples_of_a_shift_give_it_within_errors():
    x, target = RNG.normal(size=(4000, 1)), RNG.normal(0.5, 1, size=(3000, 1))
    shift = marginal_maps(x, target)(np.ones(4000), np.ones(3000)) - x
    assert shift.mean() == pytest.approx(0.5, abs=3 * np.sqrt(1 / 4000 + 1 / 3000))
    inner = shift[np.abs(x[:, 0]) < 1]
    assert np.ptp(inner) < 0.25  # of quantiles, with errors of 0.03 each
