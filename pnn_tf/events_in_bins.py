"""Where test events lie in bins of the score's logit, to be drawn beside a calibration: `pnn_tf.plots.densities`."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.calibration import score_logit


class EventsInBins(NamedTuple):
    """Test events in bins of the score's logit.

    Attributes:
        edges: (n_bins + 1,) of the logit, increasing.
        signal: (n_bins,) share of the signal in each bin; their sum is 1.
        background: (n_bins,) likewise.
        n_signal: number of signal events; with weights w, (sum w)^2 / sum w^2.
        n_background: likewise.
    """

    edges: np.ndarray
    signal: np.ndarray
    background: np.ndarray
    n_signal: float
    n_background: float


def events_in_bins(
    label: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None, *, n_bins: int = 40
) -> EventsInBins:
    """Shares of test events in bins of equal width, from the smallest score to the largest.

    Args:
        label: (n_events,) 1 for signal of one theta, 0 for background.
        score: (n_events,) in [0, 1], of the network that is told this theta.
        weight: (n_events,) non-negative event weights; ones if None.
        n_bins: number of bins.

    Returns:
        EventsInBins(edges, signal, background, n_signal, n_background).

    Raises:
        ValueError: no signal or no background of positive weight, labels other than 0 and 1, lengths that differ, a
            score outside [0, 1], a negative weight.
    """
    label = checks.as_label(label)
    logit = score_logit(checks.as_probability(score, len(label)))
    weight = np.ones(len(label)) if weight is None else checks.as_weight(weight, len(label), np.float64)
    edges = np.histogram_bin_edges(logit, n_bins)
    shares, numbers = [], []
    for of in (1, 0):
        own = weight[label == of]
        if not own.any():
            raise ValueError(f"Expected signal and background of positive weight. Received: none of label {of}.")
        shares.append(np.histogram(logit[label == of], edges, weights=own)[0] / own.sum())
        numbers.append(float(own.sum() ** 2 / np.sum(own**2)))
    return EventsInBins(edges, *shares, *numbers)
