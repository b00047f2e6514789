"""AUC of one classifier minus AUC of another on the same test events, with the error that this leaves.

DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837: the AUC is a mean over the signal events, and one over the
background events, of the share of the other class that each is on the right side of. Two classifiers find the same
events difficult, so their difference is known better than either AUC.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from pnn_tf import checks
from pnn_tf.metrics import unbiased

Events: TypeAlias = ArrayLike | Sequence  # an array; or lists of arrays, one a hypothesis, and these in one a training
SURE = 2.0  # standard errors from which on a difference is one


class Difference(NamedTuple):
    """A difference of AUCs and its standard error; as text in points, which are hundredths.

    Attributes:
        value: AUC of the first classifier minus AUC of the second, in [-1, 1].
        error: standard error from the finite test sample and, with several trainings, from chance in training.
        trainings: number of trainings that it is the mean of.

    >>> print(Difference(-0.005, 0.002))
    -0.50 ± 0.20
    """

    value: float
    error: float
    trainings: int = 1

    def __str__(self) -> str:
        return f"{100 * self.value:+.2f} ± {100 * self.error:.2f}"

    @property
    def sign(self) -> int:
        """-1 or 1 from two standard errors on, else 0."""
        return int(math.copysign(abs(self.value) >= SURE * self.error, self.value)) if self.value else 0


def compare_auc(label: Events, first: Events, second: Events, weight: Events | None = None) -> Difference:
    """AUC of one classifier minus AUC of another on the same events, with its standard error.

    Several hypotheses: give `label` as a list with an array a hypothesis, and `first`, `second` and `weight` likewise.
    The difference is that of the mean AUCs. The signal events of two hypotheses are different ones; the background
    events are the same, in the same order, and so are their weights, up to a factor.

    Several trainings: give `first` and `second` as a list with an entry a training, each as it would be for one. The
    difference is the mean over the trainings, and its error includes their scatter; see `over_trainings`.

    Args:
        label: (n_events,) 1 for signal, 0 for background.
        first: (n_events,) output of one classifier; larger is more signal-like.
        second: (n_events,) output of the other.
        weight: (n_events,) event weights, of which some may be negative; ones if None. The AUCs are those of `roc_auc`
            with weights, and the variance of a mean with weights w is sum w^2 (value - mean)^2 / (sum w)^2, times
            n / (n - 1) of the effective number of events n = (sum w)^2 / sum w^2; infinite if n is at most 1.

    Returns:
        Difference(value, error, trainings).

    Raises:
        ValueError: fewer than two signal or background events with a weight, weights of one of them whose sum is not
            positive, labels other than 0 and 1, a NaN score, lists or events whose numbers differ, other backgrounds
            at other hypotheses.

    >>> label, first, second = [1, 1, 1, 0, 0, 0], [3, 2, 4, 1, 0, 3], [3, 0, 4, 1, 0, 3]
    >>> print(compare_auc(label, first, second))
    +16.67 ± 19.25
    """
    depth = _depth(label)
    first, second = (_trainings(name, scores, depth) for name, scores in (("first", first), ("second", second)))
    if depth > 1 or len(first) != len(second):
        raise ValueError(
            "Expected label to be an array, or a list of arrays, one a hypothesis, and as many trainings of both "
            f"classifiers. Received: label of depth {depth}, {len(first)} and {len(second)} trainings."
        )
    labels = list(label) if depth else [label]
    weights = [None] * len(labels) if weight is None else list(weight) if depth else [weight]
    placed = [[_placed(labels, scores, weights) for scores in pair] for pair in zip(first, second, strict=True)]
    return over_trainings([difference(*pair) for pair in placed])


class Placements(NamedTuple):
    """Where each test event lies among those of the other class; the mean of either is the AUC.

    Attributes:
        signal: (n_signal,) share of the background that scores lower; ties count one half.
        background: (n_background,) share of the signal that scores higher.
        signal_weight: (n_signal,) weights of the signal events; None for ones.
        background_weight: (n_background,) likewise.
    """

    signal: np.ndarray
    background: np.ndarray
    signal_weight: np.ndarray | None = None
    background_weight: np.ndarray | None = None

    @property
    def auc(self) -> float:
        return float(np.average(self.signal, weights=self.signal_weight))


def placements(
    signal: ArrayLike,
    background: ArrayLike,
    signal_weight: ArrayLike | None = None,
    background_weight: ArrayLike | None = None,
) -> Placements:
    """The placements of the scores (n_signal,) of the signal and (n_background,) of the background, with weights.

    >>> placements([0.9, 0.5], [0.5, 0.1])[:2]
    (array([1.  , 0.75]), array([0.75, 1.  ]))
    """
    return Placements(
        _share_below(signal, background, background_weight),
        1 - _share_below(background, signal, signal_weight),
        signal_weight,
        background_weight,
    )


def difference(first: Sequence[Placements], second: Sequence[Placements]) -> Difference:
    """Mean AUC of a classifier over some hypotheses, minus that of another.

    Args:
        first: a classifier's placements at each hypothesis. The signal events of two hypotheses are different ones, the
            background events are the same, in the same order.
        second: another's, on the same events.

    Raises:
        ValueError: other hypotheses, other numbers of events, or other weights of the background.

    >>> first, second = placements([3, 2, 4], [1, 0, 3]), placements([3, 0, 4], [1, 0, 3])
    >>> print("{:.3f} {:.3f}".format(*difference([first], [second])))
    0.167 0.192
    """
    shapes = [[(len(p.signal), len(p.background)) for p in classifier] for classifier in (first, second)]
    if shapes[0] != shapes[1] or len({n_background for _, n_background in shapes[0]}) != 1:
        raise ValueError(
            "Expected placements of the same events in both classifiers, with the same background at each hypothesis. "
            f"Received: (n_signal, n_background) of {shapes[0]} and {shapes[1]}."
        )
    shares = [_shares(p.background_weight, len(p.background)) for p in (*first, *second)]
    if not np.allclose(shares, shares[0], rtol=1e-5, atol=0):  # weights may be of float32
        raise ValueError(
            "Expected the background with the same weights at each hypothesis, up to a factor. Received: others. "
            "Compare such hypotheses one by one."
        )
    n = len(first)
    of_signal = sum(
        _variance_of_mean(a.signal - b.signal, _shares(a.signal_weight, len(a.signal)))
        for a, b in zip(first, second, strict=True)
    )
    background = np.mean([a.background - b.background for a, b in zip(first, second, strict=True)], axis=0)
    variance = of_signal / n**2 + _variance_of_mean(background, shares[0])
    return Difference(float(shares[0] @ background), math.sqrt(variance))


def over_trainings(differences: Sequence[Difference]) -> Difference:
    """Mean of the differences that several trainings gave on the same test events.

    Its error is that of the test sample, which does not fall with more trainings, and the standard error of the mean
    over these, in quadrature. The first is the mean of theirs, a little too large for the mean of several. The second
    is stretched such that two of it hold 95 % of all cases for few trainings too (Student's t).

    >>> print(over_trainings([Difference(0.01, 0.001), Difference(0.01, 0.001), Difference(0.013, 0.001)]))
    +1.10 ± 0.24
    """
    values, errors = (np.array([getattr(d, field) for d in differences]) for field in ("value", "error"))
    n, of_training = len(values), 0.0
    if n > 1:
        of_training = values.std(ddof=1) / math.sqrt(n) * stats.t.ppf(0.975, n - 1) / SURE
    return Difference(float(values.mean()), math.hypot(errors.mean(), of_training), n)


def _depth(values) -> int:
    """How many lists are around an array; a list of numbers is an array."""
    if not isinstance(values, list | tuple) or not values or np.isscalar(values[0]):
        return 0
    return 1 + _depth(values[0])


def _trainings(argument, scores, depth) -> list:
    """One entry a training, each of the depth of `label`."""
    found = _depth(scores)
    if found not in (depth, depth + 1):
        raise ValueError(
            f"Expected {argument} as label is, or a list of such, one a training. Received: {found} lists around the "
            f"arrays of {argument}, {depth} around those of label."
        )
    return [scores] if found == depth else list(scores)


def _placed(labels, scores, weights) -> list[Placements]:
    scores = [scores] if _depth(scores) == 0 else list(scores)
    if not len(labels) == len(scores) == len(weights):
        raise ValueError(
            f"Expected labels, scores and weights of the same hypotheses. Received: {len(labels)}, {len(scores)} and "
            f"{len(weights)} of them."
        )
    return [_placements_of(*one) for one in zip(labels, scores, weights, strict=True)]


def _placements_of(label, score, weight) -> Placements:
    label = checks.as_label(label)
    score = checks.as_score(score, len(label))
    weight = np.ones(len(label)) if weight is None else checks.as_weight(weight, len(label), np.float64, signed=True)
    signal, background = (np.flatnonzero((label == of) & (weight != 0)) for of in (1, 0))
    sums = weight[signal].sum(), weight[background].sum()
    if min(len(signal), len(background)) < 2 or not min(sums) > 0:
        raise ValueError(
            "Expected at least two signal and two background events of positive weight: one has no scatter. Received: "
            f"{len(signal)} and {len(background)}, whose weights have the sums {sums[0]:g} and {sums[1]:g}."
        )
    return placements(score[signal], score[background], weight[signal], weight[background])


def _share_below(scores, others, weight=None) -> np.ndarray:
    order = np.argsort(others)
    below = np.concatenate([[0], np.cumsum(np.ones(len(order)) if weight is None else np.asarray(weight)[order])])
    sides = (np.searchsorted(others, scores, side, sorter=order) for side in ("left", "right"))
    return sum(below[side] for side in sides) / (2 * below[-1])


def _shares(weight, n) -> np.ndarray:
    return np.full(n, 1 / n) if weight is None else weight / np.sum(weight)


def _variance_of_mean(values, share) -> float:
    """Of sum share * value, where the shares add up to 1."""
    return unbiased(np.sum((share * (values - share @ values)) ** 2), np.sum(share**2))
