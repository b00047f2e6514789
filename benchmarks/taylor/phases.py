"""The phases of a training, of which TAYLOR section 3 speaks, where it would have been stopped, and claims on them."""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

import pnn_tf
from benchmarks.claims import Claim, Criterion, Estimate, Missing, above, below, between, over_seeds, within
from benchmarks.published import TAYLOR_FIG_2
from benchmarks.taylor.fig_1 import FEATURES, X1, X2, X11, X12, X22

PHASES = ("plateau", "fall", "second_rise", "stop")
CHANGE = 0.005  # of an AUC, that ends one phase of the training and begins the next


def phases(step: np.ndarray, mean: np.ndarray, auc: np.ndarray, linear_auc: float) -> dict:
    """The phases of the paper's section 3, in numbers.

    The paper calls them by eye. Its plateau of 0.84 is the AUC of a linear classifier, Phi(1) = 0.841 for this task:
    measured on the same events, the best linear classifier is what the curve is held against.

    Args:
        step: (n,) gradient steps done.
        mean: (n, 5) <|t|>, x1 and x2 first.
        auc: (n,) in [0, 1].
        linear_auc: of the best linear classifier on the same events.

    Returns:
        In gradient steps, None where it does not happen: `plateau`, the AUC comes to that of a linear classifier, less
        CHANGE; `fall`, the means of x1 and x2 are largest, and begin to decrease; `second_rise`, the AUC exceeds that
        of a linear classifier by CHANGE. `plateau_auc` is the AUC at `fall`.
    """

    def first(reached):
        return int(step[np.argmax(reached)]) if reached.any() else None

    highest = int(np.argmax(mean[:, :2].sum(axis=1)))
    return {
        "plateau_auc": float(auc[highest]),
        "plateau": first(auc >= linear_auc - CHANGE),
        "fall": int(step[highest]),
        "second_rise": first(auc > linear_auc + CHANGE),
    }


def stopping_epoch(validation_loss: Sequence[float], patience: int) -> int | None:
    """The epoch, from 1, after which `patience` in a row were not below the best before them; None if there is none.

    >>> stopping_epoch([0.5, 0.4, 0.45, 0.41, 0.39, 0.4, 0.4], patience=2)
    4
    """
    best, waited = math.inf, 0
    for epoch, loss in enumerate(validation_loss, start=1):
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited == patience:
            return epoch
    return None


def drawn(rows: Sequence[Mapping]) -> list[Mapping]:
    """The rows of the setting that is drawn, one a seed: those with every step."""
    found = [row for row in rows if row["step"][1] == 1]
    if not found:
        raise Missing("not finished: the network that is drawn")
    return found


def reached(phase: str, row: Mapping) -> int:
    """The step at which a phase begins; the one after the last for one that does not."""
    return row["step"][-1] + 1 if row[phase] is None else row[phase]


def distance(row: Mapping) -> float:
    """How far the phases are from the paper's: mean of |ln(step / paper's step)|; NaN if one is missing."""
    steps = [row[phase] or math.nan for phase in PHASES[:3]]
    return float(np.mean(np.abs(np.log(np.divide(steps, TAYLOR_FIG_2[1:4])))))


def rise(of: str | int, start: float, end: float, row: Mapping) -> float:
    """How much "auc" (points) or <|t|> of a feature (its place) rises from one step to another, as far as looked at."""
    values = 100 * np.array(row["auc"]) if of == "auc" else row["mean"][of]
    before, after = (np.searchsorted(row["step"], step, side="right") - 1 for step in (start, end))
    return float(values[after] - values[before])


def first_over_second(row: Mapping) -> dict[str, float]:
    """How much more x1 and x2 have risen than each pair at the end of the paper's first phase."""
    first = min(rise(i, 0, PLATEAU, row) for i in (X1, X2))
    return {f"({FEATURES.labels[i]})": first - rise(i, 0, PLATEAU, row) for i in (X11, X12, X22)}


def unlike(row: Mapping) -> float:
    """Mean difference of x1 and x2 from the end of the paper's first phase on, in per cent of their mean."""
    first, second = (np.array(row["mean"][i][PLATEAU:]) for i in (X1, X2))
    return float(np.mean(200 * np.abs(first - second) / (first + second)))


def stopped_early(rows: Sequence[Mapping]) -> Estimate:
    """In how many trainings of all the criterion is met before the second rise."""
    if len({row["row"] for row in rows}) < 2:
        raise Missing("not finished: the scan")
    return Estimate(sum(reached("stop", row) < reached("second_rise", row) for row in rows))


def of_test_sample(row: Mapping) -> float:
    """Standard error of an AUC from the 10 000 test events of the embedded scale, points."""
    return 100 * pnn_tf.auc_error(row["plateau_auc"], 5000, 5000)


def about(step: int) -> Criterion:
    """The paper reads steps of one training off by eye: a factor of two either way is the same."""
    return between(step / 2, 2 * step)


HEIGHT, PLATEAU, FALL, SECOND_RISE, STOP = TAYLOR_FIG_2
TOP = over_seeds(lambda row: 100 * row["plateau_auc"], drawn, of_test_sample)
OF_DRAWN = (  # statement, what is read off a row, criterion, published, unit, decimals
    ("The AUC comes to its plateau", partial(reached, "plateau"), about(PLATEAU), PLATEAU, "steps", 0),
    ("x1 and x2 rise more than each pair up to step 30", first_over_second, above(0), None, "", 3),
    ("x1 and x2 have the same progression", unlike, below(10), None, "%", 2),
    ("The influence of x1 and x2 begins to decrease", partial(reached, "fall"), about(FALL), FALL, "steps", 0),
    ("The AUC begins to rise again", partial(reached, "second_rise"), about(SECOND_RISE), SECOND_RISE, "steps", 0),
    ("(x1, x2) rises with it, from step 100 on", partial(rise, X12, 100, math.inf), above(0), None, "", 3),
    ("The AUC gains between steps 250 and 339", partial(rise, "auc", 250, STOP), above(0), None, "points", 2),
    ("The AUC gains between steps 100 and 339", partial(rise, "auc", 100, STOP), above(0), None, "points", 2),
    ("The stopping criterion is met", partial(reached, "stop"), about(STOP), STOP, "steps", 0),
    ("(x1, x2) has not converged at step 339", partial(rise, X12, STOP, math.inf), above(0), None, "", 3),
)
FROM_LINEAR = over_seeds(lambda row: 100 * (row["plateau_auc"] - row["linear_auc"]), drawn)
FROM_BEST = over_seeds(lambda row: 100 * (row["auc"][-1] - row["bayes_auc"]), drawn)
EARLY = "The criterion can be met before the second rise"
CLAIMS = (
    Claim("The AUC rises to a plateau", TOP, within(0.5, of=HEIGHT), HEIGHT, unit="%"),
    *(
        Claim(text, over_seeds(value, drawn), criterion, paper, "", *digits)
        for text, value, criterion, paper, *digits in OF_DRAWN
    ),
    Claim(EARLY, stopped_early, above(0), unit="trainings", decimals=0, chance=False),
    Claim("The AUC of the plateau is that of the best linear classifier", FROM_LINEAR, within(0.5), ours=True),
    Claim("The AUC ends at that of the best classifier", FROM_BEST, within(0.5), ours=True),
)
