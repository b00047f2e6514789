"""Trainings on one device and on two, for test_devices.py; by python -m tests.devices."""

import json

import keras
import numpy as np
import tensorflow as tf

import pnn_tf
from tests.devices import one_and_two, scope

rng = np.random.default_rng(0)
LABEL = np.arange(600) % 2
FEATURES = (rng.normal(size=(600, 3)) + LABEL[:, None]).astype("float32")
THETA = rng.choice([500, 750], 600)


def with_observable(x, label, *weight):
    return x, tf.concat([label, x["features"][:, :1], x["theta"]], axis=1), *weight


def trained(strategy, loss, metrics=(), target=None, **options):
    """History and weights."""
    with scope(strategy):
        batches = pnn_tf.balanced_batches(FEATURES, THETA, LABEL, batch_size=62, **options)
        network = pnn_tf.parametric_network(3, units=(8,), dropout=0, seed=1)
        network.compile(keras.optimizers.Adam(0.02), loss, weighted_metrics=[metric() for metric in metrics])
    data = batches.dataset if target is None else batches.dataset.map(target)
    callbacks = [pnn_tf.PerHypothesis(FEATURES, THETA, LABEL)] if metrics else []
    history = network.fit(data, steps_per_epoch=12, epochs=2, shuffle=False, verbose=0, callbacks=callbacks).history
    return {"history": history, "weights": np.concatenate([w.ravel() for w in network.get_weights()]).tolist()}


def dropped(strategy):
    """What two calls of a layer keep, on each device, and its state after them."""
    with scope(strategy):
        layer = pnn_tf.FastDropout(0.5, seed=1)
        layer.build((None, 100))
    calls = []
    for _ in range(2):
        kept = strategy.run(tf.function(lambda: layer(tf.ones((20, 100)), training=True)))
        calls.append([np.ravel(part).tolist() for part in strategy.experimental_local_results(kept)])
    return {"calls": calls, "state": layer.seed_generator.state.numpy().tolist()}


def refused(strategy):
    with scope(strategy):
        try:
            pnn_tf.balanced_batches(FEATURES, THETA, LABEL, batch_size=63)
        except ValueError as error:
            return str(error)
    return ""


def main():
    metrics = (pnn_tf.StreamingAUC, pnn_tf.StreamingSignificance)
    penalty = pnn_tf.DecorrelatedCrossentropy(3.0)
    results = [
        {
            "cross-entropy": trained(one, "binary_crossentropy", metrics, background_theta=pnn_tf.Uniform(500, 750)),
            "decorrelated": trained(one, penalty, target=with_observable),
            "dropped": dropped(one),
            "refused": refused(one),
        }
        for one in one_and_two()
    ]
    print(json.dumps(results))


if __name__ == "__main__":
    main()
