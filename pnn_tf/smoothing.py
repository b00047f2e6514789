"""Two classes' distributions of a score as smooth curves, from events; and how distributions move with theta."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicHermiteSpline
from scipy.special import expit

FEW = 10  # events of a class at its end, beyond which the ratio is continued, not fitted
MOST = 25.0  # the largest logarithm of a ratio: no sample holds e^25 events


class Distribution(NamedTuple):
    """Probability to lie below a value: `below` at each `value`, both increasing, and linear between.

    `n_events` is the number of events with its statistical error; with weights w, (sum w)^2 / sum w^2.
    """

    value: np.ndarray
    below: np.ndarray
    n_events: float

    def __call__(self, value: ArrayLike) -> np.ndarray:
        return np.interp(value, self.value, self.below, left=0.0, right=1.0)

    def quantiles(self, probability: np.ndarray) -> np.ndarray:
        """Values that events lie below with each probability."""
        return np.interp(probability, self.below, self.value)


def of_events(value: np.ndarray, weight: np.ndarray) -> Distribution:
    """That of events with weights, of which some are positive; half of an event lies below itself."""
    order = np.argsort(value)[weight[np.argsort(value)] > 0]
    weight = weight[order] / weight.sum()
    return Distribution(value[order], np.cumsum(weight) - weight / 2, float(1 / np.sum(weight**2)))


def cubic_weights(points: np.ndarray, at: ArrayLike) -> np.ndarray:
    """Weights of values at some points in a cubic between them, whose slopes are those of a parabola by three points.

    The cubic is that of Bessel and Catmull-Rom: exact for parabolas, local, and linear in the values. Two points give
    a straight line.

    Args:
        points: (n_points,) increasing.
        at: a number or (n,), within them.

    Returns:
        (n_points,) or (n, n_points); their sum is 1.

    >>> cubic_weights(np.array([0.0, 1.0, 2.0, 3.0]), 1.5).tolist()
    [-0.0625, 0.5625, 0.5625, -0.0625]
    """
    unit = np.eye(len(points))
    slopes = np.gradient(unit, points, axis=0, edge_order=min(2, len(points) - 1))
    return CubicHermiteSpline(points, unit, slopes)(at)


def smooth_pair(
    signal: Distribution, background: Distribution, levels: np.ndarray, smoothing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two distributions as smooth curves through common knots.

    The knots are quantiles of the half sum of both, M, smoothed by a local straight line. A network's scores pile up at
    sharp edges, at the same score for both classes, so that M must not be smoothed much; the logarithm of the classes'
    ratio is nearly a straight line in the score's logit, and may be. It is fitted by local logistic regression, and
    continued as a straight line where a class has fewer than 10 events left.

    Args:
        signal: of the score's logit.
        background: likewise.
        levels: (n_knots,) logits of the probabilities M of the knots, increasing at equal steps.
        smoothing: a factor on the widths.

    Returns:
        knots (n_knots,) in the score's logit, increasing; and the logits of the probabilities of signal and background
        to lie below them, increasing.

    Raises:
        ValueError: there is no score with 10 signal events below it and 10 background events above.
    """
    points = np.union1d(signal.value, background.value)
    fine = np.linspace(levels[0], levels[-1], 4 * len(levels) - 3)
    quantiles = np.interp(expit(fine), (signal(points) + background(points)) / 2, points)
    width = smoothing * (1 / signal.n_events + 1 / background.n_events) ** 0.2
    knots = _smooth_knots(levels, fine, quantiles, 0.5 * width)

    edges = quantiles[::4]
    signal_counts = signal.n_events * np.maximum(np.diff(signal(edges), prepend=0, append=1), 0)
    background_counts = background.n_events * np.maximum(np.diff(background(edges), prepend=0, append=1), 0)
    inside = (np.cumsum(signal_counts) >= FEW) & (np.cumsum(background_counts[::-1])[::-1] >= FEW)
    if not inside.any():
        raise ValueError(
            f"The classes do not overlap: no score has {FEW} signal events below it and {FEW} background events above. "
            "There is no ratio."
        )
    middle = _middles(knots)
    log_odds, slope = _local_logistic(middle, _middles(levels), signal_counts, background_counts, 5 * width)
    first, last = np.flatnonzero(inside)[[0, -1]]
    nearest = np.clip(np.arange(len(middle)), first, last)
    log_odds = log_odds[nearest] + np.maximum(slope[nearest], 0) * (middle - middle[nearest])
    log_ratio = np.clip(log_odds - np.log(signal.n_events / background.n_events), -MOST, MOST)
    both = np.diff(expit(levels), prepend=0, append=1)
    return knots, _logit_below(expit(log_ratio) * both), _logit_below(expit(-log_ratio) * both)


def _smooth_knots(levels: np.ndarray, fine: np.ndarray, quantiles: np.ndarray, width: float) -> np.ndarray:
    """At each level, a straight line through the quantiles of the fine levels near it; increasing.

    The Gaussian weights are wider where events are rare.
    """
    spread = expit(levels) * expit(-levels)
    widths = width * (4 * spread[:, np.newaxis]) ** -0.5
    steps = fine - levels[:, np.newaxis]
    kernel = np.exp(-0.5 * (steps / widths) ** 2) * expit(fine) * expit(-fine)
    moments = [np.sum(kernel * steps**k, axis=1, keepdims=True) for k in range(3)]
    line = kernel * (moments[2] - moments[1] * steps)  # of weighted least squares, at the level
    knots = line @ quantiles / line.sum(axis=1)
    least = 1e-2 * max(np.ptp(knots), 1e-3) / len(knots)  # of many events with one score, too
    return knots[0] + np.concatenate([[0], np.cumsum(np.maximum(np.diff(knots), least))])


def _local_logistic(
    x: np.ndarray, place: np.ndarray, signal: np.ndarray, background: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of the odds for signal in each cell (n,), and its slope in x, of counts under a Gaussian in `place`."""
    kernel = np.exp(-0.5 * ((place - place[:, np.newaxis]) / width) ** 2)
    steps = x - x[:, np.newaxis]
    scale = np.sqrt(np.average(steps**2, axis=1, weights=kernel))[:, np.newaxis]
    steps = steps / scale
    counts = signal + background
    log_odds = np.log((kernel @ signal + 0.5) / (kernel @ background + 0.5))
    slope = np.zeros_like(log_odds)
    for _ in range(20):  # Newton's method, with short steps while far away
        odds = log_odds[:, np.newaxis] + slope[:, np.newaxis] * steps
        missing = kernel * (signal - counts * expit(odds))
        information = kernel * counts * expit(odds) * expit(-odds)
        gradient = missing.sum(axis=1), np.sum(missing * steps, axis=1) - 0.1 * slope  # a weak penalty, if alone
        a, b = information.sum(axis=1) + 1e-9, np.sum(information * steps, axis=1)
        c = np.sum(information * steps**2, axis=1) + 0.1
        change = np.array([c * gradient[0] - b * gradient[1], a * gradient[1] - b * gradient[0]]) / (a * c - b**2)
        change *= np.minimum(1, 2 / np.maximum(np.abs(change).sum(axis=0), 2))
        log_odds, slope = log_odds + change[0], slope + change[1]
    return log_odds, slope / scale[:, 0]


def _middles(edges: np.ndarray) -> np.ndarray:
    """(n + 1,) middles of the cells between n edges, and as far beyond the first and the last."""
    inner = (edges[1:] + edges[:-1]) / 2
    return np.concatenate([[2 * edges[0] - inner[0]], inner, [2 * edges[-1] - inner[-1]]])


def _logit_below(shares: np.ndarray) -> np.ndarray:
    """(n,) logits of the probability to lie below n edges, from n + 1 shares > 0 of any sum; increasing."""
    below, above = np.cumsum(shares)[:-1], np.cumsum(shares[::-1])[::-1][1:]
    return np.log(below) - np.log(above) + 1e-9 * np.arange(len(below))
