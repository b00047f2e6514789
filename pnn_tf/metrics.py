"""How well scores separate signal from background: exact AUC and significance, Anzalone et al. 2022, section 6.1.

Every distinct score is a cut; events of equal score stand on the same side of it.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pnn_tf import checks


class Significance(NamedTuple):
    """The best cut on a score.

    Attributes:
        ams: approximate median significance s / sqrt(s + b) of the events with score >= cut, at its largest.
        cut: the score at which it is largest.
        ratio: ams relative to that of a perfect classifier, sqrt(s) of the whole signal; in [0, 1].
    """

    ams: float
    cut: float
    ratio: float


def roc_auc(label: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Area under the ROC curve: the probability that a signal event scores higher than a background event.

    Ties count one half, so this is the area under the trapezoids between all distinct scores; computed exactly, from
    one sort.

    Args:
        label: (n_events,) 1 for signal, 0 for background.
        score: (n_events,) classifier output; larger is more signal-like.
        weight: (n_events,) non-negative event weights; ones if None.

    Returns:
        The area, in [0, 1].

    Raises:
        ValueError: no signal or no background of positive weight, labels other than 0 and 1, lengths that differ, a
            NaN score, a negative weight.

    >>> roc_auc([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1])
    0.875
    """
    return Ranking(label, score).auc(weight)


def auc_error(auc: float, n_signal: float, n_background: float) -> float:
    """Standard error of an AUC from the finite number of events.

    Hanley and McNeil, Radiology 143 (1982) 29, with their approximations Q1 = A / (2 - A), Q2 = 2 A^2 / (1 + A).

    Args:
        auc: the AUC A, in [0, 1].
        n_signal: number of signal events, at least 1.
        n_background: number of background events, at least 1.

    Raises:
        ValueError: an AUC outside [0, 1], such as one in per cent; no signal or no background.

    >>> round(auc_error(0.5, 100, 100), 4)
    0.0409
    """
    if not 0 <= auc <= 1:
        raise ValueError(f"Expected auc in [0, 1], not in per cent. Received: auc={auc}")
    if not (n_signal >= 1 and n_background >= 1):
        raise ValueError(
            f"Expected n_signal >= 1 and n_background >= 1. Received: n_signal={n_signal}, n_background={n_background}"
        )
    q_signal, q_background = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (
        auc * (1 - auc) + (n_signal - 1) * (q_signal - auc**2) + (n_background - 1) * (q_background - auc**2)
    ) / (n_signal * n_background)
    return math.sqrt(max(variance, 0.0))  # near an AUC of 1, rounding may leave less than nothing


def significance_ratio(label: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> Significance:
    """Best approximate median significance, relative to a perfect classifier.

    Scans every distinct score as the cut t and maximises AMS(t) = s_t / sqrt(s_t + b_t), Eqs. (1) and (2) of Anzalone
    et al. 2022.

    Args:
        label: (n_events,) 1 for signal, 0 for background.
        score: (n_events,) classifier output; larger is more signal-like.
        weight: (n_events,) non-negative event weights; ones if None. The paper scales the background's so that their
            sum is the signal's.

    Returns:
        Significance(ams, cut, ratio).

    Raises:
        ValueError: no signal of positive weight, labels other than 0 and 1, lengths that differ, a NaN score, a
            negative weight.

    >>> significance_ratio([1, 1, 0], [0.9, 0.8, 0.1]).ratio
    1.0
    """
    return Ranking(label, score).significance(weight)


def ams(signal: ArrayLike, background: ArrayLike, regularisation: float = 10.0) -> np.ndarray:
    """Approximate median significance of the HiggsML challenge, for a counting experiment.

    sqrt(2 ((s + b + b_r) ln(1 + s / (b + b_r)) - s)), Cowan et al. 2011, Eq. (97), with the regularisation b_r of
    Adam-Bourdarios et al. 2014. s / sqrt(s + b) of `significance_ratio` is another, coarser, approximation.

    Args:
        signal: expected signal events s that pass the selection; a number or an array.
        background: expected background events b, likewise.
        regularisation: b_r, expected events added to the background; 10 in the challenge.

    Returns:
        Significance in standard deviations, elementwise.

    >>> float(ams(0.0, 100.0))
    0.0
    """
    signal = np.asarray(signal, dtype=np.float64)
    background = np.asarray(background, dtype=np.float64) + regularisation
    if np.any(signal < 0) or np.any(background <= 0):
        raise ValueError("Expected signal >= 0 and background + regularisation > 0.")
    return np.sqrt(2 * ((signal + background) * np.log1p(signal / background) - signal))


class Ranking:
    """Events sorted once by score, from which every metric here follows, for any weights.

    Args:
        label: (n_events,) 1 for signal, 0 for background.
        score: (n_events,) classifier output; larger is more signal-like.
    """

    def __init__(self, label: ArrayLike, score: ArrayLike):
        label = checks.as_label(label)
        score = checks.as_score(score, len(label))
        self._order = np.argsort(score)[::-1]
        self._signal = label[self._order].view(bool)
        score = score[self._order]
        self._last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)  # of each run of equal scores
        self.cuts = score[self._last]

    def passing(self, weight: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Signal and background, in weights, with score >= each of `cuts`."""
        if weight is None:
            signal = np.cumsum(self._signal)[self._last]
            return signal, self._last + 1 - signal
        weight = checks.as_weight(weight, len(self._order), dtype=np.float64)[self._order]
        signal = np.where(self._signal, weight, 0.0)
        return np.cumsum(signal)[self._last], np.cumsum(weight - signal)[self._last]

    def auc(self, weight: ArrayLike | None = None) -> float:
        """As `roc_auc`."""
        signal, background = self.passing(weight)
        if signal[-1] == 0 or background[-1] == 0:
            raise ValueError("AUC needs signal and background of positive weight; one of them is missing.")
        step = np.diff(background, prepend=0)
        half_step = np.diff(signal, prepend=0) / 2
        return float(np.sum(step * (signal - half_step)) / signal[-1] / background[-1])

    def significance(self, weight: ArrayLike | None = None) -> Significance:
        """As `significance_ratio`."""
        signal, background = self.passing(weight)
        if signal[-1] == 0:
            raise ValueError("The significance needs signal of positive weight; there is none.")
        total = np.maximum(signal + background, np.finfo(np.float64).tiny)  # 0 / 0 before the first weight
        ratio_squared = (signal / total) * (signal / signal[-1])  # purity times efficiency
        best = np.argmax(ratio_squared)
        ratio = float(np.sqrt(ratio_squared[best]))
        return Significance(ratio * float(np.sqrt(signal[-1])), float(self.cuts[best]), ratio)
