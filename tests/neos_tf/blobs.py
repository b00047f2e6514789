"""Four blobs of events, a small network and a measurement, of which the tests of training are made.

The correlated background has a spread of scores before any training, so no bin of an ordinary histogram is empty.
"""

import keras
import numpy as np

from neos_tf import SummaryStatistic, correlated_background

MEANS = {"signal": (-1, 1), "background": (1, -1), "background_up": (2.5, 2), "background_down": (-2.5, -1.5)}
YIELDS = {"signal": 20.0, "background": 100.0, "background_up": 100.0, "background_down": 100.0}
EDGES = [0.0, 0.3, 0.6, 1.0]
MODEL = correlated_background(3)  # one object, so that its statistics are traced once


def blobs(n_events=300, weighted=False, seed=0):
    """Features (n_events, 2) by sample, or pairs with weights (n_events,)."""
    rng = np.random.default_rng(seed)
    events = {name: rng.normal(mean, 1, (n_events, 2)).astype("float32") for name, mean in MEANS.items()}
    return {name: (x, rng.uniform(0.5, 1.5, n_events)) for name, x in events.items()} if weighted else events


def network(dtype=None, **last):
    """Scores between 0 and 1, of weights large enough to spread them."""
    normal = [keras.initializers.RandomNormal(stddev=1.0, seed=seed) for seed in (0, 1)]
    return keras.Sequential(
        [
            keras.Input((2,), dtype=dtype),
            keras.layers.Dense(8, "tanh", kernel_initializer=normal[0], dtype=dtype),
            keras.layers.Dense(1, "sigmoid", kernel_initializer=normal[1], dtype=dtype, **last),
        ]
    )


def statistic(
    loss,
    *,
    optimizer="adam",
    model=MODEL,
    edges=EDGES,
    bandwidth=0.1,
    yields=YIELDS,
    dtype=None,
    run_eagerly=True,
    **kwargs,
):
    """A compiled model, whose steps are eager, as tracing them takes longer than a few of them.

    What is traced for the measurement alone is shared by all models of one measurement and loss.
    """
    compiled = SummaryStatistic(network(dtype), model, edges, bandwidth, yields=yields, **kwargs)
    compiled.compile(optimizer, loss, run_eagerly=run_eagerly)
    return compiled


def shares(scores, edges, weights=None):
    """(n_bins,) part of the weights in each bin, by NumPy."""
    weights = np.ones(len(scores)) if weights is None else weights
    return np.histogram(np.ravel(scores), edges, weights=weights)[0] / weights.sum()
