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
from pnn_tf.columns import Features, trained_names
from pnn_tf.hull import outside_hull, trained_points
from pnn_tf.metrics import Ranking, Significance, auc_error
from pnn_tf.scoring import at_own_theta, at_points
from pnn_tf.strata import distinct, is_continuous

MAX_SCORES = 1 << 26  # of the background at several hypotheses, kept at a time: 256 MB


class HypothesisResult(NamedTuple):
    """How well a model finds the signal of one hypothesis.

    Attributes:
        theta: the hypothesis, one number per parameter.
        auc: exact area under the ROC curve, with weights.
        significance: best cut, its significance and the significance ratio, with weights.
        n_signal: number of signal events of this hypothesis.
        n_background: number of background events.
        weighted_error: standard error of `auc` by `Ranking.auc_error`; None without weights.
    """

    theta: tuple[float, ...]
    auc: float
    significance: Significance
    n_signal: int
    n_background: int
    weighted_error: float | None = None

    @property
    def auc_error(self) -> float:
        """Standard error of `auc`: `weighted_error`, or from the numbers of events by `pnn_tf.auc_error`."""
        if self.weighted_error is not None:
            return self.weighted_error
        return auc_error(self.auc, self.n_signal, self.n_background)


def predict_scores(model: keras.Model, features: Features, theta: ArrayLike, *, batch_size: int = 16384) -> np.ndarray:
    """The model's output for events at given theta.

    Args:
        model: a Keras model with the named inputs `features` and `theta`, or `features` alone, and one output.
        features: (n_events, n_features), or a table of columns, of which a model with feature names takes those that it
            was trained with, by name, and another all as they come.
        theta: (n_events,) or (n_events, n_parameters), in physical units; or one theta for all events, a number or
            (1, n_parameters).
        batch_size: number of events computed in one go, up to an eighth more.

    Returns:
        (n_events,) float32.

    Warns:
        UserWarning: theta outside the convex hull of what the model was trained on, if the model knows it.

    Raises:
        ValueError: NaN or infinite values, a column that is missing or does not hold numbers, lengths that differ, a
            model with other inputs, with another number of features or parameters or with more than one output, a
            batch_size that is not an int of at least 1.
    """
    features = checks.as_features(features, trained_names(model))
    theta = np.atleast_2d(theta) if np.ndim(theta) == 0 else theta
    theta = checks.as_theta(theta, 1 if np.shape(theta)[0] == 1 else len(features))
    warn_outside_hull(model, theta)
    if len(theta) == 1:
        return at_points(model, features, np.arange(len(features)), theta, batch_size)[0]
    return at_own_theta(model, features, theta, batch_size)


def evaluate_hypotheses(
    model: keras.Model,
    features: Features,
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
        features: as in `predict_scores`.
        theta: (n_events,) or (n_events, n_parameters), in physical units; of background only the nuisances are looked
            at, the rest may be NaN.
        label: (n_events,) 1 for signal, 0 for background.
        hypotheses: (n_hypotheses,) or (n_hypotheses, n_parameters), or a number for one; None for every theta that
            signal has. theta is compared as float32: 0.1 is the same in each precision.
        nuisances: columns of theta that the background has values of its own for, such as the jet energy scale that it
            was simulated with: a hypothesis is held against the background that shares its values there.
        weight: (n_events,) event weights for the AUC and the significance, of which some may be negative, see `roc_auc`
            and `significance_ratio`; ones if None, as in the paper.
        background_weight: a factor on the weights of the background; "balanced" for the one that makes their sum
            that of the hypothesis' signal, as in the paper.
        batch_size: number of events computed in one go, up to an eighth more.

    Returns:
        A list with one HypothesisResult per hypothesis, in the order of hypotheses, or sorted.

    Warns:
        UserWarning: as `predict_scores`.

    Raises:
        ValueError: as `predict_scores`; labels other than 0 and 1, no hypothesis, or one without signal or background,
            hypotheses=None where theta of signal looks continuous, a background_weight that is neither "balanced" nor
            a positive number, weights of a class whose sum is not positive, nuisances that are not columns of theta.
    """
    features = checks.as_features(features, trained_names(model))
    label = checks.as_label(label, len(features))
    theta = checks.as_theta(theta, len(features), label, nuisances)
    if weight is not None:
        weight = checks.as_weight(weight, len(features), np.float64, signed=True)
    checks.require_background_weight(background_weight)
    nuisances = list(checks.as_columns("nuisances", nuisances, theta.shape[1]))
    signal, background = np.flatnonzero(label), np.flatnonzero(label == 0)
    theta_of_signal = theta[signal]
    if len(signal) == 0 or len(background) == 0:
        raise ValueError(
            f"Expected signal and background. Received {len(signal)} events of the one, {len(background)} of the other."
        )
    if hypotheses is None:
        hypotheses, _ = distinct(theta_of_signal)
        if is_continuous(len(hypotheses), len(signal)):
            raise ValueError(
                f"theta of the {len(signal)} signal events has {len(hypotheses)} values, as if it were continuous. "
                "Round it to the middle of bins, such as 100 * np.round(theta / 100), or name the hypotheses meant."
            )
    else:
        hypotheses = checks.as_points("hypotheses", hypotheses, theta.shape[1])
    warn_outside_hull(model, hypotheses)

    results = {}
    shared, group = distinct(hypotheses[:, nuisances])  # one point of no parameters without nuisances
    for i, values in enumerate(shared):
        others = background[np.all(theta[background][:, nuisances] == values, axis=1)] if nuisances else background
        members = np.flatnonzero(group == i)
        owns = [signal[np.all(theta_of_signal == hypotheses[j], axis=1)] for j in members]
        for j, own in zip(members, owns, strict=True):
            if len(own) == 0 or len(others) == 0:
                raise ValueError(
                    f"Expected signal at theta = {_text(hypotheses[j])} and background. "
                    f"Received {len(own)} events of the one and {len(others)} of the other."
                )
        together = max(MAX_SCORES // len(others), 1)
        for start in range(0, len(members), together):
            chosen = members[start : start + together]
            of_others = at_points(model, features, others, hypotheses[chosen], batch_size)
            for j, own, other_scores in zip(chosen, owns[start:], of_others, strict=False):
                (own_scores,) = at_points(model, features, own, hypotheses[[j]], batch_size)
                weights = None if weight is None else (weight[own], weight[others])
                results[j] = result_at(hypotheses[j], (own_scores, other_scores), weights, background_weight)
    return [results[j] for j in range(len(hypotheses))]


def result_at(
    point: np.ndarray,
    scores: tuple[np.ndarray, np.ndarray],
    weights: tuple[np.ndarray, np.ndarray] | None,
    background_weight: str | float,
) -> HypothesisResult:
    """Of the scores, and the weights, of the signal and the background of a hypothesis."""
    counts = n_signal, n_background = len(scores[0]), len(scores[1])
    ranking = Ranking(np.repeat(np.array([1, 0], np.uint8), counts), np.concatenate(scores))
    sums = counts if weights is None else [of_class.sum() for of_class in weights]
    factor = background_weight
    if background_weight == "balanced":
        if not (sums[0] > 0 and sums[1] > 0):
            raise ValueError(
                f"The weights of signal and background at theta = {_text(point)} have the sums {sums[0]:g} and "
                f"{sums[1]:g}: no factor balances them. Give other weights, or background_weight a number."
            )
        factor = sums[0] / sums[1]
    weight = None if weights is None else np.concatenate(weights)
    balanced = np.repeat([1.0, factor], counts) * (1 if weight is None else weight)
    return HypothesisResult(
        tuple(checks.plain(point).tolist()),
        ranking.auc(weight),
        ranking.significance(balanced),
        n_signal,
        n_background,
        None if weight is None else ranking.auc_error(weight),
    )


def _text(point: np.ndarray) -> str:
    return str(checks.plain(point).tolist())


def scan_theta(model: keras.Model, features: Features, grid: ArrayLike, *, batch_size: int = 16384) -> np.ndarray:
    """The model's output for each event as a function of theta.

    Args:
        model: as in `predict_scores`.
        features: as in `predict_scores`.
        grid: (n_points,) or (n_points, n_parameters) of theta, or a number for one point, in physical units.
        batch_size: number of events computed in one go, up to an eighth more.

    Returns:
        (n_points, n_events) float32.

    Warns:
        UserWarning: as `predict_scores`.

    Raises:
        ValueError: as `predict_scores`; no point.
    """
    features = checks.as_features(features, trained_names(model))
    grid = checks.as_points("grid", grid)
    warn_outside_hull(model, grid)
    return at_points(model, features, np.arange(len(features)), grid, batch_size)


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
            raise ValueError(f"hypotheses: no signal event has theta = {_text(point)}.")
        kept &= ~own
    return kept


def warn_outside_hull(model: keras.Model, theta: np.ndarray) -> None:
    """Warns, in the name of the function's caller, where theta leaves the hull of what the model was trained on."""
    for points in trained_points(model, theta.shape[1]):
        outside = outside_hull(theta, points)
        if outside.any():
            low, high = _text(np.min(points, axis=0)), _text(np.max(points, axis=0))
            examples = _text(np.unique(theta[outside], axis=0)[:5])
            warnings.warn(
                f"theta lies outside the convex hull of the points, from {low} to {high}, that "
                f"{model.name!r} was trained on, in {outside.sum()} of {len(theta)} places, for example "
                f"{examples}: its output there is an extrapolation.",
                UserWarning,
                stacklevel=3,
            )
