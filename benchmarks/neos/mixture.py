"""A bimodal mixture of two Gaussians, and what kernels of any bandwidth make of its histogram, in closed form.

For Fig. 2 of Simpson and Heinrich, arXiv:2203.05570, which gives no numbers: the modes are ours. Samples are t = m + e,
with e drawn from the mixture and a location m, at 0, that derivatives are taken to. A Gaussian kernel of bandwidth h
smears each mode to the standard deviation sqrt(sigma^2 + h^2); with h = 0 everything below is the truth.
"""

import math

import numpy as np
from scipy.stats import norm

MODES = ((0.4, -1.2, 0.5), (0.6, 1.2, 0.7))  # fraction, and mean and standard deviation in t
FRACTIONS, MEANS, DEVIATIONS = np.transpose(MODES)


def draw(n_draws: int, n_samples: int, seed: int = 0) -> np.ndarray:
    """(n_draws, n_samples) of t, independent; the same seed draws the same."""
    generator = np.random.default_rng(seed)
    mode = generator.choice(len(MODES), (n_draws, n_samples), p=FRACTIONS)
    return MEANS[mode] + DEVIATIONS[mode] * generator.normal(size=mode.shape)


def density(t, bandwidth: float = 0.0) -> np.ndarray:
    """Expected kernel density at t, an array, per unit of t."""
    return norm.pdf(np.asarray(t)[..., None], MEANS, np.hypot(DEVIATIONS, bandwidth)) @ FRACTIONS


def shares(edges, bandwidth: float = 0.0) -> np.ndarray:
    """(n_bins,) expected share of the samples in each bin, between edges (n_bins + 1,) in t."""
    return np.diff(norm.cdf(np.asarray(edges)[..., None], MEANS, np.hypot(DEVIATIONS, bandwidth)) @ FRACTIONS)


def slopes(edges, bandwidth: float = 0.0) -> np.ndarray:
    """(n_bins,) derivatives of `shares` with respect to m, per unit of t: what enters below less what leaves above."""
    return -np.diff(density(edges, bandwidth))


def slope_variances(edges, bandwidth: float) -> np.ndarray:
    """(n_bins,) variances of the derivative that a single sample contributes; n samples have 1 / n of it.

    That derivative is K(a - t) - K(b - t) for a bin from a to b. The product of two kernels K(a - t) K(b - t) is a
    Gaussian of variance 2 h^2 at a - b, times one of variance h^2 / 2 around the middle of a and b.

    Raises:
        ValueError: bandwidth not positive, for which it is infinite.
    """
    if not bandwidth > 0:
        raise ValueError(f"Expected bandwidth > 0, as a histogram has no derivative. Received: bandwidth={bandwidth}.")
    a, b = np.asarray(edges)[:-1], np.asarray(edges)[1:]
    at_0, at_distance = norm.pdf([0 * a, a - b], scale=math.sqrt(2) * bandwidth)
    around = bandwidth / math.sqrt(2)
    squares = at_0 * (density(a, around) + density(b, around))
    return squares - 2 * at_distance * density((a + b) / 2, around) - slopes(edges, bandwidth) ** 2
