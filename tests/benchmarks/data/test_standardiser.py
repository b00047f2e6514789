import numpy as np
import pytest

from benchmarks.data.standardiser import Standardiser


@pytest.fixture
def features():
    """Two features of other location and scale, the second undefined in a third of the events."""
    features = np.random.default_rng(4).normal([100.0, -3.0], [20.0, 0.1], (3000, 2)).astype(np.float32)
    features[::3, 1] = -999
    return features


def test_defined_values_get_mean_0_and_standard_deviation_1(features):
    standardised = Standardiser.fit(features, undefined=-999)(features)
    assert standardised.dtype == np.float32
    assert (standardised[::3, 1] == 0).all()
    for values in (standardised[:, 0], np.delete(standardised[:, 1], np.s_[::3])):
        # Rounding of the result to float32, relative 6e-8 of values up to 4.
        assert abs(values.mean(dtype=np.float64)) < 3e-7
        assert abs(values.std(dtype=np.float64) - 1) < 3e-7


def test_every_value_counts_without_a_value_for_undefined(features):
    standardised = Standardiser.fit(features)(features)
    # A third of the events at one value, far from the others: they lie sqrt(2) below the mean, these sqrt(1/2) above.
    np.testing.assert_allclose(standardised[::3, 1], -np.sqrt(2), rtol=1e-5)


def test_other_events_get_the_constants_of_the_training_events():
    standardise = Standardiser(np.array([1.0, 10.0]), np.array([2.0, 4.0]), undefined=-999.0)
    np.testing.assert_array_equal(standardise(np.array([[5.0, -999.0], [-999.0, 2.0]])), [[2, 0], [0, -2]])


def test_sums_keep_their_digits_over_many_events():
    """A sum of float32 over 10^6 events near 1000 would be off by more than the scatter of the mean."""
    features = np.full((1_000_000, 1), 1000.1, np.float32)
    features[::2] += np.float32(0.5)
    standardise = Standardiser.fit(features)
    np.testing.assert_allclose(standardise.mean, features[:2].astype(np.float64).mean(), rtol=1e-12)
    np.testing.assert_allclose(standardise.std, features[:2].astype(np.float64).std(), rtol=1e-9)


@pytest.mark.parametrize("undefined", [-999, None])
def test_features_without_a_scale_are_refused(features, undefined):
    features[:, 1] = -999
    with pytest.raises(ValueError, match=r"feature 1 has no two different values in 3000 events"):
        Standardiser.fit(features, undefined)
