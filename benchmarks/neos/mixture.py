"""A bimodal mixture of two Gaussians, and what kernels of any bandwidth make of its histogram, in closed form.

For Fig. 2 of Simpson and Heinrich, arXiv:2203.05570, which gives no numbers: the modes are ours. Samples are t = m + e,
with e drawn from the mixture and a location m, at 0, that derivatives are taken to. A Gaussian kernel of bandwidth h
smears each mode to the standard deviation sqrt(sigma^2 + h^2); with h = 0 everything below is the truth.
"""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

MODES = ((0.4, NormalDist(-1.2, 0.5)), (0.6, NormalDist(1.2, 0.7)))  # fraction, and mean and standard deviation in t


def draw(n_draws: int, n_samples: int, seed: int = 0) -> np.ndarray:
    """(n_draws, n_samples) of t, independent; the same seed draws the same."""
    generator = np.random.default_rng(seed)
    mode = generator.choice(len(MODES), (n_draws, n_samples), p=[fraction for fraction, _ in MODES])
    means, deviations = ([getattr(normal, part) for _, normal in MODES] for part in ("mean", "stdev"))
    return np.take(means, mode) + np.take(deviations, mode) * generator.normal(size=mode.shape)


def density(t, bandwidth: float = 0.0) -> np.ndarray:
    """Expected kernel density at t, an array, per unit of t."""
    return sum(fraction * np.vectorize(mode.pdf)(t) for fraction, mode in _smeared(bandwidth))


def shares(edges, bandwidth: float = 0.0) -> np.ndarray:
    """(n_bins,) expected share of the samples in each bin, between edges (n_bins + 1,) in t."""
    return np.diff(sum(fraction * np.vectorize(mode.cdf)(edges) for fraction, mode in _smeared(bandwidth)))


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
    overlap = np.vectorize(NormalDist(0.0, math.sqrt(2) * bandwidth).pdf)
    around = bandwidth / math.sqrt(2)
    squares = overlap(0.0) * (density(a, around) + density(b, around))
    return squares - 2 * overlap(a - b) * density((a + b) / 2, around) - slopes(edges, bandwidth) ** 2


def _smeared(bandwidth: float) -> Iterator[tuple[float, NormalDist]]:
    for fraction, mode in MODES:
        yield fraction, NormalDist(mode.mean, math.hypot(mode.stdev, bandwidth))
