"""Trainings on one device and on two, printed as JSON for test_replicas.py: TensorFlow has two devices from its start.

    python -m tests.neos_tf.two_devices
"""

import json
from contextlib import nullcontext

import keras
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

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
)
from tests.neos_tf.blobs import EDGES, MODEL, YIELDS, blobs, network
from tests.neos_tf.workspaces import MU, sample, specification, staterror

# A batch of 305 and one of 295 events of each sample, so that no batch has as many on each device.
WEIGHTED = blobs(600, weighted=True)
BATCHES = [{name: (x[part], w[part]) for name, (x, w) in WEIGHTED.items()} for part in (slice(305), slice(305, None))]


def dataset(batches=BATCHES):
    """Of batches of different sizes."""
    signature = tf.nest.map_structure(lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), batches[0])
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature)


def trained(loss, strategy=None, *, batches=BATCHES, epochs=3, optimizer="adam", last=None, fit=None, **options):
    """Losses, weights, what `evaluate` gives, and the histograms, of a network in float64."""
    settings = {"model": MODEL, "edges": EDGES, "bandwidth": 0.1, "yields": YIELDS} | options
    with strategy.scope() if strategy else nullcontext():
        made = {name: value() if callable(value) else value for name, value in settings.items()}
        model = SummaryStatistic(network("float64", **(last() if last else {})), **made)
        model.compile({"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}[optimizer](0.05), loss, metrics=("cls",))
    history = model.fit(dataset(batches), epochs=epochs, verbose=0, **(fit or {})).history
    evaluated = model.evaluate(dataset(), verbose=0, return_dict=True)
    return {
        "history": history,
        "weights": np.concatenate([w.ravel() for w in model.get_weights()]).tolist(),
        "optimizer": np.concatenate([np.ravel(w) for w in model.optimizer.variables]).tolist(),
        "evaluated": evaluated,
        "histograms": np.concatenate(list(model.histograms().values())).tolist(),
    }


def penalised():
    return {"kernel_regularizer": "l2", "activity_regularizer": "l2"}


def with_staterror():
    samples = [
        sample("signal", "signal", MU),
        sample("background", "background", staterror("background_error")),
        sample("up", "background_up", staterror("up_error")),
        sample("down", "background_down", staterror("down_error")),
    ]
    return TemplateModel.from_spec(specification(channel=samples), n_bins=3)


NAN = [BATCHES[0], BATCHES[1] | {"signal": (WEIGHTED["signal"][0][305:] * np.nan, WEIGHTED["signal"][1][305:])}]

CASES = {
    "CLs": (CLsLoss(), {}),
    "cross-entropy": (BCELoss(background=("background", "background_up")), {}),
    "both, with penalties and a cut": (
        WeightedLoss({POIVarianceLoss(): 1.0, BCELoss(): 0.5}),
        {"last": penalised, "selection": lambda: SoftCut(0, -2.0, 0.5, dtype="float64")},
    ),
    "learnable edges": (EmptyBinPenalty(60.0), {"edges": lambda: LearnableEdges(EDGES, dtype="float64")}),
    "quantiles": (POIVarianceLoss(), {"edges": QuantileBins(3, "background")}),
    "cross-entropy first": (POIVarianceLoss(), {"fit": {"cross_entropy_steps": 2}}),
    "few events": (POIVarianceLoss(), {"batches": [{k: (x[:5], w[:5]) for k, (x, w) in WEIGHTED.items()}]}),
    "one event": (EmptyBinPenalty(60.0), {"batches": [{k: (x[:1], w[:1]) for k, (x, w) in WEIGHTED.items()}]}),
    "yields of the batch": (POIVarianceLoss(), {"yields": dict.fromkeys(YIELDS)}),
}


def main():
    results = {}
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])  # one a program: a second would share its channels
    for name, (loss, options) in CASES.items():
        results[name] = [trained(loss, each, **options) for each in (None, two)]
    print(json.dumps(results))


if __name__ == "__main__":
    main()
