"""The ROC curve of a classifier in few points, to be stored and drawn: `pnn_tf.plots.roc`."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.metrics import Ranking


class RocCurve(NamedTuple):
    """Efficiencies of the cuts `score >= cut`, from the highest cut down; all have the same length, (n_points,).

    Attributes:
        signal: share of the signal that passes, in [0, 1].
        background: share of the background that passes, in [0, 1].
        cut: on the score; None where there is none, as for a mean over trainings.
    """

    signal: np.ndarray
    background: np.ndarray
    cut: np.ndarray | None = None


def roc_curve(label: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None, *, n_points: int = 120) -> RocCurve:
    """The ROC curve in few points, which are points of the exact curve.

    A third of them lie evenly in the cut, a third in the signal efficiency, and a third in the logarithm of the
    background efficiency. The cut of the best significance s / sqrt(s + b), with signal and background of the same
    weight, is always one of them.

    Args:
        label: (n_events,) 1 for signal, 0 for background.
        score: (n_events,) classifier output; larger is more signal-like.
        weight: (n_events,) non-negative event weights; ones if None.
        n_points: of the curve, at most; at least 9.

    Returns:
        RocCurve(signal, background, cut).

    Raises:
        ValueError: no signal or no background of positive weight, labels other than 0 and 1, lengths that differ, a
            NaN score, a negative weight, fewer than 9 points.

    >>> roc_curve([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1]).signal.tolist()
    [0.5, 1.0, 1.0]
    """
    if n_points < 9:
        raise ValueError(f"Expected n_points >= 9. Received: n_points={n_points}")
    ranking = Ranking(label, score)
    passing = ranking.passing(None if weight is None else checks.as_weight(weight, np.size(label), np.float64))
    if not (passing[0][-1] > 0 and passing[1][-1] > 0):
        raise ValueError("A ROC curve needs signal and background of positive weight; one of them is missing.")
    signal, background = (share / share[-1] for share in passing)
    n = n_points // 3 - 1
    significance = signal / np.sqrt(np.maximum(signal + background, np.finfo(np.float64).tiny))
    places = [
        np.searchsorted(-ranking.cuts, -np.linspace(ranking.cuts[0], ranking.cuts[-1], n)),
        np.searchsorted(signal, np.linspace(0, 1, n)),
        np.searchsorted(background, np.geomspace(background[background > 0][0], 1, n)),
        [np.argmax(significance)],
    ]
    kept = np.unique(np.concatenate(places).clip(max=len(signal) - 1))
    return RocCurve(signal[kept], background[kept], ranking.cuts[kept])
