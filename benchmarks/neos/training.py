"""The blob experiment of NEOS, section 3.1 and Appendix A: events, measurement, network and training.

Two decisions where the paper is silent: an expected count below 0.001 is raised to it, as bins of the test histograms
can be empty, and the Asimov data of the uncertainties have mu = 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import keras
import numpy as np

import neos_tf
from benchmarks.data.blobs import NAMES, by_process, load_blobs
from benchmarks.record import fingerprint

NUISANCE = "correlated_bkg_uncertainty"  # the paper's gamma, with constraint N(0, 1)


@dataclass(frozen=True)
class Recipe:
    """What all trainings of the paper share, Appendix A.

    Args:
        n_events: of each of the four blobs.
        test_fraction: share of them kept for the test.
        units: widths of the hidden layers, of ReLU.
        epochs: passes over the training events.
        batch_size: events of each blob in a batch.
        learning_rate: of Adam.
        n_bins: of the histogram of the network's output, on [0, 1].
        bandwidth: of the kernels, in units of the output.
        signal_yield, background_yield: expected events of signal, and of background and its variations.
        floor: least expected events of a bin.
    """

    n_events: int = 10_000
    test_fraction: float = 0.2
    units: tuple[int, ...] = (1024, 1024)
    epochs: int = 15
    batch_size: int = 2000
    learning_rate: float = 1e-3
    n_bins: int = 4
    bandwidth: float = 0.1
    signal_yield: float = 20.0
    background_yield: float = 100.0
    floor: float = 1e-3

    @property
    def yields(self) -> dict[str, float]:
        """Expected events of each blob."""
        return dict.fromkeys(NAMES, self.background_yield) | {"signal": self.signal_yield}


class Blobs(NamedTuple):
    """Training and test events (n_events, 2) by blob."""

    train: dict[str, np.ndarray]
    test: dict[str, np.ndarray]


class Samples(NamedTuple):
    """The blobs by the name of their means, and what the record says of them."""

    blobs: dict[str, Blobs]
    data: dict


def load_samples(recipe: Recipe, means: tuple[str, ...], seed: int = 1) -> Samples:
    """Draws the events of some keys of `benchmarks.data.blobs.MEANS`, the same for every seed of an experiment."""
    events = {name: by_process(load_blobs(name, recipe.n_events, seed)) for name in means}
    n_test = round(recipe.test_fraction * recipe.n_events)
    n_train = recipe.n_events - n_test
    columns = (array for blob in events.values() for array in blob.values())
    data = {"name": "Gaussian blobs (drawn)", "means": list(means), "n_train": n_train, "n_test": n_test}
    blobs = {
        name: Blobs({k: v[:n_train] for k, v in blob.items()}, {k: v[n_train:] for k, v in blob.items()})
        for name, blob in events.items()
    }
    return Samples(blobs, data | {"fingerprint": fingerprint(*columns)})


def network(recipe: Recipe, seed: int) -> keras.Model:
    """2 inputs, hidden layers of ReLU and a sigmoid; Glorot's uniform weights of a seed, zero biases."""
    widths, kinds = (*recipe.units, 1), (*["relu"] * len(recipe.units), "sigmoid")
    seeds = np.random.SeedSequence(seed).generate_state(len(widths)).tolist()
    layers = [
        keras.layers.Dense(width, kind, kernel_initializer=keras.initializers.GlorotUniform(of_layer))
        for width, kind, of_layer in zip(widths, kinds, seeds, strict=True)
    ]
    return keras.Sequential([keras.Input((2,)), *layers])


@cache
def measurement(recipe: Recipe) -> neos_tf.TemplateModel:
    """The pyhf model of signal and background; one for all networks of a recipe, which spares tracing."""
    return neos_tf.correlated_background(recipe.n_bins, floor=recipe.floor)


def summary_statistic(
    recipe: Recipe, model: neos_tf.TemplateModel, loss: neos_tf.Loss, seed: int, *, edges=None, selection=None
) -> neos_tf.SummaryStatistic:
    """An untrained network with its measurement, from `measurement`, compiled; initial weights are those of the seed.

    `edges` and `selection` are as for `neos_tf.SummaryStatistic`; equal bins on [0, 1] and none if None.
    """
    edges = np.linspace(0, 1, recipe.n_bins + 1) if edges is None else edges
    statistic = neos_tf.SummaryStatistic(
        network(recipe, seed), model, edges, recipe.bandwidth, yields=recipe.yields, selection=selection
    )
    statistic.compile(keras.optimizers.Adam(recipe.learning_rate), loss)
    return statistic


def train(statistic: neos_tf.SummaryStatistic, recipe: Recipe, blobs: Blobs, *, seed: int, listen: Callable) -> dict:
    """Trains a `summary_statistic`, and measures on the test events with ordinary histograms; a seed orders events.

    After each epoch, `listen` is called with its number, from 0, and the logs of Keras.

    Returns:
        (n_epochs + 1,) "cls", "sigma_mu", "sigma_gamma" and "n_floored", bins that the floor raised, on the test
        events before the first epoch and after each, and (n_epochs,) "loss" in training and "unconverged", the number
        of steps without a gradient.
    """
    test = neos_tf.sample_batches(blobs.test, len(blobs.test["signal"]), seed=None).cache()
    before = statistic.evaluate(test, return_dict=True, verbose=0)
    history = statistic.fit(
        neos_tf.sample_batches(blobs.train, recipe.batch_size, seed=seed),
        epochs=recipe.epochs,
        validation_data=test,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=listen)],
        verbose=0,
    ).history
    measured = {"cls": "cls", "sigma_mu": "sigma_mu", "sigma_gamma": f"sigma_{NUISANCE}", "n_floored": "floored"}
    course = {name: [before[key], *history[f"val_{key}"]] for name, key in measured.items()}
    return course | {name: history[name] for name in ("loss", "unconverged")}
