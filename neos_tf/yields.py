"""Expected events of samples whose weights sum to them."""

from collections.abc import Mapping

import numpy as np


def expected_yields(samples: Mapping) -> dict[str, float]:
    """Sum of the weights of each sample, for `SummaryStatistic(yields=...)`.

    To be taken of all events of an analysis, before they are divided into training and test: a batch or a part has a
    smaller sum, but the same share of it in each bin.

    Args:
        samples: pairs of features and weights (n_events,), by name.

    Raises:
        ValueError: a sample without weights, or whose weights do not sum to a positive number.

    >>> expected_yields({"signal": ([[0.1], [0.2], [0.3]], [0.5, 0.5, 1.0])})
    {'signal': 2.0}
    """
    yields = {}
    for name, events in samples.items():
        if not isinstance(events, tuple | list) or len(events) != 2:
            raise ValueError(f"Expected a pair of features and weights of sample {name!r}. Received: {type(events)}.")
        yields[name] = float(np.sum(np.asarray(events[1], np.float64)))
        if not 0 < yields[name] < np.inf:
            raise ValueError(f"Expected weights of {name!r} with a positive sum. Received: {yields[name]}.")
    return yields
