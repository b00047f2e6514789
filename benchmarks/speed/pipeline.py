"""Balanced batches beside the training that they feed, in time and in memory.

Each repetition trains on one batch again and again, then on the stream, then reads the stream alone: what else the
machine does meets all three alike. The rates are medians; the CPU time is that of the whole process.
"""

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

HYPOTHESES = (500.0, 750.0, 1000.0, 1250.0, 1500.0)


@dataclass(frozen=True)
class Config:
    """Sizes of the data, of the training and of the measurement."""

    n_events: int = 1_000_000
    n_features: int = 27
    batch_size: int = 1024
    steps: int = 256
    steps_per_execution: int = 32
    repetitions: int = 7
    n_events_memory: int = 7_000_000


def run(config: Config) -> list[dict]:
    """One row each for training on one batch, training on the stream, and the stream alone."""
    import keras
    import tensorflow as tf

    from pnn_tf import Identical, balanced_batches, parametric_network

    batches = balanced_batches(
        *_events(config.n_events, config.n_features),
        batch_size=config.batch_size,
        background_theta=Identical(HYPOTHESES),
    )
    stream = batches.dataset
    constant = tf.data.Dataset.from_tensors(next(iter(stream))).repeat()
    network = parametric_network(config.n_features, seed=1)
    network.compile(keras.optimizers.Adam(3e-4), "binary_crossentropy", steps_per_execution=config.steps_per_execution)

    def train(dataset):
        network.fit(dataset, steps_per_epoch=config.steps, epochs=1, shuffle=False, verbose=0)

    def read():
        stream.take(config.steps).reduce(np.int64(0), lambda n, *batch: n + 1).numpy()

    jobs = {
        "training, one batch repeated": lambda: train(constant),
        "training, balanced batches": lambda: train(stream),
        "balanced batches alone": read,
    }
    times = {name: [] for name in jobs}
    for repetition in range(config.repetitions + 1):
        for name, job in jobs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            job()
            if repetition:  # the first one traces
                times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    n_events = config.steps * config.batch_size
    return [
        {
            "row": name,
            "events_per_s": n_events / median(wall for wall, _ in values),
            "cpu_us_per_event": median(cpu for _, cpu in values) / n_events * 1e6,
            "wall_s": [wall for wall, _ in values],
        }
        for name, values in times.items()
    ]


def run_memory(config: Config) -> dict:
    """Peak memory of a fresh process that makes the events and reads batches of them."""
    command = [sys.executable, "-m", __spec__.name, str(config.n_events_memory), str(config.n_features)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    baseline, peak = map(int, output.split()[-2:])
    array = config.n_events_memory * config.n_features * 4
    return {"row": "memory", "array_bytes": array, "baseline_bytes": baseline, "peak_bytes": peak}


def measure_memory(n_events: int, n_features: int) -> tuple[int, int]:
    """Peak of this process in bytes: after a stream of 10 000 events, TensorFlow at work, and after this one."""
    from pnn_tf import Identical, balanced_batches

    def read(n):
        events = _events(n, n_features)
        batches = balanced_batches(*events, background_theta=Identical(HYPOTHESES))
        for _ in batches.dataset.take(100):
            pass
        status = Path("/proc/self/status").read_text()  # ru_maxrss would count the parent that this process split from
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    return read(10_000), read(n_events)


def main() -> None:
    """Measures and prints."""
    config = Config()
    rows = run(config)
    for row in rows:
        print(
            f"{row['row']:<30} {row['events_per_s'] / 1e3:8.0f}k events/s {row['cpu_us_per_event']:6.2f} CPU us/event"
        )
    constant, through, alone = (row["events_per_s"] for row in rows)
    print(f"training on balanced batches / on one batch: {through / constant:.3f}")
    print(f"balanced batches alone / training on one batch: {alone / constant:.1f}")
    memory = run_memory(config)
    above = memory["peak_bytes"] - memory["baseline_bytes"]
    print(
        f"peak memory with {config.n_events_memory} x {config.n_features} float32: {above / 1e6:.0f} MB = "
        f"{above / memory['array_bytes']:.3f} x the array, above the {memory['baseline_bytes'] / 1e6:.0f} MB of "
        "TensorFlow with a stream of 10 000 events"
    )


def _events(n_events, n_features):
    """features, theta and label: half signal, hypotheses in equal parts."""
    rng = np.random.default_rng(0)
    features = np.empty((n_events, n_features), np.float32)
    rng.random(out=features, dtype=np.float32)
    label = rng.integers(2, size=n_events, dtype=np.uint8)
    theta = np.array(HYPOTHESES, np.float32)[rng.integers(len(HYPOTHESES), size=n_events, dtype=np.uint8)]
    return features, theta, label


if __name__ == "__main__":
    print(*measure_memory(*map(int, sys.argv[1:])))
