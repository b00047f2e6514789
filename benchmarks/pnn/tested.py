"""What a row keeps of a network's scores: AUC, ROC curve, and enough to compare it with another on the same events.

The error of a difference of AUCs needs the covariance of the two networks, event by event (`pnn_tf.compare`). Rows
are made one by one, so they keep the mean placements in groups of events instead: independent, and as good for an error
to one part in ten.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

import pnn_tf
from benchmarks.data.events import Events
from pnn_tf.compare import Difference, Placements, difference, over_trainings, placements

N_GROUPS = 50  # an error of relative precision 1 / sqrt(2 N_GROUPS)
SIGNAL_EFFICIENCY = np.linspace(0, 1, 101)[1:]  # where ROC curves are kept


class AtTheta(TypedDict):
    """A network at one theta: signal of that theta against all background, shown to it at that theta.

    `auc` and `background_efficiency` (at each of SIGNAL_EFFICIENCY) lie in [0, 1]. `signal` and `background` are mean
    placements of the events of each of N_GROUPS groups, whose mean is the AUC.
    """

    theta: float
    auc: float
    background_efficiency: list[float]
    signal: list[float]
    background: list[float]
    n_signal: int
    n_background: int


def evaluate(model, test: Events, theta: float) -> AtTheta:
    """Tests a model (`pnn_tf.predict_scores`) at one theta, the only parameter."""
    signal = test.features[(test.label == 1) & (test.theta[:, 0] == np.float32(theta))]
    background = test.features[test.label == 0]
    return summary(theta, *(pnn_tf.predict_scores(model, features, theta) for features in (signal, background)))


def summary(theta: float, signal: np.ndarray, background: np.ndarray) -> AtTheta:
    """From the scores of the signal (n_signal,) and of the background (n_background,); larger is more signal-like.

    Raises:
        ValueError: fewer than N_GROUPS events of either.
    """
    if min(len(signal), len(background)) < N_GROUPS:
        raise ValueError(
            f"Expected at least {N_GROUPS} test events of signal and of background at theta = {theta:g}. "
            f"Received: {len(signal)} and {len(background)}. Use more test events."
        )
    placed = placements(signal, background)
    return AtTheta(
        theta=float(theta),
        auc=placed.auc,
        background_efficiency=_rounded(_background_efficiency(signal, background)),
        signal=_rounded(_group_means(placed.signal)),
        background=_rounded(_group_means(placed.background)),
        n_signal=len(signal),
        n_background=len(background),
    )


def auc_difference(first: Sequence[AtTheta], second: Sequence[AtTheta]) -> Difference:
    """AUC of the first network minus that of the second, averaged over seeds (one entry each, in the same order)."""
    return over_trainings([difference([placed(a)], [placed(b)]) for a, b in zip(first, second, strict=True)])


def placed(tested: AtTheta) -> Placements:
    """The kept placements, a group of events each."""
    return Placements(np.array(tested["signal"]), np.array(tested["background"]))


def _background_efficiency(signal: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Share of the background above the cuts that let SIGNAL_EFFICIENCY pass, interpolated between distinct scores."""
    label = np.repeat([1, 0], [len(signal), len(background)])
    passing = pnn_tf.Ranking(label, np.concatenate([signal, background])).passing()
    of_signal, of_background = (np.append(0, counts) / counts[-1] for counts in passing)
    return np.interp(SIGNAL_EFFICIENCY, of_signal, of_background)


def _group_means(values: np.ndarray) -> np.ndarray:
    return np.array([part.mean() for part in np.array_split(values, N_GROUPS)])


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
