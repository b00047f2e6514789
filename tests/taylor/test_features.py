from itertools import product

import numpy as np
import pytest
import tensorflow as tf

from taylor import FeatureSet
from taylor.features import n_features

NAMES = ("a", "b", "c")


def test_every_multiset_of_inputs_is_one_feature():
    features = FeatureSet.complete(NAMES, 3)
    tuples = {tuple(sorted(index)) for order in (1, 2, 3) for index in product(range(3), repeat=order)}
    assert len(features) == len(tuples) == n_features(3, 3) == 19
    assert set(features.indices) == tuples
    assert features.order == 3
    assert features.labels[:5] == ("a", "b", "c", "a, a", "a, b")


def test_factors_are_those_of_a_taylor_expansion():
    """(1 + 2 + 3)^3 / 3! is the sum over features of order 3 of the factor and the powers of (1, 2, 3)."""
    features = FeatureSet.complete(NAMES, 3)
    powers = features.powers_of(np.array([1.0, 2.0, 3.0]))
    third = features.positions(3)
    assert np.sum(features.factors[third] * powers[third]) == pytest.approx(6**3 / 6, rel=1e-15)
    assert dict(zip(features.labels, features.factors, strict=True))["a, a, b"] == 0.5


def test_chosen_features_keep_their_order_and_take_names_or_indices():
    features = FeatureSet.chosen(NAMES, ["c", (2, "a"), 0, ("b", 1, np.int64(0))])
    assert features.indices == ((2,), (0, 2), (0,), (0, 1, 1))
    assert features.orders.tolist() == [1, 2, 1, 3]
    assert features.of_order(2).tolist() == [[0, 2]]
    assert features.positions(1).tolist() == [0, 2]


def test_columns_by_order_return_to_the_order_of_the_features():
    features = FeatureSet.chosen(NAMES, [(0, 1), 2, (1, 1), 0])
    columns = features.in_order([tf.constant([[[2.0], [0.0]]]), tf.constant([[[10.0], [11.0]]])])
    assert columns.numpy().tolist() == [[10, 2, 11, 0]]
    complete = FeatureSet.complete(NAMES[:2], 2)
    rows = [tf.constant([[[0], [1]], [[5], [6]]]), tf.constant([[[2], [3], [4]], [[7], [8], [9]]])]
    assert complete.in_order(rows).numpy().tolist() == [[*range(10)]]  # the second output after the first


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ([], r"features=\[\]"),
        ([()], r"features=\[\(\)\]"),
        ([(0, 1), ("b", "a")], r"Received twice: \[\(0, 1\)\]"),
        (["d"], "Expected inputs out of .* Received: 'd'"),
        ([(0, 3)], "indices below 3. Received: 3"),
        ([-1], "Received: -1"),
        ([0.5], "Received: 0.5"),
    ],
)
def test_bad_choices_are_named(chosen, message):
    with pytest.raises(ValueError, match=message):
        FeatureSet.chosen(NAMES, chosen)
