"""How well scores separate signal from background: exact AUC and significance, Anzalone et al. 2022, section 6.1.

Every distinct score is a cut; events of equal score stand on the same side of it.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pnn_tf import checks

N_TERMS = 17  # of a series in powers of 1/9: the next is 5e-18 of the first


class Significance(NamedTuple):
    """The best cut on a score.

    Attributes:
        ams: approximate median significance s / sqrt(s + b) of the events with score >= cut, at its largest.
        cut: the score at which it is largest.
        ratio: ams relative to that of a perfect classifier, sqrt(s) of the whole signal; in [0, 1], but for negative
            weights.
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
        weight: (n_events,) event weights w; ones if None. The area is the sum of w_i w_j over all pairs of a signal
            event i above a background event j, over that of all pairs. Some may be negative, as those of simulation at
            next-to-leading order.

    Returns:
        The area, in [0, 1], but for negative weights: `Ranking.auc_error` says how far it is known.

    Raises:
        ValueError: weights of the signal or of the background whose sum is not positive, labels other than 0 and 1,
            lengths that differ, scores that are NaN or not numbers.

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
    of_signal, of_background = (1 - auc) / (2 - auc), auc / (1 + auc)  # (Q - A^2) / (A (1 - A)), without cancellation
    in_all = 1 + (n_signal - 1) * of_signal + (n_background - 1) * of_background
    return math.sqrt(auc * (1 - auc) * in_all / (n_signal * n_background))


def significance_ratio(label: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> Significance:
    """Best approximate median significance, relative to a perfect classifier.

    Scans every distinct score as the cut t and maximises AMS(t) = s_t / sqrt(s_t + b_t), Eqs. (1) and (2) of Anzalone
    et al. 2022.

    Args:
        label: (n_events,) 1 for signal, 0 for background.
        score: (n_events,) classifier output; larger is more signal-like.
        weight: (n_events,) event weights; ones if None. The paper scales the background's so that their sum is the
            signal's. Among negative weights, a cut is taken only where the sum of either class that passes is at least
            its own statistical error, the root of the sum of squares: below, a background of nearly nothing is what
            happens to cancel.

    Returns:
        Significance(ams, cut, ratio).

    Raises:
        ValueError: weights of the signal whose sum is not positive, no such cut, labels other than 0 and 1, lengths
            that differ, scores that are NaN or not numbers.

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
    if not (np.all((signal >= 0) & (signal < np.inf)) and np.all((background > 0) & (background < np.inf))):
        raise ValueError("Expected signal >= 0 and background + regularisation > 0, finite.")
    x = signal / background
    small = np.minimum(x, 1.0)
    y = small / (2 + small)
    # 2 ((1 + x) ln(1 + x) - x) = x^2 of_square: ln(1 + x) is 2 artanh(y), whose series has terms of one sign alone.
    of_square = (1 - y) * (1 + (1 + y) * y * np.polyval(1 / np.arange(2 * N_TERMS + 1, 2, -2), y**2))
    direct = 2 * ((signal + background) * np.log1p(x) - signal)
    return np.where(x > 1, np.sqrt(np.maximum(direct, 0)), signal * np.sqrt(of_square / background))[()]


class Ranking:
    """Events sorted once by score, from which every metric here follows, for any weights, negative ones too.

    Args:
        label: (n_events,) 1 for signal, 0 for background.
        score: (n_events,) classifier output; larger is more signal-like.

    Attributes:
        cuts: the distinct scores, from the highest down.
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
        weight = checks.as_weight(weight, len(self._order), np.float64, signed=True)[self._order]
        return self._passing(weight)

    def auc(self, weight: ArrayLike | None = None) -> float:
        """As `roc_auc`."""
        return _area(*self.passing(weight))

    def auc_error(self, weight: ArrayLike | None = None, squares: ArrayLike | None = None) -> float:
        """Standard error of `auc` from the finite number of events, also where weights are negative.

        Where an entry stands for several events, as a bin does, `squares` are the sums of their squared weights.

        DeLong et al. 1988, with weights as in `compare_auc`. Infinite where the sum of the weights of a class is not
        larger than its own statistical error, an effective number (sum w)^2 / sum w^2 of at most one event.
        """
        signal, background = self.passing(weight)
        auc = _area(signal, background)
        below = 1 - (background - np.diff(background, prepend=0) / 2) / background[-1]  # placements: of a signal event
        above = (signal - np.diff(signal, prepend=0) / 2) / signal[-1]  # and of a background event
        passing = self._passing_squares(np.ones(len(self._order)) if weight is None else weight, squares)
        variance = 0.0
        for values, total, square in zip((below, above), (signal[-1], background[-1]), passing, strict=True):
            of_mean = np.sum(np.diff(square, prepend=0) * (values - auc) ** 2) / total**2
            variance += unbiased(of_mean, square[-1] / total**2)
        return math.sqrt(variance)

    def significance(self, weight: ArrayLike | None = None, squares: ArrayLike | None = None) -> Significance:
        """As `significance_ratio`; `squares`, as of `auc_error`, are given where some of the weights are negative."""
        signal, background = self.passing(weight)
        if not signal[-1] > 0:
            raise ValueError(
                f"The significance needs signal whose weights have a sum > 0. Received: a sum of {signal[-1]:g}."
            )
        total = np.maximum(signal + background, np.finfo(np.float64).tiny)  # 0 / 0 before the first weight
        ratio_squared = (signal / total) * (signal / signal[-1])  # purity times efficiency
        if squares is not None or (weight is not None and np.min(weight) < 0):
            passing = self._passing_squares(weight, squares)
            known = np.all([s >= np.sqrt(q) for s, q in zip((signal, background), passing, strict=True)], axis=0)
            if not known.any():
                raise ValueError(
                    "At no cut are the sums of the weights of signal and background at least their statistical errors: "
                    "the negative weights leave no significance. Give more events."
                )
            ratio_squared = np.where(known, ratio_squared, -1.0)
        best = np.argmax(ratio_squared)
        ratio = float(np.sqrt(ratio_squared[best]))
        return Significance(ratio * float(np.sqrt(signal[-1])), float(self.cuts[best]), ratio)

    def _passing_squares(self, weight: ArrayLike, squares: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
        squares = np.asarray(weight, np.float64) ** 2 if squares is None else np.asarray(squares, np.float64)
        return self._passing(squares.ravel()[self._order])

    def _passing(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums of values (n_events,), in the order of the ranking, as `passing`."""
        signal = np.where(self._signal, values, 0.0)
        return np.cumsum(signal)[self._last], np.cumsum(values - signal)[self._last]


def _area(signal: np.ndarray, background: np.ndarray) -> float:
    """Under the ROC curve, of what passes each cut."""
    if not (signal[-1] > 0 and background[-1] > 0):
        raise ValueError(
            "AUC needs signal and background of positive weight. Received: sums of the weights of "
            f"{signal[-1]:g} and {background[-1]:g}."
        )
    step = np.diff(background, prepend=0)
    half_step = np.diff(signal, prepend=0) / 2
    return float(np.sum(step * (signal - half_step)) / signal[-1] / background[-1])


def unbiased(variance: float, share_squared: float) -> float:
    """The variance of a mean from that of its sample, times n / (n - 1) of the effective number of events n.

    Args:
        variance: sum w^2 (value - mean)^2 / (sum w)^2.
        share_squared: 1 / n = sum w^2 / (sum w)^2; n is at most one where negative weights leave nothing known.
    """
    return variance / (1 - share_squared) if share_squared < 1 else math.inf
