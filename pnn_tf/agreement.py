"""A calibration against events that it has not seen: the hold-out test of Baldi et al. 2016, section 4."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit
from scipy.stats import kstwobign

from pnn_tf import checks
from pnn_tf.calibrating import ScoredEvents
from pnn_tf.calibration import Calibration
from pnn_tf.columns import Features
from pnn_tf.smoothing import Distribution, cubic_weights


class Agreement(NamedTuple):
    """A calibration against events of one class that it has not seen.

    Attributes:
        ks: largest difference of the probabilities to have a smaller score, over all scores: the largest error of the
            efficiency of a cut; in [0, 1].
        n_effective: number of events with the statistical error of both together, 1 / (1 / n + 1 / n_calibration).
        p_value: probability of a larger ks by chance alone, of Kolmogorov's distribution.
    """

    ks: float
    n_effective: float
    p_value: float

    @property
    def chance(self) -> float:
        """What ks stays below, by chance alone, in 95 % of all cases."""
        return float(kstwobign.isf(0.05)) / self.n_effective**0.5


class HoldOut(NamedTuple):
    """The calibration at a theta, held against signal and background there: an `Agreement` for each."""

    theta: float
    signal: Agreement
    background: Agreement


def hold_out_test(
    calibration: Calibration,
    model: keras.Model,
    features: Features,
    theta: ArrayLike,
    label: ArrayLike,
    hypothesis: float,
    *,
    weight: ArrayLike | None = None,
    batch_size: int = 16384,
) -> HoldOut:
    """How well a calibration describes the scores at a theta that it was made without.

    The statistical error of the calibration is counted in: of the signal, that of its hypotheses with their weights in
    the interpolation; of the background, that of all its events. Smoothing makes it rather smaller.

    Args:
        calibration: as `calibrate` gives it, without the events below. With signal at `hypothesis` in it, the test is
            one of the calibration itself, without interpolation.
        model: the one that was calibrated.
        features: (n_events, n_features) or a table of columns, as in `predict_scores`.
        theta: (n_events,) or (n_events, 1), in physical units; of background it is not looked at.
        label: (n_events,) 1 for signal, 0 for background.
        hypothesis: the theta to test at, a number.
        weight: (n_events,) non-negative event weights; ones if None.
        batch_size: number of events computed in one go.

    Raises:
        ValueError: as `calibrate`; a hypothesis outside the calibrated range, or several.
    """
    if np.size(hypothesis) != 1:
        raise ValueError(f"Expected hypothesis to be one number. Received: {hypothesis}")
    (hypothesis,) = checks.plain(checks.as_points("hypothesis", hypothesis, 1)[:, 0])
    events = ScoredEvents(model, features, theta, label, weight, batch_size)
    variance = cubic_weights(calibration.hypotheses, hypothesis) ** 2 @ (1 / calibration.n_signal)
    signal, background = events.signal(hypothesis), next(events.backgrounds([hypothesis]))
    return HoldOut(
        hypothesis,
        _agreement(signal, 1 / variance, lambda score: calibration.cumulative(score, hypothesis)[0]),
        _agreement(background, calibration.n_background, lambda score: calibration.cumulative(score, hypothesis)[1]),
    )


def _agreement(events: Distribution, n_calibration: float, cumulative: Callable) -> Agreement:
    """Compared in the middle between events of different scores: many may share one, where the probability jumps."""
    logit = np.unique(events.value)
    if len(logit) > 1:
        logit = (logit[1:] + logit[:-1]) / 2
    ks = float(np.abs(events(logit) - cumulative(expit(logit))).max())
    n_effective = float(1 / (1 / events.n_events + 1 / n_calibration))
    return Agreement(ks, n_effective, float(kstwobign.sf(ks * n_effective**0.5)))
