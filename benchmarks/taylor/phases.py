"""The phases of a training, of which TAYLOR section 3 speaks, and where it would have been stopped."""

import math
from collections.abc import Sequence

import numpy as np

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
    highest = int(np.argmax(mean[:, :2].sum(axis=1)))
    return {
        "plateau_auc": float(auc[highest]),
        "plateau": _first(step, auc >= linear_auc - CHANGE),
        "fall": int(step[highest]),
        "second_rise": _first(step, auc > linear_auc + CHANGE),
    }


def _first(step: np.ndarray, reached: np.ndarray) -> int | None:
    return int(step[np.argmax(reached)]) if reached.any() else None


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
