"""A monitored training on one device and on two, for test_monitor.py; by python -m tests.devices."""

import json
import tempfile
from pathlib import Path

import keras
import numpy as np

import taylor
from tests.devices import one_and_two, scope

rng = np.random.default_rng(0)
X = rng.normal(size=(320, 3)).astype("float32")
LABEL = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype("float32")


def correct(label, score):
    return np.mean((score > 0.5) == label)


def monitored(strategy, path):
    """The records of a training that is gone on with, and those in its file."""
    with scope(strategy):
        normal = [keras.initializers.RandomNormal(stddev=1.0, seed=seed) for seed in (0, 1)]
        layers = [
            keras.layers.Dense(8, "tanh", kernel_initializer=normal[0]),
            keras.layers.BatchNormalization(synchronized=True),
            keras.layers.Dense(1, "sigmoid", kernel_initializer=normal[1]),
        ]
        network = keras.Sequential([keras.Input((3,)), *layers])
        network.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    for _ in range(2):
        monitor = taylor.TaylorMonitor(X[:100], every=3, label=LABEL[:100], metrics={"correct": correct}, path=path)
        network.fit(X, LABEL, batch_size=32, shuffle=False, verbose=0, callbacks=[monitor])
    return [
        {
            "step": record.step,
            "epoch": record.epoch,
            "mean": record.importance.mean.tolist(),
            "error": record.importance.error.tolist(),
            "metrics": record.metrics,
            "ends_here": record.ends_here,
        }
        for records in (monitor.records, taylor.read_monitor(path))
        for record in records
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps([monitored(one, Path(folder) / f"{i}.jsonl") for i, one in enumerate(one_and_two())]))
