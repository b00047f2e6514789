"""What a row keeps of a network's scores: AUC, ROC curve, and enough to compare it with another on the same events.

The error of a difference of AUCs needs the covariance of the two networks, event by event (`pnn_tf.compare`). Rows are
made one by one, so they keep the mean placements in groups of events instead: independent, and as good for an error to
one part in ten.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import numpy as np

import pnn_tf
from benchmarks.claims import Estimate, Missing, of_difference, within
from benchmarks.data.events import Events
from benchmarks.tables import Cell, Table, percent, table_of
from pnn_tf.compare import Difference, Placements, difference, over_trainings, placements

N_GROUPS = 50  # an error of relative precision 1 / sqrt(2 N_GROUPS)
SIGNAL_EFFICIENCY = np.linspace(0, 1, 101)[1:]  # where ROC curves are kept
AUC = percent(lambda row: [tested["auc"] for tested in row["tested"]])
Tests = Callable[[Mapping], Sequence[Sequence[Mapping]]]  # see `minus`

# What the paper calls the same it shows as curves, and half a point of an AUC is the width of a line in its figures.
EQUAL = within(0.5)


def evaluate(model, test: Events, theta: float, told: Sequence[float] | None = None) -> dict:
    """The `summary` of a model on the background and the signal whose first parameter is theta, told theta or more."""
    test = test.select((test.label == 0) | (test.theta[:, 0] == np.float32(theta)))
    score = pnn_tf.predict_scores(model, test.features, [[theta] if told is None else told])
    return summary(theta, score[test.label == 1], score[test.label == 0])


def summary(theta: float, signal: np.ndarray, background: np.ndarray) -> dict:
    """What is kept of the scores of signal (n_signal,) and background (n_background,); larger is more signal-like.

    Returns:
        `auc` and `background_efficiency` (at each of SIGNAL_EFFICIENCY), in [0, 1]; `signal` and `background`, the mean
        placements of the events of each of N_GROUPS groups, whose mean is the AUC; and `theta`, `n_signal`,
        `n_background`.

    Raises:
        ValueError: fewer than N_GROUPS events of either.
    """
    if min(len(signal), len(background)) < N_GROUPS:
        raise ValueError(
            f"Expected at least {N_GROUPS} test events of signal and of background at theta = {theta:g}. "
            f"Received: {len(signal)} and {len(background)}. Use more test events."
        )
    placed = placements(signal, background)
    label = np.repeat([1, 0], [len(signal), len(background)])
    passing = pnn_tf.Ranking(label, np.concatenate([signal, background])).passing()
    of_signal, of_background = (np.append(0, counts) / counts[-1] for counts in passing)
    return {
        "theta": float(theta),
        "auc": placed.auc,
        "background_efficiency": _rounded(np.interp(SIGNAL_EFFICIENCY, of_signal, of_background)),
        "signal": _rounded(part.mean() for part in np.array_split(placed.signal, N_GROUPS)),
        "background": _rounded(part.mean() for part in np.array_split(placed.background, N_GROUPS)),
        "n_signal": len(signal),
        "n_background": len(background),
    }


def minus(rows: Sequence[Mapping], first: str, second: str, tests: Tests) -> Difference:
    """Mean AUC of a row minus that of another, over the seeds with which both are finished.

    `tests` are of a row, those to average over, a list a background. The errors of two backgrounds are averaged as if
    they were one: events at two jet energy scales come from the same collisions.

    Raises:
        Missing: there is no such seed.
    """
    one, other = ({row["seed"]: tests(row) for row in rows if row["row"] == name} for name in (first, second))
    seeds = [seed for seed in one if seed in other]
    if not seeds:
        raise Missing(f"not finished with one seed: {first}, {second}")
    found = []
    for seed in seeds:
        pairs = zip(one[seed], other[seed], strict=True)
        alone = [difference(*(list(map(_placed, group)) for group in pair)) for pair in pairs]
        found.append(Difference(fmean(d.value for d in alone), fmean(d.error for d in alone)))
    return over_trainings(found)


def estimates(named: Mapping[str, tuple[str, str, Tests]]) -> Callable[[Sequence[Mapping]], dict[str, Estimate]]:
    """The measure of a claim: by name, `minus` of two rows and the tests of each, in points."""
    return lambda rows: {name: of_difference(minus(rows, *pair)) for name, pair in named.items()}


def cell(difference: Difference) -> Cell:
    """In points, with the standard error as the spread."""
    return Cell(100 * difference.value, 100 * difference.error)


def difference_table(caption: str, corner: str, found: Mapping[str, Mapping[float, Difference]], heading: str) -> Table:
    """A table of differences by the name of a line and the number in the heading of a column, as `cell`."""
    lines = {name: {heading.format(at): cell(d) for at, d in of_line.items()} for name, of_line in found.items()}
    return table_of(caption, corner, lines)


def curve(tested: Sequence[Mapping]) -> pnn_tf.RocCurve:
    """The mean ROC curve over seeds."""
    return pnn_tf.RocCurve(SIGNAL_EFFICIENCY, np.mean([one["background_efficiency"] for one in tested], axis=0))


def mean_auc(tested: Sequence[Mapping]) -> pnn_tf.HypothesisResult:
    """The mean AUC over seeds (one entry each), for `pnn_tf.plots.auc`."""
    first, auc = tested[0], fmean(one["auc"] for one in tested)
    return pnn_tf.HypothesisResult((first["theta"],), auc, None, first["n_signal"], first["n_background"])


def _placed(tested: Mapping) -> Placements:
    """The kept placements, a group of events each."""
    return Placements(np.array(tested["signal"]), np.array(tested["background"]))


def _rounded(values) -> list[float]:
    return [round(float(value), 6) for value in values]
