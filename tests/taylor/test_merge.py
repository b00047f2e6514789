"""Merged networks: sample statistics by hand, and toys whose errors are known."""

from dataclasses import replace

import numpy as np
import pytest

from taylor import FeatureSet, TaylorImportance
from tests.taylor import toys

FEATURES = FeatureSet.complete(("mass", "pt"), 1)
FIRST = TaylorImportance(FEATURES, np.array([1.0, 2.0]), np.array([0.3, 0.1]), 10, "adjoint")
SECOND = TaylorImportance(FEATURES, np.array([3.0, 2.0]), np.array([0.4, 0.1]), 30, "autodiff")


def test_networks_count_the_same_and_errors_add_in_squares():
    both = FIRST.merge(SECOND)
    assert both.mean.tolist() == [2, 2]
    np.testing.assert_allclose(both.error, [0.25, np.sqrt(0.02) / 2])
    np.testing.assert_allclose(both.spread, [np.sqrt(2), 0])
    assert (both.n_events, both.n_networks, both.engine) == (40, 2, "adjoint, autodiff")
    assert (both.replicas, both.median, both.signed) == (None, None, None)
    assert "over 40 events, mean of 2 networks" in str(both)
    assert both.of("mass").spread == both.spread[0]


def test_merging_in_steps_is_merging_at_once():
    rng = np.random.default_rng(1)
    networks = [
        replace(
            FIRST, mean=rng.exponential(size=2), error=rng.exponential(size=2), replicas=rng.exponential(size=(9, 2))
        )
        for _ in range(5)
    ]
    at_once = networks[0].merge(networks[1:])
    np.testing.assert_allclose(at_once.spread, np.std([one.mean for one in networks], axis=0, ddof=1))
    in_steps = networks[0].merge(networks[1]).merge([networks[2].merge(networks[3:])])
    for name in ("mean", "error", "spread", "replicas"):
        np.testing.assert_allclose(getattr(in_steps, name), getattr(at_once, name), rtol=1e-12)
    assert in_steps.n_networks == 5
    assert networks[0].merge([replace(networks[1], replicas=None)]).replicas is None
    assert networks[0].merge([replace(networks[1], replicas=np.ones((8, 2)))]).replicas is None


def test_folds_of_one_network_spread_as_their_events_say():
    t = np.random.default_rng(2).exponential(size=(200, 400, 3))
    first, *others = [toys.importance(fold) for fold in t]
    folds = first.merge(others)
    together = toys.importance(t.reshape(-1, 3))
    np.testing.assert_allclose(folds.mean, together.mean)
    # Inside folds the variance is 1 / 400 smaller than of all events; a half of it for the error.
    np.testing.assert_allclose(folds.error, together.error, rtol=2e-2 / 4)
    # The network is always the same: only events make the spread, which 200 folds give to 1 / sqrt(398) = 5 %.
    np.testing.assert_allclose(folds.spread / np.sqrt(200), together.error, rtol=0.2)


def test_the_same_events_do_not_make_the_error_smaller():
    t = np.random.default_rng(3).exponential(size=(500, 2))
    one, with_replicas = toys.importance(t), toys.importance(t, 50)
    np.testing.assert_allclose(one.merge(one, same_events=True).error, one.error)
    np.testing.assert_allclose(one.merge(one).error, one.error / np.sqrt(2))
    twice = with_replicas.merge(with_replicas, same_events=True)
    np.testing.assert_allclose(twice.error, with_replicas.replicas.std(axis=0, ddof=1))
    assert twice.n_events == 500
    # Networks that lean on different events: their errors are independent although the events are the same.
    other = toys.importance(np.random.default_rng(4).exponential(size=(500, 2)), 50)
    expected = np.hypot(one.error, other.error) / 2
    np.testing.assert_allclose(
        with_replicas.merge(other, same_events=True).error, expected, rtol=0.35
    )  # 50: 10 %, 3.5 s


def test_regions_and_optional_numbers_are_merged():
    numbers = {"signed": np.array([1.0, -1.0]), "signed_error": np.array([0.3, 0.1]), "median": np.array([1.0, 2.0])}
    first = replace(FIRST, **numbers, regions={"signal": FIRST, "background": SECOND})
    second = replace(SECOND, **numbers, regions={"background": SECOND, "signal": SECOND})
    both = first.merge(second)
    np.testing.assert_allclose(both.signed, [1, -1])
    np.testing.assert_allclose(both.signed_error, numbers["signed_error"] / np.sqrt(2))
    np.testing.assert_allclose(both.median, [1, 2])
    np.testing.assert_allclose(both.regions["signal"].spread, [np.sqrt(2), 0])
    np.testing.assert_allclose(both.regions["background"].spread, [0, 0])
    again = TaylorImportance.from_json(both.to_json())
    assert again.n_networks == again.regions["signal"].n_networks == 2
    np.testing.assert_array_equal(again.regions["signal"].spread, both.regions["signal"].spread)


@pytest.mark.parametrize(
    ("others", "options", "message"),
    [
        ([], {}, "at least one other importance. Received: none"),
        (
            [replace(SECOND, features=FeatureSet.complete(("mass", "eta"), 1))],
            {},
            r"same features .* Received: 2 features of mass, pt and 2 features of mass, eta",
        ),
        ([replace(SECOND, target="logit")], {}, "same target. Received: 'output' and 'logit'"),
        ([replace(SECOND, regions={"signal": SECOND})], {}, r"same regions in all. Received: \[\] and \['signal'\]"),
        ([SECOND], {"same_events": True}, r"same number of events, for same_events=True. Received: \[10, 30\]"),
    ],
)
def test_what_does_not_belong_together_is_refused(others, options, message):
    with pytest.raises(ValueError, match=message):
        replace(FIRST, target="output").merge(others, **options)
