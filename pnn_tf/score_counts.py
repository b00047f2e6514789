"""Scores counted in bins, at each theta: what AUC, significance and calibration follow from, as sums over events.

Counts of parts of the events add up to those of all, whatever the parts: what no memory holds at once is counted where
it is, `pnn_tf.sum_over_shards`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import keras
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from pnn_tf import checks
from pnn_tf.calibrating import calibration_of
from pnn_tf.calibration import Calibration, score_logit
from pnn_tf.columns import Features, trained_names
from pnn_tf.evaluation import HypothesisResult, warn_outside_hull
from pnn_tf.metrics import Ranking
from pnn_tf.scoring import at_points
from pnn_tf.smoothing import Distribution
from pnn_tf.strata import distinct
from pnn_tf.streaming import LOGIT_LIMIT

N_BINS = 8192


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """Sums of weights in bins of equal width in the logit of the score, from -16 to 16; made by `count_scores`.

    Scores beyond are in the first and the last bin. With the 8192 bins, a bin is 0.004 wide in the logit.

    Attributes:
        points: (n_points, n_parameters) theta.
        weight: (2, n_points, n_bins) of background, shown at each point, and of the signal of each point.
        square: the same of squared weights.
        n_events: (2, n_points) numbers of events.
        is_weighted: whether weights were given.
        is_signed: whether some of them were negative.
    """

    points: np.ndarray
    weight: np.ndarray
    square: np.ndarray
    n_events: np.ndarray
    is_weighted: bool = False
    is_signed: bool = False

    def __add__(self, other: "ScoreCounts") -> Self:
        """Of these events and of others.

        Raises:
            ValueError: counts at other points, or in other bins.
        """
        if not isinstance(other, ScoreCounts):
            return NotImplemented
        if not np.array_equal(self.points, other.points) or self.weight.shape != other.weight.shape:
            raise ValueError(
                f"Expected counts at the same points and in the same bins. Received: {self.weight.shape[2]} bins at "
                f"{checks.plain(self.points).tolist()} and {other.weight.shape[2]} at "
                f"{checks.plain(other.points).tolist()}."
            )
        parts = ((getattr(self, name), getattr(other, name)) for name in ("weight", "square", "n_events"))
        weighted, signed = self.is_weighted or other.is_weighted, self.is_signed or other.is_signed
        return type(self)(self.points, *(a + b for a, b in parts), weighted, signed)

    def merge(self, others: Iterable["ScoreCounts"]) -> Self:
        """Of these events and of all others."""
        return sum(others, start=self)

    @property
    def edges(self) -> np.ndarray:
        """(n_bins + 1,) of the logit."""
        return np.linspace(-LOGIT_LIMIT, LOGIT_LIMIT, self.weight.shape[2] + 1)

    def results(self, background_weight: str | float = "balanced") -> list[HypothesisResult]:
        """AUC and significance at each point that has signal, as `evaluate_hypotheses`.

        Events of one bin count as ties, and cuts are between bins: the AUC differs from the exact one by at most half
        the probability that a signal and a background event share a bin, and the significance does not exceed it.

        Args:
            background_weight: as of `evaluate_hypotheses`.

        Raises:
            ValueError: as `evaluate_hypotheses`; no point with signal.
        """
        checks.require_background_weight(background_weight)
        if not self.n_events[1].any():
            raise ValueError("Expected signal at one point at least. Received: none.")
        return [self._result(i, background_weight) for i in np.flatnonzero(self.n_events[1])]

    def _result(self, i: int, background_weight: str | float) -> HypothesisResult:
        n_bins = self.weight.shape[2]
        ranking = Ranking(np.repeat(np.array([0, 1], np.uint8), n_bins), np.tile(expit(self.edges[:-1]), 2))
        weight, square = self.weight[:, i].ravel(), self.square[:, i].ravel()
        sums = self.weight[:, i].sum(axis=1)
        if background_weight == "balanced" and not (sums > 0).all():
            raise ValueError(
                f"The weights of background and signal at theta = {checks.plain(self.points[i]).tolist()} have the "
                f"sums {sums[0]:g} and {sums[1]:g}: no factor balances them."
            )
        factor = np.repeat([sums[1] / sums[0] if background_weight == "balanced" else background_weight, 1.0], n_bins)
        n_background, n_signal = self.n_events[:, i].tolist()
        return HypothesisResult(
            tuple(checks.plain(self.points[i]).tolist()),
            ranking.auc(weight),
            ranking.significance(factor * weight, factor**2 * square if self.is_signed else None),
            n_signal,
            n_background,
            ranking.auc_error(weight, square) if self.is_weighted else None,
        )

    def calibration(self, smoothing: float = 1.0) -> Calibration:
        """As `calibrate`; hypotheses are the points with signal, and all points the grid: `calibration_grid`.

        Raises:
            ValueError: as `calibrate`; points that do not increase, or lie beyond the first and the last hypothesis.
        """
        if self.is_signed:
            raise ValueError("Expected weights of at least 0 for a calibration. Received: negative ones.")
        if self.points.shape[1] != 1 or not np.all(np.diff(self.points[:, 0]) > 0):
            raise ValueError(
                f"Expected points of one parameter that increase. Received: {checks.plain(self.points).tolist()}"
            )
        grid, has_signal = self.points[:, 0].astype(np.float64), self.n_events[1] > 0
        if has_signal.sum() < 2:
            raise ValueError(f"Expected signal at two points at least. Received: at {grid[has_signal].tolist()}")
        signals = [self._distribution(1, i) for i in np.flatnonzero(has_signal)]
        backgrounds = [self._distribution(0, i) for i in range(len(grid))]
        return calibration_of(grid[has_signal], signals, backgrounds[0].n_events, grid, backgrounds, smoothing)

    def _distribution(self, of: int, i: int) -> Distribution:
        weight, total = self.weight[of, i], self.weight[of, i].sum()
        own = weight > 0
        if not own.any():
            return Distribution(np.zeros(1), np.zeros(1), 0.0)
        centres = (self.edges[1:] + self.edges[:-1])[own] / 2
        share = weight[own] / total
        return Distribution(centres, np.cumsum(share) - share / 2, float(total**2 / self.square[of, i].sum()))


def count_scores(
    model: keras.Model,
    features: Features,
    theta: ArrayLike,
    label: ArrayLike,
    points: ArrayLike,
    *,
    nuisances: Sequence[int] = (),
    weight: ArrayLike | None = None,
    n_bins: int = N_BINS,
    batch_size: int = 16384,
) -> ScoreCounts:
    """Counts scores of the signal of each point of theta, and of the whole background shown at it.

    Events may be some of many: there need be no signal of a point among them, and no background.

    Args:
        model: as in `predict_scores`, with a score in [0, 1].
        features, theta, label: as in `evaluate_hypotheses`. Signal at other theta than the points is not counted.
        points: (n_points,) or (n_points, n_parameters): the hypotheses, and what else the background is counted at.
        nuisances: as in `evaluate_hypotheses`: a point is shown to the background that shares its values there.
        weight: (n_events,) event weights, of which some may be negative; ones if None.
        n_bins: number of bins.
        batch_size: number of events computed in one go, up to an eighth more.

    Raises:
        ValueError: as `evaluate_hypotheses`; points that are given twice, a score outside [0, 1].
    """
    features = checks.as_features(features, trained_names(model))
    label = checks.as_label(label, len(features))
    theta = checks.as_theta(theta, len(features), label, nuisances)
    nuisances = list(checks.as_columns("nuisances", nuisances, theta.shape[1]))
    points = checks.as_points("points", points, theta.shape[1])
    n_bins = checks.as_count("n_bins", n_bins, 2)
    if len(np.unique(points, axis=0)) < len(points):
        raise ValueError(f"Expected distinct points. Received: {checks.plain(points).tolist()}")
    if weight is not None:
        weight = checks.as_weight(weight, len(features), np.float64, signed=True)
    warn_outside_hull(model, points)
    sums, squares = np.zeros((2, 2, len(points), n_bins))
    n_events = np.zeros((2, len(points)), np.int64)

    def count(rows: np.ndarray, of: int, shown: np.ndarray) -> None:
        n_events[of, shown] += len(rows)
        if len(rows) == 0:
            return
        for i, scores in zip(shown, at_points(model, features, rows, points[shown], batch_size), strict=True):
            logit = np.clip(score_logit(checks.as_probability(scores, len(scores))), -LOGIT_LIMIT, LOGIT_LIMIT)
            columns = np.minimum(((logit / LOGIT_LIMIT + 1) / 2 * n_bins).astype(np.int64), n_bins - 1)
            own = None if weight is None else weight[rows]
            sums[of, i] += np.bincount(columns, own, n_bins)
            squares[of, i] += np.bincount(columns, None if own is None else own**2, n_bins)

    shared, group = distinct(points[:, nuisances])  # one point of no parameters without nuisances
    for i, values in enumerate(shared):
        own = (label == 0) & np.all(theta[:, nuisances] == values, axis=1)
        count(np.flatnonzero(own), 0, np.flatnonzero(group == i))
    for i, point in enumerate(points):
        count(np.flatnonzero((label == 1) & np.all(theta == point, axis=1)), 1, np.array([i]))
    is_signed = weight is not None and bool((weight < 0).any())
    return ScoreCounts(points, sums, squares, n_events, weight is not None, is_signed)
