"""A calibration against events that it has not seen: the hold-out test of Baldi et al. 2016, section 4."""

from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2 as distribution

from pnn_tf.calibration import Calibration
from pnn_tf.score_bins import ScoredEvents


class Agreement(NamedTuple):
    """A calibration against events of one class that it has not seen.

    Attributes:
        chi2: of the shares in the bins, with the statistical errors of the events and of the calibration.
        n_dof: number of bins less one, as the shares on both sides add up to 1.
        p_value: probability of a larger chi2 if the calibration is right.
        ks: largest difference of the cumulative distributions, over the edges of the bins; in [0, 1].
        n_effective: number of events with the statistical error of both together, 1 / (1 / n + 1 / n_calibration): by
            chance alone, ks stays below 1.36 / sqrt(n_effective) in 95 % of all cases.
    """

    chi2: float
    n_dof: int
    p_value: float
    ks: float
    n_effective: float


class HoldOut(NamedTuple):
    """The calibration at a theta, held against signal and background there: an `Agreement` for each."""

    theta: float
    signal: Agreement
    background: Agreement


def hold_out_test(
    calibration: Calibration,
    model: keras.Model,
    features: ArrayLike,
    theta: ArrayLike,
    label: ArrayLike,
    hypothesis: float,
    *,
    weight: ArrayLike | None = None,
    batch_size: int = 16384,
) -> HoldOut:
    """How well a calibration describes the scores at a theta that it was made without.

    The statistical error of the calibration is that of the shares of its neighbours, weighted as in the interpolation.
    The signal of different hypotheses is independent; the background is the same at all, so that its errors are added
    linearly: an upper limit. It is one for smoothed shares, too. chi2 is then rather too small than too large.

    Args:
        calibration: as `calibrate` gives it, without the events below. With signal at `hypothesis` in it, the test is
            one of the calibration itself, without interpolation.
        model: the one that was calibrated.
        features: (n_events, n_features).
        theta: (n_events,) or (n_events, 1), in physical units; of background it is not looked at.
        label: (n_events,) 1 for signal, 0 for background.
        hypothesis: the theta to test at, a number.
        weight: (n_events,) non-negative event weights; ones if None.
        batch_size: number of events computed in one go.

    Raises:
        ValueError: as `calibrate`; a hypothesis outside the calibrated range.
    """
    bins, share = calibration.at(hypothesis), calibration.weights(hypothesis)
    signal, background = ScoredEvents(features, theta, label, weight).scores(model, np.float32(hypothesis), batch_size)
    variances = (
        share**2 @ (calibration.signal / calibration.n_signal[:, np.newaxis]),
        (share @ np.sqrt(calibration.background / calibration.n_background[:, np.newaxis])) ** 2,
    )
    n_signal = float(1 / (share**2 @ (1 / calibration.n_signal)))
    n_background = float(1 / (share @ calibration.n_background**-0.5) ** 2)
    inner = bins.edges[1:-1]
    return HoldOut(
        float(hypothesis),
        *(
            _agreement(expected, variance, n_expected, one.shares(inner), one.n_effective)
            for expected, variance, n_expected, one in zip(
                (bins.signal, bins.background), variances, (n_signal, n_background), (signal, background), strict=True
            )
        ),
    )


def _agreement(
    expected: np.ndarray, variance: np.ndarray, n_expected: float, found: np.ndarray, n_found: float
) -> Agreement:
    """Shares in bins (n_bins,) as calibrated, with the variance of each, and as found in n_found events."""
    chi2 = float(np.sum((found - expected) ** 2 / (expected / n_found + variance)))
    n_dof = len(expected) - 1
    ks = float(np.abs(np.cumsum(found - expected)).max())
    return Agreement(chi2, n_dof, float(distribution.sf(chi2, n_dof)), ks, 1 / (1 / n_found + 1 / n_expected))
