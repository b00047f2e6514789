"""The exported `scan` over a grid of theta beside one `serve` a point, on the same events in one process."""

import tempfile
from collections.abc import Sequence
from functools import partial
from statistics import median

import numpy as np

from benchmarks.speed import in_turn, show

N_SERVED = 5


def run(
    *,
    n_features: int = 27,
    n_points: int = 21,
    n_events: Sequence[int] = (10_000, 100_000),
    units: Sequence[int] = (300, 150, 100, 50),
) -> list[dict]:
    """For each kind of network and number of events, median seconds of a prediction at one theta and of a scan.

    The scan is over `n_points`; the first N_SERVED of them are predicted one by one.
    """
    import tensorflow as tf

    from pnn_tf import export_savedmodel, parametric_network

    grid = np.linspace(500, 1500, n_points)
    rows = []
    for conditioning in ("affine", "concat"):
        network = parametric_network(
            n_features, conditioning=conditioning, units=units, affine_start="glorot_uniform", seed=1
        )
        with tempfile.TemporaryDirectory() as folder:
            export_savedmodel(network, folder, theta_grid=grid)
            served = tf.saved_model.load(folder)
        for n in n_events:
            features = tf.constant(np.random.default_rng(0).normal(size=(n, n_features)), tf.float32)
            thetas = [tf.fill((n, 1), np.float32(theta)) for theta in grid[:N_SERVED]]
            jobs = {"serve": partial(_serve, served, features, thetas), "scan": partial(served.scan, features)}
            times = {name: median(times.wall_s) for name, times in in_turn(jobs, repetitions=7).items()}
            one_theta_s = times["serve"] / N_SERVED
            one_by_one, scores = jobs["serve"](), jobs["scan"]()["scores"]
            rows.append(
                {
                    "row": f"{conditioning}, {n} events",
                    "one theta (s)": one_theta_s,
                    "scan (s)": times["scan"],
                    "scan / point / one theta": times["scan"] / n_points / one_theta_s,
                    "scores differ by": float(np.abs(scores[:, :N_SERVED] - one_by_one).max()),
                }
            )
    return rows


def _serve(served, features, thetas):
    return np.concatenate([served.serve(features, theta)["score"] for theta in thetas], axis=1)


def main() -> None:
    """Measures and prints."""
    show("Exported networks at 21 values of theta", run())
