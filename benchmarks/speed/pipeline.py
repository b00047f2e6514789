"""Balanced batches beside the training that they feed, in time and in memory.

Training on one batch again and again, training on the stream, and reading the stream alone take turns.
"""

from functools import partial
from statistics import median

import numpy as np

from benchmarks.speed import bytes_in_use, in_fresh_process, in_turn, show

HYPOTHESES = (500.0, 750.0, 1000.0, 1250.0, 1500.0)


def run(n_events: int = 1_000_000, n_features: int = 27, batch_size: int = 1024, steps: int = 256) -> list[dict]:
    """Median rates of training on one batch, of training on the stream, and of the stream alone; `steps` batches."""
    import keras
    import tensorflow as tf

    from pnn_tf import parametric_network

    stream = random_batches(n_events, n_features, batch_size=batch_size)
    constant = tf.data.Dataset.from_tensors(next(iter(stream))).repeat()
    network = parametric_network(n_features, seed=1)
    network.compile(keras.optimizers.Adam(3e-4), "binary_crossentropy", steps_per_execution=min(32, steps))
    train = partial(network.fit, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0)
    jobs = {
        "training, one batch repeated": partial(train, constant),
        "training, balanced batches": partial(train, stream),
        "balanced batches alone": lambda: stream.take(steps).reduce(np.int64(0), lambda n, *batch: n + 1).numpy(),
    }
    times = in_turn(jobs, repetitions=7)
    constant_s = median(next(iter(times.values())).wall_s)
    n = steps * batch_size
    return [
        {
            "row": name,
            "k events/s": n / 1e3 / median(seconds.wall_s),
            "CPU us/event": median(seconds.cpu_s) / n * 1e6,
            "rate / that of one batch repeated": constant_s / median(seconds.wall_s),
        }
        for name, seconds in times.items()
    ]


def run_memory(n_events: int = 7_000_000, n_features: int = 27) -> dict:
    """Peak memory of a fresh process that makes the events and reads batches, above that of a stream of 10 000."""
    baseline, peak = in_fresh_process(_peaks, n_events, n_features)
    array = n_events * n_features * 4
    sizes = {"array (MB)": array / 1e6, "TensorFlow (MB)": baseline / 1e6, "above it (MB)": (peak - baseline) / 1e6}
    return {"row": f"{n_events} x {n_features} float32", **sizes, "above it / array": (peak - baseline) / array}


def _peaks(n_events, n_features):
    """After a stream of 10 000 events, TensorFlow at work, and after this one."""
    peaks = []
    for n in (10_000, n_events):
        for _ in random_batches(n, n_features).take(100):
            pass
        peaks.append(bytes_in_use())
    return peaks


def random_batches(n_events, n_features, **options):
    """Random events: half signal, hypotheses in equal parts."""
    from pnn_tf import Identical, balanced_batches

    rng = np.random.default_rng(0)
    features = rng.random((n_events, n_features), dtype=np.float32)
    label = rng.integers(2, size=n_events, dtype=np.uint8)
    theta = np.array(HYPOTHESES, np.float32)[rng.integers(len(HYPOTHESES), size=n_events, dtype=np.uint8)]
    return balanced_batches(features, theta, label, background_theta=Identical(HYPOTHESES), **options).dataset


def main() -> None:
    """Measures and prints."""
    show("Balanced batches, medians", run())
    show("Peak memory", [run_memory()])
