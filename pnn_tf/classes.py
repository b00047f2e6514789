"""A network of several classes against its hypotheses: each signal, at each of its theta, against the backgrounds.

A signal is held against each background alone and against all of them, whose theta is set to the hypothesis; the score
is that of `pnn_tf.discriminant`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.columns import Features, trained_names
from pnn_tf.discriminants import discriminants, number_of_classes
from pnn_tf.evaluation import result_at, warn_outside_hull
from pnn_tf.metrics import Significance
from pnn_tf.scoring import all_outputs
from pnn_tf.strata import distinct


class ClassResult(NamedTuple):
    """How well a model tells one signal at one hypothesis from one background, or from all.

    Attributes:
        theta: the hypothesis, one number per parameter.
        signal: the class that is signal.
        background: the class that it is held against; None for all backgrounds together.
        auc: exact area under the ROC curve of the discriminant, as in `HypothesisResult`.
        auc_error: its standard error.
        significance: best cut, its significance and the significance ratio, with weights.
        n_signal: number of signal events of this hypothesis.
        n_background: number of background events.
    """

    theta: tuple[float, ...]
    signal: int
    background: int | None
    auc: float
    auc_error: float
    significance: Significance
    n_signal: int
    n_background: int


def predict_classes(model: keras.Model, features: Features, theta: ArrayLike, *, batch_size: int = 16384) -> np.ndarray:
    """The outputs of a network of several classes for events at given theta.

    Args:
        model: functional, with the named inputs `features` and `theta`, or `features` alone, and one output (n_events,
            n_classes).
        features: (n_events, n_features) or a table of columns, as in `predict_scores`.
        theta: (n_events,) or (n_events, n_parameters), in physical units; or one theta for all events, a number or
            (1, n_parameters).
        batch_size: number of events computed in one go, up to an eighth more.

    Returns:
        (n_events, n_classes) float32, probabilities where the network ends in a softmax.

    Warns:
        UserWarning: as `predict_scores`.

    Raises:
        ValueError: as `predict_scores`; a model that is not one of several classes.
    """
    number_of_classes(model)
    features = checks.as_features(features, trained_names(model))
    theta = np.atleast_2d(theta) if np.ndim(theta) == 0 else theta
    theta = checks.as_theta(theta, 1 if np.shape(theta)[0] == 1 else len(features))
    warn_outside_hull(model, theta)
    return _predict(model, features, theta, batch_size)


def evaluate_classes(
    model: keras.Model,
    features: Features,
    theta: ArrayLike,
    label: ArrayLike,
    *,
    backgrounds: Sequence[int] = (0,),
    hypotheses: ArrayLike | None = None,
    nuisances: Sequence[int] = (),
    weight: ArrayLike | None = None,
    background_weight: str | float = "balanced",
    batch_size: int = 16384,
) -> list[ClassResult]:
    """AUC and significance of each signal at each of its hypotheses, against each background and against all.

    The network is evaluated once for each theta, for all classes together.

    Args:
        model: as in `predict_classes`.
        features: (n_events, n_features) or a table of columns, as in `predict_scores`.
        theta: (n_events,) or (n_events, n_parameters), in physical units; of the backgrounds only the nuisances are
            looked at, the rest may be NaN.
        label: (n_events,) the class, from 0 to n_classes - 1.
        backgrounds: the classes that are background; the others are signals.
        hypotheses: (n_hypotheses,) or (n_hypotheses, n_parameters), or a number for one: each signal is looked at where
            it has events; None for every theta that a signal has.
        nuisances: as in `evaluate_hypotheses`, like weight, background_weight and batch_size.

    Returns:
        A list with a ClassResult for each signal, for each background and then all of them (background=None, for one
        background, too), for each hypothesis; in this order.

    Warns:
        UserWarning: as `predict_scores`.

    Raises:
        ValueError: as `evaluate_hypotheses`; labels that are not classes of the model, backgrounds that are none, or
            all, of its classes, a hypothesis that no signal has, a background without events at one.
    """
    n_classes = number_of_classes(model)
    features = checks.as_features(features, trained_names(model))
    label = checks.as_classes(label, len(features), n_classes)
    backgrounds = checks.as_columns("backgrounds", backgrounds, n_classes)
    signals = [each for each in range(n_classes) if each not in backgrounds]
    if not backgrounds or not signals:
        raise ValueError(
            f"Expected some of the {n_classes} classes as backgrounds, and not all. Received: backgrounds={backgrounds}"
        )
    is_background = np.isin(label, backgrounds)
    theta = checks.as_theta(theta, len(features), ~is_background, nuisances)
    if weight is not None:
        weight = checks.as_weight(weight, len(features), np.float64, signed=True)
    checks.require_background_weight(background_weight)
    nuisances = list(checks.as_columns("nuisances", nuisances, theta.shape[1]))
    if hypotheses is None:
        hypotheses, _ = distinct(theta[~is_background])
    else:
        hypotheses = checks.as_points("hypotheses", hypotheses, theta.shape[1])
    warn_outside_hull(model, hypotheses)

    opponents = [(each, (each,)) for each in backgrounds] + [(None, backgrounds)]
    pairs = [(signal, *opponent) for signal in signals for opponent in opponents]
    scores = discriminants(model, [(signal, group) for signal, _, group in pairs])
    results: list[list[ClassResult]] = [[] for _ in pairs]
    for point in hypotheses:
        shared = np.all(theta[:, nuisances] == point[nuisances], axis=1)
        rows = np.flatnonzero(np.where(is_background, shared, np.all(theta == point, axis=1)))
        classes = label[rows]
        _require_classes(point, set(np.unique(classes)), backgrounds)
        of_rows = _predict(scores, features[rows], point[np.newaxis], batch_size)
        for (signal, background, group), score, of_pair in zip(pairs, of_rows.T, results, strict=True):
            own = classes == signal
            if own.any():
                others = np.isin(classes, group)
                weights = None if weight is None else (weight[rows[own]], weight[rows[others]])
                found = result_at(point, (score[own], score[others]), weights, background_weight)
                of_pair.append(ClassResult(found.theta, signal, background, found.auc, found.auc_error, *found[2:5]))
    return [result for of_pair in results for result in of_pair]


def _require_classes(point: np.ndarray, present: set[int], backgrounds: Sequence[int]) -> None:
    missing = set(backgrounds) - present
    if missing or len(present) == len(backgrounds):
        what = f"no event of the classes {sorted(missing)}" if missing else "no event of a signal"
        raise ValueError(
            f"Expected events of a signal, and of each of the backgrounds {tuple(backgrounds)}, for theta = "
            f"{checks.plain(point).tolist()}. Received: {what}"
        )


def _predict(model: keras.Model, features: np.ndarray, theta: np.ndarray, batch_size: int) -> np.ndarray:
    """All outputs (n_events, n_outputs) float32 at theta, one for each event or one for all."""
    widths = {tensor.name: tensor.shape[-1] for tensor in model.inputs}
    given = {"features": features.shape[1], "theta": theta.shape[1]}
    if "features" not in widths or not widths.items() <= given.items():
        raise ValueError(
            f"Expected a model with the inputs 'features' and 'theta', and events of its widths. It has: {widths}. "
            f"Received: {given}. Give the columns that it was trained with, in their order."
        )
    return all_outputs(model, features, theta, batch_size)
