"""AUC of one classifier minus AUC of another on the same test events, with the error that this leaves.

DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837: the AUC is a mean over the signal events, and one over the
background events, of the share of the other class that each is on the right side of. Two classifiers find the same
events difficult, so their difference is known better than either AUC.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmarks.tables import Cell

SURE = 2.0  # standard errors from which on a difference is one
INDISTINCT = "neither better nor worse within two standard errors"


class Placements(NamedTuple):
    """Where each test event lies among those of the other class; the mean of either is the AUC.

    Args:
        signal: (n_signal,) share of the background that scores lower; ties count one half.
        background: (n_background,) share of the signal that scores higher.
    """

    signal: np.ndarray
    background: np.ndarray

    @property
    def auc(self) -> float:
        return float(self.signal.mean())


class Difference(NamedTuple):
    """A difference of AUCs, in [-1, 1], and its standard error; in points (hundredths) as text.

    The error is of the finite test sample, and of chance in training where there are several `trainings`.

    >>> change = Difference(-0.005, 0.002)
    >>> print(f"The first is {change.verdict} ({change}).")
    The first is worse in this one training (-0.50 ± 0.20).
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

    @property
    def verdict(self) -> str:
        """What the first classifier is: "better" or "worse" by `sign`, else INDISTINCT."""
        if not self.sign:
            return INDISTINCT
        return ("better" if self.sign > 0 else "worse") + (" in this one training" if self.trainings == 1 else "")

    @property
    def cell(self) -> Cell:
        """In points, with the standard error as the spread."""
        return Cell(100 * self.value, 100 * self.error)


def placements(signal, background) -> Placements:
    """The placements of the scores (n_signal,) of the signal and (n_background,) of the background.

    >>> placements([0.9, 0.5], [0.5, 0.1])
    Placements(signal=array([1.  , 0.75]), background=array([0.75, 1.  ]))
    """
    return Placements(_share_below(signal, background), 1 - _share_below(background, signal))


def difference(first: Sequence[Placements], second: Sequence[Placements]) -> Difference:
    """Mean AUC of a classifier over some hypotheses, minus that of another.

    Args:
        first: a classifier's placements at each hypothesis. The signal events of two hypotheses are different ones, the
            background events are the same, in the same order.
        second: another's, on the same events.

    Raises:
        ValueError: other hypotheses or other numbers of events.

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
    n = len(first)
    signal = [a.signal - b.signal for a, b in zip(first, second, strict=True)]
    background = np.mean([a.background - b.background for a, b in zip(first, second, strict=True)], axis=0)
    variance = sum(_variance_of_mean(events) for events in signal) / n**2 + _variance_of_mean(background)
    return Difference(float(background.mean()), math.sqrt(variance))


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


def _share_below(scores, others) -> np.ndarray:
    others = np.sort(others)
    below, not_above = (np.searchsorted(others, scores, side) for side in ("left", "right"))
    return (below + not_above) / (2 * len(others))


def _variance_of_mean(values: np.ndarray) -> float:
    return values.var(ddof=1) / len(values)
