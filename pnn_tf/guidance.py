"""Checks where users of parametric networks go wrong.

A theta that gives the class away, a cut that shapes the background, hypotheses with too few events to tell.
`outside_hull` in `hull.py` is the fourth: theta that was never trained on.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from pnn_tf import checks
from pnn_tf.evaluation import HypothesisResult


class ThetaLeak(NamedTuple):
    """What theta alone says of the class.

    Attributes:
        background: share of the background whose theta no signal event has; to the network it is background for sure.
        signal: share of the signal whose theta no background event has.
    """

    background: float
    signal: float


def theta_leak(theta, label, *, nuisances=(), tolerance=1e-3) -> ThetaLeak:
    """How much of the class theta gives away in a training sample.

    Under a uniform background theta and a few hypotheses, any value between the hypotheses means background: without
    regularisation a network learns that, and fails where it is to interpolate (Anzalone et al. 2022, sections 4.2 and
    5.1, Fig. 12c). Look at what the network is trained on, after the background's theta has been assigned: at a batch
    of `balanced_batches`, say.

    Args:
        theta: (n_events,) or (n_events, n_parameters), in physical units.
        label: (n_events,) 1 for signal, 0 for background.
        nuisances: columns of theta that are not looked at.
        tolerance: theta of two events are the same if they differ by at most this in each parameter, relative to its
            range. It has to be above the gaps of a continuous theta.

    Returns:
        ThetaLeak(background, signal), both 0 where nothing is given away.

    Raises:
        ValueError: NaN or infinite values, lengths that differ, labels other than 0 and 1, one class alone, nuisances
            that are not columns of theta.

    >>> theta_leak([500, 1000, 500, 700], [1, 1, 0, 0])
    ThetaLeak(background=0.5, signal=0.5)
    """
    theta = checks.as_theta(theta, len(theta))
    label = checks.as_label(label, len(theta))
    nuisances = checks.as_columns("nuisances", nuisances, theta.shape[1])
    theta = np.delete(theta, nuisances, axis=1).astype(np.float64)
    extent = np.ptp(theta, axis=0)
    theta /= np.where(extent > 0, extent, 1.0)
    signal, background = theta[label == 1], theta[label == 0]
    if len(signal) == 0 or len(background) == 0:
        raise ValueError(
            f"Expected events of both classes. Received: {len(signal)} signal, {len(background)} background"
        )
    return ThetaLeak(_share_alone(background, signal, tolerance), _share_alone(signal, background, tolerance))


def _share_alone(points, others, tolerance):
    """Share of `points` without any of `others` within the tolerance."""
    points, counts = np.unique(points, axis=0, return_counts=True)
    distance, _ = cKDTree(np.unique(others, axis=0)).query(points, p=np.inf)
    return float(counts[distance > tolerance].sum() / counts.sum())


class Sculpting(NamedTuple):
    """The background's distribution in an observable before and after a cut on the score.

    Attributes:
        edges: (n_bins + 1,) of the observable.
        before: (n_bins,) share of the background in each bin, which sum to 1.
        after: (n_bins,) the same of the background that passes the cut.
        divergence: Jensen-Shannon divergence of the two in bits: 0 for one shape, 1 for no overlap.
        efficiency: share of the background that passes.
    """

    edges: np.ndarray
    before: np.ndarray
    after: np.ndarray
    divergence: float
    efficiency: float


def background_sculpting(score, observable, label, *, efficiency=0.1, bins=40, weight=None) -> Sculpting:
    """How much a cut on the score shapes the background in an observable, usually the reconstructed mass.

    A network that is told a mass selects background near that mass: what passes has a peak where the signal would be,
    and a fit of a smooth background to it fails.

    Args:
        score: (n_events,) classifier output at one theta, for all events.
        observable: (n_events,) such as the reconstructed mass.
        label: (n_events,) 1 for signal, 0 for background; signal is left out.
        efficiency: share of the background that is to pass: the cut is the largest score that lets so much pass.
        bins: number of bins of equal background content, or their edges, in the units of the observable; with edges,
            background outside of them is left out.
        weight: (n_events,) non-negative event weights; ones if None.

    Returns:
        Sculpting(edges, before, after, divergence, efficiency).

    Raises:
        ValueError: NaN or infinite values, lengths that differ, labels other than 0 and 1, negative weights, no
            background, an efficiency outside (0, 1].

    >>> sculpting = background_sculpting([0.1, 0.2, 0.8, 0.9], [1, 2, 3, 4], [0, 0, 0, 0], efficiency=0.5, bins=2)
    >>> sculpting.after.tolist(), sculpting.efficiency
    ([0.0, 1.0], 0.5)
    """
    label = checks.as_label(label)
    score, observable = checks.as_score(score, len(label)), checks.as_observable(observable, len(label))
    weight = np.ones(len(label)) if weight is None else checks.as_weight(weight, len(label), np.float64)
    if not 0 < efficiency <= 1:
        raise ValueError(f"Expected an efficiency in (0, 1]. Received: efficiency={efficiency}")
    background = (label == 0) & (weight > 0)
    if not background.any():
        raise ValueError("Expected background of positive weight. Received: none.")
    score, observable, weight = score[background], observable[background], weight[background]
    order = np.argsort(-score, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    cut = score[order[np.searchsorted(share, efficiency * (1 - 1e-12))]]
    edges = np.quantile(observable, np.linspace(0, 1, bins + 1)) if np.ndim(bins) == 0 else np.asarray(bins)
    passing = score >= cut
    before, after = (
        np.histogram(observable[chosen], edges, weights=weight[chosen])[0] for chosen in (slice(None), passing)
    )
    before, after = before / before.sum(), after / max(after.sum(), np.finfo(float).tiny)
    return Sculpting(edges, before, after, _jensen_shannon(before, after), float(weight[passing].sum() / weight.sum()))


def _jensen_shannon(p, q):
    middle = (p + q) / 2
    entropies = [sum(value * math.log2(value) for value in shares if value > 0) for shares in (p, q, middle)]
    return float((entropies[0] + entropies[1]) / 2 - entropies[2])


class TooFew(NamedTuple):
    """A hypothesis whose AUC its events cannot tell.

    Attributes:
        theta: the hypothesis.
        error: standard error of its AUC from the number of events.
        n_signal: signal events there are.
        n_needed: signal events, at the same ratio to the background, that would give the error asked for.
    """

    theta: tuple[float, ...]
    error: float
    n_signal: int
    n_needed: int


def too_few_events(results: Iterable[HypothesisResult], *, error=0.002) -> list[TooFew]:
    """The hypotheses at which a difference of AUCs as large as some networks differ by could be chance.

    Args:
        results: of `evaluate_hypotheses`.
        error: the largest standard error of the AUC to accept, in [0, 1]. Rows of the tables of Anzalone et al. differ
            by 0.002.

    Returns:
        A TooFew for each hypothesis with a larger error; empty if all have events enough.
    """
    return [
        TooFew(one.theta, one.auc_error, one.n_signal, math.ceil(one.n_signal * (one.auc_error / error) ** 2))
        for one in results
        if one.auc_error > error
    ]
