"""Ranks of features by their means, and how far replicas of the means move them."""

import numpy as np


def ranks_of(means: np.ndarray) -> np.ndarray:
    """(n, n_features) rank of each feature in each row of means, from 1; equal means in the order of the features."""
    ranks = np.empty(means.shape, np.int32)
    for row, of_row in zip(means, ranks, strict=True):
        of_row[np.argsort(-row, kind="stable")] = np.arange(1, len(row) + 1)
    return ranks


def central(ranks: np.ndarray, level: float) -> np.ndarray:
    """(2, n_features) central interval of that level of each column."""
    ends = np.rint(np.array([1 - level, 1 + level]) / 2 * (len(ranks) - 1)).astype(int)
    return np.sort(np.ascontiguousarray(ranks.T), axis=1)[:, ends].T
