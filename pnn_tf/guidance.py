"""Checks where users of parametric networks go wrong.

A cut that shapes the background, hypotheses with too few events to tell. `leak.py` has theta that gives the class away,
`hull.py` theta that was never trained on.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.evaluation import HypothesisResult
from pnn_tf.metrics import auc_error


class Sculpting(NamedTuple):
    """The background's distribution in an observable before and after a cut on the score.

    Attributes:
        edges: (n_bins + 1,) of the observable.
        before: (n_bins,) share of the background in each bin; they sum to 1.
        after: (n_bins,) the same of the background that passes the cut.
        divergence: Jensen-Shannon divergence of the two in bits: 0 for one shape, 1 for no overlap.
        efficiency: share of the background that passes.
    """

    edges: np.ndarray
    before: np.ndarray
    after: np.ndarray
    divergence: float
    efficiency: float


def background_sculpting(
    score: ArrayLike,
    observable: ArrayLike,
    label: ArrayLike,
    *,
    efficiency: float = 0.1,
    bins: int | ArrayLike = 40,
    weight: ArrayLike | None = None,
) -> Sculpting:
    """How much a cut on the score shapes the background in an observable, usually the reconstructed mass.

    A network that is told a mass selects background near that mass: what passes has a peak where the signal would be,
    and a fit of a smooth background to it fails.

    Args:
        score: (n_events,) classifier output at one theta, for all events.
        observable: (n_events,) such as the reconstructed mass.
        label: (n_events,) 1 for signal, 0 for background; signal is left out.
        efficiency: share of the background that is to pass: the cut is the largest score that lets so much pass.
        bins: number of bins of equal background content, in weights and as far as whole events allow; or their edges,
            in the units of the observable. Background outside of the edges is left out.
        weight: (n_events,) non-negative event weights; ones if None.

    Returns:
        Sculpting(edges, before, after, divergence, efficiency).

    Raises:
        ValueError: NaN or infinite values, lengths that differ, labels other than 0 and 1, negative weights, no
            background, an efficiency outside (0, 1], no bin, edges that do not increase, no background between the
            edges before or after the cut.

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
    edges = _edges(bins, observable, weight)
    passing = score >= cut
    before, after = (
        _shares(observable[chosen], weight[chosen], edges, what)
        for chosen, what in ((slice(None), "no background"), (passing, "no background that passes the cut"))
    )
    return Sculpting(edges, before, after, _jensen_shannon(before, after), float(weight[passing].sum() / weight.sum()))


def _edges(bins: int | ArrayLike, observable: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Edges as given, or those of `bins` bins of equal weight."""
    if isinstance(bins, (int, np.integer)):
        if bins < 1:
            raise ValueError(f"Expected bins >= 1, or their edges. Received: bins={bins}")
        order = np.argsort(observable)
        below = np.cumsum(weight[order]) - weight[order] / 2  # half of an event lies below it
        below -= below[0]
        return np.interp(np.linspace(0, below[-1], bins + 1), below, observable[order])
    edges = np.asarray(bins, np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not np.isfinite(edges).all() or not np.all(np.diff(edges) > 0):
        raise ValueError(
            f"Expected bins to be a number, or at least two edges, finite and increasing. Received: {bins}"
        )
    return edges


def _shares(observable: np.ndarray, weight: np.ndarray, edges: np.ndarray, what: str) -> np.ndarray:
    """Share of the weight in each bin, (n_bins,)."""
    shares = np.histogram(observable, edges, weights=weight)[0]
    if not shares.sum() > 0:
        raise ValueError(
            f"bins, from {edges[0]:g} to {edges[-1]:g}, hold {what}: its observable is from {observable.min():g} to "
            f"{observable.max():g}. Give edges around it, in the same units."
        )
    return shares / shares.sum()


def _jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    middle = (p + q) / 2
    entropies = [sum(value * math.log2(value) for value in shares if value > 0) for shares in (p, q, middle)]
    return float((entropies[0] + entropies[1]) / 2 - entropies[2])


class TooFew(NamedTuple):
    """A hypothesis whose AUC its events cannot tell.

    Attributes:
        theta: the hypothesis.
        error: standard error of its AUC from the number of events. An AUC of 0 or 1 counts as half a pair of events
            away from it: that of a few events which separate perfectly is not known any better.
        n_signal: signal events there are.
        n_needed: signal events, at the same ratio to the background, that would give the error asked for; infinite with
            an error that is, where weights cancel.
    """

    theta: tuple[float, ...]
    error: float
    n_signal: int
    n_needed: float


def too_few_events(results: Iterable[HypothesisResult], *, error: float = 0.002) -> list[TooFew]:
    """The hypotheses at which a difference of AUCs as large as some networks differ by could be chance.

    Args:
        results: of `evaluate_hypotheses`.
        error: the largest standard error of the AUC to accept, > 0, as the AUC from 0 to 1. Rows of the tables of
            Anzalone et al. differ by 0.002.

    Returns:
        A TooFew for each hypothesis with a larger error; empty if all have events enough.

    Raises:
        ValueError: an error that is not positive; as `auc_error`.
    """
    if not error > 0:
        raise ValueError(f"Expected error > 0. Received: error={error}")
    return [
        TooFew(one.theta, found, one.n_signal, _whole(one.n_signal * (found / error) ** 2))
        for one in results
        if (found := _bounded_error(one)) > error
    ]


def _whole(number: float) -> float:
    return math.ceil(number) if number < math.inf else math.inf


def _bounded_error(result: HypothesisResult) -> float:
    """Standard error of an AUC that is kept half a pair of events away from 0 and 1; with weights not below theirs."""
    half_pair = 0.5 / max(result.n_signal * result.n_background, 1)
    auc = min(max(result.auc, half_pair), 1 - half_pair)
    return max(auc_error(auc, result.n_signal, result.n_background), result.weighted_error or 0.0)
