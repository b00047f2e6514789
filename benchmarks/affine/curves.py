"""Curves of a classifier in few points: what the figures of AFFINE's Table 5 are drawn from.

From the efficiencies of signal and background at each cut follow the ROC curve, the precision-recall curve and the
significance ratio, where the weights are such that all background weighs as much as all signal (w_b = 1/5 at five
equal masses).
"""

from collections.abc import Mapping
from typing import NamedTuple, TypedDict

import numpy as np

import pnn_tf

N_POINTS = 120  # of a curve, at most
N_BINS = 50  # of a histogram


class Curve(TypedDict):
    """Efficiencies of the cuts `score >= cut`, from the highest cut down; lists of the same length.

    Rows of an experiment add the `mass`, GeV.
    """

    cut: list[float]
    signal: list[float]
    background: list[float]


class Separation(TypedDict):
    """Shares of the signal and of the background, in [0, 1], in N_BINS equal bins of the score between 0 and 1.

    Rows of an experiment add the `mass`, GeV.
    """

    signal: list[float]
    background: list[float]


class Best(NamedTuple):
    """The cut with the largest significance ratio, and that ratio in [0, 1]."""

    cut: float
    ratio: float


def thinned_curve(label, score) -> Curve:
    """A third of the points evenly in cut, in signal efficiency, and in the logarithm of the background efficiency.

    The best cut is always one of them.

    Args:
        label: (n_events,) 1 for signal, 0 for background, both present.
        score: (n_events,) in [0, 1].
    """
    ranking = pnn_tf.Ranking(label, score)
    signal, background = (passing / passing[-1] for passing in ranking.passing())
    n = N_POINTS // 3 - 1
    kept = np.concatenate(
        [
            np.searchsorted(-ranking.cuts, -np.linspace(ranking.cuts[0], ranking.cuts[-1], n)),
            np.searchsorted(signal, np.linspace(0, 1, n)),
            np.searchsorted(background, np.geomspace(background[background > 0][0], 1, n)),
            [np.argmax(_ratio(signal, background))],
        ]
    )
    kept = np.unique(kept.clip(max=len(signal) - 1))
    return Curve(cut=_rounded(ranking.cuts[kept]), signal=_rounded(signal[kept]), background=_rounded(background[kept]))


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def separation(label, score) -> Separation:
    """Where on the score the two classes lie; arguments as of `thinned_curve`."""
    label, score = np.asarray(label), np.asarray(score)
    shares = [np.histogram(score[label == of], N_BINS, range=(0, 1))[0] / np.sum(label == of) for of in (1, 0)]
    return Separation(signal=_rounded(shares[0]), background=_rounded(shares[1]))


def purity(curve: Mapping) -> np.ndarray:
    """Share of signal in what passes each cut, all signal and all background weighing the same."""
    signal, background = np.array(curve["signal"]), np.array(curve["background"])
    return signal / np.maximum(signal + background, np.finfo(np.float64).tiny)


def significance_ratio(curve: Mapping) -> np.ndarray:
    """s / sqrt(s + b) at each cut, relative to the square root of all signal."""
    return _ratio(np.array(curve["signal"]), np.array(curve["background"]))


def _ratio(signal: np.ndarray, background: np.ndarray) -> np.ndarray:
    return signal / np.sqrt(np.maximum(signal + background, np.finfo(np.float64).tiny))


def best(curve: Mapping) -> Best:
    """The best cut of a curve, and its significance ratio."""
    ratio = significance_ratio(curve)
    at = int(np.argmax(ratio))
    return Best(curve["cut"][at], float(ratio[at]))
