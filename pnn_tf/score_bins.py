"""Calibration of a score: where its bins lie at each hypothesis, and how much of each class is in them."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.calibration import Calibration
from pnn_tf.evaluation import predict_scores

METHODS = ("histogram", "isotonic")
INTERPOLATIONS = ("horizontal", "vertical")


def calibrate(
    model: keras.Model,
    features: ArrayLike,
    theta: ArrayLike,
    label: ArrayLike,
    *,
    hypotheses: ArrayLike | None = None,
    n_bins: int = 40,
    min_events: float = 50,
    method: str = "histogram",
    smoothing: float = 1.0,
    interpolation: str = "horizontal",
    weight: ArrayLike | None = None,
    batch_size: int = 16384,
) -> Calibration:
    """p(score | theta) of signal and background, from events that the model was not trained on.

    At each hypothesis its signal, and the whole background shown at its theta, are counted in bins of the score. The
    bins lie where both classes have events, closer where the likelihood ratio changes.

    Args:
        model: as in `predict_scores`, with a score in [0, 1].
        features: (n_events, n_features).
        theta: (n_events,) or (n_events, 1), in physical units; of background it is not looked at.
        label: (n_events,) 1 for signal, 0 for background.
        hypotheses: (n_hypotheses,) to calibrate at; None for every theta that signal has.
        n_bins: number of bins of the score. Fewer have smaller statistical errors and coarser steps of the ratio.
        min_events: about so many signal events lie in the first bin, and background events in the last one, at the
            hypothesis with the fewest of them. At the others it is the same share of theirs: a hypothesis with little
            signal makes the bins coarser everywhere, and is better left out of `hypotheses`.
        method: "histogram" for counts, smoothed; "isotonic" for counts with a ratio that never falls with the score,
            by isotonic regression with scikit-learn.
        smoothing: of the "histogram": the logarithm of the ratio becomes a local straight line, under a Gaussian of so
            many bins; 0 for the counts as they are.
        interpolation: "horizontal" for bins at each hypothesis, whose edges move with theta between them, as the
            quantiles of Read, Nucl. Instrum. Meth. A 425 (1999) 357, do; "vertical" for the same bins at all
            hypotheses, so that densities are averaged at fixed score. The first describes a Gaussian toy's scores
            between hypotheses far better.
        weight: (n_events,) non-negative event weights; ones if None. Only their ratios within a class count.
        batch_size: number of events computed in one go.

    Raises:
        ValueError: as `predict_scores`; several parameters, fewer than two hypotheses, a hypothesis without signal, no
            background, labels other than 0 and 1, negative weights, a score outside [0, 1], classes that do not
            overlap, a bin without signal or without background, an argument that is none of those above.
        ImportError: method="isotonic" without scikit-learn.
    """
    for argument, value, known in (("method", method, METHODS), ("interpolation", interpolation, INTERPOLATIONS)):
        if value not in known:
            raise ValueError(f"Expected {argument} to be one of {known}. Received: {argument}={value!r}")
    if n_bins < 3 or not min_events > 0 or not (smoothing == 0 or smoothing >= 0.5):
        raise ValueError(
            "Expected n_bins >= 3, min_events > 0 and smoothing of 0 or at least 0.5 bins. "
            f"Received: n_bins={n_bins}, min_events={min_events}, smoothing={smoothing}"
        )
    events = ScoredEvents(features, theta, label, weight)
    points = events.theta[events.signal] if hypotheses is None else checks.as_points("hypotheses", hypotheses, 1)
    points = np.unique(points)
    if len(points) < 2:
        raise ValueError(f"Expected at least two hypotheses to interpolate between. Received: {points.tolist()}")
    samples = [events.scores(model, point, batch_size) for point in points]
    counts = np.array([[scores.n_effective for scores in pair] for pair in samples])

    tail = min_events / counts.min(axis=0)
    if interpolation == "horizontal":
        inner = [_edges([pair], n_bins, tail) for pair in samples]
    else:
        inner = [_edges(samples, n_bins, tail)] * len(points)
    edges = np.pad(inner, ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
    shares = np.array([[scores.shares(own) for scores in pair] for own, pair in zip(inner, samples, strict=True)])
    _require_events(points, edges, shares)
    if method == "isotonic":
        shares = np.array([_isotonic(pair) for pair in shares])
    elif smoothing:
        shares = np.array([_smoothed(pair, n, smoothing) for pair, n in zip(shares, counts, strict=True)])
    return Calibration(points, edges, *shares.transpose(1, 0, 2), *counts.T)


class Scores(NamedTuple):
    """Scores of one class at one theta, sorted, with weights whose sum is 1."""

    score: np.ndarray
    weight: np.ndarray

    @property
    def n_effective(self) -> float:
        return 1 / np.sum(self.weight**2)

    def below(self, scores: np.ndarray) -> np.ndarray:
        """The weight below each of some scores."""
        return np.concatenate([[0], np.cumsum(self.weight)])[np.searchsorted(self.score, scores)]

    def shares(self, inner: np.ndarray) -> np.ndarray:
        """The weight between the inner edges (n_bins - 1,), and beyond the first and the last: (n_bins,)."""
        below = np.concatenate([[0], np.searchsorted(self.score, inner), [len(self.score)]])
        return np.diff(np.concatenate([[0], np.cumsum(self.weight)])[below])


class ScoredEvents:
    """Checked events of one parameter."""

    def __init__(self, features: ArrayLike, theta: ArrayLike, label: ArrayLike, weight: ArrayLike | None):
        self.features = checks.as_features(features)
        n_events = len(self.features)
        label = checks.as_label(label, n_events)
        self.theta = checks.as_theta(theta, n_events, label)
        if self.theta.shape[1] != 1:
            raise ValueError(
                f"Expected one parameter theta. Received: {self.theta.shape[1]}. Calibrate along one of them, with the "
                "others fixed inside the model."
            )
        self.theta = self.theta[:, 0]
        self.signal = label == 1
        self.weight = np.ones(n_events) if weight is None else checks.as_weight(weight, n_events, np.float64)

    def scores(self, model: keras.Model, point: float | np.floating, batch_size: int) -> list[Scores]:
        """Those of the signal at a theta, and of the whole background shown at it."""
        pair = []
        for name, own in (("signal", self.signal & (self.theta == point)), ("background", ~self.signal)):
            weight = self.weight[own]
            if not weight.sum() > 0:
                raise ValueError(f"Expected {name} of positive weight at theta = {point:g}. There is none.")
            score = predict_scores(model, self.features[own], float(point), batch_size=batch_size)
            score = checks.as_probability(score, len(score))
            order = np.argsort(score)
            pair.append(Scores(score[order], weight[order] / weight.sum()))
        return pair


def _edges(pairs: Sequence[Sequence[Scores]], n_bins: int, tail: np.ndarray) -> np.ndarray:
    """(n_bins - 1,) edges at equal steps of log(S / (1 - B)), for S and B the classes' cumulative distributions.

    Where signal is rare this is the logarithm of S, and where background is rare minus that of 1 - B: neither class
    runs out of events at its end, as it does in bins of equal content. The share tail[0] of signal lies below the first
    edge, and tail[1] of background above the last one. Several pairs count as their average.
    """
    score = np.unique(np.concatenate([scores.score for pair in pairs for scores in pair]))
    score = score[(score > 0) & (score < 1)]
    signal_below = np.mean([signal.below(score) for signal, _ in pairs], axis=0)
    background_above = 1 - np.mean([background.below(score) for _, background in pairs], axis=0)
    overlap = (signal_below >= tail[0]) & (background_above >= tail[1])
    if not overlap.any():
        raise ValueError(
            f"No score has the share {tail[0]:.2g} of the signal below it and {tail[1]:.2g} of the background above: "
            "the classes hardly overlap, or one score stands for too many events. Take a smaller min_events, or more "
            "events."
        )
    place = np.log(signal_below[overlap] / background_above[overlap])
    steps = np.linspace(place[0], place[-1], n_bins - 1)
    return score[overlap][np.minimum(np.searchsorted(place, steps), len(place) - 1)]


def _smoothed(shares: np.ndarray, counts: np.ndarray, smoothing: float) -> np.ndarray:
    """Shares (2, n_bins) whose log ratio is replaced by a local straight line, under a Gaussian of `smoothing` bins."""
    log_ratio = np.log(shares[0] / shares[1])
    information = 1 / (1 / (shares * counts[:, np.newaxis])).sum(axis=0)  # the inverse variance of log_ratio
    place = np.arange(shares.shape[1])
    steps = place - place[:, np.newaxis]
    kernel = np.exp(-0.5 * (steps / smoothing) ** 2) * information
    moments = [np.sum(kernel * steps**k, axis=1) for k in range(3)]
    line = kernel * (moments[2][:, np.newaxis] - moments[1][:, np.newaxis] * steps)  # of weighted least squares, at 0
    purity = 1 / (1 + np.exp(-(line @ log_ratio) / line.sum(axis=1)))
    smooth = np.array([purity, 1 - purity]) * shares.sum(axis=0)
    return smooth / smooth.sum(axis=1, keepdims=True)


def _isotonic(shares: np.ndarray) -> np.ndarray:
    """Shares (2, n_bins) of signal and background, whose ratio does not fall and whose sum in each bin is as before."""
    try:
        from sklearn.isotonic import IsotonicRegression
    except ImportError as error:
        raise ImportError("method='isotonic' needs scikit-learn: pip install scikit-learn.") from error
    both = shares.sum(axis=0)
    purity = IsotonicRegression().fit_transform(np.arange(len(both)), shares[0] / both, sample_weight=both)
    return np.array([purity * both, (1 - purity) * both])


def _require_events(points: np.ndarray, edges: np.ndarray, shares: np.ndarray) -> None:
    empty = np.argwhere(shares <= 0)
    if len(empty):
        point, label, own = empty[0]
        raise ValueError(
            f"At theta = {points[point]:g}, bin {own} of {shares.shape[2]} (score {edges[point, own]:.6g} to "
            f"{edges[point, own + 1]:.6g}) holds no {('signal', 'background')[label]}: there is no ratio. It is the "
            f"first of {len(empty)} such bins. Take n_bins < {shares.shape[2]}, a larger min_events, or more events."
        )
