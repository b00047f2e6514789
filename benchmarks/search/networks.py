"""The trainings that are compared: the same network, on cross-entropy in several ways and on the measurement itself."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

import neos_tf
import pnn_tf
from benchmarks.data.top_pairs import DETECTORS, NOMINAL
from benchmarks.search.events import VARIED, Sample, template_name
from benchmarks.search.measurement import FLOOR, TAILS, Scorer, logit_model, measurement

# The jet energy scale of nominal and varied events, relative to the nominal one.
SCALES = {None: 1.0} | {name: DETECTORS[name].jet_scale[0] / NOMINAL.jet_scale[0] for name in ("jes_down", "jes_up")}
PROCESSES = ("background", "signal")
PARTS = [template_name(process, name) for process in PROCESSES for name in (None, *VARIED)]


@dataclass(frozen=True)
class Settings:
    """Of all trainings.

    Args:
        units: widths of the hidden layers.
        dropout: after each hidden layer.
        epochs, epochs_augmented, epochs_told: of cross-entropy on nominal events, on varied ones as well, with the jet
            energy scale; an epoch has as many steps as nominal events.
        batch_size: events of a batch of cross-entropy.
        learning_rate: of Adam, for cross-entropy.
        steps: on the measurement, each at one mass, after cross-entropy.
        steps_from_scratch: without it.
        sample_batch: events of each process and variation in such a step.
        limit_rate, variance_rate, scratch_rate: of Adam, for these steps on the limit, on the variance, from scratch.
        bandwidth, scratch_bandwidth: of the kernels, in units of the logit: after cross-entropy, and from random
            weights, whose logits are all alike.
        strength: of the distance correlation with the jet energy scale.
    """

    units: tuple[int, ...] = (128, 64, 32)
    dropout: float = 0.25
    epochs: int = 240
    epochs_augmented: int = 240
    epochs_told: int = 240
    batch_size: int = 512
    learning_rate: float = 1e-3
    steps: int = 150
    steps_from_scratch: int = 300
    sample_batch: int = 3000
    limit_rate: float = 1e-4
    variance_rate: float = 2e-4
    scratch_rate: float = 2e-3
    bandwidth: float = 0.6
    scratch_bandwidth: float = 0.03
    strength: float = 1.0

    def of_cross_entropy(self) -> "Settings":
        """Those that a training on cross-entropy depends on; the others are the default ones."""
        names = ("units", "dropout", "epochs", "batch_size", "learning_rate")
        return Settings(**{name: getattr(self, name) for name in names})


def new_network(train: Sample, settings: Settings, seed: int, with_scale: bool = False) -> keras.Model:
    """An affine network of features in GeV; theta is the mass, or mass and jet energy scale."""
    selected = train.nominal.select(train.nominal.weight > 0)
    masses = np.array(train.masses)
    points = [[mass, scale] for mass in masses for scale in SCALES.values()] if with_scale else masses
    mean, std = selected.features.mean(axis=0, dtype=np.float64), selected.features.std(axis=0, dtype=np.float64)
    return pnn_tf.parametric_network(
        len(selected.names),
        2 if with_scale else 1,
        units=settings.units,
        dropout=settings.dropout,
        theta_scale=[1000.0, 0.03] if with_scale else 1000.0,
        theta_offset=[0.0, 1.0] if with_scale else 0.0,
        theta_points=points,
        feature_mean=mean,
        feature_variance=std**2,
        feature_names=selected.names,
        seed=seed,
    )


def trained(name: str, train: Sample, settings: Settings, seed: int) -> Scorer:
    """One of TRAININGS, made once; those on the measurement start from that on cross-entropy of the same seed."""
    return _trained(name, train, settings.of_cross_entropy() if name == CROSS_ENTROPY else settings, seed)


@lru_cache(maxsize=16)
def _trained(name, train, settings, seed):
    return TRAININGS[name].make(train, settings, seed)


def cross_entropy(train: Sample, settings: Settings, seed: int) -> Scorer:
    """On nominal events."""
    network = new_network(train, settings, seed)
    batches = _batches(train, {None: 1.0}, settings, seed)
    _fit(network, batches, "binary_crossentropy", train, settings, settings.epochs)
    return Scorer(network)


def augmented(train: Sample, settings: Settings, seed: int) -> Scorer:
    """On nominal events and those that are measured otherwise; the b-tag changes none."""
    network = new_network(train, settings, seed)
    names = [name for name in VARIED if not name.startswith("btag")]
    batches = _batches(train, dict.fromkeys((None, *names), 1.0), settings, seed)
    _fit(network, batches, "binary_crossentropy", train, settings, settings.epochs_augmented)
    return Scorer(network)


def told_the_scale(train: Sample, settings: Settings, seed: int) -> Scorer:
    """On events at three jet energy scales, with the scale in theta; it is told the nominal one in the measurement."""
    network = new_network(train, settings, seed, with_scale=True)
    batches = _batches(train, SCALES, settings, seed, True)
    _fit(network, batches, "binary_crossentropy", train, settings, settings.epochs_told)
    return Scorer(network, (1.0,))


def decorrelated(train: Sample, settings: Settings, seed: int) -> Scorer:
    """After cross-entropy, with a penalty on the distance correlation of score and jet energy scale in the background.

    For a twentieth of the epochs: that is what the correlation takes in time.
    """

    def target(x, label, weight):
        mass, scale = x["theta"][:, :1], x["theta"][:, 1:]
        return {"features": x["features"], "theta": mass}, tf.concat([label, scale, mass], axis=1), weight

    network = copy_of(trained(CROSS_ENTROPY, train, settings, seed).network)
    batches = _batches(train, SCALES, settings, seed, True).map(target)
    n_epochs = max(1, settings.epochs // 20)
    _fit(network, batches, pnn_tf.DecorrelatedCrossentropy(settings.strength), train, settings, n_epochs)
    return Scorer(network)


def on_measurement(
    network: keras.Model, loss: neos_tf.Loss, n_steps: int, rate: float, train: Sample, settings: Settings, seed: int
) -> Scorer:
    """On what the measurement gives, each step at one of the masses in turn; the network itself stays as it is.

    Without dropout, which would be another noise in each variation: the measurement would take that for their effect.
    Without the uncertainty of the simulation, as a batch is only a part of it.
    """
    network = copy_of(network, dropout=False)
    statistic = neos_tf.SummaryStatistic(
        logit_model(network),
        measurement(len(TAILS) + 1, with_statistics=False, floor=FLOOR),
        neos_tf.QuantileBins([1 - tail for tail in TAILS], of="background"),
        settings.bandwidth,
        yields=dict.fromkeys(PARTS),
    )
    statistic.compile(keras.optimizers.Adam(rate), loss, metrics=())
    statistic.fit(measurement_batches(train, settings.sample_batch, seed), steps_per_epoch=n_steps, verbose=0)
    return Scorer(network)


def after_cross_entropy(loss: neos_tf.Loss, rate: str) -> Callable[[Sample, Settings, int], Scorer]:
    """`on_measurement` from cross-entropy of the same seed; `rate` names the setting of its learning rate."""

    def make(train, settings, seed):
        start = trained(CROSS_ENTROPY, train, settings, seed).network
        return on_measurement(start, loss, settings.steps, getattr(settings, rate), train, settings, seed)

    return make


def from_scratch(train: Sample, settings: Settings, seed: int) -> Scorer:
    """On the expected limit from random weights."""
    network, n_steps = new_network(train, settings, seed), settings.steps_from_scratch
    settings = replace(settings, bandwidth=settings.scratch_bandwidth)
    return on_measurement(network, LIMIT, n_steps, settings.scratch_rate, train, settings, seed)


def measurement_batches(train: Sample, batch_size: int, seed: int) -> tf.data.Dataset:
    """An endless stream of batches at one of the masses in turn: both processes, nominal and under each variation."""
    streams = []
    for number, mass in enumerate(train.masses):
        samples = {}
        for process, part_of in train.processes(mass).items():
            for variation in (None, *VARIED):
                features, weight = part_of(variation)
                name = template_name(process, variation)
                theta = np.full((len(features), 1), mass, np.float32)
                samples[name] = ({"features": features, "theta": theta}, weight)
        paired = [[name for name in samples if name.startswith(process)] for process in PROCESSES]
        seeds = {"seed": seed + 100 * number, "paired": paired, "scale_weights": True}
        streams.append(neos_tf.sample_batches(samples, batch_size, **seeds).repeat())
    return tf.data.Dataset.choose_from_datasets(streams, tf.data.Dataset.range(len(streams)).repeat())


def copy_of(network: keras.Model, dropout: bool = True) -> keras.Model:
    """With the same weights; without dropout if told so."""

    def clone(layer):
        config = layer.get_config()
        if isinstance(layer, pnn_tf.FastDropout) and not dropout:
            config["rate"] = 0.0
        return type(layer).from_config(config)

    other = keras.models.clone_model(network, clone_function=clone)
    other.set_weights(network.get_weights())
    return other


def _batches(train, scales, settings, seed, told=False):
    """Balanced batches of the events under each of the variations `scales`, whose values are told as a second theta."""
    features, theta, label, weight = [], [], [], []
    for name, scale in scales.items():
        events = train.nominal if name is None else train.varied[name]
        there = events.weight > 0
        features.append(events.features[there])
        mass = events.theta[there]
        theta.append(np.column_stack([mass, np.full(len(mass), scale)]) if told else mass)
        label.append(events.label[there])
        weight.append(events.weight[there])
    arrays = [np.concatenate(parts) for parts in (features, theta, label)]
    told_apart = {"nuisances": [1]} if told else {}
    return pnn_tf.balanced_batches(
        *arrays,
        weight=np.concatenate(weight),
        batch_size=settings.batch_size,
        background_theta=pnn_tf.Identical(train.masses),
        seed=seed,
        **told_apart,
    ).dataset


def _fit(network, batches, loss, train, settings, n_epochs):
    steps = math.ceil(len(train.nominal) / settings.batch_size)
    network.compile(keras.optimizers.Adam(settings.learning_rate), loss)
    network.fit(batches, steps_per_epoch=steps, epochs=n_epochs, shuffle=False, verbose=0)


class Training(NamedTuple):
    """A way to train.

    Args:
        make: from training events, settings and seed.
        setting: the one of `Settings` that was chosen by trials on a part of the training events.
        values: that were tried, the same number for each.
    """

    make: Callable[[Sample, Settings, int], Scorer]
    setting: str
    values: tuple[float, ...]


LIMIT, VARIANCE = neos_tf.UpperLimitLoss(), neos_tf.POIVarianceLoss(poi_asimov=0.0, log=True)
CROSS_ENTROPY, LIMIT_TRAINED = "cross-entropy", "limit"
TRAININGS = {
    CROSS_ENTROPY: Training(cross_entropy, "epochs", (60, 120, 240)),
    "augmented": Training(augmented, "epochs_augmented", (60, 120, 240)),
    "told the scale": Training(told_the_scale, "epochs_told", (60, 120, 240)),
    "decorrelated": Training(decorrelated, "strength", (0.3, 1.0, 3.0)),
    "variance (INFERNO)": Training(after_cross_entropy(VARIANCE, "variance_rate"), "variance_rate", (1e-4, 2e-4, 4e-4)),
    LIMIT_TRAINED: Training(after_cross_entropy(LIMIT, "limit_rate"), "limit_rate", (5e-5, 1e-4, 2e-4)),
    "limit from scratch": Training(from_scratch, "scratch_bandwidth", (0.01, 0.03, 0.1)),
}
