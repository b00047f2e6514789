"""A parametric network trained on several machines, and how to go on after one of them has failed.

On each machine the same command, but for its place in the list of workers; `--out` is a folder that all of them see:

    python -m examples.several_machines --workers one:4321 two:4321 --index 0 --out /shared/run

`fit` of Keras 3 fails under `MultiWorkerMirroredStrategy` (keras issue 20585): `train` is a loop in its place, without
metrics and callbacks. Each worker makes all batches, by the same seed, and takes its own rows of each: a step is that
of one device with the whole batch. If a worker fails, the others wait, or end after some seconds with "Collective ops
is aborted by ...". End those that wait, and start all with the same commands again. They go on from the last checkpoint
with the batches that are due, and end with the weights that they would have had.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

import pnn_tf


class Settings(NamedTuple):
    """What is yours."""

    masses: Sequence[float] = (500.0, 750.0, 1000.0)  # GeV
    units: Sequence[int] = (128, 64)
    dropout: float = 0.25
    batch_size: int = 1024  # of all workers together
    steps: int = 2000
    save_every: int = 100  # steps
    learning_rate: float = 1e-3
    seed: int = 1


def main(arguments: Sequence[str] | None = None, settings: Settings | None = None) -> keras.Model:
    """The trained network, which the first worker also writes to the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", nargs="+", required=True, help="host:port of each machine, the same list on all")
    parser.add_argument("--index", type=int, required=True, help="the place of this machine in the list, from 0")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and the network, seen by all")
    given, settings = parser.parse_args(arguments), settings or Settings()
    task = {"cluster": {"worker": given.workers}, "task": {"type": "worker", "index": given.index}}
    os.environ["TF_CONFIG"] = json.dumps(task)  # before the strategy, which waits here for all workers
    network = train(tf.distribute.MultiWorkerMirroredStrategy(), given.out, given.index, settings)
    path = given.out / "network.keras"
    if given.index == 0:
        network.save(path)
    while not path.exists():  # a worker that ends takes with it what it still has to send
        time.sleep(1)
    return network


def simulated(settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, masses and labels: put your own events here, the same on each machine and in the same order."""
    rng = np.random.default_rng(settings.seed)
    label = np.arange(30_000) % 2
    mass = rng.choice(settings.masses, len(label))
    mtt = np.where(label == 1, rng.normal(mass, 0.1 * mass), 300 + rng.exponential(300, len(label)))
    return np.stack([mtt / 1000, rng.normal(size=len(label))], axis=1).astype("float32"), mass, label


def train(strategy: tf.distribute.Strategy, out: Path, index: int, settings: Settings) -> keras.Model:
    """Trains a network from the last checkpoint in a folder, or from the start."""
    features, mass, label = simulated(settings)
    with strategy.scope():
        network = pnn_tf.parametric_network(
            features.shape[1], units=settings.units, dropout=settings.dropout, seed=settings.seed
        )
        optimizer = keras.optimizers.Adam(settings.learning_rate)
        optimizer.build(network.trainable_variables)
        batches = pnn_tf.balanced_batches(
            features,
            mass,
            label,
            batch_size=settings.batch_size,
            background_theta=pnn_tf.Identical(settings.masses),
            seed=settings.seed,
        )

    # `variables` and not `weights`, which are without the state of the random numbers of dropout. All workers save, as
    # what several devices have is read together; the file of the first is gone on from.
    variables = [variable.value for variable in (*network.variables, *optimizer.variables)]
    checkpoint = tf.train.Checkpoint(variables=variables)
    kept = out / "checkpoints"
    manager = tf.train.CheckpointManager(checkpoint, kept if index == 0 else out / f"scratch_{index}", max_to_keep=2)
    if (latest := tf.train.latest_checkpoint(kept)) is not None:
        checkpoint.restore(latest).assert_consumed()

    @tf.function
    def step(inputs, label):
        def on_replica(inputs, label):
            with tf.GradientTape() as tape:
                losses = keras.losses.binary_crossentropy(label, network(inputs, training=True))
                loss = tf.reduce_sum(losses) / settings.batch_size  # gradients are summed over replicas: so is this
                loss += tf.add_n([*network.losses, 0.0]) / strategy.num_replicas_in_sync
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
            return loss

        return strategy.reduce("SUM", strategy.run(on_replica, args=(inputs, label)), axis=None)

    first = int(keras.ops.convert_to_numpy(optimizer.iterations))
    parts = strategy.distribute_datasets_from_function(lambda context: own_part(batches.dataset_from(first), context))
    for done, batch in zip(range(first + 1, settings.steps + 1), parts, strict=False):
        loss = step(*batch)
        if done % settings.save_every == 0 or done == settings.steps:
            manager.save(checkpoint_number=done)
            print(f"step {done}, loss {float(loss):.4f}", flush=True)
    return network


def own_part(batches: tf.data.Dataset, context: tf.distribute.InputContext) -> tf.data.Dataset:
    """Of each batch the rows of this worker, one element for each of its devices.

    Strata are interleaved within a batch: rows beside each other are balanced, every second row is not.
    """
    n_devices = context.num_replicas_in_sync // context.num_input_pipelines
    first = context.input_pipeline_id * n_devices

    def own(x):
        return tf.reshape(x, (context.num_replicas_in_sync, -1, x.shape[1]))[first : first + n_devices]

    return batches.map(lambda *batch: tf.nest.map_structure(own, batch)).unbatch()


if __name__ == "__main__":
    main()
