"""The exported `scan` over a grid of theta beside one `serve` a point, on the same events in one process.

Each repetition serves the events once at some points, then scans them; the ratio is that of the medians for a point.
"""

import tempfile
import time
from dataclasses import dataclass
from statistics import median

import numpy as np


@dataclass(frozen=True)
class Config:
    """Sizes of the network, of the events and of the measurement."""

    n_features: int = 27
    n_points: int = 21
    n_events: tuple[int, ...] = (10_000, 100_000)
    units: tuple[int, ...] = (300, 150, 100, 50)
    points_served: int = 5
    repetitions: int = 7


def run(config: Config) -> list[dict]:
    """For each kind of network and number of events, seconds of a prediction at one theta and of a scan."""
    import tensorflow as tf

    from pnn_tf import export_savedmodel, parametric_network

    grid = np.linspace(500, 1500, config.n_points)
    rows = []
    for conditioning in ("affine", "concat"):
        network = parametric_network(
            config.n_features, conditioning=conditioning, units=config.units, affine_start="glorot_uniform", seed=1
        )
        with tempfile.TemporaryDirectory() as folder:
            export_savedmodel(network, folder, theta_grid=grid)
            served = tf.saved_model.load(folder)
            for n_events in config.n_events:
                rng = np.random.default_rng(0)
                features = tf.constant(rng.normal(size=(n_events, config.n_features)), tf.float32)
                thetas = [tf.fill((n_events, 1), np.float32(theta)) for theta in grid[: config.points_served]]
                single, scan = [], []
                for repetition in range(config.repetitions + 1):
                    start = time.perf_counter()
                    one_by_one = [served.serve(features, theta)["score"] for theta in thetas]
                    between = time.perf_counter()
                    scores = served.scan(features)["scores"]
                    if repetition:  # the first one sets up
                        single.append((between - start) / len(thetas))
                        scan.append(time.perf_counter() - between)
                difference = np.abs(scores[:, : len(thetas)] - np.concatenate(one_by_one, axis=1)).max()
                rows.append(
                    {
                        "row": f"{conditioning}, {n_events} events",
                        "single_s": median(single),
                        "scan_s": median(scan),
                        "ratio": median(scan) / config.n_points / median(single),
                        "difference": float(difference),
                    }
                )
    return rows


def main() -> None:
    """Measures and prints."""
    config = Config()
    print(f"{config.n_points} points; medians of {config.repetitions}")
    for row in run(config):
        print(
            f"{row['row']:<24} one theta {row['single_s']:.3f} s, scan {row['scan_s']:.3f} s = {row['ratio']:.2f} x "
            f"{config.n_points} predictions; scores differ by {row['difference']:.0e}"
        )
