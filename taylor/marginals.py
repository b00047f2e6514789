"""The monotone maps that carry each marginal distribution of one weighted sample to that of another."""

from collections.abc import Callable

import numpy as np


def marginal_maps(source: np.ndarray, target: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function from weights of both samples to the rows of `source`, each column moved to its marginal in `target`.

    Both samples are sorted here, once, so that the maps of many bootstrap replicas are cheap.

    An event holds the interval of probability that its weight has in the sorted column, and goes to the mean of the
    target's quantile function over it: optimal transport in one dimension. Hence the mean of a moved column is exactly
    that of the target, a shift or a scale of all rows is found exactly, and equal values stay equal.

    Args:
        source: (n_events, n_columns).
        target: (n_target, n_columns).

    >>> maps = marginal_maps(np.array([[1.0], [2.0], [2.0]]), np.array([[30.0], [10.0], [50.0]]))
    >>> maps(np.ones(3), np.ones(3)).round(6).tolist()
    [[10.0], [40.0], [40.0]]
    """
    columns = [_sorted(one, other) for one, other in zip(source.T, target.T, strict=True)]

    def moved(weight: np.ndarray, target_weight: np.ndarray) -> np.ndarray:
        result = np.empty(source.shape)
        for column, (order, values, ends, group, target_order, target_values) in zip(result.T, columns, strict=True):
            edges = np.append(0.0, np.cumsum(weight[order])[ends])
            of_target = target_weight[target_order]
            probability = np.append(0.0, np.cumsum(of_target))
            integral = np.append(0.0, np.cumsum(of_target * target_values))
            integral = np.interp(edges / edges[-1], probability / probability[-1], integral / probability[-1])
            share = np.diff(edges) / edges[-1]
            mean = np.divide(np.diff(integral), share, out=values[ends].copy(), where=share > 0)
            column[order] = mean[group]
        return result

    return moved


def _sorted(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, ...]:
    """What does not depend on weights: orders, sorted values, and the groups of equal values with their ends."""
    order, target_order = np.argsort(source, kind="stable"), np.argsort(target, kind="stable")
    values = source[order]
    last = np.append(values[1:] != values[:-1], True)
    group = np.cumsum(last) - last
    return order, values, np.flatnonzero(last), group, target_order, target[target_order]
