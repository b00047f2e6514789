"""Features: the inputs of a network, and the relations between them, that a Taylor expansion has coefficients for.

A feature of order k is a multiset of k inputs; Wunsch et al. 2018, section 1. Each is counted once, as the sorted tuple
of its inputs' indices: (i,) is an input, (i, i) its auto-correlation, (i, j) the relation of a pair.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations_with_replacement
from math import comb, factorial, prod

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class FeatureSet:
    """Features in a fixed order, which is that of the columns of coefficients.

    Args:
        names: one a network input.
        indices: one sorted tuple of input indices a feature.

    >>> features = FeatureSet.complete(("x1", "x2"), order=2)
    >>> features.labels
    ('x1', 'x2', 'x1, x1', 'x1, x2', 'x2, x2')
    >>> features.factors
    array([1. , 1. , 0.5, 1. , 0.5])
    """

    names: tuple[str, ...]
    indices: tuple[tuple[int, ...], ...]

    @staticmethod
    @lru_cache(maxsize=32)
    def complete(names: tuple[str, ...], order: int) -> "FeatureSet":
        """All features from the first to the given order, lexicographic within each order."""
        inputs = range(len(names))
        orders = range(1, order + 1)
        return FeatureSet(names, tuple(i for k in orders for i in combinations_with_replacement(inputs, k)))

    @staticmethod
    def chosen(names: tuple[str, ...], chosen: Iterable) -> "FeatureSet":
        """The named features only.

        Args:
            names: one a network input.
            chosen: features, each an input (index or name) or a tuple of inputs; in any order, without repetition.

        Raises:
            ValueError: no feature, an unknown input, or a feature that is named twice.
        """
        indices = tuple(
            tuple(sorted(_index(names, i) for i in (f if isinstance(f, (tuple, list)) else (f,)))) for f in chosen
        )
        if not indices or () in indices:
            raise ValueError(f"Expected features, each an input or a tuple of inputs. Received: features={chosen}")
        twice = [index for index, n in Counter(indices).items() if n > 1]
        if twice:
            raise ValueError(f"Expected every feature once, whatever the order of its inputs. Received twice: {twice}")
        return FeatureSet(names, indices)

    def to_dict(self) -> dict:
        """As plain values."""
        return {"names": list(self.names), "features": [list(index) for index in self.indices]}

    @classmethod
    def from_dict(cls, stored: Mapping) -> "FeatureSet":
        """From what `to_dict` has returned."""
        return cls(tuple(stored["names"]), tuple(map(tuple, stored["features"])))

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def order(self) -> int:
        """The highest order there is."""
        return int(self.orders.max())

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of each feature's inputs, joined by a comma."""
        return tuple(map(self.label, range(len(self))))

    def label(self, column: int) -> str:
        """The label of one feature."""
        return ", ".join([self.names[i] for i in self.indices[column]])

    @cached_property
    def columns(self) -> dict[tuple[int, ...], int]:
        """The column of each feature, by its input indices."""
        return {index: column for column, index in enumerate(self.indices)}

    @cached_property
    def factors(self) -> np.ndarray:
        """(n_features,) from partial derivatives to Taylor coefficients: 1 / prod n_i!, with n_i the times i occurs."""
        return np.array([1 / prod(map(factorial, Counter(index).values())) for index in self.indices])

    @cached_property
    def orders(self) -> np.ndarray:
        """(n_features,) the order of each feature."""
        return np.array([len(index) for index in self.indices])

    def positions(self, order: int) -> np.ndarray:
        """Columns of the features of one order."""
        return np.flatnonzero(self.orders == order)

    def of_order(self, order: int) -> np.ndarray:
        """(n, order) input indices of the features of one order."""
        return np.array([index for index in self.indices if len(index) == order], np.int64).reshape(-1, order)

    def in_order(self, by_order: Sequence) -> tf.Tensor:
        """(n_events, n_outputs n_features), output after output.

        Features come as rows, since work along contiguous events is faster; XLA makes the transposition free.

        Args:
            by_order: a tensor (n_outputs, n, n_events) for each order, with the features of that order.
        """
        order = np.argsort(np.concatenate([self.positions(k) for k in range(1, len(by_order) + 1)]))
        outputs = [tf.concat(rows, axis=0) for rows in zip(*map(tf.unstack, by_order), strict=True)]
        if (np.diff(order) < 0).any():
            outputs = [tf.gather(rows, order) for rows in outputs]
        return tf.transpose(outputs[0] if len(outputs) == 1 else tf.concat(outputs, axis=0))

    def powers_of(self, scale: np.ndarray) -> np.ndarray:
        """(n_features,) product of `scale` (n_inputs,) over the inputs of each feature."""
        return np.array([np.prod(scale[list(index)]) for index in self.indices])


def n_features(n_inputs: int, order: int) -> int:
    """The number of features from the first to the given order.

    >>> n_features(30, 2)
    495
    """
    return comb(n_inputs + order, order) - 1


def _index(names: Sequence[str], which: int | str) -> int:
    if isinstance(which, str) and which in names:
        return names.index(which)
    if isinstance(which, (int, np.integer)) and 0 <= which < len(names):
        return int(which)
    raise ValueError(f"Expected inputs out of {tuple(names)}, or indices below {len(names)}. Received: {which!r}")
