"""A parametric model against its hypotheses: Anzalone et al. 2022, section 6.

The signal of each hypothesis is held against the whole background, whose theta is set to that hypothesis.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.hull import outside_hull, trained_points
from pnn_tf.metrics import Ranking, Significance, auc_error
from pnn_tf.strata import distinct


class HypothesisResult(NamedTuple):
    """How well a model finds the signal of one hypothesis.

    Attributes:
        theta: the hypothesis, one number per parameter.
        auc: exact area under the ROC curve, without weights.
        significance: best cut, its significance and the significance ratio, with weights.
        n_signal: number of signal events of this hypothesis.
        n_background: number of background events.
    """

    theta: tuple[float, ...]
    auc: float
    significance: Significance
    n_signal: int
    n_background: int

    @property
    def auc_error(self) -> float:
        """Standard error of `auc` from the number of events; see `pnn_tf.auc_error`."""
        return auc_error(self.auc, self.n_signal, self.n_background)


def predict_scores(model: keras.Model, features: ArrayLike, theta: ArrayLike, *, batch_size: int = 16384) -> np.ndarray:
    """The model's output for events at given theta.

    Args:
        model: a Keras model with the named inputs `features` and `theta`, or `features` alone, and one output.
        features: (n_events, n_features).
        theta: (n_events,) or (n_events, n_parameters), in physical units; or one theta for all events, a number or
            (1, n_parameters).
        batch_size: number of events computed in one go.

    Returns:
        (n_events,) float32.

    Warns:
        UserWarning: theta outside the convex hull of what the model was trained on, if the model knows it.

    Raises:
        ValueError: NaN or infinite values, lengths that differ, a model with other inputs, with another number of
            parameters or with more than one output, a batch_size below 1.
    """
    features = checks.as_features(features)
    theta = np.atleast_2d(theta) if np.ndim(theta) == 0 else theta
    theta = checks.as_theta(theta, 1 if np.shape(theta)[0] == 1 else len(features))
    _warn_outside_hull(model, theta)
    return _predict(model, features, np.arange(len(features)), theta, batch_size)


def evaluate_hypotheses(
    model: keras.Model,
    features: ArrayLike,
    theta: ArrayLike,
    label: ArrayLike,
    *,
    hypotheses: ArrayLike | None = None,
    nuisances: Sequence[int] = (),
    weight: ArrayLike | None = None,
    background_weight: str | float = "balanced",
    batch_size: int = 16384,
) -> list[HypothesisResult]:
    """AUC and significance of each hypothesis: its signal against the whole background at its theta.

    Args:
        model: as in `predict_scores`.
        features: (n_events, n_features).
        theta: (n_events,) or (n_events, n_parameters), in physical units; of background only the nuisances are looked
            at, the rest may be NaN.
        label: (n_events,) 1 for signal, 0 for background.
        hypotheses: (n_hypotheses,) or (n_hypotheses, n_parameters), or a number for one; None for every theta that
            signal has.
        nuisances: columns of theta that the background has values of its own for, such as the jet energy scale that it
            was simulated with: a hypothesis is held against the background that shares its values there.
        weight: (n_events,) non-negative event weights for the significance; ones if None. The AUC has none.
        background_weight: a factor on the weights of the background; "balanced" for the one that makes their sum
            that of the hypothesis' signal, as in the paper.
        batch_size: number of events computed in one go.

    Returns:
        A list with one HypothesisResult per hypothesis, in the order of hypotheses, or sorted.

    Warns:
        UserWarning: as `predict_scores`.

    Raises:
        ValueError: as `predict_scores`; labels other than 0 and 1, negative weights, no hypothesis, or one without
            signal or background, a background_weight that is neither "balanced" nor a positive number, background
            without weight where it is to be balanced, nuisances that are not columns of theta.
    """
    features = checks.as_features(features)
    label = checks.as_label(label, len(features))
    theta = checks.as_theta(theta, len(features), label, nuisances)
    weight = np.ones(len(features)) if weight is None else checks.as_weight(weight, len(features), np.float64)
    if background_weight != "balanced" and (
        isinstance(background_weight, str | None) or not 0 < background_weight < np.inf
    ):
        raise ValueError(f"Expected background_weight 'balanced' or a number > 0. Received: {background_weight!r}")
    nuisances = list(checks.as_columns("nuisances", nuisances, theta.shape[1]))
    signal, all_background = np.flatnonzero(label), np.flatnonzero(label == 0)
    if hypotheses is None:
        hypotheses, _ = distinct(theta[signal])
    else:
        hypotheses = checks.as_points("hypotheses", hypotheses, theta.shape[1])
    _warn_outside_hull(model, hypotheses)

    results = []
    for point in hypotheses:
        own = signal[np.all(theta[signal] == point, axis=1)]
        background = all_background
        if nuisances:
            background = background[np.all(theta[background][:, nuisances] == point[nuisances], axis=1)]
        if len(own) == 0 or len(background) == 0:
            raise ValueError(
                f"Expected signal at theta = {point.tolist()} and background. "
                f"Received {len(own)} events of the one and {len(background)} of the other."
            )
        rows = np.concatenate([own, background])
        ranking = Ranking(label[rows], _predict(model, features, rows, point[np.newaxis], batch_size))
        factor = background_weight
        if background_weight == "balanced":
            if not weight[background].any():
                raise ValueError(
                    f"The weights of the background at theta = {point.tolist()} are all 0: there is no factor that "
                    "balances them with the signal's. Give other weights, or background_weight a number."
                )
            factor = weight[own].sum() / weight[background].sum()
        significance = ranking.significance(weight[rows] * np.where(label[rows] == 1, 1.0, factor))
        theta_of_result = tuple(point.tolist())
        results.append(HypothesisResult(theta_of_result, ranking.auc(), significance, len(own), len(background)))
    return results


def scan_theta(model: keras.Model, features: ArrayLike, grid: ArrayLike, *, batch_size: int = 16384) -> np.ndarray:
    """The model's output for each event as a function of theta.

    Args:
        model: as in `predict_scores`.
        features: (n_events, n_features).
        grid: (n_points,) or (n_points, n_parameters) of theta, or a number for one point, in physical units.
        batch_size: number of events computed in one go.

    Returns:
        (n_points, n_events) float32.

    Warns:
        UserWarning: as `predict_scores`.

    Raises:
        ValueError: as `predict_scores`; no point.
    """
    features = checks.as_features(features)
    grid = checks.as_points("grid", grid)
    _warn_outside_hull(model, grid)
    rows = np.arange(len(features))
    return np.stack([_predict(model, features, rows, point[np.newaxis], batch_size) for point in grid])


def hold_out(theta: ArrayLike, label: ArrayLike, hypotheses: ArrayLike) -> np.ndarray:
    """Which events remain when the signal of some hypotheses is kept from training, to test the interpolation to them.

    Background stays, as it belongs to no hypothesis: give it its theta from the remaining ones (`background_theta` of
    `balanced_batches`), or the network meets the held-out theta with background alone.

    Args:
        theta: (n_events,) or (n_events, n_parameters); of background it is not looked at and may be NaN.
        label: (n_events,) 1 for signal, 0 for background.
        hypotheses: (n_hypotheses,) or (n_hypotheses, n_parameters) to hold out, or a number for one.

    Returns:
        (n_events,) bool, True for an event to train on.

    Raises:
        ValueError: no hypothesis, or one that no signal event has; hypotheses of another number of parameters than
            theta; lengths that differ, labels other than 0 and 1, theta of signal that is not finite.

    >>> hold_out([500, 750, 1000, 750], [1, 1, 1, 0], [750]).tolist()
    [True, False, True, True]
    """
    label = checks.as_label(label)
    theta = checks.as_theta(theta, len(label), label)
    signal = label == 1
    kept = np.ones(len(theta), bool)
    for point in checks.as_points("hypotheses", hypotheses, theta.shape[1]):
        own = signal & np.all(theta == point, axis=1)
        if not own.any():
            raise ValueError(f"hypotheses: no signal event has theta = {point.tolist()}.")
        kept &= ~own
    return kept


def _predict(
    model: keras.Model, features: np.ndarray, rows: np.ndarray, theta: np.ndarray, batch_size: int
) -> np.ndarray:
    """Scores of some rows of features; theta is that of every row, or of one for all."""
    inputs = getattr(model, "inputs", None)  # a subclassed model does not say
    shapes = {tensor.name: tensor.shape for tensor in inputs or ()}
    names = set(shapes) or {"features", "theta"}
    if "features" not in names or not names <= {"features", "theta"}:
        raise ValueError(f"Expected a model with the inputs 'features' and 'theta', or 'features'. It has: {names}")
    n_parameters = shapes.get("theta", theta.shape)[-1]
    if n_parameters not in (None, theta.shape[1]):  # Keras takes one column for any number of them
        raise ValueError(f"Expected theta of {n_parameters} parameters, as the model. Received: {theta.shape[1]}")
    if not batch_size >= 1:
        raise ValueError(f"Expected batch_size >= 1. Received: batch_size={batch_size}")
    size = min(batch_size, len(rows))
    scores = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), size):
        # The last batch is moved back to be a full one: another shape would be traced, or compiled, anew.
        part = slice(min(start, len(rows) - size), min(start + size, len(rows)))
        batch = {"features": features[rows[part]]}
        if "theta" in names:
            batch["theta"] = np.broadcast_to(theta if len(theta) == 1 else theta[part], (size, theta.shape[1]))
        output = model.predict_on_batch(batch)
        if output.shape != (size, 1):
            raise ValueError(f"Expected a model with one output, ({size}, 1). It gives: {output.shape}")
        scores[part] = output[:, 0]
    return scores


def _warn_outside_hull(model: keras.Model, theta: np.ndarray) -> None:
    """Warns, in the name of the function's caller, where theta leaves the hull of what the model was trained on."""
    for points in trained_points(model, theta.shape[1]):
        outside = outside_hull(theta, points)
        if outside.any():
            low, high = np.min(points, axis=0), np.max(points, axis=0)
            examples = np.unique(theta[outside], axis=0)[:5].tolist()
            warnings.warn(
                f"theta lies outside the convex hull of the points, from {low.tolist()} to {high.tolist()}, that "
                f"{model.name!r} was trained on, in {outside.sum()} of {len(theta)} places, for example "
                f"{examples}: its output there is an extrapolation.",
                UserWarning,
                stacklevel=3,
            )
