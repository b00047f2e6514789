"""From a ranking of features to the inputs that a smaller network needs. Wunsch et al. 2018, section 4."""

import math
from typing import NamedTuple

from taylor.result import TaylorImportance


class Selection(NamedTuple):
    """Inputs of a network.

    Attributes:
        names: in the order in which the ranking first names them.
        indices: their columns in the inputs, in the same order.
        n_features: number of features at the top of the ranking that they come from.
    """

    names: tuple[str, ...]
    indices: tuple[int, ...]
    n_features: int


def select_features(importance: TaylorImportance, *, fraction: float | None = None, k: int | None = None) -> Selection:
    """The inputs behind the features at the top of the ranking, to train a network of fewer inputs with.

    Args:
        importance: of the network with all inputs.
        fraction: share of the features that count as the top, in (0, 1], rounded up; 0.05 in the paper.
        k: their number, in place of the fraction.

    Raises:
        ValueError: both or none of fraction and k, or one that is out of range.

    >>> import numpy as np
    >>> from taylor.features import FeatureSet
    >>> features = FeatureSet.complete(("mass", "pt", "phi"), 2)
    >>> mean = np.array([4, 1, 0, 0, 9, 0, 0, 0, 0])
    >>> select_features(TaylorImportance(features, mean, None, 1, "adjoint"), k=2).names
    ('mass', 'pt')
    """
    n = len(importance.features)
    if k is None and fraction is not None:
        if not 0 < fraction <= 1:
            raise ValueError(f"Expected fraction above 0 and up to 1. Received: fraction={fraction}")
        k = math.ceil(fraction * n - 1e-9)  # 125 / 495 * 495 is above 125 in floating point
    elif k is None or fraction is not None:
        raise ValueError(f"Expected one of fraction and k. Received: fraction={fraction}, k={k}")
    if not 1 <= k <= n:
        raise ValueError(f"Expected k between 1 and {n}, the number of features. Received: k={k}")
    columns = importance.by_rank[:k].tolist()
    indices = tuple(dict.fromkeys(i for column in columns for i in importance.features.indices[column]))
    return Selection(tuple(importance.features.names[i] for i in indices), indices, k)
