"""Calibration of a score: its distributions at each hypothesis and between, from events."""

from collections.abc import Iterable, Iterator, Sequence

import keras
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from pnn_tf import checks
from pnn_tf.calibration import Calibration, score_logit
from pnn_tf.columns import Features, trained_names
from pnn_tf.evaluation import scan_theta
from pnn_tf.smoothing import Distribution, cubic_weights, of_events, smooth_pair

N_KNOTS = 121
ENOUGH = 50  # events of a class; the least to calibrate with


def calibrate(
    model: keras.Model,
    features: Features,
    theta: ArrayLike,
    label: ArrayLike,
    *,
    hypotheses: ArrayLike | None = None,
    n_grid: int = 41,
    smoothing: float = 1.0,
    weight: ArrayLike | None = None,
    batch_size: int = 16384,
) -> Calibration:
    """p(score | theta) of signal and background, from events that the model was not trained on.

    Signal has events at the hypotheses alone: between them, quantiles of the logit of its score are interpolated at
    fixed probability, as by Read, Nucl. Instrum. Meth. A 425 (1999) 357, with a cubic. Background has no theta: it is
    shown to the model at each point of a fine grid, and counted. There, both become smooth curves.

    Args:
        model: as in `predict_scores`, with a score in [0, 1].
        features: (n_events, n_features) or a table of columns, as in `predict_scores`.
        theta: (n_events,) or (n_events, 1), in physical units; of background it is not looked at.
        label: (n_events,) 1 for signal, 0 for background.
        hypotheses: (n_hypotheses,) to calibrate at; None for every theta that signal has.
        n_grid: about so many points has the grid: the same even number of steps, at least two, between each two
            hypotheses. The background is scored at each.
        smoothing: a factor on the widths that curves are smoothed by, which fall with the number of events as n^-0.2.
        weight: (n_events,) non-negative event weights; ones if None. Only their ratios within a class count.
        batch_size: number of events computed in one go.

    Raises:
        ValueError: as `predict_scores`; several parameters, fewer than two hypotheses, a hypothesis with fewer than 50
            signal events, fewer than 50 background events, labels other than 0 and 1, negative weights, a score
            outside [0, 1], classes that do not overlap, n_grid or smoothing that is not positive.
    """
    if not n_grid >= 1 or not 0 < smoothing < np.inf:
        raise ValueError(f"Expected n_grid >= 1 and smoothing > 0. Received: n_grid={n_grid}, smoothing={smoothing}")
    events = ScoredEvents(model, features, theta, label, weight, batch_size)
    points = events.hypotheses if hypotheses is None else checks.as_points("hypotheses", hypotheses, 1)
    points = np.unique(points).astype(np.float64)
    if len(points) < 2:
        raise ValueError(
            f"Expected at least two hypotheses to interpolate between. Received: {checks.plain(points).tolist()}"
        )
    signals = [events.signal(point) for point in points]
    grid = calibration_grid(points, n_grid)
    return calibration_of(points, signals, events.n_background, grid, events.backgrounds(grid), smoothing)


def calibration_grid(hypotheses: ArrayLike, n_grid: int = 41) -> np.ndarray:
    """(n_points,) theta at which the background is scored: the same even number of steps between each two hypotheses.

    Args:
        hypotheses: (n_hypotheses,) increasing, at least two.
        n_grid: about so many points.

    >>> calibration_grid([500, 1000, 1500], 5).tolist()
    [500.0, 750.0, 1000.0, 1250.0, 1500.0]
    """
    points = np.asarray(hypotheses, np.float64)
    steps = 2 * max(1, round((n_grid - 1) / (len(points) - 1) / 2))
    grid = np.interp(np.arange(steps * (len(points) - 1) + 1) / steps, np.arange(len(points)), points)
    return grid.astype(np.float32).astype(np.float64)


def calibration_of(
    points: np.ndarray,
    signals: Sequence[Distribution],
    n_background: float,
    grid: np.ndarray,
    backgrounds: Iterable[Distribution],
    smoothing: float,
) -> Calibration:
    """From distributions of the score's logit: of the signal at each hypothesis, of the background at each grid point.

    The background's may come one at a time; `n_background` is the number of events of each.

    Raises:
        ValueError: as `calibrate`.
    """
    n_signal = np.array([one.n_events for one in signals])
    if not min(*n_signal, n_background) >= ENOUGH:
        raise ValueError(
            f"Expected at least {ENOUGH} signal events at each hypothesis and {ENOUGH} background events. Received "
            f"(with weights w, (sum w)^2 / sum w^2): {n_signal.round(1).tolist()} at {checks.plain(points).tolist()}, "
            f"and {n_background:.1f}. Leave hypotheses with fewer out of `hypotheses`."
        )
    weights, probability = cubic_weights(points, grid), expit(_levels(max(n_signal), 401))
    quantiles = weights @ np.array([one.quantiles(probability) for one in signals])
    n_between = 1 / (weights**2 @ (1 / n_signal))
    levels = _levels(min(*n_signal, n_background) / 10, N_KNOTS)
    curves = []
    for point, values, n, background in zip(grid, quantiles, n_between, backgrounds, strict=True):
        signal = Distribution(np.maximum.accumulate(values), probability, n)
        try:
            curves.append(smooth_pair(signal, background, levels, smoothing))
        except ValueError as error:
            raise ValueError(f"At theta = {point:g}: {error}") from None
    return Calibration(
        checks.plain(points),
        n_signal,
        n_background,
        checks.plain(grid),
        *np.array(curves).transpose(1, 0, 2),
    )


class ScoredEvents:
    """Events of one parameter, checked, and their scores at a theta as distributions of the logit."""

    def __init__(
        self,
        model: keras.Model,
        features: Features,
        theta: ArrayLike,
        label: ArrayLike,
        weight: ArrayLike | None,
        batch_size: int,
    ):
        self._model, self._batch_size = model, batch_size
        features = checks.as_features(features, trained_names(model))
        n_events = len(features)
        label = checks.as_label(label, n_events)
        theta = checks.as_theta(theta, n_events, label)
        if theta.shape[1] != 1:
            raise ValueError(
                f"Expected one parameter theta. Received: {theta.shape[1]}. Calibrate along one of them, with the "
                "others fixed inside the model."
            )
        weight = np.ones(n_events) if weight is None else checks.as_weight(weight, n_events, np.float64)
        signal = label == 1
        self._theta = theta[signal, 0]
        self._signal, self._background = ((features[own], weight[own]) for own in (signal, ~signal))

    @property
    def hypotheses(self) -> np.ndarray:
        """Every theta that signal has."""
        return np.unique(self._theta)

    @property
    def n_background(self) -> float:
        """Number of background events; with weights w, (sum w)^2 / sum w^2."""
        weight = self._background[1]
        return float(weight.sum() ** 2 / max(np.sum(weight**2), np.finfo(float).tiny))

    def signal(self, theta: float) -> Distribution:
        """The signal of a theta, shown at it."""
        own, (features, weight) = self._theta == np.float32(theta), self._signal
        return next(self._scored(f"signal at theta = {theta:g}", features[own], weight[own], [theta]))

    def backgrounds(self, grid: ArrayLike) -> Iterator[Distribution]:
        """The whole background, shown at each theta of a grid."""
        return self._scored("background", *self._background, grid)

    def _scored(self, name: str, features: np.ndarray, weight: np.ndarray, grid: ArrayLike) -> Iterator[Distribution]:
        if not weight.any():
            raise ValueError(f"Expected {name} of positive weight. There is none.")
        for score in scan_theta(self._model, features, grid, batch_size=self._batch_size):
            yield of_events(score_logit(checks.as_probability(score, len(score))), weight)


def _levels(n_events: float, n_levels: int) -> np.ndarray:
    """(n_levels,) logits of probabilities at equal steps; half of an event lies beyond the first and the last."""
    return np.log(2 * n_events) * np.linspace(-1, 1, n_levels)
