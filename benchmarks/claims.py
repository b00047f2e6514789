"""What a paper says, as data: statement, published number, what is measured, and a criterion that was set beforehand.

The verdict on a claim follows from an estimate with its error in one place, for all papers: it *holds* where all values
within two errors of the estimate meet the criterion, *does not hold* where none does, else it *cannot be told*.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scipy import stats

HOLDS, FAILS, OPEN = VERDICTS = ("holds", "does not hold", "cannot be told")
TWO_SIDED = 0.975  # quantile: two errors on either side hold 95 % of all cases


class Missing(LookupError):
    """Rows that a claim or a figure needs are not finished."""


class Estimate(NamedTuple):
    """A measured number.

    Args:
        value: in the unit of its claim.
        error: standard error; two of them on either side hold 95 % of all cases.
        trainings: how many trainings it is the mean of.
        spread: standard deviation over these, with n - 1; None for one.
    """

    value: float
    error: float = 0.0
    trainings: int = 1
    spread: float | None = None


def over_trainings(values: Sequence[float], test_error: float = 0.0) -> Estimate:
    """The mean over trainings.

    Args:
        values: one a training.
        test_error: standard error from the finite test sample, which more trainings on it do not reduce.

    Returns:
        An Estimate whose error is that of the mean, stretched by Student's t so that two of it hold 95 % for few
        trainings too, and the test sample's in quadrature.

    Raises:
        Missing: there is no training, such as where two networks have no seed in common.

    >>> over_trainings([1.0, 1.2, 1.4]).value, round(over_trainings([1.0, 1.2, 1.4]).error, 3)
    (1.2, 0.248)
    """
    values = [float(value) for value in values]
    if not values:
        raise Missing("not finished with one seed")
    n, of_training, spread = len(values), 0.0, None
    if n > 1:
        spread = statistics.stdev(values)
        of_training = spread / math.sqrt(n) * stats.t.ppf(TWO_SIDED, n - 1) / 2
    return Estimate(statistics.fmean(values), math.hypot(of_training, test_error), n, spread)


def over_seeds(value: Callable, chosen: Callable, test_error: Callable = lambda row: 0.0) -> Callable:
    """The measure of a claim on one network: something is read off each of its rows, and averaged over the seeds.

    Args:
        value: from a row, a number, or several by name.
        chosen: from all rows, those of the network, such as `partial(tables.pick, row="pNN")`.
        test_error: from the first of these, the standard error that the finite test sample leaves.
    """

    def measure(rows):
        of_seeds = chosen(rows)
        found, error = [value(row) for row in of_seeds], test_error(of_seeds[0])
        if isinstance(found[0], Mapping):
            return {name: over_trainings([each[name] for each in found], error) for name in found[0]}
        return over_trainings(found, error)

    return measure


def of_difference(difference) -> Estimate:
    """A difference of AUCs in [-1, 1], which has `value`, `error` and the number of `trainings`, in points."""
    return Estimate(100 * difference.value, 100 * difference.error, difference.trainings)


class Criterion(NamedTuple):
    """The values that a claim allows: an interval, and how to say it."""

    low: float
    high: float
    text: str

    def verdict(self, estimate: Estimate) -> str:
        """HOLDS, FAILS or OPEN, from the interval of two errors around the estimate."""
        low, high = estimate.value - 2 * estimate.error, estimate.value + 2 * estimate.error
        if math.isnan(estimate.value):
            return OPEN
        if self.low < low and high < self.high:
            return HOLDS
        return FAILS if high <= self.low or self.high <= low else OPEN

    def margin(self, estimate: Estimate) -> tuple[float, float]:
        """How far the estimate lies inside the interval, negative outside: in errors, and as such."""
        distance = min(estimate.value - self.low, self.high - estimate.value)
        return distance / estimate.error if estimate.error else math.copysign(math.inf, distance), distance


def above(bound: float) -> Criterion:
    """More than a bound."""
    return Criterion(bound, math.inf, f"above {bound:g}")


def below(bound: float) -> Criterion:
    """Less than a bound."""
    return Criterion(-math.inf, bound, f"below {bound:g}")


def within(margin: float, of: float = 0.0) -> Criterion:
    """No further than a margin from a value.

    >>> within(0.2).verdict(Estimate(0.1, 0.04)), within(0.2).verdict(Estimate(0.1, 0.06))
    ('holds', 'cannot be told')
    """
    return Criterion(of - margin, of + margin, f"{of:g} ± {margin:g}")


def between(low: float, high: float) -> Criterion:
    """Inside of an interval."""
    return Criterion(low, high, f"{low:g} to {high:g}")


@dataclass(frozen=True)
class Claim:
    """Something that a paper says, or that we do, and that rows can answer.

    Args:
        statement: in one sentence, without the number.
        measure: from rows, the estimate that answers it; or several by name, all of which have to meet the criterion
            (an ordering: each of the gaps above zero). Raises Missing where rows are not finished.
        criterion: set beforehand.
        published: the paper's number of what is measured; None if there is none.
        where: figure, table or section, if not that of the experiment.
        unit: of all numbers.
        decimals: digits after the point.
        ours: True for a finding of our own.
        chance: False where no chance in training matters, so that a single seed can tell.
        scales: at which scales of the experiment it applies; None for all but "smoke", where nothing can be told.
    """

    statement: str
    measure: Callable[[Sequence[Mapping]], Estimate | Mapping[str, Estimate]]
    criterion: Criterion
    published: float | None = None
    where: str = ""
    unit: str = "points"
    decimals: int = 2
    ours: bool = False
    chance: bool = True
    scales: tuple[str, ...] | None = None


class Judged(NamedTuple):
    """A claim with its verdict.

    Args:
        claim: what is said.
        verdict: one of VERDICTS.
        estimate: the number that decides; None if it cannot be had.
        name: of that number, where the claim has several.
        reason: why it cannot be told, where the estimate does not say it.
    """

    claim: Claim
    verdict: str
    estimate: Estimate | None = None
    name: str = ""
    reason: str = ""


def judge(claim: Claim, record: Mapping) -> Judged:
    """The verdict on a claim, from the rows of a record."""
    try:
        measured = claim.measure(record["rows"])
    except Missing as missing:
        return Judged(claim, OPEN, reason=str(missing))
    estimates = measured if isinstance(measured, Mapping) else {"": measured}
    name, estimate = min(estimates.items(), key=lambda item: claim.criterion.margin(item[1]))  # the one that decides
    if record["scale"] == "smoke":
        return Judged(claim, OPEN, estimate, name, "smoke scale")
    if claim.chance and estimate.trainings < 2:
        return Judged(claim, OPEN, estimate, name, "one training")
    verdicts = [claim.criterion.verdict(each) for each in estimates.values()]
    verdict = next(verdict for verdict in (FAILS, OPEN, HOLDS) if verdict in verdicts)
    return Judged(claim, verdict, estimate, name)


def applies(claim: Claim, record: Mapping) -> bool:
    """Whether a claim is about the events of a record."""
    return claim.scales is None or record["scale"] in (*claim.scales, "smoke")
