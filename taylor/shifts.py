"""Sums over events of what each feature contributes to the change of a response when its inputs are moved.

With the shift d of an event and the coefficients t of order k (which carry 1 / prod n_i!), Taylor's theorem with its
remainder as an integral along the straight line from x to x + d reads

    y(x + d) - y(x) = sum_{orders < k} t(x) prod d  +  sum_{order k} prod d  int_0^1 k (1 - s)^(k-1) t(x + s d) ds.

Each term is the contribution of a feature. The integral is done by Gauss' rule for the weight k (1 - s)^(k-1).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.special import roots_jacobi

from taylor.analysis import Analysis, kept_with_analysis
from taylor.chunks import array_chunks
from taylor.compiled import compiled
from taylor.features import FeatureSet
from taylor.streaming import in_order
from taylor.variation_result import inputs_of


class Expansion(NamedTuple):
    """What to compute of each event.

    Attributes:
        highest: the features of the highest order, along the line.
        below: those below, at the nominal inputs; None if there are none.
        points: on the line.
    """

    highest: Analysis
    below: Analysis | None
    points: int

    @property
    def features(self) -> FeatureSet:
        """All of them."""
        highest = self.highest.features
        return (
            highest if self.below is None else FeatureSet(highest.names, self.below.features.indices + highest.indices)
        )


class Sums(NamedTuple):
    """Sums over events, float64, of weights w and the columns z of `columns_of`; c is the column of the change.

    Attributes:
        n_events: (n_regions,) events with a weight other than 0.
        w: (n_regions,) sum of w.
        w2: (n_regions,) sum of w^2.
        wz: (n_regions, n_shifts, n_columns) sum of w z.
        wa: sum of w |z|.
        w2z: sum of w^2 z.
        w2z2: sum of w^2 z^2.
        w2zc: sum of w^2 z c.
        n_bad_inputs: () events of weight other than 0 with NaN or infinity in an input.
        n_bad_responses: () those with NaN or infinity in a contribution.
    """

    n_events: tf.Tensor
    w: tf.Tensor
    w2: tf.Tensor
    wz: tf.Tensor
    wa: tf.Tensor
    w2z: tf.Tensor
    w2z2: tf.Tensor
    w2zc: tf.Tensor
    n_bad_inputs: tf.Tensor
    n_bad_responses: tf.Tensor


class Estimates(NamedTuple):
    """What is known of the changes, as arrays of numpy; n_columns are those of `columns_of`.

    Attributes:
        change: (n_shifts,) of the mean response.
        change_error: (n_shifts,) its standard error.
        mean: (n_shifts, n_columns) weighted means.
        error: (n_shifts, n_columns) their standard errors.
        share_error: (n_shifts, n_columns) those of mean / change.
        mean_abs: (n_shifts, n_columns) weighted means of the absolute values.
        beyond: (n_shifts,) part of the change that no event that is moved has.
        beyond_error: (n_shifts,) its standard error.
    """

    change: np.ndarray
    change_error: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    share_error: np.ndarray
    mean_abs: np.ndarray
    beyond: np.ndarray
    beyond_error: np.ndarray


def of_sums(sums: Sums, region: int) -> Estimates:
    """Means over events, and the errors of such ratios of sums: sqrt(sum w^2 (z - mean)^2) / sum w, and the like."""
    w, w2, wz, wa, w2z, w2z2, w2zc = (np.asarray(total)[region] for total in sums[1:8])
    mean = wz / w
    change, change2 = mean[:, -2:-1], w2z2[:, -2:-1]
    error = np.sqrt(np.maximum(w2z2 - 2 * mean * w2z + mean**2 * w2, 0)) / w
    with np.errstate(divide="ignore", invalid="ignore"):
        share = mean / change
        share_error = np.sqrt(np.maximum(w2z2 - 2 * share * w2zc + share**2 * change2, 0)) / np.abs(w * change)
    none = np.zeros(len(mean))
    return Estimates(mean[:, -2], error[:, -2], mean, error, share_error, wa / w, none, none)


def sum_over_shifts(expansion: Expansion, parts: Sequence, moved: Sequence[Sequence], weight: np.ndarray) -> Sums:
    """The Sums of all events, as numpy arrays, a chunk at a time.

    Args:
        expansion: tried out.
        parts: one array for each input of the model.
        moved: for each of one or two variations one array (n_events, width) for each analysed input.
        weight: (n_events, n_regions).

    Raises:
        ValueError: NaN or infinity in an input or a contribution of an event of weight other than 0.
    """
    response = expansion.highest.response
    everything = [*parts, *(part for of_one in moved for part in of_one)]
    varying = (*response.analysed, *range(len(parts), len(everything)))
    dtypes = (*response.dtypes, *len(moved) * [response.dtypes[i] for i in response.analysed])
    summation = _summation(expansion.highest, expansion.below, expansion.points, len(parts), len(moved))

    def chunks():
        for tensors, rows in array_chunks(everything, varying, expansion.highest.block_size, dtypes):
            columns = np.zeros((tensors[varying[0]].shape[0], weight.shape[1]))
            columns[: rows.stop - rows.start] = weight[rows]
            yield tensors, tf.constant(columns)

    total: list[np.ndarray] = []
    for sums in in_order(lambda chunk: [np.asarray(s) for s in summation(*chunk)], chunks()):
        total = [one + more for one, more in zip(total, sums, strict=True)] if total else sums
    result = Sums(*total)
    if result.n_bad_inputs:
        raise ValueError(
            f"Expected finite inputs. Received: NaN or infinity in {int(result.n_bad_inputs)} events, nominal or "
            "varied. Drop these events or replace the values."
        )
    if result.n_bad_responses:
        raise ValueError(
            f"The response or its coefficients are NaN or infinite in {int(result.n_bad_responses)} events, although "
            "the inputs are finite. Has the network diverged, or do the inputs lack standardisation?"
        )
    return result


@kept_with_analysis
def _summation(highest: Analysis, below: Analysis | None, points: int, n_parts: int, n_moved: int) -> Callable:
    """The compiled function from (tensors, weight) of a chunk to its Sums."""
    expansion = Expansion(highest, below, points)
    n_columns = len(expansion.features) + len(inputs_of(expansion.features)) + 2

    def summation(tensors, weight) -> Sums:
        parts, shifted = tensors[:n_parts], tensors[n_parts:]
        n_analysed = len(shifted) // n_moved
        moved = [shifted[i * n_analysed : (i + 1) * n_analysed] for i in range(n_moved)]
        z = columns_of(expansion, parts, moved)
        counts = tf.reduce_any(weight != 0, axis=1)
        varying = [*(parts[i] for i in expansion.highest.response.analysed), *shifted]
        bad_inputs = counts & tf.reduce_any(~tf.math.is_finite(tf.concat(varying, axis=1)), axis=1)
        bad = counts & tf.reduce_any(~tf.math.is_finite(z), axis=(1, 2)) & ~bad_inputs
        z = tf.where(counts[:, None, None], z, 0)
        squared = weight * weight

        def summed(weight, z):
            total = tf.matmul(weight, tf.reshape(z, (-1, z.shape[1] * n_columns)), transpose_a=True)
            return tf.reshape(total, (-1, z.shape[1], n_columns))

        return Sums(
            n_events=tf.math.count_nonzero(weight, axis=0, dtype=tf.int32),
            w=tf.reduce_sum(weight, axis=0),
            w2=tf.reduce_sum(squared, axis=0),
            wz=summed(weight, z),
            wa=summed(weight, tf.abs(z)),
            w2z=summed(squared, z),
            w2z2=summed(squared, z * z),
            w2zc=summed(squared, z * z[:, :, -2:-1]),
            n_bad_inputs=tf.math.count_nonzero(bad_inputs, dtype=tf.int32),
            n_bad_responses=tf.math.count_nonzero(bad, dtype=tf.int32),
        )

    return compiled(summation, jit_compile=expansion.highest.jit_compile)


def columns_of(expansion: Expansion, parts: Sequence[tf.Tensor], moved: Sequence[Sequence[tf.Tensor]]) -> tf.Tensor:
    """(n_events, n_shifts, n_columns) contributions of features, of inputs, the change, and the remainder; float64.

    One variation is one shift. Two are four: up, down, (up - down) / 2 and (up + down) / 2.
    """
    response, below = expansion.highest.response, expansion.below
    nominal = response(parts)
    at_nominal = None if below is None else below.coefficients(parts)
    points, weights = gauss(expansion.points, expansion.highest.features.order)

    def columns(of_one):
        def at(s):
            line = list(parts)
            for i, end in zip(response.analysed, of_one, strict=True):
                line[i] = parts[i] + s * (end - parts[i])
            return line

        end = list(parts)
        for i, part in zip(response.analysed, of_one, strict=True):
            end[i] = part
        delta = tf.concat([end[i] - parts[i] for i in response.analysed], axis=1)
        along = tf.add_n([w * expansion.highest.coefficients(at(s)) for s, w in zip(points, weights, strict=True)])
        terms = [along * _products(expansion.highest.features, delta)]
        if below is not None:
            terms.insert(0, at_nominal * _products(below.features, delta))
        terms = tf.cast(tf.concat(terms, axis=1), tf.float64)
        change = tf.cast(response(end) - nominal, tf.float64)[:, None]
        remainder = change - tf.reduce_sum(terms, axis=1, keepdims=True)
        return tf.concat([terms, _of_inputs(expansion.features, terms), change, remainder], axis=1)

    return tf.stack(combinations(*map(columns, moved)), axis=1)


def gauss(points: int, order: int) -> tuple[list[float], list[float]]:
    """Points in (0, 1) and weights of sum 1 of Gauss' rule for the weight `order` (1 - s)^(order - 1).

    >>> gauss(1, 2)[0]  # doctest: +ELLIPSIS
    [0.333...]
    """
    roots, weights = roots_jacobi(points, order - 1, 0)
    return ((roots + 1) / 2).tolist(), (weights / weights.sum()).tolist()


def combinations(up: Any, down: Any = None) -> list:
    """Up alone, or up, down, half of their difference, and their mean."""
    return [up] if down is None else [up, down, (up - down) / 2, (up + down) / 2]


def _products(features: FeatureSet, delta: tf.Tensor) -> tf.Tensor:
    """(n_events, n_features) products of the shifts of each feature's inputs; all are of one order."""
    return tf.reduce_prod(
        tf.stack([tf.gather(delta, of, axis=1) for of in features.of_order(features.order).T]), axis=0
    )


def _of_inputs(features: FeatureSet, terms: tf.Tensor) -> tf.Tensor:
    """(n_events, n_inputs) what each input carries in total: itself, its square, and half of its pairs with others."""
    if features.order == 1:
        return terms
    first, inputs = features.positions(1), [i for (i,) in inputs_of(features).indices]
    column = {index: c for c, index in enumerate(features.indices)}
    pairs = np.array([[column[min(i, j), max(i, j)] for j in inputs] for i in inputs])
    squares = tf.gather(terms, np.diag(pairs), axis=1)
    with_all = tf.reduce_sum(tf.reshape(tf.gather(terms, pairs.ravel(), axis=1), (-1, *pairs.shape)), axis=2)
    return tf.gather(terms, first, axis=1) + (squares + with_all) / 2
