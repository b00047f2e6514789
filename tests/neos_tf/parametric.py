"""Blobs with a theta, a network of both, and a measurement of signal and background."""

import keras
import numpy as np

from neos_tf import SummaryStatistic, TemplateModel
from tests.neos_tf.workspaces import MU, histosys, sample, specification

EDGES = [0.0, 0.3, 0.6, 1.0]
YIELDS = {"signal": 20.0, "background": 100.0, "up": 110.0, "down": 90.0}
MODEL = TemplateModel.from_spec(
    specification(
        channel=[sample("s", "signal", MU), sample("b", "background", histosys("shape", "down", "up"))],
    ),
    n_bins=3,
)


def network(dtype=None):
    """The score of (n, 2) features and (n, 1) theta."""
    normal = [keras.initializers.RandomNormal(stddev=1.0, seed=seed) for seed in (0, 1)]
    features, theta = keras.Input((2,), name="features", dtype=dtype), keras.Input((1,), name="theta", dtype=dtype)
    x = keras.layers.Concatenate(dtype=dtype)([features, theta])
    x = keras.layers.Dense(8, "tanh", kernel_initializer=normal[0], dtype=dtype)(x)
    score = keras.layers.Dense(1, "sigmoid", kernel_initializer=normal[1], dtype=dtype)(x)
    return keras.Model({"features": features, "theta": theta}, score)


def events(theta=0.5, n_events=200, seed=0):
    """Pairs of named inputs and weights (n_events,), by sample."""
    rng = np.random.default_rng(seed)
    samples = {}
    for name, centre in {"signal": theta, "background": -theta, "up": 0.2 - theta, "down": -0.2 - theta}.items():
        x = rng.normal(centre, 1, (n_events, 2)).astype("float32")
        weights = rng.uniform(0.5, 1.5, n_events)
        inputs = {"features": x, "theta": np.full((n_events, 1), theta, "float32")}
        samples[name] = inputs, weights * YIELDS[name] / weights.sum()
    return samples


def statistic(loss, optimizer="sgd", *, edges=EDGES, yields=YIELDS, dtype=None, model=MODEL, eager=True, **kwargs):
    """Compiled, with eager steps."""
    summary = SummaryStatistic(network(dtype), model, edges, 0.1, yields=yields, **kwargs)
    summary.compile(optimizer, loss, run_eagerly=eager, metrics=("cls",))
    return summary


def loss_of_step(summary, batch):
    summary.reset_metrics()  # before Keras 3.15, train_on_batch gives the mean with the steps before
    return summary.train_on_batch(batch, return_dict=True)["loss"]
