"""How a network is trained for INFERNO's benchmark: events, recipe, and what each method trains on."""

from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
import tensorflow as tf

import neos_tf
from benchmarks.neos import inferno_problem as problem

BCE, SOFT, KERNELS, CLS = "classifier", "soft bins", "kernels", "log CLs, soft bins"
SOFT_SHUFFLED, KERNELS_SHUFFLED = "soft bins, variations shuffled alone", "kernels, variations shuffled alone"
NUMBERS = range(len(problem.BENCHMARKS))

measurement = cache(problem.measurement)  # one for all networks of a benchmark, which spares tracing


@dataclass(frozen=True)
class Config:
    """Events and recipe of training.

    Args:
        n_train, n_test: events of signal, and as many of nominal background; others for each seed.
        units: widths of the hidden layers, of ReLU.
        n_bins: of the histogram, and softmax outputs.
        batch_size: events of each sample in a batch.
        steps: of training, with Adam and cosine decay.
        soft_bins_rate, kernels_rate, classifier_rate: learning rates at the start.
        bandwidth: of kernels, in bins.
        cross_entropy_steps: before `steps` with kernels, with a constant rate.
        classifier_steps: of the classifier.
        floor: least expected events of a bin in training.
        benchmarks: numbers of those that networks are trained for.
    """

    n_train: int = 500_000
    n_test: int = 500_000
    units: tuple[int, ...] = (100, 100)
    n_bins: int = 10
    batch_size: int = 2000
    steps: int = 1500
    soft_bins_rate: float = 3e-3
    kernels_rate: float = 3e-3
    bandwidth: float = 0.6
    cross_entropy_steps: int = 500
    classifier_steps: int = 1500
    classifier_rate: float = 1e-3
    floor: float = 1e-3
    benchmarks: tuple[int, ...] = tuple(NUMBERS)


def trained(config: Config, method: str, benchmark: int | None, seed: int, display) -> tuple[keras.Model, dict]:
    """A network after training, and `loss` and `unconverged`."""
    benchmark = benchmark or 0
    soft = method in (SOFT, SOFT_SHUFFLED, CLS)
    model = measurement(benchmark, config.n_bins, config.floor)
    batches = batches_of(config, benchmark, seed, alone=method in (SOFT_SHUFFLED, KERNELS_SHUFFLED))
    statistic = neos_tf.SummaryStatistic(
        network(config, config.n_bins if soft else 1, seed),
        model,
        neos_tf.SoftBins(config.n_bins) if soft else np.linspace(0, 1, config.n_bins + 1),
        **({} if soft else {"bandwidth": config.bandwidth, "relative": True, "outside": "fold"}),
        yields=problem.yields(model.template_names),
    )
    variance = neos_tf.POIVarianceLoss(log=True, unconstrained=problem.unconstrained(benchmark))
    loss = {BCE: neos_tf.BCELoss(), CLS: neos_tf.CLsLoss()}.get(method, variance)
    rate, steps = (
        (config.classifier_rate, config.classifier_steps)
        if method == BCE
        else (config.soft_bins_rate if soft else config.kernels_rate, config.steps)
    )
    stages = [(loss, keras.optimizers.schedules.CosineDecay(rate, steps), steps)]
    if method in (KERNELS, KERNELS_SHUFFLED) and config.cross_entropy_steps:
        stages.insert(0, (neos_tf.BCELoss(), rate, config.cross_entropy_steps))
    total = sum(steps for _, _, steps in stages)
    for stage_loss, stage_rate, stage_steps in stages:
        statistic.compile(keras.optimizers.Adam(stage_rate), stage_loss)
        each = min(100, stage_steps)

        def show(epoch, logs, each=each):
            display.advance(each / total, f"{method}, benchmark {benchmark}, seed {seed}, loss {logs['loss']:.4g}")

        logs = statistic.fit(
            batches,
            steps_per_epoch=each,
            epochs=stage_steps // each,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=show)],
            verbose=0,
        ).history
    return statistic.network, {
        "loss": float(f"{logs['loss'][-1]:.6g}"),
        "unconverged": int(sum(logs["unconverged"])),
    }


def network(config: Config, n_outputs: int, seed: int) -> keras.Model:
    """3 inputs, hidden layers of ReLU, and a sigmoid or logits; Glorot's uniform weights of a seed, zero biases."""
    widths = (*config.units, n_outputs)
    kinds = (*["relu"] * len(config.units), "linear" if n_outputs > 1 else "sigmoid")
    seeds = np.random.SeedSequence(seed).generate_state(len(widths)).tolist()
    layers = [
        keras.layers.Dense(width, kind, kernel_initializer=keras.initializers.GlorotUniform(of_layer))
        for width, kind, of_layer in zip(widths, kinds, seeds, strict=True)
    ]
    return keras.Sequential([keras.Input((3,)), *layers])


def batches_of(config: Config, benchmark: int, seed: int, alone: bool) -> tf.data.Dataset:
    """Batches without end; variations are made of the background in the batch, or `alone`, of others."""
    events, variations = problem.draw(config.n_train, 2 * seed), problem.variations(benchmark)
    if alone:
        events |= {name: function(events[source]) for name, (source, function) in variations.items()}
        variations = {}
    return neos_tf.sample_batches(events, config.batch_size, seed=seed, variations=variations).repeat()
