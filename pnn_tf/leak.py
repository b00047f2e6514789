"""Theta that gives the class away: Anzalone et al. 2022, sections 4.2 and 5.1, Fig. 12c.

A network learns whatever separates the classes. Where signal and background have other theta, or the same in other
proportions, that is theta itself; and it fails where it is to interpolate, and in the test, where both are shown at the
same theta.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from pnn_tf import checks
from pnn_tf.hull import outside_hull
from pnn_tf.metrics import roc_auc
from pnn_tf.strata import distinct, point_name
from pnn_tf.theta import ThetaStrategy, Uniform

N_NEIGHBOURS = 8  # of a continuous theta: by chance, none is as near as that in about exp(-8) of all cases
CHANCE = 0.02  # share of a class that chance leaves without neighbours, at the most
MANY = 3  # parameters, beyond which a hull is too expensive and a box takes its place
N_CELLS = 64  # that a continuous theta is divided into


class ThetaLeak(NamedTuple):
    """How far theta alone says what the class is.

    Attributes:
        background: share of the background whose theta no signal event has; to the network it is background for sure.
        signal: share of the signal whose theta no background event has.
        auc: of the best classifier that knows theta alone, so of the proportions too; 0.5 where theta says nothing.
    """

    background: float
    signal: float
    auc: float


def theta_leak(
    theta: ArrayLike, label: ArrayLike, *, nuisances: Sequence[int] = (), tolerance: float = 1e-3
) -> ThetaLeak:
    """How much theta gives away in a training sample.

    Under a uniform background theta and a few hypotheses, any value between the hypotheses means background: without
    regularisation a network learns that, and fails where it is to interpolate (Anzalone et al. 2022, sections 4.2 and
    5.1, Fig. 12c). Look at what the network is trained on, after the background's theta has been assigned: at batches
    of `balanced_batches`, say.

    A theta counts as one of the other class if it is within the tolerance of one, or no further from the nearest than
    that one is from the eighth of its own class. Where nine events or more have the same theta, as at a hypothesis, the
    second is 0; of a continuous theta it is the distance within which chance rarely leaves a gap.

    The AUC is that of the ratio of the frequencies of each theta, found in one half of the events and tested in the
    other: it is rather too small than too large, and sees small differences only with many events at each theta, in
    several batches therefore. A continuous theta is divided into cells.

    Args:
        theta: (n_events,) or (n_events, n_parameters), in physical units.
        label: (n_events,) 1 for signal, 0 for background.
        nuisances: columns of theta that are not looked at.
        tolerance: theta of two events are the same if they differ by at most this in each parameter, relative to its
            range.

    Returns:
        ThetaLeak(background, signal, auc). Where nothing is given away, the shares are 0, or up to 0.01 by chance for a
        continuous theta, and the AUC is below 0.5 or within a few times `auc_error(0.5, n_signal, n_background)` of it.

    Raises:
        ValueError: NaN or infinite values, lengths that differ, labels other than 0 and 1, fewer than nine events of a
            class, nuisances that are not columns of theta or are all of them, a negative tolerance.

    >>> leak = theta_leak([500, 1000, 500, 700] * 10, [1, 1, 0, 0] * 10)
    >>> leak.background, leak.signal
    (0.5, 0.5)
    """
    theta = checks.as_theta(theta)
    label = checks.as_label(label, len(theta))
    nuisances = checks.as_columns("nuisances", nuisances, theta.shape[1])
    if not tolerance >= 0:
        raise ValueError(f"Expected tolerance >= 0. Received: tolerance={tolerance}")
    if len(nuisances) == theta.shape[1]:
        raise ValueError(f"Expected a column of theta that is none of the nuisances. Received: nuisances={nuisances}")
    theta = _in_extents(np.delete(theta, nuisances, axis=1))
    signal, background = theta[label == 1], theta[label == 0]
    if min(len(signal), len(background)) <= N_NEIGHBOURS:
        raise ValueError(
            f"Expected more than {N_NEIGHBOURS} events of each class: chance is larger than any leak of fewer. "
            f"Received: {len(signal)} signal, {len(background)} background"
        )
    of_background, of_signal = _alone(background, signal, tolerance), _alone(signal, background, tolerance)
    return ThetaLeak(of_background.share, of_signal.share, _auc_of_theta(theta, label))


def require_shared_theta(signal: np.ndarray, background: np.ndarray, strategy: ThetaStrategy | None) -> None:
    """Refuses a training in which theta says what the class is, and warns where it says so in part.

    `Uniform` asks for values between the hypotheses: of its theta, only those outside of the hypotheses' hull count,
    and of the signal's those outside of its range. The warning is in the name of the caller of `balanced_batches`.

    Args:
        signal: (n_signal, n_parameters).
        background: (n_background, n_parameters), some of it.
        strategy: which drew the background's theta; None for its own.
    """
    n_parameters = signal.shape[1]
    if min(len(signal), len(background)) <= N_NEIGHBOURS or n_parameters == 0:
        return
    if isinstance(strategy, Uniform):
        points = distinct(signal)[0]
        outside = outside_hull(background, points) if n_parameters <= MANY else _outside(background, signal)
        alone = [_where(outside), _where(_outside(signal, np.array([strategy.low, strategy.high])))]
    else:
        both = np.split(_in_extents(np.concatenate([background, signal])), [len(background)])
        alone = [_alone(*both), _alone(*both[::-1])]
    for name, other, own, found in zip(
        ("background", "signal"), ("signal", "background"), (background, signal), alone, strict=True
    ):
        if found.share <= CHANCE:
            continue
        examples = ", ".join(map(point_name, distinct(own[found.rows])[0][:5]))
        said = (
            f"{100 * found.share:.3g} % of the {name} has theta, such as {examples}, that no {other} has"
            f"{'' if strategy is None else f', with background_theta={type(strategy).__name__}'}. The signal's theta "
            f"lies between {point_name(signal.min(axis=0))} and {point_name(signal.max(axis=0))}. A network learns "
            f"that such theta means {name}, and finds it in training alone. Give the background the theta of the "
            "signal's hypotheses, in the same units: background_theta=pnn_tf.Identical(hypotheses)."
        )
        if found.share >= 1 - CHANCE:
            raise ValueError(said)
        warnings.warn(said, UserWarning, stacklevel=4)


class Alone(NamedTuple):
    """The share of some points that have none of others near, and the first row of each such theta."""

    share: float
    rows: np.ndarray


def _alone(points: np.ndarray, others: np.ndarray, tolerance: float = 1e-3) -> Alone:
    """Those of `points` without any of `others` within the tolerance, or within the gaps between `others`."""
    points, counts, rows = _counted(points)
    others, other_counts, _ = _counted(others)
    tree = cKDTree(others)
    distance, nearest = tree.query(points, p=np.inf)
    nearest, place = np.unique(nearest, return_inverse=True)
    distances, neighbours = tree.query(others[nearest], [*range(1, min(len(others), N_NEIGHBOURS + 1) + 1)], p=np.inf)
    enough = np.cumsum(other_counts[neighbours], axis=1) > N_NEIGHBOURS  # the first neighbour of a point is itself
    gap = distances[np.arange(len(nearest)), np.argmax(enough, axis=1)]
    alone = distance > np.maximum(tolerance, gap[place])
    return Alone(float(counts[alone].sum() / counts.sum()), rows[alone])


def _counted(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct points, the number of events of each, and the row of one of these."""
    points, group = distinct(points)
    row = np.empty(len(points), int)
    row[group] = np.arange(len(group))
    return points, np.bincount(group), row


def _in_extents(theta: np.ndarray) -> np.ndarray:
    theta = theta.astype(np.float64)
    extent = np.ptp(theta, axis=0)
    return theta / np.where(extent > 0, extent, 1.0)


def _outside(theta: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.any((theta < points.min(axis=0)) | (theta > points.max(axis=0)), axis=1)


def _where(alone: np.ndarray) -> Alone:
    return Alone(float(alone.mean()), np.flatnonzero(alone))


def _auc_of_theta(theta: np.ndarray, label: np.ndarray) -> float:
    """AUC of the ratio of frequencies, of each half of the events by the ratio found in the other."""
    cell = _cells(theta)
    half = np.empty(len(label), bool)
    rng = np.random.default_rng(0)
    for of in (0, 1):
        own = label == of
        half[own] = rng.permutation(np.count_nonzero(own)) % 2
    areas = []
    for found in (half, ~half):
        signal, background = (np.bincount(cell[found & (label == of)], minlength=cell.max() + 1) + 0.5 for of in (1, 0))
        areas.append(roc_auc(label[~found], (signal / background)[cell[~found]]))
    return float(np.mean(areas))


def _cells(theta: np.ndarray) -> np.ndarray:
    """The cell of each event: values that come often are their own, others lie in bins of equal content."""
    n_bins = max(round(N_CELLS ** (1 / theta.shape[1])), 2)
    cell = np.zeros(len(theta), int)
    for column in theta.T:
        values, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
        rare = counts[inverse] <= N_NEIGHBOURS
        code = inverse
        if rare.any():
            edges = np.quantile(column[rare], np.linspace(0, 1, n_bins + 1)[1:-1])
            code = np.where(rare, len(values) + np.searchsorted(edges, column), inverse)
        cell = cell * (code.max() + 1) + code
        cell = np.unique(cell, return_inverse=True)[1]
    return cell
