"""Trainings on one device and on two, for test_replicas.py; by python -m tests.devices."""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from neos_tf import (
    BCELoss,
    CLsLoss,
    EmptyBinPenalty,
    LearnableEdges,
    POIVarianceLoss,
    QuantileBins,
    SoftCut,
    SummaryStatistic,
    TemplateModel,
    WeightedLoss,
    replicas,
)
from tests.devices import one_and_two, scope
from tests.neos_tf.blobs import EDGES, MODEL, YIELDS, blobs, network
from tests.neos_tf.workspaces import MU, histosys, sample, specification, staterror

EVENTS = blobs(600, weighted=True)


def events(*parts):
    """Of every sample, those of a slice."""
    return [{name: (x[part], weight[part]) for name, (x, weight) in EVENTS.items()} for part in parts]


BATCHES = events(slice(305), slice(305, 600))  # an odd number of events in each
OF_DIFFERENT_SIZES = [
    {name: (x[:n], weight[:n]) for (name, (x, weight)), n in zip(EVENTS.items(), (50, 301, 200, 103), strict=True)}
]


def dataset(batches):
    """Of batches of different sizes."""
    signature = tf.nest.map_structure(lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), batches[0])
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature)


class Steps(keras.callbacks.Callback):
    """What callbacks see of each step, and the weights after it."""

    def __init__(self):
        self.logs, self.weights = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append({name: float(value) for name, value in logs.items()})
        self.weights.append(numbers([*self.model.get_weights(), *self.model.optimizer.variables]))


def in_float64():
    return network("float64")


def penalised():
    return network("float64", kernel_regularizer="l2", activity_regularizer="l2")


def normalised():
    normal = [keras.initializers.RandomNormal(stddev=1.0, seed=seed) for seed in (0, 1)]
    layers = [
        keras.layers.Dense(8, "tanh", kernel_initializer=normal[0], dtype="float64"),
        keras.layers.BatchNormalization(synchronized=True, dtype="float64"),
        keras.layers.Dense(1, "sigmoid", kernel_initializer=normal[1], dtype="float64"),
    ]
    return keras.Sequential([keras.Input((2,), dtype="float64"), *layers])


def numbers(arrays):
    return np.concatenate([np.ravel(array) for array in arrays]).tolist()


def trained(loss, strategy, *, batches=BATCHES, fit=None, **options):
    """What comes of a training in float64."""
    steps = Steps()
    with scope(strategy):
        settings = {"network": in_float64, "model": MODEL, "edges": EDGES, "bandwidth": 0.1, "yields": YIELDS} | options
        made = {name: value() if callable(value) else value for name, value in settings.items()}
        statistic = SummaryStatistic(**made)
        statistic.compile(keras.optimizers.Adam(0.05), loss, metrics=("cls",))
    try:
        history, refused = statistic.fit(dataset(batches), epochs=2, verbose=0, callbacks=[steps], **(fit or {})), ""
    except ValueError as error:
        history, refused = statistic.history, str(error)
    return {
        "history": history.history,
        "logs": steps.logs,
        "weights": steps.weights,
        "refused": refused,
        "evaluate": statistic.evaluate(dataset(BATCHES), verbose=0, return_dict=True),
        "histograms": numbers(statistic.histograms().values()),
    }


def looped(strategy):
    """Losses and weights of a loop around steps, in which each worker has its part of each batch."""
    with scope(strategy):
        statistic = SummaryStatistic(network("float64"), MODEL, EDGES, 0.1, yields=YIELDS)
        statistic.compile(keras.optimizers.Adam(0.05), WeightedLoss({EmptyBinPenalty(60.0): 1.0, BCELoss(): 1.0}))

    def part(context):
        n, own = context.num_input_pipelines, context.input_pipeline_id
        return dataset([tf.nest.map_structure(lambda array: np.array_split(array, n)[own], one) for one in BATCHES])

    step = tf.function(lambda batch: strategy.run(statistic.train_step, args=(batch,)), autograph=False)
    batches = zip(range(len(BATCHES)), strategy.distribute_datasets_from_function(part), strict=False)
    return [float(step(batch)["loss"]) for _, batch in batches] + numbers(statistic.get_weights())


def with_statistical_errors():
    shape, error = histosys("shape", "background_down", "background_up"), staterror("stat", "error")
    background = sample("background", "background", shape, error)
    return TemplateModel.from_spec(specification(channel=[sample("signal", "signal", MU), background]), n_bins=3)


NAN = [BATCHES[0], BATCHES[1] | {"signal": (np.nan * BATCHES[1]["signal"][0], BATCHES[1]["signal"][1])}]
CASES = {
    "CLs": (CLsLoss(), {}),
    "cross-entropy": (BCELoss(background=("background", "background_up")), {"batches": OF_DIFFERENT_SIZES}),
    "two losses, penalties and a cut": (
        WeightedLoss({POIVarianceLoss(): 1.0, BCELoss(): 0.5}),
        {"network": penalised, "selection": lambda: SoftCut(0, -2.0, 0.5, dtype="float64")},
    ),
    "learnable edges": (EmptyBinPenalty(60.0), {"edges": lambda: LearnableEdges(EDGES, dtype="float64")}),
    "quantiles": (POIVarianceLoss(), {"edges": QuantileBins(3, "background"), "batches": OF_DIFFERENT_SIZES}),
    "statistical errors": (POIVarianceLoss(), {"model": with_statistical_errors}),
    "yields of the batch": (POIVarianceLoss(), {"yields": dict.fromkeys(YIELDS)}),
    "batch normalisation": (EmptyBinPenalty(60.0), {"network": normalised, "batches": OF_DIFFERENT_SIZES}),
    "cross-entropy first": (EmptyBinPenalty(60.0), {"fit": {"cross_entropy_steps": 2}}),
    "five events": (POIVarianceLoss(), {"batches": events(slice(5))}),
    "one event": (WeightedLoss({EmptyBinPenalty(60.0): 1.0, BCELoss(): 1.0}), {"batches": events(slice(1))}),
    "a step that is not taken": (EmptyBinPenalty(60.0), {"network": normalised, "batches": NAN}),
}


def of_replicas(strategy):
    """What each function of replicas gives on each replica, and its gradient, of 3 events and 2, and of none."""
    parts = tf.constant([3, 2, 0]) if strategy.num_replicas_in_sync == 1 else None

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            first, everything = replicas.summed((tf.reduce_sum(x**2), {"n": tf.size(x, tf.float64)}))
            gathered = replicas.gathered(x)
            mean = replicas.averaged(tf.reduce_mean(x**2), tf.size(x))
            total = first + tf.reduce_sum(gathered**3) + mean
        flags = replicas.everywhere(tf.size(x) > 0), replicas.everywhere(tf.size(x) > 2)
        return total, everything["n"], gathered, mean, *flags, tape.gradient(total, x)

    def part(context):
        start = [0, 3, 5][context.replica_id_in_sync_group]
        return tf.range(start, [3, 5, 5][context.replica_id_in_sync_group], dtype=tf.float64) + 1

    if parts is not None:
        x = tf.range(1, 6, dtype=tf.float64)
        return [[np.asarray(value).tolist() for value in step(x)]]
    parted = strategy.experimental_distribute_values_from_function(part)
    results = tf.function(lambda: strategy.run(step, args=(parted,)))()
    return [
        [np.asarray(strategy.experimental_local_results(value)[i]).tolist() for value in results]
        for i in range(strategy.num_replicas_in_sync)
    ]


def main():
    strategies = list(one_and_two())
    if sys.argv[1:] == ["functions"]:
        results = [of_replicas(strategy) for strategy in strategies]
    else:
        results = {
            name: [trained(loss, strategy, **options) for strategy in strategies]
            for name, (loss, options) in CASES.items()
        }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
