"""Events as the package takes them: arrays of one length, finite, labels 0 and 1, weights that are not negative.

Each function returns its argument as an array, without a copy if its type is right already, or raises ValueError.
"""

import operator
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, DTypeLike

from pnn_tf.columns import Features, names_of, stacked

CHUNK = 1 << 16  # rows looked at in one go, so that a check needs no second array of the size of the data


def as_features(features: Features, names: Sequence[str] | None = None) -> np.ndarray:
    """(n_events, n_features) float32, all finite; of a table of columns those with the names, or all."""
    _require_unmasked("features", features)
    names = names_of(features) if names is None else names
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused below
        features = np.asarray(stacked(features, names), dtype=np.float32)
    if features.ndim != 2 or features.size == 0:
        raise ValueError(f"Expected features of shape (n_events, n_features), not empty. Received: {features.shape}")
    if names is not None and features.shape[1] != len(names):
        raise ValueError(f"Expected {len(names)} features, {list(names)}. Received: {features.shape[1]}")
    _require_finite("features", features, names)
    return features


def as_theta(
    theta: ArrayLike, n_events: int | None = None, label: np.ndarray | None = None, nuisances: Sequence[int] = ()
) -> np.ndarray:
    """(n_events, n_parameters) float32, all finite, from (n_events,) or (n_events, n_parameters).

    With label, background is looked at in the columns of the nuisances alone: what it has in others need not be finite.
    """
    _require_unmasked("theta", theta)
    theta = np.asarray(theta, dtype=np.float32)
    if theta.ndim == 1:
        theta = theta[:, np.newaxis]
    if theta.ndim != 2 or theta.shape[1] == 0:
        raise ValueError(f"Expected theta of shape (n_events,) or (n_events, n_parameters). Received: {theta.shape}")
    if n_events is not None:
        _require_length("theta", theta, n_events)
    looked_at = theta
    if label is not None:
        is_nuisance = np.isin(np.arange(theta.shape[1]), as_columns("nuisances", nuisances, theta.shape[1]))
        looked_at = np.where((label == 1)[:, np.newaxis] | is_nuisance, theta, 0)
    _require_finite("theta", looked_at)
    return theta


def as_points(argument: str, values: ArrayLike, n_parameters: int | None = None) -> np.ndarray:
    """(n_points, n_parameters) float32, finite, not empty; from a number, (n_points,) or (n_points, n_parameters)."""
    points = np.atleast_1d(np.asarray(values, dtype=np.float32))
    if points.ndim == 1:
        points = points[:, np.newaxis]
    if points.ndim != 2 or points.size == 0 or not np.isfinite(points).all():
        raise ValueError(
            f"Expected {argument} of shape (n_points,) or (n_points, n_parameters), at least one, without NaN or "
            f"infinite values. Received: {values}"
        )
    if n_parameters is not None and points.shape[1] != n_parameters:
        raise ValueError(
            f"Expected {argument} of {n_parameters} columns, one for each parameter. Received: {points.shape[1]}"
        )
    return points


def plain(points: ArrayLike) -> np.ndarray:
    """float64 of the shortest decimals that are the same float32: 0.1, where float32 has 0.10000000149.

    >>> plain(np.float32([500, 0.1])).tolist()
    [500.0, 0.1]
    """
    return np.asarray(points, np.float32).astype(str).astype(np.float64)


def decimal(value: float) -> str:
    """A number of `plain` as text: "500", "0.1"."""
    return str(float(value)).removesuffix(".0")


def as_label(label: ArrayLike, n_events: int | None = None) -> np.ndarray:
    """(n_events,) uint8 of 0 and 1, from (n_events,) or (n_events, 1)."""
    label = _as_column("label", label, n_events)
    signal = label == 1
    if not (signal | (label == 0)).all():
        others = np.unique(label[~signal & (label != 0)])[:5]
        raise ValueError(f"Expected label 1 for signal and 0 for background. Received also: {others.tolist()}")
    return signal.view(np.uint8)


def as_classes(label: ArrayLike, n_events: int, n_classes: int) -> np.ndarray:
    """(n_events,) uint8 or int32 from 0 to n_classes - 1; from (n_events,) or (n_events, 1)."""
    if n_classes == 2:
        return as_label(label, n_events)
    label = _as_column("label", label, n_events)
    known = np.isin(label, np.arange(n_classes))
    if not known.all():
        others = np.unique(label[~known])[:5]
        raise ValueError(f"Expected labels from 0 to {n_classes - 1}. Received also: {others.tolist()}")
    return label.astype(np.uint8 if n_classes <= 256 else np.int32)


def as_count(argument: str, value: int, least: int = 1) -> int:
    """A whole number of at least `least`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"Expected {argument} to be an int >= {least}. Received: {argument}={value!r}")
    return int(value)


def as_batch_size(batch_size: int) -> int:
    """An int of at least 1, and as many events on each device of a `tf.distribute` strategy: Keras needs that."""
    batch_size, n = as_count("batch_size", batch_size), tf.distribute.get_strategy().num_replicas_in_sync
    if batch_size % n:
        raise ValueError(
            f"Expected batch_size to be a multiple of the {n} devices, each of which takes an equal part of a batch. "
            f"Received: batch_size={batch_size}. Take {batch_size + n - batch_size % n}."
        )
    return batch_size


def as_weight(weight: ArrayLike, n_events: int, dtype: DTypeLike = np.float32, *, signed: bool = False) -> np.ndarray:
    """(n_events,) finite, and not negative unless `signed`; from (n_events,) or (n_events, 1)."""
    weight = _as_numbers("weight", weight, n_events).astype(dtype, copy=False)
    _require_finite("weight", weight)
    if not signed and (negative := np.count_nonzero(weight < 0)):
        raise ValueError(
            f"Expected weights that are not negative; {negative} of {len(weight)} are. A loss over them has no lower "
            "bound. Drop these events, take the absolute value, or let events beside each other share their weights "
            "until all are positive (cell or positive resampling). AUC and significance take them as they are."
        )
    return weight


def require_background_weight(background_weight: str | float) -> None:
    """Refuses what is neither "balanced" nor a positive number."""
    if background_weight != "balanced" and (
        isinstance(background_weight, str | None) or not 0 < background_weight < np.inf
    ):
        raise ValueError(f"Expected background_weight 'balanced' or a number > 0. Received: {background_weight!r}")


def as_score(score: ArrayLike, n_events: int) -> np.ndarray:
    """(n_events,) of numbers without NaN; from (n_events,) or (n_events, 1)."""
    score = _as_numbers("score", score, n_events)
    if bad := np.count_nonzero(np.isnan(score)):
        raise ValueError(
            f"score holds NaN in {bad} of {len(score)} events: they have no rank. Has the network diverged?"
        )
    return score


def as_observable(observable: ArrayLike, n_events: int) -> np.ndarray:
    """(n_events,) finite; from (n_events,) or (n_events, 1)."""
    observable = _as_numbers("observable", observable, n_events)
    _require_finite("observable", observable)
    return observable


def as_probability(score: ArrayLike, n_events: int) -> np.ndarray:
    """(n_events,) float64 in [0, 1]; from (n_events,) or (n_events, 1)."""
    score = as_score(score, n_events).astype(np.float64)
    if np.any((score < 0) | (score > 1)):
        raise ValueError(
            f"Expected scores from 0 to 1, as of a sigmoid. Received: {score.min():g} to {score.max():g}. "
            "Give the model a sigmoid output."
        )
    return score


def as_process(process: ArrayLike, n_events: int, background: np.ndarray) -> np.ndarray:
    """(n_events,) of names or of numbers; from (n_events,) or (n_events, 1).

    background (n_events,) bool says of which events it is looked at: of others it may be anything.
    """
    process = _as_column("process", process, n_events)
    own = process[background]
    if own.dtype != object:
        wrong = own != own  # NaN
    else:
        kinds = (str,) if any(isinstance(one, str) for one in own) else (int, float, np.number)
        wrong = np.array([not isinstance(one, kinds) or one != one for one in own], bool)
    if wrong.any():
        rows = np.flatnonzero(background)[wrong]
        raise ValueError(
            "Expected process to be a name, or a number, of each background event. Received: None, NaN or names beside "
            f"numbers in {len(rows)} of {len(own)} (the first rows: {rows[:5].tolist()}). Name these, too."
        )
    return process


def as_columns(argument: str, columns: Sequence[int], n_columns: int) -> tuple[int, ...]:
    """Distinct column indices of a table with n_columns, as a tuple of int from 0 on."""
    indices = tuple(operator.index(column) for column in columns)
    if len(set(indices)) < len(indices) or not all(0 <= index < n_columns for index in indices):
        raise ValueError(f"Expected {argument} to be distinct columns out of {n_columns}, from 0. Received: {columns}")
    return indices


def _as_numbers(argument: str, values: ArrayLike, n_events: int | None) -> np.ndarray:
    column = _as_column(argument, values, n_events)
    if column.dtype.kind not in "biuf":
        raise ValueError(
            f"Expected {argument} to be real numbers. Received: dtype {column.dtype}, such as {column[0]!r}. Convert "
            f"it, as by {argument}.astype(float)."
        )
    return column


def _as_column(argument: str, values: ArrayLike, n_events: int | None) -> np.ndarray:
    _require_unmasked(argument, values)
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"Expected {argument} of shape (n_events,), not empty. Received: {values.shape}")
    if n_events is not None:
        _require_length(argument, values, n_events)
    return values


def _require_unmasked(argument: str, values: ArrayLike) -> None:
    """Refuses masked values, which an array without its mask would take for numbers."""
    if np.ma.is_masked(values):
        raise ValueError(f"{argument} is masked in some events. Drop these events, or fill in values.")


def _require_length(argument: str, values: np.ndarray, n_events: int) -> None:
    if len(values) != n_events:
        raise ValueError(
            f"Expected all arguments to hold the same events: {n_events}, but {argument} has {len(values)}."
        )


def _require_finite(argument: str, values: np.ndarray, names: Sequence[str] | None = None) -> None:
    bad_rows = []
    for start in range(0, len(values), CHUNK):
        finite = np.isfinite(values[start : start + CHUNK])
        if not finite.all():
            bad_rows.append(start + np.flatnonzero(~finite.reshape(len(finite), -1).all(axis=1)))
    if bad_rows:
        rows = np.concatenate(bad_rows)
        where = ""
        if values.ndim == 2:
            bad = np.flatnonzero(~np.isfinite(values[rows]).all(axis=0)).tolist()
            where = f" in the columns {bad if names is None else [names[i] for i in bad]}"
        raise ValueError(
            f"{argument} holds NaN or infinite values in {len(rows)} of {len(values)} events (the first rows: "
            f"{rows[:5].tolist()}){where}. Drop these events or replace the values."
        )
