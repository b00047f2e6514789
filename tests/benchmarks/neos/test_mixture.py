"""The closed forms of the mixture against draws, integrals and finite differences."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from benchmarks.neos import mixture

EDGES = np.array([-2.0, -0.9, 0.3, 1.1, 2.6])
QUAD = 1e-7  # its default, 1.5e-8, and a margin


def test_draws_follow_the_density():
    t = mixture.draw(20, 5000, seed=1)
    assert t.shape == (20, 5000)
    share, _ = np.histogram(t, EDGES)
    expected = mixture.shares(EDGES)
    # Five standard errors of a binomial share of 100 000.
    np.testing.assert_allclose(share / t.size, expected, atol=5 * np.sqrt(0.25 / t.size))
    np.testing.assert_array_equal(mixture.draw(20, 5000, seed=1), t)
    assert (mixture.draw(20, 5000, seed=2) != t).all()


@pytest.mark.parametrize("bandwidth", [0.0, 0.4])
def test_shares_are_integrals_of_the_density_and_slopes_their_derivatives(bandwidth):
    integrals = [quad(mixture.density, a, b, args=(bandwidth,))[0] for a, b in pairwise(EDGES)]
    np.testing.assert_allclose(mixture.shares(EDGES, bandwidth), integrals, atol=QUAD)
    step = 1e-4  # a mixture moved up is edges moved down
    moved = [mixture.shares(EDGES - sign * step, bandwidth) for sign in (1, -1)]
    # Of order step^2, and 1e-16 / step of rounding.
    np.testing.assert_allclose(mixture.slopes(EDGES, bandwidth), (moved[0] - moved[1]) / (2 * step), atol=1e-7)


def test_a_bandwidth_smears_the_density_with_a_normal_kernel():
    for t in (-1.5, 0.0, 1.0):
        smeared, _ = quad(lambda u, t=t: mixture.density(u) * norm.pdf(t, u, 0.4), -8, 8)
        assert mixture.density(t, 0.4) == pytest.approx(smeared, abs=QUAD)


def test_variances_of_slopes_are_the_integrals_that_define_them():
    h = 0.4
    for variance, (a, b) in zip(mixture.slope_variances(EDGES, h), pairwise(EDGES), strict=True):

        def slope(t, a=a, b=b):
            return norm.pdf(a, t, h) - norm.pdf(b, t, h)

        mean, square = (quad(lambda t, n=n: mixture.density(t) * slope(t) ** n, -8, 8)[0] for n in (1, 2))
        assert variance == pytest.approx(square - mean**2, abs=QUAD)


def test_a_histogram_has_no_variance_of_slopes():
    with pytest.raises(ValueError, match="Received: bandwidth=0"):
        mixture.slope_variances(EDGES, 0.0)
